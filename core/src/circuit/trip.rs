//! Opening: each time for twice as long.

use jiff::{SignedDuration, Timestamp};

use super::opening;
use crate::model::{
    inputs::Inputs,
    moment::after,
    plan::{Charge, Plan},
    policy::{BreakerPolicy, Policy},
    reason::Reason,
    snapshot::Workload,
    state::{Circuit, CircuitPhase, CircuitState, History, State},
};

/// Opens the circuit instead of making one action too many, whatever became of those before it. Whether it did.
pub fn trip_on_recurrence(inputs: &Inputs<'_>, plan: &Plan, state: &mut State) -> bool {
    let BreakerPolicy { recurrence_threshold, recurrence_window, .. } = inputs.policy.breaker;
    // A restart after an outage of a dependency is nobody's failure.
    let counts = plan.charge == Charge::Attempt && plan.cause != Reason::DependencyRecovered;
    if !counts || state.circuit.state() != CircuitState::Closed {
        return false;
    }
    let made = state.attempts.counted(recurrence_window, state.circuit.closed_at, inputs.now()).count();
    if made < recurrence_threshold as usize {
        return false;
    }
    open(inputs.policy, &inputs.snapshot.workload, &mut state.circuit, &mut state.history, inputs.now());
    if let Some(retry_at) = state.circuit.retry_at() {
        inputs.moment.wake_at(retry_at);
    }
    true
}

/// Opens the circuit.
pub(super) fn open(policy: &Policy, workload: &Workload, circuit: &mut Circuit, history: &mut History, now: Timestamp) {
    let doublings = circuit.openings.min(30);
    let seconds = policy.breaker.open.as_secs().saturating_mul(1_i64 << doublings);
    let length = SignedDuration::from_secs(seconds).min(policy.breaker.max_open);
    circuit.phase = CircuitPhase::Open { opening: opening(workload, now), retry_at: after(now, length) };
    circuit.openings = circuit.openings.saturating_add(1);
    history.note("CircuitOpened", now);
}
