//! The circuit: why it lets nothing through, if it does not.

use crate::model::{
    policy::BreakerPolicy,
    reason::{Block, Reason},
    state::{Circuit, CircuitPhase},
};

/// Why nothing gets through.
pub(super) fn is_open(policy: &BreakerPolicy, circuit: &Circuit) -> Option<Block> {
    match &circuit.phase {
        CircuitPhase::Closed | CircuitPhase::HalfOpen { .. } => None,
        CircuitPhase::HeldOpen { reason, .. } => {
            Some(Block::new(Reason::ForcedOpen, format!("held open by annotation: {reason}")))
        }
        CircuitPhase::Open { .. } if circuit.is_latched(policy) => {
            let message = format!("opened {} times: a person must set kubeheal.dev/reset-breaker", circuit.openings);
            Some(Block::new(Reason::BreakerLatched, message))
        }
        CircuitPhase::Open { retry_at, .. } => {
            Some(Block::new(Reason::BreakerOpen, format!("actions did not help; one trial at {retry_at:.0}")))
        }
    }
}
