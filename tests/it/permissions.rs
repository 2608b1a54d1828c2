//! The roles in `deploy` permit all that the controller does. A gate in front of the cluster enforces them.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
    client::Body,
    core::{DynamicObject, Status},
};
use kubeheal::{
    api::status::HealedServiceStatus,
    controller::{Clients, Controller, Options},
    notify::alert::RetryConfig,
    ops::{
        clock::Clock,
        leader::{Elector, Settings},
        metrics::Metrics,
        preflight,
    },
};
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    journeys::{condition, well},
    support::world::{START, World, deployment, resource, service},
};

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

/// What every cluster grants everybody it knows: the version, and to ask what one may do.
fn everybody_may(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    path == "/version" || path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
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
                if everybody_may(&request) {
                    return inner.send(request).await;
                }
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

/// A cluster alone, with the controller's own namespace.
async fn world() -> World {
    let world = World::without_controller();
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let own = Namespace {
        metadata: ObjectMeta { name: Some("kubeheal-system".to_owned()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    namespaces.create(&PostParams::default(), &own).await.unwrap();
    world
}

/// A sick pod behind a budget that refuses, a removed Deployment and a removed bare pod, under the given roles.
async fn healing_under(rules: Vec<Value>) -> Gate {
    let world = world().await;
    let gate = Gate::default();
    let client = gate.client(world.client.clone(), rules);
    let (clock, stop) = (Clock::starting_at(START.parse().unwrap()), CancellationToken::new());

    let (elector, leadership) = Elector::new(client.clone(), clock.clone(), Settings::new("default", "test"));
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
    let controller = Controller::new(Clients { reads: client.clone(), actions: client }, clock, options);
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

/// Names of the Secrets in a namespace.
async fn secrets_in(world: &World, namespace: &str) -> Vec<String> {
    let secrets: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), namespace, &resource("Secret"));
    let found = secrets.list(&ListParams::default()).await.unwrap().items;
    found.into_iter().filter_map(|secret| secret.metadata.name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_signing_key_is_in_the_controllers_own_namespace_and_no_other_secret_is_touched() {
    let (gate, world) = alone_under(rules(&BASE)).await;
    well(&world, "api", 1, json!({})).await;
    world.until("api", "kept", 60, |status| status.last_known_good.is_some()).await;
    assert_eq!(secrets_in(&world, "kubeheal-system").await, ["kubeheal-signing-key"]);
    assert_eq!(secrets_in(&world, "default").await, [""; 0]);
    let granted = gate.granted.lock().unwrap();
    let verbs: Vec<_> = granted.iter().filter(|asked| asked.resource == "secrets").map(|asked| asked.verb).collect();
    assert_eq!(verbs, ["create", "get"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_its_key_nothing_is_kept_and_pods_are_restarted_as_ever() {
    let less = rules(&BASE).into_iter().filter(|rule| rule["resources"] != json!(["secrets"])).collect();
    let (gate, world) = alone_under(less).await;
    well(&world, "api", 2, json!({})).await;
    world.pass(60).await;
    let status = world.status("api").await;
    assert_eq!(condition(&status, "Stalled"), ("True", "SigningKeyMissing"));
    let said = &status.conditions.iter().find(|one| one.type_ == "Stalled").unwrap().message;
    let words = "kubeheal may not get Secret kubeheal-signing-key in namespace kubeheal-system: see the Role";
    assert!(said.contains(words), "{said}");
    assert!(world.list("ControllerRevision").await.is_empty());
    assert_eq!(secrets_in(&world, "kubeheal-system").await, [""; 0]);
    assert!(gate.refused.lock().unwrap().iter().all(|asked| asked.resource == "secrets"));

    let pod = world.pods("api").await.remove(0);
    let script = json!({"metadata": {"annotations": {"tinykube.dev/script": "sick"}}});
    world.patch("Pod", pod["metadata"]["name"].as_str().unwrap(), script).await;
    world.pass(900).await;
    assert!(gate.has_granted("create", "pods/eviction"), "{:?}", world.status("api").await.blocked_by);

    world.delete("Deployment", "api").await;
    world.pass(600).await;
    assert!(world.get("Deployment", "api").await.is_none());
    assert_eq!(condition(&world.status("api").await, "Stalled").0, "True");
}

/// A cluster with one controller, which stands for no election, under the given roles.
async fn alone_under(rules: Vec<Value>) -> (Gate, World) {
    let world = world().await;
    let gate = Gate::default();
    let client = gate.client(world.client.clone(), rules);
    let (clock, stop) = (Clock::starting_at(START.parse().unwrap()), CancellationToken::new());
    let metrics = Metrics::new(clock.now());
    let options = Options { namespace: None, concurrency: 4, observe_only: false, metrics, leader: None };
    tokio::spawn(Controller::new(Clients { reads: client.clone(), actions: client }, clock, options).run(stop));
    (gate, world)
}

/// Two services whose circuits open, and what becomes of them, under the given roles.
async fn opening_under(rules: Vec<Value>) -> (Gate, World) {
    let (gate, world) = alone_under(rules).await;
    let front = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
        "spec": {"selector": {"app": "front"}, "ports": [{"port": 80}]},
    });
    world.create(front).await;
    let fallback = json!({"action": "Fallback", "fallback": {"serviceName": "front", "selector": {"app": "sorry"}}});
    for (name, on_open) in [("front", fallback), ("back", json!({"action": "ScaleToZero"}))] {
        world.create(deployment(name, 1)).await;
        world.create(service(name, json!({"circuitBreaker": {"onOpen": on_open}}))).await;
    }
    world.pass(60).await;
    for name in ["front", "back"] {
        world.break_workload(name, "crash").await;
    }
    let open = |status: &HealedServiceStatus| {
        status.circuit.as_ref().is_some_and(|circuit| circuit.state == CircuitState::Open)
    };
    for name in ["front", "back"] {
        world.until(name, "open", 4 * 3600, open).await;
    }
    world.pass(30).await;
    (gate, world)
}

#[tokio::test(start_paused = true)]
async fn the_components_permit_what_an_open_circuit_does() {
    let components = ["components/fallback/rbac.yaml", "components/scale-to-zero/rbac.yaml"];
    let (gate, world) = opening_under(rules(&[&BASE[..], &components].concat())).await;
    assert_eq!(*gate.refused.lock().unwrap(), BTreeSet::new());
    assert!(gate.has_granted("patch", "services") && gate.has_granted("update", "deployments/scale"));
    assert_eq!(world.get("Service", "front").await.unwrap()["spec"]["selector"]["app"], "sorry");
    assert_eq!(world.get("Deployment", "back").await.unwrap()["spec"]["replicas"], 0);
}

#[tokio::test(start_paused = true)]
async fn without_the_components_an_open_circuit_holds_and_says_what_it_was_refused() {
    let (gate, world) = opening_under(rules(&BASE)).await;
    let refused = gate.refused.lock().unwrap().iter().map(|asked| asked.resource.clone()).collect::<BTreeSet<_>>();
    assert_eq!(refused, BTreeSet::from(["services".to_owned(), "deployments/scale".to_owned()]));
    for name in ["front", "back"] {
        let status = world.status(name).await;
        let held = status.blocked_by.iter().find(|block| block.reason == "OnOpenHeld");
        assert!(held.is_some_and(|block| block.message.contains("forbidden")), "{name}: {:?}", status.blocked_by);
        assert_eq!(status.circuit.unwrap().state, CircuitState::Open);
    }
    assert_eq!(world.get("Service", "front").await.unwrap()["spec"]["selector"]["app"], "front");
    assert_eq!(world.get("Deployment", "back").await.unwrap()["spec"]["replicas"], 1);
}

/// A container that falls and says why in its log alone, under the given roles.
async fn reading_logs_under(rules: Vec<Value>) -> (Gate, HealedServiceStatus) {
    let (gate, world) = alone_under(rules).await;
    let mut silent = deployment("api", 1);
    silent["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] = json!("File");
    world.create(silent).await;
    world.create(service("api", json!({"diagnosis": {"logTailLines": 20}}))).await;
    world.break_workload("api", "app: {exits: [{log: 'no space left on device'}]}").await;
    world.pass(60).await;
    (gate, world.status("api").await)
}

#[tokio::test(start_paused = true)]
async fn the_component_for_logs_permits_to_read_them_and_without_it_that_is_said() {
    let (gate, status) = reading_logs_under(rules(&[&BASE[..], &["components/logs/rbac.yaml"]].concat())).await;
    assert_eq!(*gate.refused.lock().unwrap(), BTreeSet::new());
    assert!(gate.has_granted("get", "pods/log"));
    assert_eq!(status.findings[0].diagnosis.as_deref(), Some("DiskFull"));

    let (gate, status) = reading_logs_under(rules(&BASE)).await;
    let refused = gate.refused.lock().unwrap().iter().map(|asked| asked.resource.clone()).collect::<BTreeSet<_>>();
    assert_eq!(refused, BTreeSet::from(["pods/log".to_owned()]));
    let found = &status.findings[0];
    assert!(found.diagnosis.is_none() && found.message.contains("deploy/components/logs"), "{}", found.message);
}

/// A service that is gone, and two receivers whose keys stand in Secrets, under the given roles.
async fn alerting_under(rules: Vec<Value>) -> (Gate, Vec<String>) {
    let world = world().await;
    let gate = Gate::default();
    let client = gate.client(world.client.clone(), rules);
    let (clock, stop) = (Clock::starting_at(START.parse().unwrap()), CancellationToken::new());
    let metrics = Metrics::new(clock.now());
    let options = Options { namespace: None, concurrency: 4, observe_only: false, metrics, leader: None };
    let sender = world.inbox.sender();
    let controller = Controller::notifying(
        Clients { reads: client.clone(), actions: client },
        clock,
        options,
        (sender, RetryConfig::default()),
    );
    tokio::spawn(controller.run(stop));
    for name in ["kubeheal-alerts", "another"] {
        let data = json!({"url": k8s_openapi::ByteString(b"http://chat".to_vec())});
        world.create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})).await;
    }
    let sink =
        |name: &str| json!({"name": name, "type": "Slack", "urlFrom": {"secretRef": {"name": name, "key": "url"}}});
    world.create(deployment("api", 1)).await;
    let sinks = [sink("kubeheal-alerts"), sink("another")];
    world.create(service("api", json!({"alerts": {"receivers": sinks}, "remediation": {"recreate": "Never"}}))).await;
    world.pass(60).await;
    world.delete("Deployment", "api").await;
    world.pass(60).await;
    let told = world.status("api").await.memory.alerts[0].receivers.clone();
    (gate, told.into_iter().map(|sink| sink.problem.unwrap_or_default()).collect())
}

#[tokio::test(start_paused = true)]
async fn the_component_for_alerts_permits_to_read_one_secret_and_what_is_not_permitted_is_said() {
    let refused = |name: &str| Asked {
        verb: "get",
        group: String::new(),
        resource: "secrets".to_owned(),
        name: Some(name.to_owned()),
    };
    let (gate, problems) = alerting_under(rules(&[&BASE[..], &["components/alert-secrets/rbac.yaml"]].concat())).await;
    assert_eq!(*gate.refused.lock().unwrap(), BTreeSet::from([refused("another")]));
    assert!(problems[0].is_empty(), "{problems:?}");
    let words = "kubeheal may not read Secret another in namespace default: see deploy/components/alert-secrets";
    assert_eq!(problems[1], words);

    let (gate, problems) = alerting_under(rules(&BASE)).await;
    assert_eq!(*gate.refused.lock().unwrap(), BTreeSet::from([refused("another"), refused("kubeheal-alerts")]));
    assert!(problems.iter().all(|problem| problem.starts_with("kubeheal may not read Secret")), "{problems:?}");
}
