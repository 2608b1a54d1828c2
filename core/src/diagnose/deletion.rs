//! Pods that are being deleted and do not go.
//!
//! Their place may be free only when they are gone: a StatefulSet makes no other pod of that name, a volume stays attached.
//! Must not cause any action: nothing that kubeheal may do makes a pod go, and deleting it by force could make two of one.

use super::{context::ContainerContext, termination::after_hook};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Container, ContainerState, Deletion, Pod},
};

/// It is still there although its grace was over long ago.
pub(super) fn stuck_terminating(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    let Deletion { due, finalizers } = pod.deletion.as_ref()?;
    let seen = context.observed.pod(&pod.uid)?.deleting_since?;
    // Two clocks: it had its time by both of them.
    let since = due.map_or(seen, |due| due.max(seen));
    let over_threshold = context.moment.lasts(since, context.policy.not_ready);
    if !over_threshold {
        return None;
    }
    let node = pod.node_named();
    let why = match pod.loss() {
        _ if !finalizers.is_empty() => format!("it waits for its finalizers: {}", finalizers.join(", ")),
        Some(loss) => {
            let words = loss.words();
            format!("{node} {words}: it goes, and lets go of its volumes, when the node is back or is gone for good")
        }
        None => match &pod.events.not_ended {
            Some(words) => format!("{node} has not confirmed that it has ended: {words}"),
            None => format!("{node} has not confirmed that it has ended: a process or a volume may not let go"),
        },
    };
    let why = format!("{why}{}", failed_hooks(context, pod));
    let message = format!("{} is being deleted and its time was over at {since:.0}; {why}", pod.name);
    Some(Finding::new(Place::pod(pod), Cause::StuckTerminating, since, over_threshold, message))
}

/// Which of its `preStop` hooks failed, and when: the process was told to end all the same, and not in the way that was meant.
fn failed_hooks(context: &ContainerContext<'_>, pod: &Pod) -> String {
    let failed = |container: &Container| {
        let at = container.failed_pre_stop.filter(|at| context.moment.reached(*at))?;
        let in_its_last_run = match &container.state {
            ContainerState::Running(started) => started.is_some_and(|started| at > started),
            ContainerState::Terminated(end) => !after_hook(container, end).is_empty(),
            ContainerState::Waiting { .. } | ContainerState::Unknown => false,
        };
        if !in_its_last_run {
            return None;
        }
        Some(format!("; the preStop hook of {} failed at {at:.0}", container.name))
    };
    pod.containers.iter().filter_map(failed).collect()
}
