//! Nodes: pods whose node is lost, and containers whose node restarted. Neither is the service's own fault.

use super::context::ContainerContext;
use crate::{
    model::{
        cause::Cause,
        finding::{Finding, Place},
        snapshot::{Container, ContainerState, Pod},
    },
    observe::initializes,
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

/// The container ended with its node, and is coming back.
pub(super) fn restarted(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> Option<Finding> {
    if !context.observed.ended_with_node(&pod.uid, container) {
        return None;
    }
    let place = Place::container_of(pod, container);
    let (name, node) = (&container.name, pod.node_named());
    let since = context.known_since(&place, Cause::NodeRestarted);
    let (lasts, what) = match container.state {
        ContainerState::Terminated(_) => (false, "has not been started again"),
        // What it waits for is not said: a new pod might wait for the same.
        ContainerState::Waiting { .. } if container.waits_to_start() => {
            let patience = context.policy.not_ready.max(context.policy.startup_grace);
            (!initializes(pod) && context.moment.lasts(since, patience), "has not been created again")
        }
        ContainerState::Running(_) if is_coming_back(context, pod, container) => (false, "is starting again"),
        ContainerState::Waiting { .. } | ContainerState::Running(_) | ContainerState::Unknown => return None,
    };
    let trouble = pod.sandbox_trouble().map(|trouble| format!(": it has no sandbox: {}", trouble.words));
    let message = format!("{name} ended with {node} and {what}{}", trouble.unwrap_or_default());
    Some(Finding::new(place, Cause::NodeRestarted, since, lasts, message))
}

/// It runs again and was not given the time yet that any container gets that is not ready.
fn is_coming_back(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> bool {
    let starts = context.starts();
    let since = starts.first_run(pod, container).and_then(|record| record.runs_since).filter(|_| !container.ready);
    let is_young = since.is_some_and(|since| !context.moment.lasts(since, context.policy.not_ready));
    is_young || (since.is_some() && starts.goes_on(pod, container))
}
