//! A workload that restarts did not cure: replaced when opted in, with everything that is not its own left alone.

use kubeheal_core::model::state::Outcome;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Request, Response};
use kube::{Client, client::Body};
use kubeheal::api::status::HealthState;
use serde_json::{Value, json};

use super::{blocked, is, steps, well};
use crate::support::world::{World, deployment, service};

/// A client to which the namespace looks as if somebody had deleted it a moment ago.
fn in_a_namespace_that_goes(inner: Client, goes: &Arc<AtomicBool>) -> Client {
    let goes = goes.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, goes) = (inner.clone(), goes.load(Ordering::SeqCst));
        let is_it = request.uri().path() == "/api/v1/namespaces/default";
        async move {
            if !(is_it && goes) {
                return inner.send(request).await;
            }
            let object = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "default", "deletionTimestamp": "2026-01-05T08:00:00Z"},
            });
            Ok(Response::new(Body::from(object.to_string().into_bytes())))
        }
    });
    Client::new(service, "default")
}

fn on_failure() -> Value {
    json!({"remediation": {"recreate": "OnFailure"}})
}

/// What was kept before the trouble began heals it; what restarts the same trouble does not.
async fn fall_ill_for_good(world: &World, kind: &str, name: &str) {
    let script = json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}});
    world.patch(kind, name, script).await;
}

fn owners_of_replicas(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let owns = |entry: &&Value| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some();
    entries.filter(owns).map(|entry| entry["manager"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_replaced_with_its_last_replicas_and_its_claims_stay() {
    let world = World::new();
    well(&world, "api", 1, on_failure()).await;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "labels": {"app": "api"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    world.create(claim).await;
    world.patch("Deployment", "api", json!({"spec": {"replicas": 3}})).await;
    world.until("api", "healthy with three", 60, |s| s.pods.as_ref().is_some_and(|pods| pods.ready == 3)).await;
    let before = world.get("Deployment", "api").await.unwrap();
    let claim = world.get("PersistentVolumeClaim", "data").await.unwrap();

    fall_ill_for_good(&world, "Deployment", "api").await;
    let status =
        world.until("api", "replaced", 3600, |s| s.history.iter().any(|e| e.outcome == Outcome::Verified)).await;
    assert_eq!(steps(&status), ["RestartPod", "RecreateWorkload"], "{:?}", status.history);
    let after = world.get("Deployment", "api").await.unwrap();
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"], before["spec"], "three replicas, and all else as it was");
    assert_eq!(world.get("PersistentVolumeClaim", "data").await.unwrap(), claim);
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn an_autoscalers_replicas_are_left_to_it() {
    let world = World::new();
    for name in ["scaled", "plain"] {
        well(&world, name, 2, json!({})).await;
    }
    world
        .create(json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaled"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"},
                "minReplicas": 1, "maxReplicas": 9,
            },
        }))
        .await;
    for (name, owners) in [("scaled", &[][..]), ("plain", &["kubeheal"][..])] {
        world.delete("Deployment", name).await;
        world.until(name, "recreated", 60, |s| s.memory.attempts.in_flight.is_some()).await;
        world.pass(5).await;
        let after = world.get("Deployment", name).await.unwrap();
        assert_eq!(after["spec"]["replicas"], 2);
        assert_eq!(owners_of_replicas(&after), owners, "{name}: {}", after["metadata"]["managedFields"]);
        let entries = after["metadata"]["managedFields"].as_array().unwrap();
        assert!(entries.iter().any(|entry| entry["manager"] == "kubeheal"), "all else is ours");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_pod_is_restarted_by_replacing_it() {
    let world = World::new();
    let container = json!({
        "name": "app", "image": "busybox:1.37",
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": {"app": "bare"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
    });
    world.create(pod).await;
    world.create(service("bare", json!({"workloadRef": {"kind": "Pod", "name": "bare"}}))).await;
    world.until("bare", "kept", 60, |s| s.last_known_good.is_some()).await;
    let before = world.pods("bare").await.remove(0);
    fall_ill_for_good(&world, "Pod", "bare").await;
    let status =
        world.until("bare", "healed", 3600, |s| s.history.iter().any(|e| e.outcome == Outcome::Verified)).await;
    assert_eq!(steps(&status), ["RestartPod"]);
    let after = world.pods("bare").await.remove(0);
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"]["containers"][0]["image"], before["spec"]["containers"][0]["image"]);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_while_it_replaces_brings_the_workload_back() {
    for seconds in 0..8 {
        let mut world = World::new();
        let mut slow = deployment("api", 1);
        // Its deletion takes a while, so that there is something to die in.
        slow["metadata"]["finalizers"] = json!(["shop.example/slow"]);
        world.create(slow).await;
        world.create(service("api", on_failure())).await;
        world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
        fall_ill_for_good(&world, "Deployment", "api").await;
        world.until("api", "being replaced", 3600, |s| steps(s).contains(&"RecreateWorkload")).await;
        world.pass(seconds / 2).await;
        world.patch("Deployment", "api", json!({"metadata": {"finalizers": null}})).await;
        tokio::time::sleep(std::time::Duration::from_millis(250 * (seconds % 4))).await;
        world.kill_controller().await;
        world.pass(15).await;
        world.start_controller();
        world.until("api", "healthy", 7200, is(HealthState::Healthy)).await;
        let status = world.until("api", "verified", 7200, |s| s.memory.attempts.in_flight.is_none()).await;
        assert!(steps(&status).len() <= 3, "after {seconds}: {:#?}", status.history);
        assert!(world.get("Deployment", "api").await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_namespace_that_is_being_deleted_nothing_is_replaced_or_created() {
    let mut world = World::without_controller();
    let goes = Arc::new(AtomicBool::new(false));
    world.start_controller_with(in_a_namespace_that_goes(world.client.clone(), &goes), None);
    let mut only_replace = on_failure();
    only_replace["remediation"]["ladder"] = json!(["RecreateWorkload"]);
    for name in ["sick", "gone"] {
        well(&world, name, 1, only_replace.clone()).await;
    }
    let before = world.get("Deployment", "sick").await.unwrap();
    goes.store(true, Ordering::SeqCst);
    fall_ill_for_good(&world, "Deployment", "sick").await;
    world.delete("Deployment", "gone").await;
    for name in ["sick", "gone"] {
        let status = world.until(name, "held", 1200, blocked("ServiceDeleting")).await;
        assert!(steps(&status).is_empty(), "{name}: {:?}", status.history);
    }
    world.pass(3600).await;
    assert_eq!(world.get("Deployment", "sick").await.unwrap()["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(world.get("Deployment", "gone").await, None);
    goes.store(false, Ordering::SeqCst);
    world.until("gone", "back", 1200, is(HealthState::Healthy)).await;
}
