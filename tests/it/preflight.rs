//! What is wrong before the first look: said once, in words that help, and waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, header::AUTHORIZATION};
use http_body_util::BodyExt;
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    client::Body,
};
use kubeheal::ops::preflight;
use serde_json::{Value, json};
use tinykube::{Cluster, auth::Auth};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The questions under way, and every answer that `/readyz` would give meanwhile.
struct Asking {
    trouble: watch::Receiver<preflight::Trouble>,
    task: JoinHandle<()>,
}

impl Asking {
    fn begin(client: Client) -> Self {
        let (sender, mut trouble) = watch::channel(Some("the API server has not answered yet".to_owned()));
        trouble.mark_unchanged();
        let task = tokio::spawn(async move {
            preflight::passed(client, None, &sender, &CancellationToken::new()).await;
        });
        Self { trouble, task }
    }

    /// The one thing that is said, however long it lasts.
    async fn trouble(&mut self) -> String {
        timeout(Duration::from_secs(60), self.trouble.changed()).await.expect("something is said").unwrap();
        let said = self.trouble.borrow_and_update().clone().expect("not ready");
        sleep(Duration::from_secs(300)).await;
        assert!(!self.trouble.has_changed().unwrap(), "said again: {:?}", self.trouble.borrow());
        assert!(!self.task.is_finished() && !said.contains('\n'), "{said}");
        said
    }

    /// All is well within the time between two questions.
    async fn ends(self) {
        timeout(Duration::from_secs(10), self.task).await.expect("the questions go on").unwrap();
        assert_eq!(*self.trouble.borrow(), None);
    }
}

fn cluster() -> tinykube::cluster::Builder {
    let clock = tinykube::clock::Clock::starting_at(crate::support::world::START.parse().unwrap());
    Cluster::builder().clock(clock).without_controllers()
}

#[tokio::test(start_paused = true)]
async fn missing_crds_are_named_and_waited_for() {
    let cluster = cluster().start().unwrap();
    let mut asking = Asking::begin(cluster.client());
    let said = asking.trouble().await;
    assert!(said.contains("kubectl apply -k crds"), "{said}");
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client());
    for definition in kubeheal::api::crds() {
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    asking.ends().await;
}

/// The rules of the controller's own role, without some verbs.
fn role_without(missing: &[(&str, &str)]) -> ClusterRole {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base/rbac.yaml")).unwrap();
    let documents = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    let role = documents.into_iter().find(|document| document["kind"] == "ClusterRole").unwrap();
    let mut rules = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        for resource in rule["resources"].as_array().unwrap() {
            let verbs = rule["verbs"].as_array().unwrap().iter();
            let left = verbs.filter(|verb| !missing.iter().any(|pair| *verb == pair.0 && *resource == pair.1));
            let left: Vec<_> = left.collect();
            // A rule without verbs is no rule.
            if !left.is_empty() {
                rules.push(json!({"apiGroups": rule["apiGroups"], "resources": [resource], "verbs": left}));
            }
        }
    }
    serde_json::from_value(json!({"metadata": {"name": "kubeheal"}, "rules": rules})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn missing_verbs_are_named_all_at_once_and_waited_for() {
    let crds = kubeheal::api::crds().into_iter();
    let cluster = crds.fold(cluster(), tinykube::cluster::Builder::crd).start().unwrap();
    let roles: Api<ClusterRole> = Api::all(cluster.client());
    let missing = [("watch", "pods"), ("update", "healedservices/status"), ("create", "pods/eviction")];
    roles.create(&PostParams::default(), &role_without(&missing)).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(cluster.client());
    let binding = json!({
        "metadata": {"name": "kubeheal"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubeheal"},
        "subjects": [{"kind": "User", "name": "robot", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let robot = cluster.service_for(Auth::tokens("robot-token,robot,1,\"\"").unwrap());
    let as_robot = robot.map_request(|mut request: Request<Body>| {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer robot-token"));
        request
    });
    let mut asking = Asking::begin(Client::new(as_robot, "default"));

    let said = asking.trouble().await;
    for named in ["watch pods", "update healedservices/status", "rbac.yaml"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    assert!(!said.contains("eviction") && !said.contains("list pods"), "only what is missing and needed: {said}");
    let whole = Patch::Merge(role_without(&[]));
    roles.patch("kubeheal", &PatchParams::default(), &whole).await.unwrap();
    asking.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_older_than_the_floor_is_named_and_waited_for() {
    let crds = kubeheal::api::crds().into_iter();
    let cluster = crds.fold(cluster(), tinykube::cluster::Builder::crd).start().unwrap();
    let old = Arc::new(AtomicBool::new(true));
    let (inner, is_old) = (cluster.service(), old.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, is_old) = (inner.clone(), is_old.clone());
        async move {
            let changes = request.uri().path() == "/version" && is_old.load(Ordering::Relaxed);
            let (parts, body) = inner.oneshot(request).await?.into_parts();
            let mut body = body.collect().await?.to_bytes().to_vec();
            if changes {
                let mut version: Value = serde_json::from_slice(&body).unwrap();
                // As a provider writes it.
                (version["minor"], version["gitVersion"]) = (json!("31+"), json!("v1.31.4-gke.7"));
                body = version.to_string().into_bytes();
            }
            Ok::<_, std::convert::Infallible>(http::Response::from_parts(parts, Body::from(body)))
        }
    });
    let mut asking = Asking::begin(Client::new(service, "default"));
    let said = asking.trouble().await;
    assert!(said.contains("v1.31.4-gke.7") && said.contains("1.32"), "{said}");
    old.store(false, Ordering::Relaxed);
    asking.ends().await;
}
