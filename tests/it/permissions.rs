//! The roles in `deploy` permit all that the controller does. A gate in front of the cluster enforces them.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body, core::Status};
use kubeheal::{
    clock::Clock,
    controller::{Controller, Options},
    leader::{Elector, Settings},
    metrics::Metrics,
    preflight,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{START, World, deployment, service};

/// What is asked of the API server: verb, API group, resource with subresource, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    verb: &'static str,
    group: String,
    resource: String,
    name: Option<String>,
}

impl Asked {
    fn of(request: &Request<Body>) -> Self {
        let mut path = request.uri().path().split('/').filter(|part| !part.is_empty()).map(str::to_owned);
        let is_core = path.next().as_deref() == Some("api");
        let group = if is_core { String::new() } else { path.next().unwrap() };
        let mut rest: Vec<String> = path.skip(1).collect();
        if rest.len() > 2 && rest[0] == "namespaces" {
            rest.drain(..2);
        }
        let name = rest.get(1).cloned();
        let resource = rest.get(2).map_or_else(|| rest[0].clone(), |sub| format!("{}/{sub}", rest[0]));
        let is_watch = request.uri().query().unwrap_or_default().contains("watch=");
        let verb = match *request.method() {
            Method::GET if name.is_some() => "get",
            Method::GET if is_watch => "watch",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if name.is_some() => "delete",
            _ => "deletecollection",
        };
        Self { verb, group, resource, name }
    }

    fn is_permitted_by(&self, rule: &Value) -> bool {
        let lists = |field: &str, wanted: &str| rule[field].as_array().unwrap().iter().any(|one| one == wanted);
        let names = rule["resourceNames"].as_array();
        lists("apiGroups", &self.group)
            && lists("resources", &self.resource)
            && lists("verbs", self.verb)
            && names.is_none_or(|names| names.iter().any(|one| one.as_str() == self.name.as_deref()))
    }
}

/// What `kubectl apply -k deploy/base` grants the controller.
const BASE: [&str; 2] = ["base/rbac.yaml", "base/recreate.yaml"];

/// The rules of all roles in these files of `deploy`. What is opted into is in `components/NAME/rbac.yaml`.
fn rules(files: &[&str]) -> Vec<Value> {
    let documents = files.iter().flat_map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap()).collect::<Vec<_>>()
    });
    documents.filter_map(|document| document["rules"].as_array().cloned()).flatten().collect()
}

/// The cluster as the controller's ServiceAccount may use it, and what it was refused or granted.
#[derive(Clone, Default)]
struct Gate {
    granted: Arc<Mutex<BTreeSet<Asked>>>,
    refused: Arc<Mutex<BTreeSet<Asked>>>,
}

impl Gate {
    fn client(&self, inner: Client, rules: Vec<Value>) -> Client {
        let (gate, rules) = (self.clone(), Arc::new(rules));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (gate, rules, inner) = (gate.clone(), rules.clone(), inner.clone());
            async move {
                let asked = Asked::of(&request);
                if rules.iter().any(|rule| asked.is_permitted_by(rule)) {
                    gate.granted.lock().unwrap().insert(asked);
                    return inner.send(request).await;
                }
                let status = Status::failure(&format!("forbidden: {asked:?}"), "Forbidden").with_code(403);
                gate.refused.lock().unwrap().insert(asked);
                let body = Body::from(serde_json::to_vec(&status).unwrap());
                Ok(Response::builder().status(StatusCode::FORBIDDEN).body(body).unwrap())
            }
        });
        Client::new(service, "kubeheal-system")
    }

    fn has_granted(&self, verb: &str, resource: &str) -> bool {
        self.granted.lock().unwrap().iter().any(|asked| asked.verb == verb && asked.resource == resource)
    }
}

/// A sick pod behind a budget that refuses, a removed Deployment and a removed bare pod, under the given roles.
async fn healing_under(rules: Vec<Value>) -> Gate {
    let world = World::without_controller();
    let gate = Gate::default();
    let client = gate.client(world.client.clone(), rules);
    let (clock, stop) = (Clock::starting_at(START.parse().unwrap()), CancellationToken::new());

    let (elector, leadership) = Elector::new(client.clone(), clock, Settings::new("default", "test"));
    tokio::spawn(elector.run(stop.clone()));
    let (trouble, _) = tokio::sync::watch::channel(None);
    preflight::passed(client.clone(), None, &trouble, &stop).await;
    let options = Options {
        namespace: None,
        concurrency: 4,
        observe_only: false,
        metrics: Metrics::new(clock.now()),
        leader: Some(leadership),
    };
    let controller = Controller::new(client.clone(), client, clock, options);
    let running = tokio::spawn(controller.run(stop.clone()));

    world.create(deployment("api", 2)).await;
    world.create(service("api", json!({"remediation": {"evictionPolicy": "DeleteWhenUnready"}}))).await;
    world.create(deployment("web", 1)).await;
    world.create(service("web", json!({}))).await;
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    });
    world.create(autoscaler).await;
    let container = json!({"name": "app", "image": "busybox:1.37"});
    world
        .create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"containers": [container]},
        }))
        .await;
    world.create(service("bare", json!({"workloadRef": {"kind": "Pod", "name": "bare"}}))).await;
    world.pass(120).await;
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "api"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "api"}}},
    });
    world.create(budget).await;
    let pod = world.pods("api").await.remove(0);
    let script = json!({"metadata": {"annotations": {"tinykube.dev/script": "sick"}}});
    world.patch("Pod", pod["metadata"]["name"].as_str().unwrap(), script).await;
    world.delete("Deployment", "web").await;
    world.delete("Pod", "bare").await;
    world.pass(3_600).await;
    stop.cancel();
    running.await.unwrap();
    gate
}

#[tokio::test(start_paused = true)]
async fn the_roles_permit_all_that_healing_does() {
    let gate = healing_under(rules(&BASE)).await;
    assert_eq!(*gate.refused.lock().unwrap(), BTreeSet::new());
    for (verb, resource) in [
        ("create", "pods/eviction"),
        ("delete", "pods"),
        ("create", "pods"),
        ("create", "deployments"),
        ("list", "horizontalpodautoscalers"),
        ("patch", "deployments"),
        ("create", "controllerrevisions"),
        ("create", "events"),
        ("update", "healedservices/status"),
        ("create", "leases"),
        ("update", "leases"),
    ] {
        assert!(gate.has_granted(verb, resource), "never done: {verb} {resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_gate_refuses_what_no_role_permits() {
    let less = rules(&BASE).into_iter().filter(|rule| rule["resources"] != json!(["pods/eviction"])).collect();
    let gate = healing_under(less).await;
    let refused = gate.refused.lock().unwrap();
    assert!(refused.iter().any(|asked| asked.resource == "pods/eviction"), "{refused:?}");
}
