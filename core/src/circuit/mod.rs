//! The circuit breaker: when trying again does more harm than good.
//!
//! Closed, Open, HalfOpen are this service's *healing*, not its traffic: Open means that nothing is written to the workload.
//! Owns the circuit, what was tried, and whether a mitigation still has a meaning.

mod advance;
mod back_off;
mod by_node;
mod conclude;
mod departure;
mod trip;
mod unproven;

pub use self::{
    advance::{advance, drop_obsolete_mitigation},
    back_off::{back_off, pause},
    conclude::conclude,
    departure::give_time_to_replace,
    trip::trip_on_recurrence,
    unproven::follow as follow_unproven,
};
use crate::model::{
    decision::CircuitSummary,
    policy::BreakerPolicy,
    snapshot::Workload,
    state::{Circuit, CircuitPhase, Opening, State},
};

/// What people read about the circuit beside its state.
pub fn summary(policy: &BreakerPolicy, state: &State, now: jiff::Timestamp) -> CircuitSummary {
    let retry_at = state.circuit.retry_at().filter(|_| !state.circuit.is_latched(policy));
    CircuitSummary { ineffective: ineffective(policy, state, now), retry_at }
}

/// Actions that did not help and count now.
fn ineffective(policy: &BreakerPolicy, state: &State, now: jiff::Timestamp) -> u32 {
    let counted = state.attempts.counted(policy.window, state.circuit.closed_at, now);
    u32::try_from(counted.filter(|action| action.outcome.is_ineffective()).count()).unwrap_or(u32::MAX)
}

fn close(circuit: &mut Circuit, now: jiff::Timestamp) {
    // The multiplier outlives the closing: only lasting health clears it.
    circuit.phase = CircuitPhase::Closed;
    circuit.closed_at = Some(now);
}

fn opening(workload: &Workload, now: jiff::Timestamp) -> Opening {
    Opening { at: now, template: template(workload) }
}

fn template(workload: &Workload) -> Option<String> {
    match workload {
        Workload::Present(state) => Some(state.template.clone()),
        Workload::Missing { .. } | Workload::Unknown(_) => None,
    }
}
