//! What follows from how a repair ended: it is counted, the circuit trips or closes, and the next one waits.

use jiff::Timestamp;

use super::{back_off::back_off, by_node, close, trip::open, unproven};
use crate::model::{
    moment::after,
    plan::Step,
    policy::Policy,
    reason::Reason,
    snapshot::Snapshot,
    state::{ActionRecord, Attempts, CircuitPhase, DependencyRecord, InFlight, Outcome, Pause, PendingRestart, State},
};

/// Takes note of how the repair in flight ended, if there is one.
pub fn conclude(policy: &Policy, snapshot: &Snapshot, outcome: Outcome, state: &mut State, now: Timestamp) {
    let Some(in_flight) = state.attempts.in_flight.take() else { return };
    state.attempts.concluded = Some(now);
    state.history.conclude(in_flight.started, &in_flight.action.target, outcome);
    if in_flight.action.step == Step::Rollback {
        conclude_rollback(&mut state.attempts, outcome);
    }
    if let Some(action) = state.attempts.actions.last_mut().filter(|action| action.outcome == Outcome::Pending) {
        action.outcome = outcome;
    }
    state.attempts.actions.retain(|action| action.outcome != Outcome::Dropped);
    trip_or_close(policy, snapshot, outcome, state, now);
    by_node::note(snapshot, &in_flight, outcome, &mut state.attempts);
    if outcome == Outcome::Ineffective {
        state.attempts.unproven = unproven::after(snapshot, &in_flight);
    }
    if in_flight.cause == Reason::DependencyRecovered {
        conclude_restart(&in_flight, outcome, &mut state.attempts, &mut state.dependency);
    }
    let made = u32::try_from(state.attempts.actions.len()).unwrap_or(u32::MAX);
    let until = after(now, back_off(&policy.remediation, &snapshot.service.uid, made));
    state.attempts.pause = (made > 0).then_some(Pause::BackOff { until });
}

fn trip_or_close(policy: &Policy, snapshot: &Snapshot, outcome: Outcome, state: &mut State, now: Timestamp) {
    let effective = match outcome {
        Outcome::Verified => true,
        Outcome::Ineffective | Outcome::Failed => false,
        Outcome::Pending | Outcome::Dropped => return,
    };
    let opens = match (&state.circuit.phase, effective) {
        (CircuitPhase::HalfOpen { .. }, true) => {
            close(&mut state.circuit, now);
            state.history.note("CircuitClosed", now);
            false
        }
        (CircuitPhase::HalfOpen { .. }, false) => true,
        (CircuitPhase::Closed, false) => {
            super::ineffective(&policy.breaker, state, now) >= policy.breaker.failure_threshold
        }
        (CircuitPhase::Closed, true) | (CircuitPhase::Open { .. } | CircuitPhase::HeldOpen { .. }, _) => false,
    };
    if opens {
        open(policy, &snapshot.workload, &mut state.circuit, &mut state.history, now);
    }
}

/// A rollback that was never made is forgotten.
fn conclude_rollback(attempts: &mut Attempts, outcome: Outcome) {
    if let Some(record) = attempts.rollbacks.last_mut().filter(|record| record.outcome == Outcome::Pending) {
        record.outcome = outcome;
    }
    attempts.rollbacks.retain(|record| record.outcome != Outcome::Dropped);
}

/// A restart after an outage that helped counts for nothing: nothing was wrong with the service. One that did not is an attempt
/// like any other, and the last of this round.
fn conclude_restart(
    in_flight: &InFlight,
    outcome: Outcome,
    attempts: &mut Attempts,
    dependency: &mut DependencyRecord,
) {
    match outcome {
        Outcome::Verified => {
            let is_it = |action: &mut ActionRecord| action.time == in_flight.started && action.outcome == outcome;
            attempts.actions.pop_if(is_it);
        }
        Outcome::Ineffective | Outcome::Failed => {
            // An outage that goes on is another round.
            let rest = dependency.restart.take();
            let rest = rest.map(|known| PendingRestart { recovered: None, pods: Vec::new(), ..known });
            dependency.restart = rest.filter(|restart| *restart != PendingRestart::default());
        }
        Outcome::Pending | Outcome::Dropped => {}
    }
}
