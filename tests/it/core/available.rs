//! Available: whether a service serves, told apart from whether all is as wanted; and who looks at it.

use kubeheal::{
    api::status::HealedServiceStatus,
    status::{available_since, render},
};
use kubeheal_core::{
    decide,
    model::{
        condition::{ConditionType, Truth},
        decision::Decision,
        policy::{MinReady, OnOpen, Policy},
        reason::Reason,
        snapshot::{ContainerState, Phase, Pod, Readiness, Rollout, Snapshot, Workload, WorkloadKind},
        state::{CircuitPhase, Opening},
        verdict::Health,
    },
};
use serde_json::{Value, json};

use crate::support::{
    fixtures::{at, beside, pod, policy, sick, snapshot, workload},
    scene::{self, Scene},
};

const NOW: i64 = 3_000;

/// What is said of it: status and reason.
fn condition_of(decision: &Decision, kind: ConditionType) -> (Truth, Reason) {
    let found = decision.conditions.iter().find(|condition| condition.kind == kind).unwrap();
    (found.status, found.reason)
}

/// A Deployment of which so many pods are ready and so many sick for long.
fn partly(ready: u32, sick_ones: u32) -> Snapshot {
    let mut seen = sick(workload(WorkloadKind::Deployment, ready + sick_ones));
    let well = usize::try_from(ready).unwrap();
    for one in &mut seen.pods[..well] {
        *one = pod(&one.name.clone(), true);
    }
    seen.state.observed.containers = seen.state.observed.containers.iter().skip(well).cloned().collect();
    seen
}

/// Its node does not answer; all that it says is old.
fn lost(name: &str) -> Pod {
    Pod { ready: Readiness::NotReady(None), ..pod(name, true) }
}

fn lost_of(ready: u32, lost_ones: u32) -> Snapshot {
    let mut pods: Vec<Pod> = (0..ready).map(|index| pod(&format!("api-{index}"), true)).collect();
    pods.extend((0..lost_ones).map(|index| lost(&format!("api-lost-{index}"))));
    snapshot(workload(WorkloadKind::Deployment, ready + lost_ones), pods)
}

fn min_ready(min_ready: MinReady) -> Policy {
    let mut policy = policy();
    policy.health.min_ready = min_ready;
    policy
}

#[test]
fn a_service_is_available_while_enough_of_it_is_ready_whatever_else_is_wrong() {
    use Health::{Degraded, Healthy, Starting, Unhealthy};
    use Reason::{AsExpected, NodeLost, ReadinessFailed};
    use Truth::{False, True};
    let rolling = |ready: u32, new: u32| {
        let mut seen = partly(ready, 0);
        let mut state = workload(WorkloadKind::Deployment, ready + new);
        (state.rollout, state.updated) = (Rollout::InProgress, new);
        seen.workload = Workload::Present(state);
        seen
    };
    let starting = {
        let mut fresh = pod("api-0", false);
        fresh.containers[0].state = ContainerState::Running(Some(at(NOW - 5)));
        fresh.ready_changed = Some(at(NOW - 5));
        snapshot(workload(WorkloadKind::Deployment, 1), vec![fresh])
    };
    let stuck = {
        let mut seen = partly(3, 0);
        let mut state = workload(WorkloadKind::Deployment, 3);
        state.rollout = Rollout::Stuck;
        seen.workload = Workload::Present(state);
        seen
    };
    let one_is_lost_and_one_is_sick = {
        let mut seen = partly(0, 2);
        seen.pods[0] = lost("api-0");
        seen
    };
    let table = vec![
        ("all ready", policy(), partly(1, 0), Healthy, (True, AsExpected)),
        ("19 of 20", policy(), partly(19, 1), Degraded, (True, AsExpected)),
        ("none of one", policy(), partly(0, 1), Unhealthy, (False, ReadinessFailed)),
        (
            "half of four needed, one there",
            min_ready(MinReady::Percent(50)),
            partly(1, 3),
            Unhealthy,
            (False, ReadinessFailed),
        ),
        ("half of four needed and there", min_ready(MinReady::Percent(50)), partly(2, 2), Degraded, (True, AsExpected)),
        ("none needed and none there", min_ready(MinReady::Count(0)), partly(0, 2), Degraded, (False, ReadinessFailed)),
        ("a rollout with enough", policy(), rolling(3, 1), Degraded, (True, AsExpected)),
        ("a stuck rollout; the old pods serve", policy(), stuck, Degraded, (True, AsExpected)),
        ("starting", policy(), starting, Starting, (False, Reason::Starting)),
        ("one lost, one ready", policy(), lost_of(1, 1), Degraded, (True, AsExpected)),
        ("all lost", policy(), lost_of(0, 2), Health::Unknown, (Truth::Unknown, NodeLost)),
        ("a lost one and a sick one", policy(), one_is_lost_and_one_is_sick, Unhealthy, (Truth::Unknown, NodeLost)),
    ];
    for (what, policy, seen, health, expected) in table {
        let decision = decide(&policy, &seen, at(NOW));
        assert_eq!(decision.verdict.health, health, "{what}: {}", decision.verdict.message);
        assert_eq!(condition_of(&decision, ConditionType::Available), expected, "{what}");
        let is_ready = condition_of(&decision, ConditionType::Ready).0 == True;
        assert_eq!(is_ready, health == Healthy, "{what}: Ready is all as wanted");
    }
}

