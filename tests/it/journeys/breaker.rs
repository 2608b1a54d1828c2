//! The breaker: opens, tries, closes, and obeys people.

use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::CircuitState;
use kubeheal_core::model::state::Outcome;
use serde_json::{Value, json};

use super::{condition, steps, well};
use crate::support::world::World;

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_after_three_vain_attempts_tries_once_and_closes_when_well() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_workload("api", "crash").await;
    let open = world
        .until("api", "open", 3 * 3600, |s| s.circuit.as_ref().is_some_and(|c| c.state == CircuitState::Open))
        .await;
    assert_eq!(steps(&open).len(), 3, "{:#?}", open.history);
    assert_eq!(condition(&open, "CircuitOpen").0, "True");
    assert_eq!(condition(&open, "Degraded").0, "True");
    let pods = world.pods("api").await;

    world.pass(800).await;
    let still = world.pods("api").await;
    assert_eq!(pods[0]["metadata"]["uid"], still[0]["metadata"]["uid"], "an open breaker writes nothing");
    world
        .until("api", "half-open", 200, |s| s.circuit.as_ref().is_some_and(|c| c.state == CircuitState::HalfOpen))
        .await;
    let again = world
        .until("api", "open again", 2000, |s| s.circuit.as_ref().is_some_and(|c| c.state == CircuitState::Open))
        .await;
    assert_eq!(steps(&again).len(), 4, "one trial");
    let circuit = again.circuit.unwrap();
    let length = circuit.retry_at.unwrap().0.duration_since(circuit.opened_at.unwrap().0);
    assert_eq!(length.as_secs(), 1800, "open twice as long");

    world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    let closed = world
        .until("api", "closed", 3600, |s| s.circuit.as_ref().is_some_and(|c| c.state == CircuitState::Closed))
        .await;
    assert_eq!(closed.health, Some(HealthState::Healthy));
    let reset = world.until("api", "forgiven", 4000, |s| s.memory.attempts.actions.is_empty()).await;
    assert_eq!(reset.circuit.unwrap().openings, 0);
}

#[tokio::test(start_paused = true)]
async fn annotations_are_obeyed_once() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    let annotate =
        |key: &str, value: Value| json!({"metadata": {"annotations": {format!("kubeheal.dev/{key}"): value}}});
    world.patch("HealedService", "api", annotate("force-open", json!("incident 7"))).await;
    let forced = world
        .until("api", "forced open", 10, |s| s.circuit.as_ref().is_some_and(|c| c.state == CircuitState::Open))
        .await;
    assert_eq!(condition(&forced, "CircuitOpen").0, "True");
    world.break_pods("api", "crash").await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());

    world.patch("HealedService", "api", annotate("force-open", Value::Null)).await;
    world
        .until("api", "healed", 3600, |s| {
            s.history.iter().any(|e| e.step == "RestartPod" && e.outcome == Outcome::Verified)
        })
        .await;

    world.patch("HealedService", "api", annotate("heal-now", json!("1"))).await;
    world.pass(3600).await;
    let asked: Vec<_> = world.status("api").await.history.iter().filter(|e| e.step == "HealNow").cloned().collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].cause.as_deref(), Some("NotNeeded"));
}

#[tokio::test(start_paused = true)]
async fn what_happens_again_is_counted_on_its_first_event() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    for reason in [json!("look"), Value::Null].iter().cycle().take(6) {
        let force_open = json!({"metadata": {"annotations": {"kubeheal.dev/force-open": reason}}});
        world.patch("HealedService", "api", force_open).await;
        world.pass(10).await;
    }
    let events = world.list("Event").await;
    let forced: Vec<_> = events.iter().filter(|event| event["reason"] == "ForceOpen").collect();
    assert_eq!(forced.len(), 1, "{forced:#?}");
    assert_eq!(forced[0]["series"]["count"], 3, "{forced:#?}");
}
