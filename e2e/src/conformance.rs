//! Plays transcripts of a real API server to the cluster in KUBECONFIG, or to tinykube over HTTPS, and compares.
//!
//! The transcripts name what they make; nothing of it may be there before, and all is removed afterwards.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use golden::{known, play::Server, report::Report, transcript};
use http::{HeaderValue, Request, Response, header::HeaderName};
use kube::{
    Client, ResourceExt,
    client::Body,
    config::{AuthInfo, Kubeconfig},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Result, expect},
    ground::{ADMIN_TOKEN, Ground, LIMITED_TOKEN, client},
    hands::PATIENCE,
};

/// Who may do nothing, in a kubeconfig that has such a user.
const LIMITED: &str = "limited";
/// Between two looks at whether something is gone.
const PAUSE: Duration = Duration::from_millis(100);

/// Arguments of `e2e conformance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// Play to a playground instead of the cluster in KUBECONFIG, and expect what tinykube is known to answer differently
    #[arg(long)]
    playground: bool,
    /// Names of the cases to play; without any, all of them
    #[arg(value_parser = case)]
    cases: Vec<transcript::Case>,
}

fn case(name: &str) -> std::result::Result<transcript::Case, String> {
    let found = transcript::CASES.into_iter().find(|case| case.name == name);
    found.ok_or_else(|| format!("the cases are {}", transcript::CASES.map(|case| case.name).join(", ")))
}

impl Conformance {
    /// Plays everything. Whether nothing was a surprise.
    pub(crate) async fn run(&self, stop: &CancellationToken) -> Result<bool> {
        let folder = tempfile::tempdir().map_err(|error| Failure::new(format!("make a folder: {error}")))?;
        let ground = if self.playground { Ground::playground(folder.path()).await? } else { Ground::given().await? };
        if ground.is_playground() {
            // A playground comes with our definitions, and the server that was recorded had none.
            let ours: Vec<String> = kubeheal::api::crds().iter().map(ResourceExt::name_any).collect();
            ground.uninstall(&ours).await?;
        }
        let left = remains(&ground.client).await?;
        expect(left.is_empty(), || {
            format!("the transcripts make {}, and something of that name is there: remove it", left.join(", "))
        })?;
        let known = if ground.is_playground() { known::tinykube() } else { known::cluster() };
        let users = Users::of(&ground)?;
        let cases = if self.cases.is_empty() { &transcript::CASES[..] } else { &self.cases };
        let played = stop.run_until_cancelled(golden::play::play_some(&users, &known, cases)).await;
        let cleaned = clean(&ground.client).await;
        let Some(played) = played else { return Err(Failure::new("interrupted")) };
        let report = Report::new(&played, &known);
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
    admin_token: Option<String>,
    limited_token: Option<String>,
}

impl Users {
    fn of(ground: &Ground) -> Result<Users> {
        let with = |auth: AuthInfo| {
            let mut config = ground.config.clone();
            config.auth_info = auth;
            config
        };
        let token = |token: &str| AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        let limited_token = if ground.is_playground() { Some(LIMITED_TOKEN.to_owned()) } else { token_of(LIMITED) };
        // Where nobody has an account of a user without rights, an admin acts as one; it cannot act as one who acts as another.
        let limited = if let Some(limited) = &limited_token {
            with(token(limited))
        } else {
            let mut config = ground.config.clone();
            // As the token file of the recording has it: a UID, and one group without a name.
            for (name, value) in
                [("impersonate-user", "limited"), ("impersonate-uid", "lim"), ("impersonate-group", "")]
            {
                config.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
            }
            config
        };
        Ok(Users {
            admin: if ground.is_playground() { client(with(token(ADMIN_TOKEN)))? } else { ground.client.clone() },
            admin_token: if ground.is_playground() {
                Some(ADMIN_TOKEN.to_owned())
            } else {
                bearer(&ground.config.auth_info)
            },
            limited: client(limited)?,
            limited_token,
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
        sent.map_err(|error| kubeheal::base::error_text::explain(&path, &error))
    }

    fn admin_token(&self) -> Option<String> {
        self.admin_token.clone()
    }

    fn limited_token(&self) -> Option<String> {
        self.limited_token.clone()
    }
}

fn bearer(auth: &AuthInfo) -> Option<String> {
    let written = serde_json::to_value(auth).unwrap_or_default();
    written["token"].as_str().map(str::to_owned)
}

/// The token of a user in the kubeconfig.
fn token_of(user: &str) -> Option<String> {
    let users = Kubeconfig::read().ok()?.auth_infos;
    let found = users.into_iter().find(|entry| entry.name == user)?.auth_info?;
    bearer(&found)
}

/// Paths of what the transcripts make for the whole cluster; what they make in a namespace goes with it.
fn made() -> BTreeSet<String> {
    let lines = transcript::CASES.iter().flat_map(transcript::Case::lines);
    let created = lines.filter(|line| line["method"] == "POST" && line["status"] == 201);
    created
        .filter_map(|line| {
            let (collection, name) = (line["path"].as_str()?, line["body"]["metadata"]["name"].as_str()?);
            let lasts = !collection.contains("/namespaces/") && !collection.contains('?');
            lasts.then(|| format!("{collection}/{name}"))
        })
        .collect()
}

/// What of the transcripts is in the cluster.
async fn remains(client: &Client) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in made() {
        if is_there(client, &path).await? {
            found.push(path);
        }
    }
    Ok(found)
}

async fn ask(client: &Client, method: &str, path: &str) -> Result<u16> {
    let request = Request::builder().method(method).uri(path).body(Body::empty());
    let request = request.map_err(|error| Failure::new(format!("{method} {path}: {error}")))?;
    let answer = client.send(request).await.map_err(|error| Failure::api(format!("{method} {path}"), &error))?;
    Ok(answer.status().as_u16())
}

async fn is_there(client: &Client, path: &str) -> Result<bool> {
    // 501 is what tinykube says of a kind that it does not serve.
    match ask(client, "GET", path).await? {
        404 | 501 => Ok(false),
        200 => Ok(true),
        other => Err(Failure::new(format!("look for {path}, which the transcripts make: the answer is {other}"))),
    }
}

async fn clean(client: &Client) -> Result<()> {
    for path in remains(client).await? {
        let code = ask(client, "DELETE", &path).await?;
        expect(code < 300 || code == 404, || format!("{path} cannot be removed: the answer is {code}"))?;
        let gone = async {
            while is_there(client, &path).await? {
                sleep(PAUSE).await;
            }
            Ok(())
        };
        timeout(PATIENCE, gone).await.map_err(|_| Failure::new(format!("{path} was removed and does not end")))??;
    }
    Ok(())
}
