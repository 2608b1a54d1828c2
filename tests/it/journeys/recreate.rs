//! A workload that is gone: brought back, or left gone.

use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::Outcome;
use serde_json::json;

use super::{blocked, is, steps, well};
use crate::support::world::{World, deployment, service};

#[tokio::test(start_paused = true)]
async fn a_removed_workload_is_recreated_from_its_last_known_good_definition() {
    let world = World::new();
    well(&world, "api", 2, json!({})).await;
    let before = world.get("Deployment", "api").await.unwrap();

    world.delete("Deployment", "api").await;
    let status = world.until("api", "being recreated", 60, |s| s.memory.attempts.in_flight.is_some()).await;
    assert_eq!(steps(&status), ["RecreateWorkload"]);
    world.until("api", "verified", 700, |s| s.history.iter().any(|e| e.outcome == Outcome::Verified)).await;
    let after = world.get("Deployment", "api").await.unwrap();
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_somebody_replaces_within_ten_seconds_is_not_touched() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.delete("Deployment", "api").await;
    world.pass(6).await;
    world.create(deployment("api", 3)).await;
    world.until("api", "healthy", 120, is(HealthState::Healthy)).await;
    let status = world.status("api").await;
    assert!(steps(&status).is_empty(), "{:?}", status.history);
    assert_eq!(status.memory.observed.missing_since, None);
    assert_eq!(world.get("Deployment", "api").await.unwrap()["spec"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_workload_whose_removal_was_meant_stays_removed() {
    let world = World::new();
    well(&world, "marked", 1, json!({})).await;
    well(&world, "scaled", 1, json!({})).await;
    well(&world, "owned", 1, json!({"remediation": {"recreate": "Never"}})).await;
    world
        .patch(
            "Deployment",
            "marked",
            json!({"metadata": {"annotations": {"kubeheal.dev/intentional-delete": "true"}}}),
        )
        .await;
    world.patch("Deployment", "scaled", json!({"spec": {"replicas": 0}})).await;
    world.until("scaled", "idle", 30, is(HealthState::Idle)).await;
    for name in ["marked", "scaled", "owned"] {
        world.delete("Deployment", name).await;
    }
    world.pass(3600).await;
    for (name, reason) in [("marked", "IntentionalDelete"), ("scaled", "ScaledToZero"), ("owned", "RecreateNotAllowed")]
    {
        let status = world.status(name).await;
        assert!(blocked(reason)(&status), "{name}: {:?}", status.blocked_by);
        assert_eq!(is(HealthState::Idle)(&status), name != "owned", "nobody else said that {name} should go");
        assert!(steps(&status).is_empty());
        assert!(world.get("Deployment", name).await.is_none(), "{name} must not come back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gitops_tool_has_its_grace_before_its_workload_is_recreated() {
    let world = World::new();
    let mut managed = deployment("api", 1);
    managed["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/api"});
    world.create(managed).await;
    world.create(service("api", json!({}))).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;

    world.delete("Deployment", "api").await;
    world.pass(280).await;
    assert!(blocked("GitOpsGrace")(&world.status("api").await));
    world.until("api", "recreated", 60, |s| s.memory.attempts.in_flight.is_some()).await;
    world.pass(5).await;
    let recreated = world.get("Deployment", "api").await.unwrap();
    assert!(recreated.pointer("/metadata/annotations/argocd.argoproj.io~1tracking-id").is_none(), "{recreated}");
}
