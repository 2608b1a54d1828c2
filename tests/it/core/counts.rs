//! Counts and pauses at their edges: one less is nothing, one more is too much.

use kubeheal_core::model::state::Pause;
use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        dependency::DependencyHealth,
        plan::{Action, Step},
        policy::Policy,
        reason::Reason,
        snapshot::{Snapshot, Workload, WorkloadKind},
        state::{ActionRecord, CircuitPhase, CircuitState, InFlight, Opening, Outcome},
    },
};

use crate::support::fixtures::{at, database, policy, sick, workload};

const NOW: i64 = 3_000;

fn unhealthy() -> Snapshot {
    sick(workload(WorkloadKind::Deployment, 1))
}

fn decided(policy: &Policy, seen: &Snapshot) -> Decision {
    decide(policy, seen, at(NOW))
}

fn reasons(decision: &Decision) -> Vec<Reason> {
    decision.blocked_by().iter().map(|block| block.reason).collect()
}

#[test]
fn a_latched_breaker_makes_no_trial_however_long_it_waits() {
    for (latch_after, expected) in [(3, CircuitState::HalfOpen), (2, CircuitState::Open), (0, CircuitState::HalfOpen)] {
        let (mut policy, mut seen) = (policy(), unhealthy());
        policy.breaker.latch_after = latch_after;
        let opening = Opening { at: at(NOW - 900), template: None };
        seen.state.circuit.phase = CircuitPhase::Open { opening, retry_at: at(NOW - 1) };
        seen.state.circuit.openings = 2;
        let decision = decided(&policy, &seen);
        assert_eq!(decision.state.circuit.state(), expected, "{latch_after}");
        let latched = expected == CircuitState::Open;
        assert_eq!(
            (decision.plan().is_none(), reasons(&decision).contains(&Reason::BreakerLatched)),
            (latched, latched)
        );
    }
}

#[test]
fn an_open_breaker_says_when_it_tries_again_and_a_latched_one_does_not() {
    for (latch_after, says) in [(0, true), (3, true), (2, false)] {
        let (mut policy, mut seen) = (policy(), unhealthy());
        policy.breaker.latch_after = latch_after;
        let opening = Opening { at: at(NOW - 60), template: None };
        seen.state.circuit.phase = CircuitPhase::Open { opening, retry_at: at(NOW + 60) };
        seen.state.circuit.openings = 2;
        assert_eq!(decided(&policy, &seen).circuit.retry_at, says.then_some(at(NOW + 60)), "{latch_after}");
    }
}

#[test]
fn the_last_of_many_actions_that_all_helped_is_not_made() {
    for (count, opens) in [(4, false), (5, true)] {
        let mut seen = unhealthy();
        seen.state.attempts.actions =
            vec![ActionRecord { time: at(NOW - 400), outcome: Outcome::Verified }; count].into();
        let decision = decided(&policy(), &seen);
        assert_eq!(decision.plan().is_none(), opens, "{count}");
        assert_eq!(decision.state.circuit.state() == CircuitState::Open, opens, "{count}");
    }
}

#[test]
fn a_back_off_is_waited_for_to_its_end() {
    for (left, waits) in [(1, true), (0, false)] {
        let mut seen = unhealthy();
        seen.state.attempts.pause = Some(Pause::BackOff { until: at(NOW + left) });
        let decision = decided(&policy(), &seen);
        assert_eq!(
            (decision.plan().is_none(), reasons(&decision).contains(&Reason::BackOff)),
            (waits, waits),
            "{left}"
        );
    }
}

#[test]
fn a_repair_that_could_not_prove_itself_for_a_dependency_is_not_charged() {
    let down = vec![database(DependencyHealth::Unavailable)];
    for (dependencies, outcome, charged) in [(down, Outcome::Dropped, 0), (Vec::new(), Outcome::Ineffective, 1)] {
        let mut seen = unhealthy();
        seen.dependencies = dependencies;
        let action =
            Action { step: Step::RestartPod, target: "api-9".to_owned(), target_uid: Some("uid-api-9".to_owned()) };
        let started = at(NOW - 600);
        seen.state.attempts.in_flight = Some(InFlight {
            action,
            cause: Reason::CrashLoop,
            started,
            verify_by: at(NOW),
            ready_before: 0,
            youngest: None,
        });
        seen.state.attempts.actions = vec![ActionRecord { time: started, outcome: Outcome::Pending }].into();
        let memory = decided(&policy(), &seen).state;
        assert_eq!(
            (memory.attempts.in_flight.is_none(), memory.attempts.actions.len()),
            (true, charged),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_created_workload_that_is_gone_again_is_judged_as_soon_as_it_should_have_been_seen() {
    for (age, outcome) in [(10, None), (29, None), (30, Some(Outcome::Ineffective))] {
        let mut seen = unhealthy();
        seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
        seen.pods.clear();
        seen.state.observed.missing_since = Some(at(NOW - age));
        let action = Action { step: Step::RecreateWorkload, target: "api".to_owned(), target_uid: None };
        let started = at(NOW - age);
        let verify_by = at(NOW + 600);
        seen.state.attempts.in_flight = Some(InFlight {
            action,
            cause: Reason::WorkloadMissing,
            started,
            verify_by,
            ready_before: 0,
            youngest: None,
        });
        seen.state.attempts.actions = vec![ActionRecord { time: started, outcome: Outcome::Pending }].into();
        let decision = decided(&policy(), &seen);
        let outcomes = decision.state.attempts.actions.iter().map(|action| action.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes, [outcome.unwrap_or(Outcome::Pending)], "{age}");
        let is_awake = decision.next_check.is_some_and(|next| next <= at(NOW - age + 30));
        assert_eq!(is_awake, outcome.is_none(), "{age}: {:?}", decision.next_check);
    }
}

#[test]
fn when_the_dependencies_are_well_the_patience_begins_anew() {
    let mut seen = unhealthy();
    seen.dependencies = vec![database(DependencyHealth::Available(at(NOW - 60)))];
    assert!(decided(&policy(), &seen).plan().is_some(), "nobody held it");
    seen.state.dependency.held = true;
    let decision = decided(&policy(), &seen);
    assert_eq!((decision.plan(), decision.state.dependency.released_at), (None, Some(at(NOW))));
}

#[test]
fn two_actions_are_ten_seconds_apart_whatever_the_back_off() {
    for (ago, waits) in [(9, true), (10, false)] {
        let mut seen = unhealthy();
        seen.state.attempts.recent = vec![at(NOW - ago)].into();
        let decision = decided(&policy(), &seen);
        assert_eq!((decision.plan().is_none(), reasons(&decision).contains(&Reason::BackOff)), (waits, waits), "{ago}");
    }
}
