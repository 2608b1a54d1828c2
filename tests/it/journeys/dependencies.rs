//! Dependencies: who is held, by whom, and what comes after.

use kubeheal::{
    api::status::{HealedServiceStatus, HealthState},
    status::available_since,
};
use kubeheal_core::model::state::CircuitState;
use serde_json::json;

use super::{blocked, condition, is, steps, well};
use crate::support::world::{World, deployment, service};

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

/// How often a service said that its dependencies hold it, and whether it does now.
async fn was_held(world: &World, name: &str) -> (usize, bool) {
    let told = world.events("DependencyDown").await;
    (told.len(), condition(&world.status(name).await, "DependenciesReady").0 == "False")
}

#[tokio::test(start_paused = true)]
async fn a_degraded_dependency_and_its_rollout_hold_nobody_and_an_unavailable_one_does() {
    let world = World::new();
    well(&world, "db", 3, json!({"mode": "Observe"})).await;
    well(&world, "api", 1, json!({"dependsOn": [{"name": "db"}]})).await;
    world.until("api", "free", 120, |status| condition(status, "DependenciesReady").0 == "True").await;
    let told = was_held(&world, "api").await.0;
    let since = available_since(&world.status("db").await);

    let pods = world.pods("db").await;
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    world.patch("Pod", name, json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}})).await;
    world.until("db", "degraded", 600, is(HealthState::Degraded)).await;
    assert_eq!(condition(&world.status("db").await, "Available"), ("True", "AsExpected"));
    world.patch("Pod", name, json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    world.until("db", "healthy", 600, is(HealthState::Healthy)).await;

    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    let template = json!({"metadata": {"annotations": {"version": "2"}}});
    world.patch("Deployment", "db", json!({"spec": {"strategy": strategy, "template": template}})).await;
    world.until("db", "rolling out", 60, |status| condition(status, "Ready").1 == "RolloutInProgress").await;
    world.until("db", "rolled out", 600, is(HealthState::Healthy)).await;
    assert_eq!(was_held(&world, "api").await, (told, false), "neither held nor held anew for a minute");
    assert_eq!(available_since(&world.status("db").await), since);

    world.break_workload("db", "not-ready").await;
    world.until("db", "unavailable", 60, |status| condition(status, "Available").0 == "False").await;
    assert_eq!(was_held(&world, "api").await, (told + 1, true));
    world.break_workload("db", "healthy").await;
    let back = world.until("db", "available", 60, |status| condition(status, "Available").0 == "True").await;
    let free = world.until("api", "free", 120, |status| condition(status, "DependenciesReady").0 == "True").await;
    let transition = |status: &HealedServiceStatus, kind: &str| {
        let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
        found.last_transition_time.0
    };
    let waited = transition(&free, "DependenciesReady").duration_since(transition(&back, "Available"));
    assert_eq!(waited.as_secs(), 60);
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

/// When the pods of an app were created, and the names they have.
async fn born(world: &World, app: &str) -> Vec<(String, String)> {
    let of = |pod: &serde_json::Value, field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
    let mut born: Vec<_> =
        world.pods(app).await.iter().map(|pod| (of(pod, "creationTimestamp"), of(pod, "name"))).collect();
    born.sort();
    born
}

/// db ← api ← web; the last two have two pods each and want to be restarted after an outage.
async fn chain(world: &World) {
    let after =
        |name: &str| json!({"dependsOn": [{"name": name}], "remediation": {"restartOnDependencyRecovery": true}});
    well(world, "db", 1, json!({"mode": "Observe"})).await;
    well(world, "api", 2, after("db")).await;
    well(world, "web", 2, after("api")).await;
    world.pass(300).await;
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_of_the_root_its_dependents_are_restarted_in_order_one_pod_at_a_time() {
    let mut world = World::new();
    chain(&world).await;
    let before = [born(&world, "api").await, born(&world, "web").await].concat();
    world.break_workload("db", "crash").await;
    world
        .until("web", "waiting for its turn", 300, |status| {
            status.memory.dependency.restart.as_ref().is_some_and(|recovery| recovery.awaited)
        })
        .await;
    world.break_workload("db", "healthy").await;
    let proving = |status: &HealedServiceStatus| status.memory.attempts.in_flight.is_some();
    world.until("api", "restarting its first pod", 600, proving).await;
    world.kill_controller().await;
    world.start_controller();
    world.until("api", "restarting its second pod", 1200, |status| steps(status).len() == 2).await;
    world.pass(200).await;
    assert!(steps(&world.status("web").await).is_empty(), "not before what it depends on has proved itself");
    let done = |status: &HealedServiceStatus| steps(status).len() == 2 && status.memory.attempts.in_flight.is_none();
    world.until("api", "restarted", 600, done).await;
    world.until("web", "restarted", 1800, done).await;

    let (api, web) = (born(&world, "api").await, born(&world, "web").await);
    assert!([&api[..], &web[..]].concat().iter().all(|pod| !before.contains(pod)), "{before:?} {api:?} {web:?}");
    let mut order: Vec<_> = api.iter().chain(&web).collect();
    order.sort();
    assert_eq!(order, [&api[0], &api[1], &web[0], &web[1]]);
    for name in ["api", "web"] {
        let status = world.status(name).await;
        let told: Vec<_> =
            status.history.iter().map(|entry| (entry.cause.as_deref(), entry.outcome.as_str())).collect();
        assert_eq!(told, [(Some("DependencyRecovered"), "Verified"); 2], "{name}");
        assert!(
            status.memory.attempts.actions.is_empty() && status.memory.dependency.restart.is_none(),
            "{name}: {:?}",
            status.memory.attempts.actions
        );
    }
    world.pass(4 * 3600).await;
    assert_eq!([born(&world, "api").await, born(&world, "web").await], [api, web], "once is enough");
}

#[tokio::test(start_paused = true)]
async fn the_first_start_of_a_dependency_is_no_recovery() {
    let world = World::new();
    let mut slow = deployment("db", 1);
    slow["metadata"]["annotations"] = json!({"tinykube.dev/script": "not-ready"});
    world.create(slow).await;
    world.create(service("db", json!({"mode": "Observe"}))).await;
    let wish = json!({"dependsOn": [{"name": "db"}], "remediation": {"restartOnDependencyRecovery": true}});
    well(&world, "api", 1, wish).await;
    let before = born(&world, "api").await;
    world.pass(200).await;
    world.break_workload("db", "healthy").await;
    world.until("db", "healthy", 600, is(HealthState::Healthy)).await;
    world.pass(1800).await;
    assert_eq!(born(&world, "api").await, before);
}

#[tokio::test(start_paused = true)]
async fn a_bare_pod_that_ended_well_has_done_what_others_wait_for() {
    let world = World::new();
    let mut migration = deployment("schema", 1)["spec"]["template"].clone();
    migration["apiVersion"] = json!("v1");
    migration["kind"] = json!("Pod");
    migration["metadata"]["name"] = json!("schema");
    migration["metadata"]["annotations"] = json!({"tinykube.dev/script": "app: {exits: [{after: 5s, code: 0}]}"});
    migration["spec"]["restartPolicy"] = json!("Never");
    world.create(migration).await;
    world.create(service("schema", json!({"workloadRef": {"kind": "Pod", "name": "schema"}}))).await;
    well(&world, "api", 1, json!({"dependsOn": [{"name": "schema"}]})).await;
    world.pass(120).await;
    assert_eq!(world.status("schema").await.health, Some(HealthState::Idle));
    assert_eq!(condition(&world.status("api").await, "DependenciesReady"), ("True", "AllReady"));
}
