//! `onOpen: ScaleToZero`: taken down while the circuit is open, brought back for the trial, and nobody is overruled.

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::Change;
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use super::{blocked, circuit, condition, hasty, in_phase, is, on_open, steps, well};
use crate::support::world::{World, deployment, service};

fn to_zero() -> Value {
    json!({"circuitBreaker": {"onOpen": {"action": "ScaleToZero"}}})
}

async fn replicas(world: &World, kind: &str, name: &str) -> u64 {
    world.get(kind, name).await.unwrap()["spec"]["replicas"].as_u64().unwrap()
}

/// Crashes until the breaker opens and the workload is down.
async fn taken_down(world: &World, name: &str, count: u32) -> HealedServiceStatus {
    well(world, name, count, to_zero()).await;
    world.break_workload(name, "crash").await;
    world.until(name, "taken down", 3 * 3600, in_phase("Effective")).await
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_takes_the_workload_down_and_brings_it_back_for_each_trial() {
    let world = World::new();
    let status = taken_down(&world, "api", 2).await;
    let change = on_open(&status).unwrap().clone();
    assert_eq!((change.change, change.target.as_str()), (Change::ToZero { replicas: 2 }, "api"));
    assert_eq!(replicas(&world, "Deployment", "api").await, 0);

    // It is down because of us: neither idle nor wanted so.
    world.pass(60).await;
    let down = world.status("api").await;
    assert_eq!(down.health, Some(HealthState::Unhealthy));
    assert_eq!(condition(&down, "Ready"), ("False", "BreakerOpen"));
    assert_eq!(condition(&down, "Degraded").0, "True");
    assert_eq!(down.pods.as_ref().map(|pods| (pods.desired, pods.ready)), Some((2, 0)));
    assert_eq!(down.next_action.as_ref().map(|next| next.step.as_str()), Some("RestoreReplicas"));
    assert!(blocked("BreakerOpen")(&down), "{:?}", down.blocked_by);
    assert_eq!(down.memory.observed.last_replicas, Some(2), "what it comes back with");
    let events = world.events("ScaleToZero").await;
    assert!(events.iter().any(|note| note.contains("from 2 to 0 replicas")), "{events:?}");

    // The trial is the workload itself, brought back; it crashes as before.
    world.until("api", "tried", 1000, circuit(CircuitState::HalfOpen)).await;
    world.pass(5).await;
    assert_eq!(replicas(&world, "Deployment", "api").await, 2);
    let trial = world.status("api").await;
    assert_eq!(
        trial.memory.attempts.in_flight.as_ref().map(|repair| repair.action.step.as_str()),
        Some("RestoreReplicas")
    );
    assert_ne!(trial.health, Some(HealthState::Idle));
    let again = world.until("api", "down again", 700, in_phase("Effective")).await;
    let opened = again.circuit.as_ref().unwrap();
    let length = opened.retry_at.as_ref().unwrap().0.duration_since(opened.opened_at.as_ref().unwrap().0);
    assert_eq!((opened.openings, length.as_secs()), (2, 1800), "a failed trial doubles the time");
    assert_eq!(replicas(&world, "Deployment", "api").await, 0);

    // What was wrong is gone: the next trial closes the circuit.
    world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    let closed = world.until("api", "closed", 3000, circuit(CircuitState::Closed)).await;
    assert_eq!(closed.health, Some(HealthState::Healthy));
    assert_eq!(on_open(&closed), None);
    assert_eq!(replicas(&world, "Deployment", "api").await, 2);
    assert_eq!(steps(&closed).len(), 3, "the trials were no other steps: {:?}", closed.history);
    let trials: Vec<_> = closed.history.iter().filter(|entry| entry.step == "RestoreReplicas").collect();
    assert_eq!(trials.iter().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>(), ["Ineffective", "Verified"]);
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_goes_the_same_way() {
    let world = World::new();
    let mut set = deployment("db", 3);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    world.create(set).await;
    let mut spec = to_zero();
    spec["workloadRef"] = json!({"kind": "StatefulSet", "name": "db"});
    world.create(service("db", spec)).await;
    world.until("db", "healthy", 120, is(HealthState::Healthy)).await;
    let script = |script: Value| json!({"metadata": {"annotations": {"tinykube.dev/script": script}}});
    world.patch("StatefulSet", "db", script(json!("crash"))).await;
    world.until("db", "taken down", 3 * 3600, in_phase("Effective")).await;
    assert_eq!(replicas(&world, "StatefulSet", "db").await, 0);
    world.patch("StatefulSet", "db", script(Value::Null)).await;
    world.until("db", "closed", 3000, circuit(CircuitState::Closed)).await;
    assert_eq!(replicas(&world, "StatefulSet", "db").await, 3);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_somebody_else_sets_meanwhile_stay() {
    for theirs in [5, 2] {
        let world = World::new();
        taken_down(&world, "api", 2).await;
        world.pass(120).await;
        world.patch("Deployment", "api", json!({"spec": {"replicas": theirs}})).await;
        let status = world.until("api", "overruled", 30, in_phase("Overruled")).await;
        assert!(blocked("OnOpenHeld")(&status), "{:?}", status.blocked_by);
        // Not when it opens again, either.
        world.until("api", "open again", 3000, |s| s.circuit.as_ref().is_some_and(|c| c.openings == 2)).await;
        world.pass(60).await;
        assert_eq!(replicas(&world, "Deployment", "api").await, theirs);
        world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
        let closed = world.until("api", "closed", 4000, circuit(CircuitState::Closed)).await;
        assert_eq!(on_open(&closed), None, "nothing is remembered");
        assert_eq!(replicas(&world, "Deployment", "api").await, theirs);
    }
}

#[tokio::test(start_paused = true)]
async fn the_workload_comes_back_when_people_end_it_otherwise() {
    let annotate = |key: &str| json!({"metadata": {"annotations": {format!("kubeheal.dev/{key}"): "1"}}});
    let hold = json!({"spec": {"circuitBreaker": {"onOpen": {"action": "Hold"}}}});
    for (how, patch) in [("reset-breaker", annotate("reset-breaker")), ("onOpen is Hold", hold)] {
        let world = World::new();
        taken_down(&world, "api", 3).await;
        world.pass(60).await;
        world.patch("HealedService", "api", patch).await;
        world.until("api", "given back", 30, |s| on_open(s).is_none()).await;
        assert_eq!(replicas(&world, "Deployment", "api").await, 3, "{how}");
        let status = world.status("api").await;
        let back = status.history.iter().rfind(|entry| entry.step == "RestoreReplicas").unwrap();
        assert_eq!(
            (back.outcome.as_str(), back.message.as_deref()),
            ("Verified", Some("from 0 to 3 replicas")),
            "{how}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_set_and_what_still_serves_is_not_scaled() {
    let world = World::new();
    let mut argo = deployment("argo", 1);
    argo["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/argo"});
    world.create(argo).await;
    world.create(service("argo", to_zero())).await;
    well(&world, "traced", 2, to_zero()).await;
    world.scale_as("kube-controller-manager", "Deployment", "traced", 1).await;
    well(&world, "fresh", 1, to_zero()).await;
    world
        .create(json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "fresh-hpa"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "fresh"}, "maxReplicas": 9},
        }))
        .await;
    well(&world, "half", 2, to_zero()).await;
    // Others enough that four sick ones are no storm.
    for name in ["u", "v", "w", "x", "y", "z"] {
        well(&world, name, 1, json!({})).await;
    }
    for name in ["argo", "traced", "fresh"] {
        world.break_workload(name, "crash").await;
    }
    let opened = |status: &HealedServiceStatus| circuit(CircuitState::Open)(status) && blocked("OnOpenHeld")(status);
    for (name, who) in [
        ("argo", "Argo CD sets its replicas"),
        ("traced", "a HorizontalPodAutoscaler sets its replicas"),
        ("fresh", "HorizontalPodAutoscaler fresh-hpa sets its replicas"),
    ] {
        let status = world.until(name, "held", 4 * 3600, opened).await;
        let said = status.blocked_by.iter().find(|block| block.reason == "OnOpenHeld").unwrap();
        assert!(said.message.contains(who), "{name}: {said:?}");
        world.pass(30).await;
        assert_eq!(replicas(&world, "Deployment", name).await, 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_does_not_take_away_what_still_serves() {
    let world = World::new();
    well(&world, "api", 3, to_zero()).await;
    // One of three crashes, and each pod that replaces it.
    let script = "app: {exits: [{after: 1s}]}";
    let status = loop {
        let pods = world.pods("api").await;
        let broken = pods.iter().any(|pod| !pod["metadata"]["annotations"]["tinykube.dev/script"].is_null());
        if !broken {
            let name = pods.last().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
            world.patch("Pod", &name, json!({"metadata": {"annotations": {"tinykube.dev/script": script}}})).await;
        }
        world.pass(10).await;
        let status = world.status("api").await;
        if circuit(CircuitState::Open)(&status) {
            break status;
        }
    };
    assert_eq!(status.health, Some(HealthState::Degraded));
    world.pass(60).await;
    assert!(blocked("OnOpenHeld")(&world.status("api").await));
    assert_eq!(replicas(&world, "Deployment", "api").await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_forced_open_circuit_leaves_the_workload_alone() {
    let world = World::new();
    well(&world, "api", 2, to_zero()).await;
    let force = json!({"metadata": {"annotations": {"kubeheal.dev/force-open": "hands off"}}});
    world.patch("HealedService", "api", force).await;
    world.until("api", "open", 30, circuit(CircuitState::Open)).await;
    world.break_workload("api", "crash").await;
    world.pass(2 * 3600).await;
    assert_eq!(replicas(&world, "Deployment", "api").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_workload_removed_while_it_is_down_comes_back_with_all_its_replicas() {
    let world = World::new();
    taken_down(&world, "api", 3).await;
    world.pass(60).await;
    world.delete("Deployment", "api").await;
    world
        .until("api", "back", 2000, |s| {
            s.memory.attempts.in_flight.as_ref().is_some_and(|repair| repair.action.step.as_str() == "RecreateWorkload")
        })
        .await;
    world.pass(5).await;
    assert_eq!(replicas(&world, "Deployment", "api").await, 3);
    let closed = world.until("api", "closed", 2000, circuit(CircuitState::Closed)).await;
    assert_eq!(on_open(&closed), None);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_at_any_moment_gives_the_replicas_back() {
    for moment in 0..12_u64 {
        let mut world = World::new();
        well(&world, "api", 2, hasty(&json!({"action": "ScaleToZero"}))).await;
        world.break_workload("api", "crash").await;
        let wanted = if moment < 6 { CircuitState::Open } else { CircuitState::HalfOpen };
        world.until("api", "there", 4 * 3600, circuit(wanted)).await;
        tokio::time::sleep(std::time::Duration::from_millis(moment % 6 * 400)).await;
        world.kill_controller().await;
        world.pass(60).await;
        world.patch("Deployment", "api", json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
        world.start_controller();
        let closed = world.until("api", "closed", 8000, circuit(CircuitState::Closed)).await;
        assert_eq!(replicas(&world, "Deployment", "api").await, 2, "moment {moment}: {:#?}", closed.history);
        world.until("api", "forgotten", 60, |s| on_open(s).is_none()).await;
    }
}
