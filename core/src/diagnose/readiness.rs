//! Readiness: containers that run, had their time to start, and are not ready.

use std::fmt::Write as _;

use super::context::ContainerContext;
use crate::model::{
    cause::{Cause, Probe},
    finding::{Finding, Place},
    moment::{after, humanize},
    snapshot::{Container, ContainerState, Pod},
};

/// Runs, had its time to start, and is not ready.
pub(super) fn unready(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let since = context.observed.container(&pod.uid, &container.name)?.not_ready_since?;
    let starts = context.starts();
    if !matches!(container.state, ContainerState::Running(_)) || starts.goes_on(pod, container) {
        return None;
    }
    // Unready time counts from the end of the grace, else a slow start would use up the patience for what follows.
    let began = starts.first_run(pod, container).and_then(|record| record.runs_since);
    let ready_due = began.map_or(since, |began| after(began, starts.allowance(container)).min(context.now()));
    let counted = context.charged_from(since.max(ready_due));
    let over_threshold = context.moment.lasts(counted, context.policy.not_ready);
    if !context.moment.lasts(counted, context.policy.first_sign()) {
        return None;
    }
    let mut message = format!("{} runs but is not ready since {since:.0}", container.name);
    if !over_threshold {
        // Why nothing is done about it yet.
        let _ = write!(message, "; more than {} is too long", humanize(context.policy.not_ready));
    }
    let mut finding =
        Finding::new(Place::container_of(pod, container), Cause::ReadinessFailed, since, over_threshold, message);
    finding.probe = Some(Probe::Readiness);
    // How it ended before it ran says nothing about why it is not ready: no diagnosis.
    Some(finding)
}

/// However long a start took, the container is not ready in the very moment in which it is over.
pub fn has_just_started(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> bool {
    let owes_since = context.observed.container(&pod.uid, &container.name).and_then(|record| record.not_ready_since);
    owes_since.is_some_and(|since| !context.moment.lasts(since, context.policy.first_sign()))
}
