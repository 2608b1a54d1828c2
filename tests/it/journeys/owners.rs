//! Several services that name one workload: one acts, the others say who.

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use serde_json::{Value, json};

use super::{blocked, condition, is, steps, well};
use crate::support::world::{World, deployment, service};

fn second(name: &str, workload: &str) -> Value {
    service(name, json!({"workloadRef": {"kind": "Deployment", "name": workload}}))
}

fn message_of<'a>(status: &'a HealedServiceStatus, reason: &str) -> &'a str {
    status.blocked_by.iter().find(|block| block.reason == reason).map(|block| block.message.as_str()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn of_two_services_for_one_workload_the_older_acts_and_the_other_names_it() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.pass(5).await;
    world.create(second("also-api", "api")).await;
    let told = world.until("also-api", "looked at", 60, is(HealthState::Unknown)).await;
    assert_eq!(condition(&told, "RemediationAllowed"), ("False", "TargetLocked"), "said before there is a need");
    assert!(told.pods.is_none_or(|pods| pods.desired == 0), "what belongs to another is not looked at");

    world.break_workload("api", "crash").await;
    world.pass(2 * 3600).await;
    assert!(steps(&world.status("api").await).len() >= 3);
    let other = world.status("also-api").await;
    assert!(steps(&other).is_empty(), "{:?}", other.history);
    assert_eq!(condition(&other, "RemediationAllowed"), ("False", "TargetLocked"));
    let held = other.conditions.iter().find(|known| known.type_ == "RemediationAllowed").unwrap();
    assert!(held.message.contains("HealedService api names the same workload"), "{}", held.message);

    // The next in line.
    world.delete("HealedService", "api").await;
    world.until("also-api", "acting", 600, |s| steps(s) == ["RestartPod"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_action_is_taken_under_a_lease_of_the_workload_that_lasts_until_it_must_have_helped() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    assert!(world.get("Lease", "kubeheal-deployment-api").await.is_none(), "nothing was done");
    world.break_pods("api", "not-ready").await;
    let status = world.until("api", "acting", 900, |s| s.memory.attempts.in_flight.is_some()).await;
    world.pass(1).await;
    let lease = world.get("Lease", "kubeheal-deployment-api").await.unwrap();
    let service = world.get("HealedService", "api").await.unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], service["metadata"]["uid"]);
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 600);
    assert_eq!(
        lease["spec"]["renewTime"].as_str().unwrap()[..19],
        status.memory.attempts.in_flight.unwrap().started.to_string()[..19]
    );
    assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], service["metadata"]["uid"], "it goes with its service");
}

#[tokio::test(start_paused = true)]
async fn while_somebody_else_holds_the_lease_nothing_is_done_and_it_is_said_who() {
    let world = World::new();
    world.create(deployment("api", 1)).await;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kubeheal-deployment-api"},
        "spec": {
            "holderIdentity": "another-kubeheal", "leaseDurationSeconds": 3600, "renewTime": "2026-01-05T08:00:00.000000Z",
        },
    });
    world.create(lease).await;
    world.create(service("api", json!({}))).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
    world.break_pods("api", "not-ready").await;
    let held = world.until("api", "held", 900, blocked("TargetLocked")).await;
    let message = message_of(&held, "TargetLocked");
    assert!(message.contains("another-kubeheal") && message.contains("2026-01-05T09:00:00Z"), "{message}");
    assert!(held.memory.attempts.actions.is_empty() && held.history.is_empty(), "not charged");

    world.pass(2400).await;
    assert!(steps(&world.status("api").await).is_empty());
    let acting = world.until("api", "acting once it ran out", 3600, |s| s.memory.attempts.in_flight.is_some()).await;
    assert_eq!(acting.memory.attempts.in_flight.unwrap().started.to_string(), "2026-01-05T09:00:00Z");
    world.pass(1).await;
    let lease = world.get("Lease", "kubeheal-deployment-api").await.unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    assert_ne!(lease["spec"]["holderIdentity"], "another-kubeheal");
}

#[tokio::test(start_paused = true)]
async fn a_nonsensical_lease_does_not_lock_for_ever() {
    let world = World::new();
    world.create(deployment("api", 1)).await;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kubeheal-deployment-api"},
        "spec": {
            "holderIdentity": "nobody", "leaseDurationSeconds": 2_000_000_000, "renewTime": "2026-01-05T08:00:00.000000Z",
        },
    });
    world.create(lease).await;
    world.create(service("api", json!({}))).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
    world.break_pods("api", "not-ready").await;
    world.until("api", "held", 900, blocked("TargetLocked")).await;
    world.pass(85_000).await;
    assert!(steps(&world.status("api").await).is_empty());
    world.until("api", "acting after a day", 2_000, |s| s.memory.attempts.in_flight.is_some()).await;
}
