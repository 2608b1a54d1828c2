//! A status that claims a mitigation which never was: nobody's Service is pointed anywhere, and nothing is scaled.
//!
//! Who attacks may write HealedServices and their status, and neither Services nor workloads.

use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use super::{circuit, forged::patch_status, hasty, in_phase, is, on_open, well};
use crate::support::world::{START, World};
use kubeheal::api::status::HealthState;

const SCALED_DOWN: &str = "kubeheal.dev/scaled-down";

fn front(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

async fn selector(world: &World, name: &str) -> Value {
    world.get("Service", name).await.unwrap()["spec"]["selector"].clone()
}

fn fallback() -> Value {
    json!({"action": "Fallback", "fallback": {"serviceName": "api", "selector": {"app": "sorry"}}})
}

/// A claim that this Service was pointed from a selector of ones own at the one that it has.
fn claim(phase: &str, target: &Value, was: &Value) -> Value {
    json!({"memory": {"mitigation": {
        "phase": phase, "target": target["metadata"]["name"], "targetUID": target["metadata"]["uid"], "since": START,
        "selector": was, "standIn": target["spec"]["selector"],
    }}})
}

#[tokio::test(start_paused = true)]
async fn a_status_that_names_somebody_elses_service_changes_nothing_of_it() {
    for spec in [json!({}), json!({"circuitBreaker": {"onOpen": fallback()}})] {
        for phase in ["Intended", "Effective", "Undoing", "Overruled"] {
            let mut world = World::new();
            for name in ["bank", "api"] {
                world.create(front(name)).await;
            }
            well(&world, "api", 1, spec.clone()).await;
            for target in ["bank", "api"] {
                world.stop_controller().await;
                let victim = world.get("Service", target).await.unwrap();
                patch_status(&world, "api", claim(phase, &victim, &json!({"app": "evil"}))).await;
                world.start_controller();
                world.pass(900).await;
                let now = world.get("Service", target).await.unwrap();
                assert_eq!(now["spec"]["selector"], json!({"app": target}), "{phase} {target}");
                assert_eq!(now["metadata"]["annotations"], Value::Null, "{phase} {target}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_good_for_its_service_and_the_selector_that_it_names_only() {
    let mut world = World::new();
    world.create(front("api")).await;
    well(&world, "api", 1, hasty(&fallback())).await;
    well(&world, "mallory", 1, json!({})).await;
    world.break_workload("api", "crash").await;
    world.until("api", "diverted", 3 * 3600, in_phase("Effective")).await;
    world.stop_controller().await;
    let marked = world.get("Service", "api").await.unwrap();
    assert!(marked["metadata"]["annotations"]["kubeheal.dev/diverted"].is_string(), "{marked}");
    // Of another service, with what the mark says.
    patch_status(&world, "mallory", claim("Effective", &marked, &json!({"app": "api"}))).await;
    world.start_controller();
    world.pass(60).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}));
    // Of its own service, with another selector than was there.
    world.stop_controller().await;
    patch_status(&world, "api", claim("Effective", &marked, &json!({"app": "evil"}))).await;
    world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    world.start_controller();
    world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    world.pass(900).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}));
}

