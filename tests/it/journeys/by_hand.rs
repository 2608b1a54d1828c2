//! What people ask for by annotation: answered once, whatever happens meanwhile, and told in the history and by an Event.

use kubeheal::api::status::HealedServiceStatus;
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use super::{steps, well};
use crate::support::world::World;

async fn annotate(world: &World, key: &str, value: Value) {
    let annotations = json!({format!("kubeheal.dev/{key}"): value});
    world.patch("HealedService", "api", json!({"metadata": {"annotations": annotations}})).await;
}

fn answers<'a>(status: &'a HealedServiceStatus, step: &str) -> Vec<(Option<&'a str>, &'a str)> {
    let of_step = status.history.iter().filter(|entry| entry.step == step);
    of_step.map(|entry| (entry.cause.as_deref(), entry.outcome.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn requests_that_nobody_saw_apart_are_one_and_are_not_repeated_by_who_comes_after() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_pods("api", "not-ready").await;
    world.pass(60).await;
    assert!(steps(&world.status("api").await).is_empty(), "it is not time yet");
    world.kill_controller().await;
    annotate(&world, "heal-now", json!("1")).await;
    annotate(&world, "heal-now", json!("2")).await;
    world.start_controller();
    let status = world.until("api", "acted on", 60, |status| !steps(status).is_empty()).await;
    assert_eq!(answers(&status, "HealNow"), [(Some("Allowed"), "Verified")]);
    let told = world.events("HealNow").await;
    assert!(told.len() == 1 && told[0].contains("Allowed"), "{told:?}");
    world.kill_controller().await;
    world.start_controller();
    world.pass(3600).await;
    let status = world.status("api").await;
    assert_eq!((answers(&status, "HealNow").len(), steps(&status).len()), (1, 1), "{:?}", status.history);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_back_is_answered_with_the_reason_and_not_kept_for_later() {
    let world = World::new();
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "api"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}},
    });
    world.create(budget).await;
    well(&world, "api", 1, json!({})).await;
    world.break_pods("api", "not-ready").await;
    world.pass(60).await;
    annotate(&world, "heal-now", json!("please")).await;
    world.pass(10).await;
    assert_eq!(answers(&world.status("api").await, "HealNow"), [(Some("DisruptionBudget"), "Dropped")]);
    world.delete("PodDisruptionBudget", "api").await;
    world.pass(60).await;
    assert!(steps(&world.status("api").await).is_empty(), "not before its own time");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opened_and_reset_by_hand_is_told_once_each() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    annotate(&world, "force-open", json!("incident 7")).await;
    annotate(&world, "force-open", json!("incident 7, still")).await;
    world.pass(30).await;
    let status = world.status("api").await;
    assert_eq!(status.circuit.as_ref().map(|circuit| circuit.state), Some(CircuitState::Open));
    assert_eq!(answers(&status, "ForceOpen").len(), 1, "{:?}", status.history);
    annotate(&world, "reset-breaker", json!("a")).await;
    world.pass(10).await;
    let status = world.status("api").await;
    assert_eq!(
        status.circuit.as_ref().map(|circuit| circuit.state),
        Some(CircuitState::Open),
        "who holds it lets go of it"
    );
    annotate(&world, "force-open", Value::Null).await;
    world.pass(600).await;
    let status = world.status("api").await;
    assert_eq!(status.circuit.as_ref().map(|circuit| circuit.state), Some(CircuitState::Closed));
    for step in ["ForceOpen", "ResetBreaker", "ForceOpenEnded"] {
        assert_eq!(answers(&status, step).len(), 1, "{step}: {:?}", status.history);
        assert_eq!(world.events(step).await.len(), 1, "{step}");
    }
}