#[test]
fn what_is_not_wanted_does_not_serve_and_what_cannot_be_seen_may() {
    use Truth::{False, True};
    let deployment = |desired| workload(WorkloadKind::Deployment, desired);
    let missing = |since: Option<i64>, intended: bool| {
        let mut seen = partly(1, 0);
        seen.pods.clear();
        seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
        seen.state.observed.missing_since = since.map(at);
        seen.state.observed.intentional_delete = intended;
        seen
    };
    let ended = Pod { phase: Phase::Succeeded, ..pod("api", false) };
    let unseen = Snapshot { workload: Workload::Unknown("the watch is behind".to_owned()), ..partly(1, 0) };
    let suspended = Policy { suspend: true, ..policy() };
    let table = vec![
        ("scaled to zero", policy(), snapshot(deployment(0), Vec::new()), (False, Reason::ScaledToZero)),
        ("suspended", suspended, partly(1, 0), (Truth::Unknown, Reason::Suspended)),
        ("ended well", policy(), snapshot(workload(WorkloadKind::Pod, 1), vec![ended]), (True, Reason::Completed)),
        ("not seen", policy(), unseen, (Truth::Unknown, Reason::WorkloadUnknown)),
        ("not found once", policy(), missing(None, false), (Truth::Unknown, Reason::WorkloadMissing)),
        ("gone", policy(), missing(Some(NOW - 60), false), (False, Reason::WorkloadMissing)),
        ("removed on purpose", policy(), missing(Some(NOW - 60), true), (False, Reason::IntentionalDelete)),
    ];
    for (what, policy, seen, expected) in table {
        let decision = decide(&policy, &seen, at(NOW));
        assert_eq!(condition_of(&decision, ConditionType::Available), expected, "{what}: {}", decision.verdict.message);
    }
}

#[test]
fn an_open_circuit_takes_away_only_what_is_known_not_to_serve() {
    let one_is_lost = {
        let mut seen = partly(0, 2);
        seen.pods[0] = lost("api-0");
        seen
    };
    let starting = {
        let mut seen = partly(0, 1);
        seen.state.observed.containers = Vec::new();
        seen.pods[0].containers[0].state = ContainerState::Running(Some(at(NOW - 5)));
        seen.pods[0].ready_changed = Some(at(NOW - 5));
        seen
    };
    let table = [
        (partly(0, 2), None),
        (partly(1, 1), Some("1 of 2 pods are ready, which is enough")),
        (one_is_lost, Some("it cannot be seen whether it serves")),
        (starting, Some("0 of 1 pods are ready, and what is missing may still come")),
    ];
    for (mut seen, held) in table {
        let mut policy = policy();
        policy.breaker.on_open = OnOpen::ScaleToZero;
        let opening = Opening { at: at(NOW - 5), template: None };
        seen.state.circuit.phase = CircuitPhase::Open { opening, retry_at: at(NOW + 600) };
        let decision = decide(&policy, &seen, at(NOW));
        let block = decision.blocked_by().iter().find(|block| block.reason == Reason::OnOpenHeld);
        assert_eq!(decision.plan().is_some(), held.is_none(), "{held:?}: {:?}", decision.intent);
        let words = block.map(|block| block.message.as_str()).unwrap_or_default();
        assert!(words.ends_with(held.unwrap_or_default()), "{held:?}: {words}");
    }
}

/// The status of a dependency: its health, and whether it says that it is available, since when.
fn status_of(health: &str, available: Option<(&str, i64)>) -> Value {
    let condition = |(status, since): (&str, i64)| {
        json!({
            "type": "Available", "status": status, "reason": "AsExpected", "message": "",
            "lastTransitionTime": scene::stamp(since),
        })
    };
    json!({"health": health, "conditions": available.map(condition).into_iter().collect::<Vec<_>>()})
}

