//! What every rule about a pod or a container reads besides it.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    cause::Cause,
    finding::Place,
    inputs::Inputs,
    moment::Moment,
    policy::HealthPolicy,
    state::{DependencyRecord, ObservedState, State},
};
use crate::observe::Starts;

/// What every rule about a pod or a container reads besides it.
#[derive(Debug, Clone, Copy)]
pub struct ContainerContext<'a> {
    /// What earlier decisions left of pods and containers.
    pub observed: &'a ObservedState,
    /// What dependencies did to the service.
    pub dependency: &'a DependencyRecord,
    /// The thresholds.
    pub policy: &'a HealthPolicy,
    /// Ready without a restart for this long is well.
    pub stabilization: SignedDuration,
    /// When, and when to decide again.
    pub moment: &'a Moment,
}

impl<'a> ContainerContext<'a> {
    /// The context of this decision.
    pub fn new(inputs: &Inputs<'a>, state: &'a State) -> Self {
        let Inputs { policy, moment, .. } = *inputs;
        Self {
            observed: &state.observed,
            dependency: &state.dependency,
            policy: &policy.health,
            stabilization: policy.remediation.stabilization,
            moment,
        }
    }

    /// What is known of starts.
    pub fn starts(&self) -> Starts<'a> {
        Starts { observed: self.observed, policy: self.policy, moment: self.moment }
    }

    /// The instant of the decision.
    pub fn now(&self) -> Timestamp {
        self.moment.now()
    }

    /// Since when this trouble in this place is known; now, if it is new. Our own clock, whatever the object says.
    pub fn known_since(&self, place: &Place, cause: Cause) -> Timestamp {
        self.observed.known_since(place, cause).map_or(self.now(), |since| since.min(self.now()))
    }

    /// A time from which on trouble counts: not before the dependencies got well.
    pub fn charged_from(&self, since: Timestamp) -> Timestamp {
        since.max(self.dependency.released_at.unwrap_or(since))
    }
}
