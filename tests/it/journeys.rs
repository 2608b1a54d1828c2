//! Whole journeys on virtual time: something breaks, and what must come of it.

use kubeheal::api::status::{CircuitState, HealedServiceStatus, HealthState};
use serde_json::{Value, json};

use crate::world::{World, deployment, service};

fn is(health: HealthState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.health == Some(health)
}

fn blocked(reason: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.blocked_by.iter().any(|block| block.reason == reason)
}

fn steps(status: &HealedServiceStatus) -> Vec<&str> {
    let is_action = |step: &&str| ["RestartPod", "RecreateWorkload", "Rollback"].contains(step);
    status.history.iter().map(|entry| entry.step.as_str()).filter(is_action).collect()
}

fn condition<'a>(status: &'a HealedServiceStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    (found.status.as_str(), found.reason.as_str())
}

/// A healthy Deployment of that many pods, and its service.
async fn well(world: &World, name: &str, replicas: u32, spec: Value) {
    world.create(deployment(name, replicas)).await;
    world.create(service(name, spec)).await;
    world.until(name, "healthy", 60, is(HealthState::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_workload_is_recreated_from_its_last_known_good_definition() {
    let world = World::new();
    well(&world, "api", 2, json!({})).await;
    let before = world.get("Deployment", "api").await.unwrap();

    world.delete("Deployment", "api").await;
    let status = world.until("api", "being recreated", 60, |s| s.in_flight.is_some()).await;
    assert_eq!(steps(&status), ["RecreateWorkload"]);
    world.until("api", "verified", 700, |s| s.history.iter().any(|e| e.outcome == "Verified")).await;
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
    assert_eq!(status.missing_since, None);
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
    world.until("api", "recreated", 60, |s| s.in_flight.is_some()).await;
    world.pass(5).await;
    let recreated = world.get("Deployment", "api").await.unwrap();
    assert!(recreated.pointer("/metadata/annotations/argocd.argoproj.io~1tracking-id").is_none(), "{recreated}");
}

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
            in_flight_at_once = in_flight_at_once.max(usize::from(status.in_flight.is_some()));
            assert!(before.len() - left <= steps(&status).len(), "{script}: every replaced pod was an action");
            if left == 0 && status.health == Some(HealthState::Healthy) && status.in_flight.is_none() {
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
        assert!(status.history.iter().all(|entry| entry.outcome == "Verified"), "{script}: {:?}", status.history);
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
    let reset = world.until("api", "forgiven", 4000, |s| s.actions.is_empty()).await;
    assert_eq!(reset.circuit.unwrap().openings, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dependent_of_a_dead_service_holds_still_and_is_not_charged() {
    let world = World::new();
    well(&world, "db", 1, json!({"mode": "Observe"})).await;
    well(&world, "api", 1, json!({"dependsOn": [{"name": "db"}]})).await;
    well(&world, "web", 1, json!({"dependsOn": [{"name": "api"}]})).await;
    world.pass(120).await;
    world.break_workload("db", "crash").await;
    // Told at once, also to one that sees nothing wrong with itself.
    let held = |status: &HealedServiceStatus| condition(status, "DependenciesReady").0 == "False";
    world.until("api", "held", 30, held).await;
    for name in ["api", "web"] {
        world.break_workload(name, "crash").await;
    }
    world.pass(4 * 3600).await;
    let web = world.status("web").await;
    assert_eq!(condition(&web, "DependenciesReady"), ("False", "DependencyDown"));
    assert_eq!(web.dependencies[0].root.as_deref(), Some("default/db"));
    for name in ["api", "web"] {
        let status = world.status(name).await;
        assert!(steps(&status).is_empty(), "{name}: {:?}", status.history);
        assert!(blocked("DependencyDown")(&status));
        assert_eq!(status.circuit.as_ref().map(|c| c.state), Some(CircuitState::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_dependencies_and_cycles_are_said_and_never_acted_on() {
    let world = World::new();
    well(&world, "a", 1, json!({"dependsOn": [{"name": "b"}]})).await;
    well(&world, "b", 1, json!({"dependsOn": [{"name": "a"}]})).await;
    well(&world, "c", 1, json!({"dependsOn": [{"name": "nobody"}]})).await;
    for name in ["a", "b", "c"] {
        world.break_workload(name, "crash").await;
    }
    world.pass(2 * 3600).await;
    for (name, reason) in [("a", "DependencyCycle"), ("b", "DependencyCycle"), ("c", "DependencyUnknown")] {
        let status = world.status(name).await;
        assert_eq!(condition(&status, "Stalled"), ("True", reason), "{name}");
        assert!(steps(&status).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_at_any_moment_neither_acts_twice_nor_forgets() {
    for kill_after in (300..900).step_by(37) {
        let mut world = World::new();
        well(&world, "api", 1, json!({})).await;
        world.break_pods("api", "sick").await;
        world.pass(kill_after).await;
        world.kill_controller().await;
        world.pass(20).await;
        world.start_controller();
        let status = world.until("api", "healed", 3600, |s| s.history.iter().any(|e| e.outcome == "Verified")).await;
        assert_eq!(steps(&status), ["RestartPod"], "killed after {kill_after} s: {:#?}", status.history);
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_told_to_stop_ends_and_begins_nothing_more() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_pods("api", "crash").await;
    world.pass(30).await;
    world.stop_controller().await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
    world.start_controller();
    world.until("api", "acted on", 600, |s| steps(s) == ["RestartPod"]).await;
}

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

#[tokio::test(start_paused = true)]
async fn a_healthy_world_causes_no_writes() {
    let world = World::new();
    well(&world, "api", 3, json!({})).await;
    world.pass(600).await;
    let before = world.service("api").await.metadata.resource_version;
    world.pass(24 * 3600).await;
    assert_eq!(world.service("api").await.metadata.resource_version, before);
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
        .until("api", "healed", 3600, |s| s.history.iter().any(|e| e.step == "RestartPod" && e.outcome == "Verified"))
        .await;

    world.patch("HealedService", "api", annotate("heal-now", json!("1"))).await;
    world.pass(3600).await;
    let asked: Vec<_> = world.status("api").await.history.into_iter().filter(|e| e.step == "HealNow").collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].cause.as_deref(), Some("NotNeeded"));
}
