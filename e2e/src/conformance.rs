//! Plays transcripts of a real API server to the cluster in KUBECONFIG, or to tinykube over HTTP, and compares.
//!
//! The transcripts name their namespaces; they must not be there before, and are removed afterwards.

use bytes::Bytes;
use golden::{play::Server, report::Report, transcript};
use http::{HeaderValue, Request, Response, header::HeaderName};
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
    client::Body,
    config::AuthInfo,
    runtime::wait::await_condition,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Result, expect},
    ground::{Ground, LIMITED_TOKEN, client},
    hands::PATIENCE,
};

/// What the transcripts make.
const NAMESPACES: &str = "g-";
const DEFINITION: &str = "gauges.golden.test";

/// Arguments of `e2e conformance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// Play to a playground instead of the cluster in KUBECONFIG, and expect what tinykube is known to answer differently
    #[arg(long)]
    playground: bool,
}

impl Conformance {
    /// Plays everything. Whether nothing was a surprise.
    pub(crate) async fn run(&self, stop: &CancellationToken) -> Result<bool> {
        let folder = tempfile::tempdir().map_err(|error| Failure::new(format!("make a folder: {error}")))?;
        let ground = if self.playground { Ground::playground(folder.path()).await? } else { Ground::given().await? };
        let left = remains(&ground.client).await?;
        expect(left.is_empty(), || {
            format!("the transcripts make {}, and something of that name is there: remove it", left.join(", "))
        })?;
        let known = if ground.is_playground() { transcript::TINYKUBE } else { &[] };
        let users = Users::of(&ground)?;
        let played = stop.run_until_cancelled(golden::play::play(&users, known)).await;
        let cleaned = clean(&ground.client).await;
        let Some(played) = played else { return Err(Failure::new("interrupted")) };
        let report = Report::new(&played, known);
        println!("{report}");
        cleaned?;
        Ok(report.surprises().is_empty())
    }
}

/// A client for each user of the transcripts.
struct Users {
    admin: Client,
    limited: Client,
    anonymous: Client,
    wrong: Client,
}

impl Users {
    fn of(ground: &Ground) -> Result<Users> {
        let with = |auth: AuthInfo| {
            let mut config = ground.config.clone();
            config.auth_info = auth;
            config
        };
        let token = |token: &str| AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        // Nobody has an account of a user without rights on a cluster that is not ours; an admin may act as one.
        let limited = if ground.is_playground() {
            with(token(LIMITED_TOKEN))
        } else {
            let mut config = ground.config.clone();
            config.headers.push((HeaderName::from_static("impersonate-user"), HeaderValue::from_static("limited")));
            config
        };
        Ok(Users {
            admin: ground.client.clone(),
            limited: client(limited)?,
            anonymous: client(with(AuthInfo::default()))?,
            wrong: client(with(token("nobody-knows-this-token")))?,
        })
    }
}

impl Server for Users {
    type Body = Body;

    async fn send(&self, user: &str, request: Request<Bytes>) -> std::result::Result<Response<Body>, String> {
        let client = match user {
            "limited" => &self.limited,
            "anonymous" => &self.anonymous,
            "wrong" => &self.wrong,
            _ => &self.admin,
        };
        let path = request.uri().to_string();
        let sent = client.send(request.map(Body::from)).await;
        sent.map_err(|error| kubeheal::explain::explain(&path, &error))
    }
}

/// What of the transcripts is in the cluster.
async fn remains(client: &Client) -> Result<Vec<String>> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let failed = |error: kube::Error| Failure::api("look for what the transcripts make", &error);
    let found = namespaces.list(&ListParams::default()).await.map_err(failed)?;
    let mut names: Vec<String> = found.iter().map(ResourceExt::name_any).filter(|name| is_ours(name)).collect();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    names.extend(definitions.get_opt(DEFINITION).await.map_err(failed)?.map(|found| found.name_any()));
    Ok(names)
}

fn is_ours(namespace: &str) -> bool {
    namespace.starts_with(NAMESPACES)
        && transcript::CASES
            .iter()
            .flat_map(transcript::Case::lines)
            .any(|line| line["path"] == "/api/v1/namespaces" && line["body"]["metadata"]["name"] == namespace)
}

async fn clean(client: &Client) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in remains(client).await? {
        let failed = |error: kube::Error| Failure::api(format!("remove {name}"), &error);
        let waited = if name == DEFINITION {
            definitions.delete(&name, &DeleteParams::background()).await.map_err(failed)?;
            let gone = |found: Option<&CustomResourceDefinition>| found.is_none();
            timeout(PATIENCE, await_condition(definitions.clone(), &name, gone)).await.is_ok()
        } else {
            namespaces.delete(&name, &DeleteParams::background()).await.map_err(failed)?;
            let gone = |found: Option<&Namespace>| found.is_none();
            timeout(PATIENCE, await_condition(namespaces.clone(), &name, gone)).await.is_ok()
        };
        expect(waited, || format!("{name} was removed and does not end"))?;
    }
    Ok(())
}