#[tokio::test(start_paused = true)]
async fn what_is_undone_leaves_no_mark() {
    let world = World::new();
    world.create(front("api")).await;
    well(&world, "api", 1, hasty(&fallback())).await;
    world.break_workload("api", "crash").await;
    world.until("api", "diverted", 3 * 3600, in_phase("Effective")).await;
    world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    world.until("api", "given back", 30, |status| on_open(status).is_none()).await;
    let found = world.get("Service", "api").await.unwrap();
    assert_eq!(found["spec"]["selector"], json!({"app": "api"}));
    assert!(found.pointer("/metadata/annotations/kubeheal.dev~1diverted").is_none(), "{found}");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_scaled_to_zero_stays_there_whatever_a_status_claims() {
    for phase in ["Intended", "Effective", "Undoing"] {
        let mut world = World::new();
        well(&world, "api", 1, json!({})).await;
        world.scale_as("kubectl", "Deployment", "api", 0).await;
        world.until("api", "idle", 60, is(HealthState::Idle)).await;
        world.stop_controller().await;
        let uid = world.get("Deployment", "api").await.unwrap()["metadata"]["uid"].clone();
        let claimed = json!({"phase": phase, "target": "api", "targetUID": uid, "since": START, "replicas": 50});
        patch_status(&world, "api", json!({"memory": {"mitigation": claimed}})).await;
        world.start_controller();
        world.pass(900).await;
        assert_eq!(world.get("Deployment", "api").await.unwrap()["spec"]["replicas"], 0, "{phase}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_workload_at_zero_gets_back_what_it_had_whatever_a_status_claims() {
    for closed in [false, true] {
        let mut world = World::new();
        well(&world, "api", 2, hasty(&json!({"action": "ScaleToZero"}))).await;
        world.break_workload("api", "crash").await;
        world.until("api", "taken down", 3 * 3600, in_phase("Effective")).await;
        let down = world.get("Deployment", "api").await.unwrap();
        let mark: Value = serde_json::from_str(down["metadata"]["annotations"][SCALED_DOWN].as_str().unwrap()).unwrap();
        let uid = world.service("api").await.metadata.uid;
        assert_eq!((&down["spec"]["replicas"], mark), (&json!(0), json!({"by": uid, "replicas": 2})));
        world.stop_controller().await;
        let mut claimed =
            json!({"memory": {"mitigation": {"replicas": 1_000_000}, "observed": {"lastReplicas": 1_000_000}}});
        if closed {
            claimed["memory"]["circuit"] = json!({"state": "Closed", "openedAt": null, "retryAt": null, "openings": 0});
        }
        patch_status(&world, "api", claimed).await;
        world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
        world.start_controller();
        world.until("api", "up again", 3000, |status| on_open(status).is_none()).await;
        world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
        let up = world.get("Deployment", "api").await.unwrap();
        assert_eq!(up["spec"]["replicas"], 2, "closed: {closed}");
        assert!(up["metadata"]["annotations"].get(SCALED_DOWN).is_none(), "what is undone leaves no mark: {up}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_another_service_or_with_another_number_brings_nothing_back() {
    let marks = [json!({"by": "somebody", "replicas": 9}), json!({"replicas": 9}), json!("9"), Value::Null];
    for mark in marks {
        let mut world = World::new();
        well(&world, "api", 2, hasty(&json!({"action": "ScaleToZero"}))).await;
        world.break_workload("api", "crash").await;
        world.until("api", "taken down", 3 * 3600, in_phase("Effective")).await;
        world.stop_controller().await;
        let written = if mark.is_null() { Value::Null } else { json!(mark.to_string()) };
        world.patch("Deployment", "api", json!({"metadata": {"annotations": {SCALED_DOWN: written}}})).await;
        patch_status(&world, "api", json!({"memory": {"mitigation": {"replicas": 9}}})).await;
        world.start_controller();
        world.pass(3600).await;
        assert_eq!(world.get("Deployment", "api").await.unwrap()["spec"]["replicas"], 0, "{mark}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_comes_back_with_no_more_replicas_than_it_was_kept_with() {
    for (claimed, expected) in [(1_000_000, 3), (2, 2)] {
        let mut world = World::new();
        well(&world, "api", 1, json!({})).await;
        world.scale_as("kubectl", "Deployment", "api", 3).await;
        world.until("api", "three", 60, |s| s.pods.as_ref().is_some_and(|pods| pods.ready == 3)).await;
        world.pass(60).await;
        world.stop_controller().await;
        patch_status(&world, "api", json!({"memory": {"observed": {"lastReplicas": claimed}}})).await;
        world.delete("Deployment", "api").await;
        world.start_controller();
        world.pass(120).await;
        assert_eq!(world.get("Deployment", "api").await.unwrap()["spec"]["replicas"], expected, "{claimed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_kept_anew_with_more_replicas_and_not_with_fewer() {
    let world = World::new();
    well(&world, "api", 2, json!({})).await;
    world.pass(60).await;
    let mut names = Vec::new();
    for replicas in [4, 3, 4, 1, 2] {
        world.scale_as("kube-controller-manager", "Deployment", "api", replicas).await;
        world.pass(120).await;
        let status = world.status("api").await;
        assert_eq!(status.health, Some(HealthState::Healthy));
        names.push(status.last_known_good.unwrap().revision);
    }
    names.dedup();
    assert_eq!(names.len(), 1, "{names:?}");
    let kept = world.get("ControllerRevision", &names[0]).await.unwrap();
    assert_eq!(kept["data"]["spec"]["replicas"], 4);
}