#[test]
fn a_dependent_is_held_while_what_it_needs_does_not_serve_and_for_a_minute_more() {
    let with_memory = |health: &str, since: i64| json!({"health": health, "memory": {"health": {"healthySince": scene::stamp(since)}}});
    let completed = json!({"health": "Idle", "conditions": [{
        "type": "Ready", "status": "True", "reason": "Completed", "message": "", "lastTransitionTime": scene::stamp(0),
    }]});
    let table = [
        ("healthy", status_of("Healthy", Some(("True", 0))), None),
        ("degraded", status_of("Degraded", Some(("True", 0))), None),
        ("available for a minute", status_of("Degraded", Some(("True", NOW - 60))), None),
        (
            "not yet for a minute",
            status_of("Healthy", Some(("True", NOW - 59))),
            Some("is available but not yet for 1m"),
        ),
        ("unavailable", status_of("Unhealthy", Some(("False", 0))), Some("is not available")),
        ("starting", status_of("Starting", Some(("False", 0))), Some("is not available")),
        ("not seen", status_of("Unknown", Some(("Unknown", 0))), Some("is not available")),
        ("ended well", status_of("Idle", Some(("True", 0))), None),
        ("scaled to zero", status_of("Idle", Some(("False", 0))), Some("is not available")),
        ("never looked at", json!({}), Some("is not available")),
        ("healthy, by an older build", with_memory("Healthy", 0), None),
        ("healthy since just now, by an older build", with_memory("Healthy", NOW - 59), Some("not yet for 1m")),
        ("ended well, by an older build", completed, None),
        ("degraded, by an older build", status_of("Degraded", None), Some("is not available")),
    ];
    for (what, status, held) in table {
        let mut scene = Scene::new("Deployment", json!({"dependsOn": [{"name": "db"}]}));
        scene.has_all(scene::deployment(1, &json!({})));
        scene.has(json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": "db", "uid": "db"},
            "spec": {"workloadRef": {"kind": "Deployment", "name": "db"}}, "status": status,
        }));
        let decision = scene.reconcile(NOW);
        let found = decision.dependencies.held.map(|block| block.message).unwrap_or_default();
        assert_eq!(found.is_empty(), held.is_none(), "{what}: {found}");
        assert!(found.contains(held.unwrap_or_default()), "{what}: {found}");
    }
}

/// What is written then.
fn written(seen: &Snapshot, old: &HealedServiceStatus, second: i64) -> HealedServiceStatus {
    render(&decide(&policy(), seen, at(second)), old, beside(), at(second))
}

#[test]
fn since_when_it_is_available_moves_only_when_it_was_not() {
    let mut status = HealedServiceStatus::default();
    let table = vec![
        (100, partly(20, 0), Some(100)),
        (200, partly(19, 1), Some(100)),
        (300, partly(1, 19), Some(100)),
        (400, partly(0, 20), None),
        (500, partly(1, 19), Some(500)),
        (600, lost_of(0, 20), None),
        (700, partly(20, 0), Some(700)),
        (800, partly(20, 0), Some(700)),
    ];
    for (second, seen, since) in table {
        status = written(&seen, &status, NOW + second);
        assert_eq!(available_since(&status), since.map(|since| at(NOW + since)), "{second}");
    }
}

#[test]
fn what_an_older_build_called_healthy_is_available_for_as_long() {
    let time = |second: i64| at(second).to_string();
    let old = |health: &str| -> HealedServiceStatus {
        serde_json::from_value(json!({
            "health": health, "memory": {"health": {"healthySince": time(100)}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Healthy", "message": "", "lastTransitionTime": time(50)}],
        }))
        .unwrap()
    };
    for (health, seen, since) in
        [("Healthy", partly(1, 0), Some(100)), ("Healthy", partly(0, 1), None), ("Degraded", partly(19, 1), Some(NOW))]
    {
        let status = written(&seen, &old(health), NOW);
        assert_eq!(available_since(&status), since.map(at), "{health}");
    }
    let ahead = written(
        &partly(1, 0),
        &serde_json::from_value(json!({
            "health": "Healthy", "memory": {"health": {"healthySince": time(NOW + 600)}},
        }))
        .unwrap(),
        NOW,
    );
    assert_eq!(available_since(&ahead), Some(at(NOW)), "a time from the future is another clock's");
}
