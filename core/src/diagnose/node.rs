//! Nodes: pods whose node is lost, and containers whose node restarted. Neither is the service's own fault.

use jiff::Timestamp;

use super::context::ContainerContext;
use crate::{
    model::{
        cause::Cause,
        finding::{Finding, Place},
        snapshot::{Container, ContainerState, Pod, Role},
    },
    observe::is_starting,
};

/// On a node that is lost: its containers tell nothing.
pub(super) fn lost(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    if !pod.is_on_lost_node() {
        return None;
    }
    let node = pod.node_named();
    let message = match pod.loss() {
        Some(loss) if pod.is_deleting() => {
            format!("it is to go, and {node} {}: it goes when the node is back, or is gone for good", loss.words())
        }
        Some(loss) => format!("{node} {}; the containers may be well", loss.words()),
        None => format!("{node} does not answer; the containers may be well"),
    };
    Some(Finding::new(Place::pod(pod), Cause::NodeLost, context.now(), true, message))
}

/// The container ended with its node, and is coming back. One that does not come back is stuck for good.
pub(super) fn restarted(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    container.last_termination().filter(|end| end.is_made_up())?;
    let place = Place::container_of(pod, container);
    let (name, node) = (&container.name, pod.node_named());
    // The same trouble under two names is dated by the first.
    let known = |cause| context.observed.known_since(&place, cause);
    let since = known(Cause::Deadlocked).or_else(|| known(Cause::NodeRestarted)).unwrap_or(context.now());
    let since = since.min(context.now());
    match container.state {
        ContainerState::Terminated(_) => {
            let is_stuck = is_not_started_again(context, pod, since);
            let cause = if is_stuck { Cause::Deadlocked } else { Cause::NodeRestarted };
            let message = format!("{name} ended with {node} and has not been started again since {since:.0}");
            Some(Finding::new(place, cause, since, is_stuck, message))
        }
        // What it waits for is not said: a new pod might wait for the same.
        ContainerState::Waiting { .. } if container.waits_to_start() => {
            let lasts = is_not_started_again(context, pod, since);
            let message = format!("{name} ended with {node} and has not been created again since {since:.0}");
            Some(Finding::new(place, Cause::NodeRestarted, since, lasts, message))
        }
        ContainerState::Running(_) if is_coming_back(context, container) => {
            let message = format!("{name} ended with {node} and is starting again");
            Some(Finding::new(place, Cause::NodeRestarted, since, false, message))
        }
        ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => None,
    }
}

/// It runs again and was not given the time yet that any container gets that is not ready.
fn is_coming_back(context: &ContainerContext<'_>, container: &Container) -> bool {
    let Some(since) = container.running_since(context.now()).filter(|_| !container.ready) else { return false };
    is_starting(container, context.policy, context.moment) || !context.moment.lasts(since, context.policy.not_ready)
}

/// Nothing stands between it and its next start, and yet it does not come. Init containers run again after a restart of the
/// node, and each that has done its part begins the time anew.
fn is_not_started_again(context: &ContainerContext<'_>, pod: &Pod, since: Timestamp) -> bool {
    let init = || pod.containers.iter().filter(|container| container.role == Role::Init);
    let goes_on = |container: &Container| match container.state {
        ContainerState::Running(_) | ContainerState::Waiting { .. } => true,
        ContainerState::Terminated(_) | ContainerState::Unknown => false,
    };
    let ended = |container: &Container| container.last_termination().and_then(|end| end.finished);
    let from = init().filter_map(ended).fold(since, Timestamp::max).min(context.now());
    !init().any(goes_on) && context.moment.lasts(from, context.policy.not_ready.max(context.policy.startup_grace))
}
