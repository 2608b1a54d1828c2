//! What every stage reads.

use jiff::Timestamp;

use super::{moment::Moment, policy::Policy, snapshot::Snapshot};

/// What a decision is made from, besides the state.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What people ask for.
    pub policy: &'a Policy,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// When, and when to decide again.
    pub moment: &'a Moment,
}

impl Inputs<'_> {
    /// The instant of the decision.
    pub fn now(&self) -> Timestamp {
        self.moment.now()
    }
}
