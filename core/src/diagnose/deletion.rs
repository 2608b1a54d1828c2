//! Pods that are being deleted and do not go.
//!
//! Their place may be free only when they are gone: a StatefulSet makes no other pod of that name, a volume stays attached.
//! Must not cause any action: nothing that kubeheal may do makes a pod go, and deleting it by force could make two of one.

use super::context::ContainerContext;
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Deletion, Pod},
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
        None => format!("{node} has not confirmed that it has ended: a process or a volume may not let go"),
    };
    let message = format!("{} is being deleted and its time was over at {since:.0}; {why}", pod.name);
    Some(Finding::new(Place::pod(pod), Cause::StuckTerminating, since, over_threshold, message))
}
