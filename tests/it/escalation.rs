//! When a person is told, one rule at a time, and when nobody is.

use kubeheal::healing::{
    Decision, decide,
    dependency::{Dependency, DependencyState},
    escalation::Severity,
    memory::{Circuit, CircuitState, ContainerMemory},
    reason::Reason,
    snapshot::{Neighbour, Snapshot, WorkloadKind},
};

use crate::sketch::{at, pod, policy, sick, snapshot, workload};

const NOW: i64 = 1_000;

fn unwell() -> Snapshot {
    let mut seen = sick(workload(WorkloadKind::Deployment, 2));
    seen.memory.unhealthy_since = Some(at(NOW - 60));
    seen
}

fn told(seen: &Snapshot) -> Option<(Reason, Severity)> {
    decided(seen).escalation.map(|told| (told.reason, told.severity))
}

fn decided(seen: &Snapshot) -> Decision {
    decide(&policy(), seen, at(NOW))
}

fn stalled(decision: &Decision) -> (&str, Reason) {
    let found = decision.conditions.iter().find(|found| found.kind.as_str() == "Stalled").unwrap();
    (found.status.as_str(), found.reason)
}

fn neighbour(name: &str) -> Neighbour {
    Neighbour {
        key: ("shop".to_owned(), name.to_owned()),
        unhealthy_since: Some(at(NOW - 60)),
        unhealthy_until: None,
        ..Neighbour::default()
    }
}

fn restarted(times: &[i64]) -> Snapshot {
    let mut seen = snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", false)]);
    seen.pods[0].containers[0].restart_count = u32::try_from(times.len()).unwrap();
    seen.memory.containers = vec![ContainerMemory {
        uid: "uid-api-0".to_owned(),
        container: "app".to_owned(),
        restart_count: u32::try_from(times.len()).unwrap(),
        restarts: times.iter().map(|time| at(*time)).collect(),
        ..ContainerMemory::default()
    }];
    seen
}

#[test]
fn trouble_of_a_minute_is_for_the_machine() {
    assert_eq!(told(&unwell()), None);
    assert_eq!(stalled(&decided(&unwell())), ("False", Reason::AsExpected));
}

#[test]
fn half_an_hour_unhealthy_is_for_a_person() {
    let mut seen = unwell();
    seen.memory.unhealthy_since = Some(at(NOW - 1_799));
    assert_eq!(told(&seen), None);
    seen.memory.unhealthy_since = Some(at(NOW - 1_800));
    assert_eq!(told(&seen), Some((Reason::Escalated, Severity::Critical)));
    assert_eq!(stalled(&decided(&seen)), ("True", Reason::Escalated));
}

#[test]
fn a_trial_that_failed_too_is_for_a_person_and_the_first_opening_is_not() {
    let mut seen = unwell();
    let open = |openings| Circuit {
        state: CircuitState::Open,
        openings,
        opened_at: Some(at(NOW - 30)),
        retry_at: Some(at(NOW + 870)),
        template: Some("template".to_owned()),
        ..Circuit::default()
    };
    seen.memory.circuit = open(1);
    assert_eq!(told(&seen), None);
    seen.memory.circuit = open(2);
    assert_eq!(told(&seen), Some((Reason::LadderExhausted, Severity::Critical)));
}

#[test]
fn several_services_at_once_are_for_a_person_and_those_held_by_a_dependency_do_not_count() {
    let mut seen = unwell();
    seen.services = ["api", "b", "c"].map(neighbour).to_vec();
    assert_eq!(told(&seen), Some((Reason::StormHold, Severity::Critical)));
    seen.services[1].held = true;
    assert_eq!(told(&seen), None);
}

#[test]
fn a_service_that_is_well_is_nobodys_trouble_in_a_storm() {
    let mut seen = snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", true)]);
    seen.services = ["b", "c", "d", "e"].map(neighbour).to_vec();
    assert_eq!(told(&seen), None);
}

#[test]
fn a_burst_of_restarts_is_a_warning_for_as_long_as_it_lasts() {
    let burst = restarted(&[720, 800, 850, 990]);
    assert_eq!(told(&burst), Some((Reason::RestartRate, Severity::Warning)));
    assert_eq!(stalled(&decided(&burst)), ("False", Reason::AsExpected), "no person is needed yet");
    assert!(decided(&burst).next_check.is_some_and(|check| check <= at(1_020)), "it ends by itself");
    assert_eq!(told(&restarted(&[700, 800, 850, 990])), None, "the first of four is five minutes old");
    assert_eq!(told(&restarted(&[800, 850, 990])), None);
}

#[test]
fn what_a_dependency_causes_is_told_of_the_dependency_alone() {
    let mut seen = unwell();
    seen.memory.unhealthy_since = Some(at(NOW - 1_800));
    seen.dependencies = vec![Dependency {
        namespace: "shop".to_owned(),
        name: "db".to_owned(),
        stable: jiff::SignedDuration::from_secs(60),
        state: DependencyState::NotHealthy,
        down: false,
        recovering: false,
        root: None,
    }];
    assert_eq!(told(&seen), None);
}
