//! A namespace that is being deleted is left alone: nothing is done in it, nothing is charged, nobody is told.

use kubeheal_core::model::state::Outcome;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use kube::{Api, Client, api::DeleteParams, client::Body, core::DynamicObject};
use serde_json::{Value, json};

use super::{is, steps, well};
use crate::support::world::{World, deployment, resource, service};
use kubeheal::api::status::HealthState;

/// What was answered to which request that writes: method, path, status.
type Answers = Arc<Mutex<Vec<(Method, String, StatusCode)>>>;

/// What the API server says of the namespace.
#[derive(Clone, Default)]
struct Terminating {
    /// It is being deleted, and its contents still stand.
    known: Arc<AtomicBool>,
    /// Nothing new gets in.
    closed: Arc<AtomicBool>,
    answers: Answers,
}

impl Terminating {
    /// A client that sees the moment between the deletion of a namespace and that of what is in it.
    fn through(&self, inner: Client) -> Client {
        let terminating = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (inner, terminating) = (inner.clone(), terminating.clone());
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let answer = if method == Method::POST
                    && path.contains("/namespaces/default/")
                    && terminating.closed.load(Ordering::Relaxed)
                {
                    http::Response::builder().status(403).body(Body::from(refusal().to_string().into_bytes())).unwrap()
                } else {
                    inner.send(request).await?
                };
                if method != Method::GET {
                    terminating.answers.lock().unwrap().push((method, path, answer.status()));
                    return Ok(answer);
                }
                if path != "/api/v1/namespaces/default" || !terminating.known.load(Ordering::Relaxed) {
                    return Ok(answer);
                }
                let (parts, body) = answer.into_parts();
                let mut namespace: Value = serde_json::from_slice(&body.collect().await?.to_bytes()).unwrap();
                namespace["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z".into();
                Ok::<_, kube::Error>(http::Response::from_parts(parts, Body::from(namespace.to_string().into_bytes())))
            }
        });
        Client::new(service, "default")
    }

    fn writes(&self) -> Vec<(Method, String, StatusCode)> {
        self.answers.lock().unwrap().iter().filter(|(_, path, _)| !path.ends_with("/status")).cloned().collect()
    }
}

/// As recorded of a real API server.
fn refusal() -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "pods \"app\" is forbidden: unable to create new content in namespace default because it is being terminated",
        "details": {"name": "app", "kind": "pods", "causes": [{
            "reason": "NamespaceTerminating", "message": "namespace default is being terminated", "field": "metadata.namespace",
        }]},
    })
}

fn hasty() -> Value {
    json!({"health": {"notReadySeconds": 60}, "remediation": {"stabilizationSeconds": 20, "verifySeconds": 120}})
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_said_or_charged_between_the_deletion_of_a_namespace_and_that_of_its_contents() {
    let mut world = World::without_controller();
    let terminating = Terminating::default();
    world.start_controller_with(terminating.through(world.client.clone()), None);
    well(&world, "app", 2, hasty()).await;
    world.break_pods("app", "not-ready").await;
    world.pass(10).await;
    terminating.known.store(true, Ordering::Relaxed);
    terminating.closed.store(true, Ordering::Relaxed);
    terminating.answers.lock().unwrap().clear();
    world.pass(3600).await;
    assert_eq!(terminating.writes(), vec![], "nothing is tried");
    let status = world.status("app").await;
    assert_eq!(
        (status.history.len(), status.memory.attempts.actions.len(), status.memory.attempts.in_flight),
        (0, 0, None)
    );
    assert!(terminating.answers.lock().unwrap().len() < 10, "and the status is not written all the time");

    // It was another namespace after all.
    terminating.known.store(false, Ordering::Relaxed);
    terminating.closed.store(false, Ordering::Relaxed);
    world.until("app", "healed", 1800, is(HealthState::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_comes_a_moment_too_late_is_not_charged() {
    let mut world = World::without_controller();
    let terminating = Terminating::default();
    world.start_controller_with(terminating.through(world.client.clone()), None);
    well(&world, "app", 2, hasty()).await;
    world.break_pods("app", "not-ready").await;
    world.until("app", "about to be healed", 300, |status| !steps(status).is_empty()).await;
    world.until("app", "healthy", 900, is(HealthState::Healthy)).await;
    world.pass(900).await;
    let before = world.status("app").await;
    // Reading the namespace still shows it as it was, and its Lease is there already.
    terminating.closed.store(true, Ordering::Relaxed);
    world.break_pods("app", "not-ready").await;
    world.pass(600).await;
    let status = world.status("app").await;
    let outcomes: Vec<_> = status.history.iter().skip(before.history.len()).map(|entry| entry.outcome).collect();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == Outcome::Dropped), "{outcomes:?}");
    let circuit = status.circuit.unwrap();
    assert_eq!((circuit.ineffective, circuit.openings), (0, 0));
    let events = terminating
        .writes()
        .into_iter()
        .filter(|(_, path, status)| path.ends_with("/events") && *status == 403)
        .count();
    assert!(events <= 11, "no more than one a minute, to see whether it goes on: {events}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_with_all_that_is_in_it_and_kubeheal_stays_still() {
    let mut world = World::without_controller();
    let terminating = Terminating::default();
    let namespaces: Api<DynamicObject> = Api::all_with(world.client.clone(), &resource("Namespace"));
    let shop = serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap();
    namespaces.create(&kube::api::PostParams::default(), &shop).await.unwrap();
    world.start_controller_with(terminating.through(world.client.clone()), None);
    let api =
        |kind: &str| -> Api<DynamicObject> { Api::namespaced_with(world.client.clone(), "shop", &resource(kind)) };
    for mut object in [deployment("app", 2), service("app", hasty())] {
        // As long as somebody has to do something about its pods they stay.
        if object["kind"] == "Deployment" {
            object["spec"]["template"]["metadata"]["finalizers"] = json!(["example.com/wait"]);
        }
        let kind = object["kind"].as_str().unwrap().to_owned();
        let object = serde_json::from_value(object).unwrap();
        api(&kind).create(&kube::api::PostParams::default(), &object).await.unwrap();
    }
    world.pass(60).await;
    let pods = api("Pod").list(&kube::api::ListParams::default()).await.unwrap().items;
    for pod in &pods {
        let wait = json!({"metadata": {"finalizers": ["example.com/wait"], "annotations": {"tinykube.dev/script": "not-ready"}}});
        let name = pod.metadata.name.clone().unwrap();
        api("Pod").patch(&name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(wait)).await.unwrap();
    }
    world.pass(30).await;
    namespaces.delete("shop", &DeleteParams::background()).await.unwrap();
    terminating.answers.lock().unwrap().clear();
    world.pass(1800).await;
    let found = api("HealedService").get("app").await.unwrap();
    assert!(found.metadata.deletion_timestamp.is_none(), "its pods go first");
    assert_eq!(terminating.writes(), vec![], "nothing is tried");
    assert!(found.data["status"]["history"].is_null(), "{}", found.data["status"]["history"]);
    for pod in &pods {
        let name = pod.metadata.name.clone().unwrap();
        let gone = json!({"metadata": {"finalizers": null}});
        api("Pod").patch(&name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(gone)).await.unwrap();
    }
    world.pass(60).await;
    assert!(namespaces.get_opt("shop").await.unwrap().is_none(), "it is gone");
    assert_eq!(terminating.writes(), vec![]);
}
