//! What one container is observed against.

use jiff::SignedDuration;

use crate::model::{moment::Moment, policy::HealthPolicy, snapshot::Termination, state::State};

/// What one container is observed against.
pub(super) struct Context<'a> {
    pub(super) state: &'a State,
    pub(super) policy: &'a HealthPolicy,
    /// Ready without a restart for this long is well.
    pub(super) stabilization: SignedDuration,
    pub(super) moment: &'a Moment,
}

impl Context<'_> {
    /// A container that is not known has not been there before: the service was watched, and nothing was forgotten.
    pub(super) fn knows_its_past(&self) -> bool {
        self.state.observed.since.is_some() && self.state.observed.crowd_since.is_none()
    }
}

/// An exit code that is no failure, a process that never ran, and an end that is its node's, count neither as a restart nor as
/// a loop.
pub(super) fn is_ignored(end: Option<&Termination>, policy: &HealthPolicy) -> bool {
    end.is_some_and(|end| end.never_ran() || end.is_made_up() || policy.ignore_exit_codes.contains(&end.exit_code))
}
