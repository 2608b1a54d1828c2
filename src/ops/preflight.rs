//! The first questions to the API server: is it there and new enough, may we do our work, does it know our resource?
//!
//! One clear line instead of one from every watch. It asks until all answers are yes and never gives up: a process that ends
//! would only be started again. What is only needed to act is not asked for: a refusal then is said by the service it hits.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{api::HealedService, base::error_text::explain, cluster::decode::Item};

/// Between two questions.
const RETRY: Duration = Duration::from_secs(5);
/// For all answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// The oldest version whose CRDs can say what ours say: selectable fields.
const FLOOR: (u32, u32) = (1, 32);

/// What nothing can be decided or recorded without: group, resource, verbs. Policies and Events are not here, healing goes on
/// without.
const NEEDED: [(&str, &str, &[&str]); 9] = [
    ("kubeheal.dev", "healedservices", &["list", "watch"]),
    ("kubeheal.dev", "healedservices/status", &["update"]),
    ("", "pods", &["list", "watch"]),
    ("apps", "deployments", &["list", "watch"]),
    ("apps", "statefulsets", &["list", "watch"]),
    ("apps", "daemonsets", &["list", "watch"]),
    ("apps", "replicasets", &["list", "watch"]),
    ("apps", "controllerrevisions", &["list", "watch"]),
    ("policy", "poddisruptionbudgets", &["list", "watch"]),
];

/// Why we cannot work, for `/readyz`; empty once we can.
pub type Trouble = Option<String>;

/// Returns once the API server gave the answers we need, or at `stop`. `client` should not retry by itself.
pub async fn passed(
    client: Client,
    namespace: Option<&str>,
    trouble: &watch::Sender<Trouble>,
    stop: &CancellationToken,
) {
    loop {
        let asked =
            tokio::select! { biased; () = stop.cancelled() => return, asked = ask(&client, namespace) => asked };
        let Err(reason) = asked else {
            trouble.send_replace(None);
            return;
        };
        trouble.send_if_modified(|known| {
            let news = known.as_ref() != Some(&reason);
            if news {
                tracing::error!("{reason}; trying again every {} s", RETRY.as_secs());
                *known = Some(reason);
            }
            news
        });
        tokio::select! { biased; () = stop.cancelled() => return, () = sleep(RETRY) => {} }
    }
}

async fn ask(client: &Client, namespace: Option<&str>) -> Result<(), String> {
    let asked = async {
        is_new_enough(client).await?;
        is_permitted(client, namespace).await?;
        knows_our_resource(client, namespace).await
    };
    match timeout(PATIENCE, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("the API server has not answered for {} s", PATIENCE.as_secs())),
    }
}

async fn is_new_enough(client: &Client) -> Result<(), String> {
    let version = client.apiserver_version().await;
    let version = version.map_err(|error| explain("asking for the version of the API server", &error))?;
    // Some providers write a plus behind the minor version.
    let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    match number(&version.major).zip(number(&version.minor)) {
        Some(found) if found < FLOOR => {
            let ((major, minor), found) = (FLOOR, version.git_version);
            Err(format!("the API server is {found}, kubeheal needs {major}.{minor} or newer: upgrade the cluster"))
        }
        // One that says nothing we can read is taken at its later answers.
        Some(_) | None => Ok(()),
    }
}

/// Names everything that is missing at once, so that a role is mended in one go.
async fn is_permitted(client: &Client, namespace: Option<&str>) -> Result<(), String> {
    let all = NEEDED.iter().flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| (group, resource, verb)));
    let answers = try_join_all(all.map(async |(group, resource, verb)| {
        let allowed = may(client, namespace, group, resource, verb).await?;
        Ok::<_, String>((!allowed).then(|| format!("{verb} {resource}")))
    }));
    let missing: Vec<String> = answers.await?.into_iter().flatten().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let place = namespace.map_or_else(|| "in all namespaces".to_owned(), |namespace| format!("in {namespace}"));
    Err(format!("not permitted {place}: {}: compare the roles in deploy/base/rbac.yaml", missing.join(", ")))
}

async fn may(
    client: &Client,
    namespace: Option<&str>,
    group: &str,
    resource: &str,
    verb: &str,
) -> Result<bool, String> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        verb: Some(verb.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    match reviews.create(&PostParams::default(), &review).await {
        Ok(answer) => Ok(answer.status.is_some_and(|status| status.allowed)),
        // One that does not let us ask may still let us work.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 405 | 501) => Ok(true),
        Err(error) => Err(explain("asking what we may do", &error)),
    }
}

async fn knows_our_resource(client: &Client, namespace: Option<&str>) -> Result<(), String> {
    // One that cannot be read is no reason not to work for the others.
    let services: Api<Item<HealedService>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let listed = services.list(&ListParams::default().limit(1)).await;
    listed.map(drop).map_err(|error| explain("listing healedservices", &error))
}
