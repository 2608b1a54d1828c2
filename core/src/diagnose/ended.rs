//! Containers that have ended and stay so.

use super::{context::ContainerContext, evidence::explained};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Container, ContainerState, Phase, Pod, Termination},
};

/// It has ended, its pod goes on, and nobody starts it again: its restart policy does not, or its kubelet cannot, as after a
/// restart of the node when no sandbox can be made.
pub(super) fn not_started_again(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let ContainerState::Terminated(end) = &container.state else { return None };
    let since = context.observed.container(&pod.uid, &container.name)?.ended_since?;
    if pod.phase != Phase::Running || !context.moment.lasts(since, context.policy.first_sign()) {
        return None;
    }
    let follows = container.restarts.follows(end);
    let over_threshold = context.moment.lasts(context.charged_from(since), context.policy.not_ready);
    if follows && !over_threshold {
        return None;
    }
    let (cause, why) = if follows {
        (Cause::Deadlocked, "its kubelet has not started it again")
    } else {
        (Cause::ContainerEnded, "its restart policy does not start it again: the pod does not become ready")
    };
    let (name, said) = (&container.name, explained(container, &end.message));
    let message = format!("{name} {} and {why} since {since:.0}{said}", how(end));
    Some(Finding::new(Place::container_of(pod, container), cause, since, over_threshold, message))
}

fn how(end: &Termination) -> String {
    match end.exit_code {
        0 => "ended well".to_owned(),
        code => format!("exited {code}"),
    }
}
