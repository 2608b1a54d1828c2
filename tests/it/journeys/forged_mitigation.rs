//! A status that claims a mitigation which never was: nobody's Service is pointed anywhere, and nothing is scaled.
//!
//! Who attacks may write HealedServices and their status, and neither Services nor workloads.

use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use super::{circuit, forged::patch_status, hasty, in_phase, is, on_open, well};
use crate::support::world::{START, World};
use kubeheal::api::status::HealthState;

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
