//! Limits: budgets, storms, modes.

use std::collections::BTreeSet;

use kube::{Api, api::PostParams, core::DynamicObject};
use serde_json::{Value, json};

use super::{blocked, condition, steps, well};
use crate::support::world::{World, deployment, resource, service};

#[tokio::test(start_paused = true)]
async fn observe_decides_and_reports_and_never_acts() {
    let world = World::new();
    well(&world, "api", 1, json!({"mode": "Observe"})).await;
    let before = world.pods("api").await;
    world.break_pods("api", "crash").await;
    world.pass(7200).await;
    let status = world.status("api").await;
    assert_eq!(status.next_action.as_ref().map(|next| next.step.as_str()), Some("RestartPod"), "{status:#?}");
    assert_eq!(condition(&status, "RemediationAllowed"), ("False", "Observing"));
    assert!(status.history.is_empty());
    assert_eq!(world.pods("api").await[0]["metadata"]["uid"], before[0]["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn a_storm_across_services_stops_all_healing() {
    let world = World::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        well(&world, name, 1, json!({})).await;
    }
    world.pass(400).await;
    for name in &names[..4] {
        world.break_pods(name, "not-ready").await;
    }
    world.pass(1200).await;
    for name in &names[..4] {
        let status = world.status(name).await;
        assert!(blocked("StormHold")(&status), "{name}: {:#?}", status.blocked_by);
    }
    let acted: usize =
        futures::future::join_all(names.map(|name| world.status(name))).await.iter().map(|s| steps(s).len()).sum();
    assert!(acted <= 3, "only what began before the storm was seen: {acted}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_seen_before_the_impatient_act() {
    let world = World::new();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        // Probes are five seconds apart, so what breaks at once is unready within five: signs come after half the patience.
        well(&world, name, 1, json!({"health": {"notReadySeconds": 12}})).await;
    }
    world.pass(400).await;
    for name in &names[..3] {
        world.break_pods(name, "not-ready").await;
    }
    world.pass(600).await;
    for name in &names[..3] {
        let status = world.status(name).await;
        assert!(blocked("StormHold")(&status) && steps(&status).is_empty(), "{name}: {status:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disruption_budget_that_refuses_is_a_reason_to_wait() {
    let world = World::new();
    world
        .create(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "api"},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "api"}}},
        }))
        .await;
    well(&world, "api", 2, json!({})).await;
    world.break_pods("api", "crash").await;
    let status = world.until("api", "held by its budget", 3600, blocked("DisruptionBudget")).await;
    assert!(steps(&status).is_empty());
    let left: Vec<_> = world.pods("api").await;
    assert_eq!(left.len(), 2);
    world.delete("PodDisruptionBudget", "api").await;
    world.until("api", "acted on", 120, |s| !steps(s).is_empty()).await;
}

/// All at once sick, and no storm that would stop it: only the limits of the cluster do.
#[tokio::test(start_paused = true)]
async fn many_services_at_once_stay_within_the_limits_of_the_cluster() {
    for (in_flight, a_minute) in [(2, 10), (50, 2)] {
        let world = World::new();
        let limits = json!({"maxInFlight": in_flight, "maxActionsPerMinute": a_minute, "storm": {"minimum": 1000}});
        let policy = json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "ClusterHealingPolicy",
            "metadata": {"name": "default"}, "spec": {"cluster": limits},
        });
        world.create(policy).await;
        let names: Vec<String> = (0..8).map(|number| format!("api-{number}")).collect();
        for name in &names {
            well(&world, name, 1, json!({})).await;
        }
        for name in &names {
            world.break_pods(name, "not-ready").await;
        }
        let mut most = 0;
        let mut begun: BTreeSet<(String, jiff::Timestamp)> = BTreeSet::new();
        for _ in 0..300 {
            world.pass(5).await;
            let statuses = futures::future::join_all(names.iter().map(|name| world.status(name))).await;
            most = most.max(statuses.iter().filter(|status| status.memory.attempts.in_flight.is_some()).count());
            for (name, status) in names.iter().zip(&statuses) {
                let actions = status.history.iter().filter(|entry| entry.step == "RestartPod");
                begun.extend(actions.map(|entry| (name.clone(), entry.time)));
            }
        }
        assert!(begun.len() >= 4, "it heals: {begun:?}");
        assert!(most <= in_flight, "{most} in flight, {in_flight} allowed");
        let times: Vec<_> = begun.iter().map(|(_, time)| *time).collect();
        for from in &times {
            let minute = times.iter().filter(|time| (0..60).contains(&time.duration_since(*from).as_secs())).count();
            assert!(minute <= a_minute, "{minute} actions within a minute from {from}, {a_minute} allowed");
        }
    }
}

/// Creates objects in a namespace of somebody else.
async fn create_in(world: &World, namespace: &str, objects: Vec<Value>) {
    for object in objects {
        let kind = resource(object["kind"].as_str().unwrap());
        let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), namespace, &kind);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
}

/// A world with a service that is well, and a namespace of somebody else.
async fn beside_mallory() -> World {
    let world = World::new();
    let namespaces: Api<DynamicObject> = Api::all_with(world.client.clone(), &resource("Namespace"));
    let mallory = serde_json::from_value(json!({"metadata": {"name": "mallory"}})).unwrap();
    namespaces.create(&PostParams::default(), &mallory).await.unwrap();
    well(&world, "api", 1, json!({})).await;
    world
}

#[tokio::test(start_paused = true)]
async fn services_that_point_to_nothing_hold_nobody() {
    let world = beside_mallory().await;
    let nothing = |number: usize| {
        service(&format!("nothing-{number}"), json!({"mode": if number < 12 { "Observe" } else { "Heal" }}))
    };
    create_in(&world, "mallory", (0..24).map(nothing).collect()).await;
    world.pass(600).await;
    world.break_pods("api", "not-ready").await;
    let status = world.until("api", "acted on", 900, |status| !steps(status).is_empty()).await;
    assert!(!blocked("StormHold")(&status), "{:?}", status.blocked_by);
}

#[tokio::test(start_paused = true)]
async fn repairs_that_are_proven_for_a_day_take_nobodys_place() {
    let world = beside_mallory().await;
    let slow = json!({
        "remediation": {"verifySeconds": 86_400}, "circuitBreaker": {"windowSeconds": 2_592_000},
        "health": {"startupGraceSeconds": 60},
    });
    for number in 0..6 {
        let name = format!("slow-{number}");
        let mut sick = deployment(&name, 1);
        sick["metadata"]["annotations"] = json!({"tinykube.dev/script": "not-ready"});
        create_in(&world, "mallory", vec![sick, service(&name, slow.clone())]).await;
    }
    world.pass(1200).await;
    world.break_pods("api", "not-ready").await;
    let status = world.until("api", "acted on", 900, |status| !steps(status).is_empty()).await;
    assert!(!blocked("ClusterBudget")(&status), "{:?}", status.blocked_by);
}
