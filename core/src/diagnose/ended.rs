//! Containers that have ended and stay so.

use jiff::SignedDuration;

use super::{context::ContainerContext, evidence::explained, termination::after_hook};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Container, ContainerState, Phase, Pod, Termination},
};

/// The kubelet waits for no longer than this before it starts a container again.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(5);

/// It has ended, its pod goes on, and nobody starts it again: its restart policy does not, or its kubelet cannot, as after a
/// restart of the node when no sandbox can be made.
pub(super) fn not_started_again(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    let ContainerState::Terminated(end) = &container.state else { return None };
    let since = context.observed.container(&pod.uid, &container.name)?.ended_since?;
    if pod.phase != Phase::Running || !context.moment.lasts(since, context.policy.first_sign()) {
        return None;
    }
    let follows = container.restarts.follows(end);
    // A kubelet that starts it again may take its time, however little patience a policy has.
    let patience = if follows { context.policy.not_ready.max(LONGEST_BACK_OFF) } else { context.policy.not_ready };
    let over_threshold = context.moment.lasts(context.charged_from(since), patience);
    if follows && !over_threshold {
        return None;
    }
    let (cause, why) = if follows {
        (Cause::Deadlocked, "its kubelet has not started it again")
    } else {
        (Cause::ContainerEnded, "its restart policy does not start it again: the pod does not become ready")
    };
    let (name, said) = (&container.name, explained(container, &end.message));
    let (how, hook) = (how(end), after_hook(container, end));
    let trouble = pod.sandbox_trouble().filter(|_| follows);
    let no_sandbox = trouble.map(|trouble| format!("; it has no sandbox: {}", trouble.words)).unwrap_or_default();
    let message = format!("{name} {how}{hook} and {why} since {since:.0}{said}{no_sandbox}");
    Some(Finding::new(Place::container_of(pod, container), cause, since, over_threshold, message))
}

fn how(end: &Termination) -> String {
    match end.exit_code {
        0 => "ended well".to_owned(),
        code => format!("exited {code}"),
    }
}
