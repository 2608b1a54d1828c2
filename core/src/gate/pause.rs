//! Pauses: after an action, and after a refusal.

use crate::model::{
    moment::{Moment, after},
    policy::SPACING,
    reason::{Block, Reason},
    state::{Attempts, Pause},
};

/// The pause that goes on. A person's request does not wait for a back-off, but for a refusal.
pub(super) fn goes_on(attempts: &Attempts, requested: bool, moment: &Moment) -> Option<Block> {
    let pause = attempts.pause.as_ref()?;
    let until = pause.until();
    if moment.reached(until) {
        return None;
    }
    match pause {
        Pause::Refused { why, .. } => {
            Some(Block::new(Reason::Refused, format!("the API server refused: {why}; again at {until:.0}")))
        }
        Pause::BackOff { .. } if requested => None,
        Pause::BackOff { .. } => {
            Some(Block::new(Reason::BackOff, format!("waiting until {until:.0} after the last action")))
        }
    }
}

/// Whatever the policy and whoever asks: two actions on one service are never closer than this.
pub(super) fn spacing(attempts: &Attempts, moment: &Moment) -> Option<Block> {
    let until = after(*attempts.recent.last()?, SPACING);
    let message = || format!("waiting until {until:.0} after the last action");
    (!moment.reached(until)).then(|| Block::new(Reason::BackOff, message()))
}
