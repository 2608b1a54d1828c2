//! Sick pods: which are replaced, when, and which are left alone.

use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::Outcome;
use serde_json::json;

use super::{blocked, condition, is, steps, well};
use crate::support::world::{World, deployment, service};

#[tokio::test(start_paused = true)]
async fn sick_pods_are_replaced_one_at_a_time_and_only_when_the_trouble_lasts() {
    for (script, cause) in
        [("crash", "CrashLoop"), ("oom", "OOMKilled"), ("sick", "LivenessFailed"), ("not-ready", "ReadinessFailed")]
    {
        let world = World::new();
        well(&world, "api", 2, json!({})).await;
        let before = world.pods("api").await;
        world.break_pods("api", script).await;
        let mut in_flight_at_once = 0;
        for _ in 0..400 {
            world.pass(10).await;
            let left = world
                .pods("api")
                .await
                .iter()
                .filter(|pod| before.iter().any(|old| old["metadata"]["uid"] == pod["metadata"]["uid"]))
                .count();
            let status = world.status("api").await;
            in_flight_at_once = in_flight_at_once.max(usize::from(status.memory.attempts.in_flight.is_some()));
            assert!(before.len() - left <= steps(&status).len(), "{script}: every replaced pod was an action");
            if left == 0 && status.health == Some(HealthState::Healthy) && status.memory.attempts.in_flight.is_none() {
                break;
            }
        }
        let status = world.status("api").await;
        assert_eq!(status.health, Some(HealthState::Healthy), "{script}: {status:#?}");
        assert_eq!(steps(&status), ["RestartPod", "RestartPod"], "{script}");
        assert!(
            status.history.iter().all(|entry| entry.cause.as_deref() == Some(cause)),
            "{script}: {:?}",
            status.history
        );
        assert!(
            status.history.iter().all(|entry| entry.outcome == Outcome::Verified),
            "{script}: {:?}",
            status.history
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_restart_does_not_hide_a_pod_that_is_not_ready() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_pods("api", "app: {exits: [{after: 1s, times: 1}], readiness: {fails: [{from: 2s}]}}").await;
    let status = world.until("api", "acted on", 900, |s| !steps(s).is_empty()).await;
    assert_eq!(status.history[0].cause.as_deref(), Some("ReadinessFailed"), "{:?}", status.history);
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_within_its_probes_budget_is_never_interrupted() {
    let world = World::new();
    let mut slow = deployment("api", 1);
    slow["spec"]["template"]["spec"]["containers"][0]["startupProbe"] =
        json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 10, "failureThreshold": 60});
    slow["metadata"]["annotations"] = json!({"tinykube.dev/script": "app: {listensAfter: 9m}"});
    world.create(slow).await;
    world.create(service("api", json!({}))).await;
    let status = world.until("api", "healthy", 700, is(HealthState::Healthy)).await;
    assert!(status.history.is_empty(), "{:?}", status.history);
    // The same once the first rollout is over and holds nothing back any more.
    let pod = world.pods("api").await.remove(0);
    world.delete("Pod", pod["metadata"]["name"].as_str().unwrap()).await;
    world.pass(60).await;
    let status = world.until("api", "healthy again", 700, is(HealthState::Healthy)).await;
    assert!(status.history.is_empty(), "{:?}", status.history);
}

#[tokio::test(start_paused = true)]
async fn causes_that_a_restart_cannot_help_are_named_and_left_alone() {
    let world = World::new();
    let table = [("image", "bad-image", "ImagePull"), ("config", "bad-config", "ConfigError")];
    for (name, script, _) in table {
        let mut broken = deployment(name, 1);
        broken["metadata"]["annotations"] = json!({"tinykube.dev/script": script});
        world.create(broken).await;
        world.create(service(name, json!({}))).await;
    }
    world.create(service("nowhere", json!({}))).await;
    world.pass(3600).await;
    for (name, _, cause) in table {
        let status = world.status(name).await;
        assert_eq!(status.findings.first().map(|finding| finding.cause.as_str()), Some(cause), "{name}: {status:#?}");
        assert!(steps(&status).is_empty());
        assert!(blocked("RestartCannotHelp")(&status), "{name}: {:?}", status.blocked_by);
    }
    assert_eq!(condition(&world.status("nowhere").await, "Stalled"), ("True", "WorkloadNotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_ready_is_deleted_past_its_budget_where_that_is_asked_for_and_no_other() {
    for (policy, expected) in [("DeleteWhenUnready", &["RestartPod"][..]), ("RespectBudget", &[])] {
        let world = World::new();
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "api"},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "api"}}},
        });
        world.create(budget).await;
        well(&world, "api", 2, json!({"remediation": {"evictionPolicy": policy}})).await;
        let pods = world.pods("api").await;
        let name = |pod: &serde_json::Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        let script = json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}});
        world.patch("Pod", &name(&pods[0]), script).await;
        world.pass(2 * 3600).await;
        let status = world.status("api").await;
        assert_eq!(steps(&status), expected, "{policy}: {:?}", status.history);
        let left: Vec<String> = world.pods("api").await.iter().map(name).collect();
        assert_eq!(left.contains(&name(&pods[0])), expected.is_empty(), "{policy}");
        assert!(left.contains(&name(&pods[1])), "{policy}: the one that serves");
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_replica_is_sick_and_a_new_one_is_too_no_more_than_the_breaker_allows_are_tried() {
    let world = World::new();
    well(&world, "api", 6, json!({})).await;
    let uids = |pods: &[serde_json::Value]| {
        pods.iter().map(|pod| pod["metadata"]["uid"].to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = uids(&world.pods("api").await);
    world.break_workload("api", "not-ready").await;
    world.until("api", "trying", 600, |status| status.memory.attempts.in_flight.is_some()).await;
    world.pass(590).await;
    assert_eq!(before.difference(&uids(&world.pods("api").await)).count(), 1, "the first must prove itself first");
    let open = |status: &kubeheal::api::status::HealedServiceStatus| {
        status.circuit.as_ref().is_some_and(|circuit| circuit.openings == 1)
    };
    let status = world.until("api", "open", 4 * 3600, open).await;
    assert_eq!(steps(&status), ["RestartPod"; 3], "{:?}", status.history);
    assert!(before.difference(&uids(&world.pods("api").await)).count() <= 3);
}
