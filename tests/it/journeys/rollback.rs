//! Rolling back: only when opted in, only to what was healthy, and never against somebody's will.

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use super::{blocked, condition, is, steps, well};
use crate::support::world::{World, deployment, service};

const WITH_ROLLBACK: &str = r#"{"remediation": {"ladder": ["RestartPod", "Rollback"]}}"#;

fn with_rollback() -> Value {
    serde_json::from_str(WITH_ROLLBACK).unwrap()
}

async fn roll_out(world: &World, name: &str, image_name: &str) {
    let mut object = world.get("Deployment", name).await.unwrap();
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image_name);
    world.patch("Deployment", name, json!({"spec": {"template": object["spec"]["template"]}})).await;
}

async fn image_of(world: &World, name: &str) -> String {
    let object = world.get("Deployment", name).await.unwrap();
    object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

fn outcomes(status: &HealedServiceStatus) -> Vec<(&str, &str)> {
    let is_action = |entry: &&kubeheal_core::model::state::HistoryEntry| {
        ["RestartPod", "RecreateWorkload", "Rollback"].contains(&entry.step.as_str())
    };
    status.history.iter().filter(is_action).map(|entry| (entry.step.as_str(), entry.outcome.as_str())).collect()
}

/// Healthy for long enough that its template is trusted.
async fn proven(world: &World, name: &str, replicas: u32, spec: Value) {
    well(world, name, replicas, spec).await;
    world.until(name, "trusted", 700, |s| s.memory.attempts.stable.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_stuck_past_its_deadline_is_rolled_back_when_opted_in() {
    let world = World::new();
    proven(&world, "api", 2, with_rollback()).await;
    let before = world.get("Deployment", "api").await.unwrap();

    roll_out(&world, "api", "registry.example/api:broken").await;
    world.pass(560).await;
    let status = world.status("api").await;
    assert!(steps(&status).is_empty(), "not before the deadline: {:?}", status.history);

    let status = world.until("api", "rolled back", 120, |s| !steps(s).is_empty()).await;
    assert_eq!(steps(&status), ["Rollback"]);
    assert_eq!(status.history.last().unwrap().cause.as_deref(), Some("RolloutStuck"));
    let status = world.until("api", "proved", 700, |s| s.memory.attempts.in_flight.is_none()).await;
    assert_eq!(outcomes(&status), [("Rollback", "Verified")]);
    assert_eq!(status.health, Some(HealthState::Healthy));
    let after = world.get("Deployment", "api").await.unwrap();
    assert_eq!(after["spec"], before["spec"], "all as before");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "the same object");
}

#[tokio::test(start_paused = true)]
async fn without_opting_in_a_stuck_rollout_is_said_and_left_alone() {
    let world = World::new();
    proven(&world, "api", 2, json!({})).await;
    roll_out(&world, "api", "registry.example/api:broken").await;
    world.pass(2 * 3600).await;
    let status = world.status("api").await;
    assert!(blocked("RestartCannotHelp")(&status), "{:?}", status.blocked_by);
    assert!(steps(&status).is_empty());
    assert_eq!(image_of(&world, "api").await, "registry.example/api:broken");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_comes_back_after_a_rollback_is_not_rolled_back_again() {
    let world = World::new();
    proven(&world, "api", 1, with_rollback()).await;
    let good = image_of(&world, "api").await;
    roll_out(&world, "api", "registry.example/api:broken").await;
    world.until("api", "rolled back and proved", 1500, |s| outcomes(s) == [("Rollback", "Verified")]).await;
    assert_eq!(image_of(&world, "api").await, good);

    roll_out(&world, "api", "registry.example/api:broken").await;
    let status = world.until("api", "held", 900, blocked("RolledBackBefore")).await;
    world.pass(3600).await;
    assert_eq!(steps(&world.status("api").await), ["Rollback"], "{:?}", status.history);
    assert_eq!(image_of(&world, "api").await, "registry.example/api:broken", "somebody wants it");

    // Another one deserves its own.
    roll_out(&world, "api", "registry.example/api:does-not-exist").await;
    world.until("api", "rolled back again", 1500, |s| steps(s).len() == 2).await;
    world.pass(30).await;
    assert_eq!(image_of(&world, "api").await, good);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_did_not_help_is_not_made_again() {
    let world = World::new();
    proven(&world, "api", 1, with_rollback()).await;
    let good = image_of(&world, "api").await;
    roll_out(&world, "api", "registry.example/api:broken").await;
    // Meanwhile what the good template needs is gone too.
    world.pass(60).await;
    let script = json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}});
    world.patch("Deployment", "api", script).await;
    let status =
        world.until("api", "rolled back in vain", 1800, |s| outcomes(s) == [("Rollback", "Ineffective")]).await;
    assert_eq!(status.memory.attempts.rollbacks.len(), 1);
    assert_eq!(image_of(&world, "api").await, good);

    roll_out(&world, "api", "registry.example/api:does-not-exist").await;
    world.until("api", "held", 900, blocked("RolledBackBefore")).await;
    world.pass(3600).await;
    assert_eq!(steps(&world.status("api").await), ["Rollback"]);
}

#[tokio::test(start_paused = true)]
async fn a_template_that_was_healthy_for_a_moment_only_is_not_what_is_rolled_back_to() {
    let world = World::new();
    proven(&world, "api", 1, with_rollback()).await;
    let good = image_of(&world, "api").await;
    // The new template gets ready, is kept as the last known good, and falls into a crash loop a minute later.
    roll_out(&world, "api", "registry.example/api:2").await;
    world.pass(60).await;
    let kept = world.status("api").await;
    assert_ne!(kept.last_known_good.unwrap().revision, kept.memory.attempts.stable.unwrap());
    world.break_workload("api", "crash").await;
    let status = world.until("api", "rolled back", 3600, |s| steps(s).contains(&"Rollback")).await;
    assert_eq!(outcomes(&status), [("RestartPod", "Ineffective"), ("Rollback", "Pending")]);
    world.pass(5).await;
    assert_eq!(image_of(&world, "api").await, good);
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_would_undo_is_not_rolled_back() {
    let world = World::new();
    let mut managed = deployment("api", 1);
    managed["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = json!("shop");
    world.create(managed).await;
    world.create(service("api", with_rollback())).await;
    world.until("api", "trusted", 700, |s| s.memory.attempts.stable.is_some()).await;
    roll_out(&world, "api", "registry.example/api:broken").await;
    let status = world.until("api", "held", 900, blocked("GitOpsOwned")).await;
    assert!(status.blocked_by[0].message.contains("Flux owns api"), "{:?}", status.blocked_by);
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_template_gets_one_try_from_an_open_breaker_at_once() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_workload("api", "crash").await;
    let is_open =
        |s: &HealedServiceStatus| s.circuit.as_ref().is_some_and(|circuit| circuit.state == CircuitState::Open);
    world.until("api", "open", 3 * 3600, is_open).await;
    roll_out(&world, "api", "registry.example/api:3").await;
    let status = world.until("api", "not open", 30, |s| !is_open(s)).await;
    assert_eq!(condition(&status, "CircuitOpen"), ("False", "HalfOpen"));
    // As bad as the one before: one trial, then open for twice as long.
    let again = world.until("api", "open again", 3600, is_open).await;
    assert_eq!(steps(&again).len(), 4);
    let circuit = again.circuit.unwrap();
    assert_eq!(circuit.retry_at.unwrap().0.duration_since(circuit.opened_at.unwrap().0).as_secs(), 1800);
    world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    world.until("api", "healthy", 600, is(HealthState::Healthy)).await;
}
