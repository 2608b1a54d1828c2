//! `onOpen: Fallback`: a Service shows a stand-in while the circuit is open, and the workload again afterwards.

use kubeheal::api::status::HealedServiceStatus;
use kubeheal_core::model::state::CircuitState;
use kubeheal_core::model::state::{Change, MitigationPhase};
use serde_json::{Value, json};

use super::{blocked, circuit, hasty, in_phase, on_open, well};
use crate::support::world::World;

/// That app stands in behind the Service.
fn fallback(service: &str, app: &str) -> Value {
    json!({"action": "Fallback", "fallback": {"serviceName": service, "selector": {"app": app}}})
}

fn with(on_open: &Value) -> Value {
    json!({"circuitBreaker": {"onOpen": on_open}})
}

/// The Service of an app, with one label that the stand-in does not have.
fn front(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name, "tier": "front"}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

fn held_message(status: &HealedServiceStatus) -> String {
    let held = status.blocked_by.iter().find(|block| block.reason == "OnOpenHeld");
    held.map(|block| block.message.clone()).unwrap_or_default()
}

async fn selector(world: &World, name: &str) -> Value {
    world.get("Service", name).await.unwrap()["spec"]["selector"].clone()
}

async fn mend(world: &World, name: &str) {
    world.patch("Deployment", name, json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
}

async fn diverted(world: &World) -> HealedServiceStatus {
    world.create(front("api")).await;
    well(world, "api", 1, with(&fallback("api", "sorry"))).await;
    world.break_workload("api", "crash").await;
    world.until("api", "diverted", 3 * 3600, in_phase("Effective")).await
}

#[tokio::test(start_paused = true)]
async fn a_service_shows_the_stand_in_while_the_circuit_is_open_and_the_workload_again_when_it_closes() {
    let world = World::new();
    let status = diverted(&world).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}), "all of it, and nothing of the old one");
    let change = serde_json::to_value(on_open(&status).unwrap()).unwrap();
    assert_eq!((&change["target"], &change["selector"]), (&json!("api"), &json!({"app": "api", "tier": "front"})));
    let events = world.events("UseFallback").await;
    assert!(events.iter().any(|note| note.contains("selector from app=api,tier=front to app=sorry")), "{events:?}");

    // The trial needs no traffic; the stand-in stays until the circuit closes.
    world.until("api", "tried", 1000, circuit(CircuitState::HalfOpen)).await;
    world.pass(60).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}));
    world.until("api", "open again", 1000, circuit(CircuitState::Open)).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}));

    mend(&world, "api").await;
    world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    let status = world.until("api", "given back", 30, |s| on_open(s).is_none()).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "api", "tier": "front"}));
    let told: Vec<_> = status.history.iter().filter(|entry| entry.target.as_deref() == Some("api")).collect();
    let told: Vec<_> = told.iter().map(|entry| (entry.step.as_str(), entry.outcome.as_str())).collect();
    assert!(told.ends_with(&[("UseFallback", "Verified"), ("RestoreSelector", "Verified")]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_somebody_else_writes_meanwhile_stays() {
    let world = World::new();
    diverted(&world).await;
    world.patch("Service", "api", json!({"spec": {"selector": {"app": "by-hand"}}})).await;
    mend(&world, "api").await;
    world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    world.until("api", "forgotten", 700, |s| on_open(s).is_none()).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "by-hand"}));
}

#[tokio::test(start_paused = true)]
async fn another_service_of_the_same_name_is_left_alone() {
    let world = World::new();
    diverted(&world).await;
    world.delete("Service", "api").await;
    let mut other = front("api");
    other["spec"]["selector"] = json!({"app": "sorry"});
    world.create(other).await;
    mend(&world, "api").await;
    world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    world.pass(700).await;
    assert_eq!(selector(&world, "api").await, json!({"app": "sorry"}), "theirs, whatever it says");
}

#[tokio::test(start_paused = true)]
async fn another_stand_in_takes_over_by_way_of_the_workload() {
    let world = World::new();
    diverted(&world).await;
    world.patch("HealedService", "api", json!({"spec": with(&fallback("api", "other"))})).await;
    let status = world.until("api", "diverted again", 60, |s| {
        on_open(s).is_some_and(|change| {
            let Change::Diverted { stand_in, .. } = &change.change else { return false };
            change.phase == MitigationPhase::Effective && stand_in["app"] == "other"
        })
    });
    let status = status.await;
    assert_eq!(selector(&world, "api").await, json!({"app": "other"}));
    let Change::Diverted { selector: before, .. } = on_open(&status).unwrap().change.clone() else { panic!() };
    assert_eq!(before.get("tier").map(String::as_str), Some("front"), "what was there at first is still remembered");
}

#[tokio::test(start_paused = true)]
async fn why_there_is_no_stand_in_is_said() {
    let world = World::new();
    let mut argo = front("argo");
    argo["metadata"]["labels"] = json!({"argocd.argoproj.io/instance": "shop"});
    world.create(argo).await;
    let mut bare = front("bare");
    bare["spec"]["selector"] = Value::Null;
    world.create(bare).await;
    for name in ["a", "b", "c", "u", "v", "w", "x", "y", "z"] {
        let front = [("a", "argo"), ("b", "bare"), ("c", "nowhere")].into_iter().find(|(service, _)| *service == name);
        well(&world, name, 1, front.map_or(json!({}), |(_, front)| with(&fallback(front, "sorry")))).await;
    }
    for name in ["a", "b", "c"] {
        world.break_workload(name, "crash").await;
    }
    for (name, why) in [("a", "Argo CD owns it"), ("b", "has no selector"), ("c", "there is none of that name")] {
        let held = |status: &HealedServiceStatus| circuit(CircuitState::Open)(status) && blocked("OnOpenHeld")(status);
        let status = world.until(name, "held", 4 * 3600, held).await;
        assert!(held_message(&status).contains(why), "{name}: {}", held_message(&status));
        assert_eq!(on_open(&status), None);
    }
    assert_eq!(selector(&world, "argo").await, json!({"app": "argo", "tier": "front"}));
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_at_any_moment_gives_the_selector_back() {
    for moment in 0..8_u64 {
        let mut world = World::new();
        world.create(front("api")).await;
        well(&world, "api", 1, hasty(&fallback("api", "sorry"))).await;
        world.break_workload("api", "crash").await;
        world.until("api", "open", 4 * 3600, circuit(CircuitState::Open)).await;
        tokio::time::sleep(std::time::Duration::from_millis(moment * 300)).await;
        world.kill_controller().await;
        world.pass(60).await;
        mend(&world, "api").await;
        world.start_controller();
        world.until("api", "closed", 8000, circuit(CircuitState::Closed)).await;
        world.until("api", "given back", 60, |s| on_open(s).is_none()).await;
        assert_eq!(selector(&world, "api").await, json!({"app": "api", "tier": "front"}), "moment {moment}");
    }
}
