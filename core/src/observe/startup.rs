//! Starts: the time that a container may take until it is ready.

use jiff::SignedDuration;

use crate::model::{
    moment::{Moment, after},
    policy::HealthPolicy,
    snapshot::Container,
};

/// The time that the container may take to start; its probe's budget ends when the probe has passed.
pub fn startup_allowance(container: &Container, policy: &HealthPolicy) -> SignedDuration {
    let startup = container.startup.filter(|_| !container.started);
    let budget = startup.map(|patience| patience.most).unwrap_or_default();
    policy.startup_grace.max(budget)
}

/// Whether the container still has a right to be unready.
pub fn is_starting(container: &Container, policy: &HealthPolicy, moment: &Moment) -> bool {
    let Some(since) = container.running_since(moment.now()) else {
        return container.waits_to_start();
    };
    !container.ready && !moment.reached(after(since, startup_allowance(container, policy)))
}
