//! When a person is told, one rule at a time, and when nobody is.

use kubeheal_core::{
    decide,
    model::{
        alert::Severity,
        decision::Decision,
        dependency::DependencyHealth,
        fleet::PeerStatus,
        reason::Reason,
        snapshot::{Snapshot, WorkloadKind},
        state::{Circuit, CircuitPhase, ContainerRecord, Episode, Opening},
    },
};

use crate::support::fixtures::{at, database, fleet, pod, policy, sick, snapshot, unhealthy_since, workload};

const NOW: i64 = 1_000;

fn unhealthy() -> Snapshot {
    let mut seen = sick(workload(WorkloadKind::Deployment, 2));
    seen.state.health.episode = Some(since(NOW - 60));
    seen
}

fn escalated(seen: &Snapshot) -> Option<(Reason, Severity)> {
    decided(seen).escalation.map(|told| (told.reason, told.severity))
}

fn decided(seen: &Snapshot) -> Decision {
    decide(&policy(), seen, at(NOW))
}

fn stalled(decision: &Decision) -> (&str, Reason) {
    let found = decision.conditions.iter().find(|found| found.kind.as_str() == "Stalled").unwrap();
    (found.status.as_str(), found.reason)
}

fn peer(name: &str) -> (&str, PeerStatus) {
    (name, unhealthy_since(at(NOW - 60)))
}

fn since(seconds: i64) -> Episode {
    Episode { since: at(seconds), until: None }
}

fn restarted(times: &[i64]) -> Snapshot {
    let mut seen = snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", false)]);
    seen.pods[0].containers[0].restart_count = u32::try_from(times.len()).unwrap();
    seen.state.observed.containers.push(ContainerRecord {
        uid: "uid-api-0".to_owned(),
        container: "app".to_owned(),
        restart_count: u32::try_from(times.len()).unwrap(),
        restarts: times.iter().map(|time| at(*time)).collect(),
        ..ContainerRecord::default()
    });
    seen
}

#[test]
fn trouble_of_a_minute_is_for_the_machine() {
    assert_eq!(escalated(&unhealthy()), None);
    assert_eq!(stalled(&decided(&unhealthy())), ("False", Reason::AsExpected));
}

#[test]
fn half_an_hour_unhealthy_is_for_a_person() {
    let mut seen = unhealthy();
    seen.state.health.episode = Some(since(NOW - 1_799));
    assert_eq!(escalated(&seen), None);
    seen.state.health.episode = Some(since(NOW - 1_800));
    assert_eq!(escalated(&seen), Some((Reason::Escalated, Severity::Critical)));
    assert_eq!(stalled(&decided(&seen)), ("True", Reason::Escalated));
}

#[test]
fn a_trial_that_failed_too_is_for_a_person_and_the_first_opening_is_not() {
    let mut seen = unhealthy();
    let open = |openings| Circuit {
        phase: CircuitPhase::Open {
            opening: Opening { at: at(NOW - 30), template: Some("template".to_owned()) },
            retry_at: at(NOW + 870),
        },
        openings,
        closed_at: None,
    };
    seen.state.circuit = open(1);
    assert_eq!(escalated(&seen), None);
    seen.state.circuit = open(2);
    assert_eq!(escalated(&seen), Some((Reason::LadderExhausted, Severity::Critical)));
}

#[test]
fn several_services_at_once_are_for_a_person_and_those_held_by_a_dependency_do_not_count() {
    let mut seen = unhealthy();
    seen.fleet = fleet(["api", "b", "c"].map(peer));
    assert_eq!(escalated(&seen), Some((Reason::StormHold, Severity::Critical)));
    let held = PeerStatus { held: true, ..unhealthy_since(at(NOW - 60)) };
    seen.fleet = fleet([peer("api"), ("b", held), peer("c")]);
    assert_eq!(escalated(&seen), None);
}

#[test]
fn a_service_that_is_well_is_nobodys_trouble_in_a_storm() {
    let mut seen = snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", true)]);
    seen.fleet = fleet(["b", "c", "d", "e"].map(peer));
    assert_eq!(escalated(&seen), None);
}

#[test]
fn a_burst_of_restarts_is_a_warning_for_as_long_as_it_lasts() {
    let burst = restarted(&[720, 800, 850, 990]);
    assert_eq!(escalated(&burst), Some((Reason::RestartRate, Severity::Warning)));
    assert_eq!(stalled(&decided(&burst)), ("False", Reason::AsExpected), "no person is needed yet");
    assert!(decided(&burst).next_check.is_some_and(|check| check <= at(1_020)), "it ends by itself");
    assert_eq!(escalated(&restarted(&[700, 800, 850, 990])), None, "the first of four is five minutes old");
    assert_eq!(escalated(&restarted(&[800, 850, 990])), None);
}

#[test]
fn what_a_dependency_causes_is_told_of_the_dependency_alone() {
    let mut seen = unhealthy();
    seen.state.health.episode = Some(since(NOW - 1_800));
    seen.dependencies = vec![database(DependencyHealth::Unavailable)];
    assert_eq!(escalated(&seen), None);
}
