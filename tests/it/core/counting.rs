//! Who counts towards a storm: who acts, and was well before our eyes.

use std::sync::Arc;

use jiff::Timestamp;
use kubeheal::cluster::{cache::Caches, kind::Object};
use kubeheal_core::{
    decide,
    model::{
        moment::Moment,
        policy::ClusterPolicy,
        snapshot::{Snapshot, WorkloadKind},
        state::State,
    },
};
use serde_json::{Value, json};

use crate::support::{
    fixtures::{at, pod, policy, sick, snapshot, workload},
    scene::{stamp, with},
};

/// Whether three services that are unhealthy at once are a storm, all of them changed like this.
fn is_storm(change: &Value) -> bool {
    let mut caches = Caches::default();
    for number in 0..3 {
        let name = format!("app-{number}");
        let service = json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"workloadRef": {"kind": "Deployment", "name": name}},
            "status": {"memory": {"health": {"proven": true, "episode": {"since": stamp(0)}}}},
        });
        let service = with(service, change);
        let _touched = caches.apply(Object::Service(Arc::new(serde_json::from_value(service).unwrap())));
    }
    let fleet = caches.fleet(&("shop".to_owned(), "other".to_owned()));
    fleet.storm(&ClusterPolicy::default(), &Moment::new(at(600))).is_some()
}

#[test]
fn only_services_that_act_and_were_well_before_make_a_storm() {
    let memory = |memory: Value| json!({"status": {"memory": memory}});
    for (what, change, counts) in [
        ("as they are", json!({}), true),
        (
            "an older build trusted a definition",
            memory(json!({"health": {"proven": false}, "attempts": {"stable": "app-1"}})),
            true,
        ),
        ("never well", memory(json!({"health": {"proven": false}})), false),
        ("mode Observe", json!({"spec": {"mode": "Observe"}}), false),
        ("suspended", json!({"spec": {"suspend": true}}), false),
        ("its policy is not there", json!({"spec": {"policyRef": {"name": "missing"}}}), false),
        ("held by a dependency", memory(json!({"dependency": {"held": true}})), false),
        ("all of one workload", json!({"spec": {"workloadRef": {"name": "app"}}}), false),
        ("ready again, and being proven", memory(json!({"health": {"servesAgain": stamp(60)}})), false),
        ("ready again a moment ago", memory(json!({"health": {"servesAgain": stamp(500)}})), true),
    ] {
        assert_eq!(is_storm(&change), counts, "{what}");
    }
}

/// What is remembered after a reconcile of the service, ready or not.
fn reconcile(state: &State, ready: bool, now: Timestamp) -> State {
    let mut seen: Snapshot = if ready {
        snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", true)])
    } else {
        sick(workload(WorkloadKind::Deployment, 1))
    };
    let observed = seen.state.observed;
    seen.state = State { observed, ..state.clone() };
    decide(&policy(), &seen, now).state
}

#[test]
fn a_service_counts_once_it_was_healthy_for_its_stabilization_time() {
    for (healthy, counts) in [(None, false), (Some(299), false), (Some(300), true)] {
        let mut state = State::default();
        if let Some(healthy) = healthy {
            state = reconcile(&state, true, at(0));
            state = reconcile(&state, true, at(healthy));
        }
        state = reconcile(&state, false, at(900));
        assert!(state.health.ongoing().is_some());
        assert_eq!(state.health.counted().is_some(), counts, "{healthy:?}");
    }
}

#[test]
fn what_is_ready_again_counts_no_more_while_its_repair_is_proven() {
    let mut state = reconcile(&reconcile(&State::default(), true, at(0)), true, at(300));
    state = reconcile(&state, false, at(900));
    assert!(state.attempts.in_flight.is_some(), "it acts");
    state = reconcile(&state, true, at(930));
    state = reconcile(&state, true, at(960));
    assert!(state.attempts.in_flight.is_some() && state.health.ongoing().is_some(), "it is being proven");
    assert_eq!(state.health.counted().and_then(|episode| episode.until), Some(at(930)));
    state = reconcile(&state, true, at(1_500));
    assert!(state.attempts.in_flight.is_none(), "proven");
    assert_eq!(state.attempts.concluded, Some(at(1_500)));
    assert_eq!(state.health.counted().and_then(|episode| episode.until), Some(at(930)), "no storm begins anew");
    state = reconcile(&state, false, at(5_000));
    assert!(state.health.counted().is_some_and(|episode| episode.is_ongoing()), "it is ill again");
}
