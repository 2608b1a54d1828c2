//! The circuit: why it lets nothing through, if it does not.

use crate::model::{
    policy::BreakerPolicy,
    reason::{Block, Reason},
    state::{Circuit, CircuitState},
};

/// Why nothing gets through.
pub(super) fn is_open(policy: &BreakerPolicy, circuit: &Circuit) -> Option<Block> {
    if let Some(reason) = &circuit.forced {
        return Some(Block::new(Reason::ForcedOpen, format!("held open by annotation: {reason}")));
    }
    match circuit.state {
        CircuitState::Closed | CircuitState::HalfOpen => None,
        CircuitState::Open if circuit.is_latched(policy) => {
            let message = format!("opened {} times: a person must set kubeheal.dev/reset-breaker", circuit.openings);
            Some(Block::new(Reason::BreakerLatched, message))
        }
        CircuitState::Open => {
            let until = circuit.retry_at.map(|time| format!("; one trial at {time:.0}")).unwrap_or_default();
            Some(Block::new(Reason::BreakerOpen, format!("actions did not help{until}")))
        }
    }
}
