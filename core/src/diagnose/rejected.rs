//! Pods that are turned away before they run: by the admission of their node, say, which wants a device that is not there.
//!
//! Their controller makes others, at once and without end; each of them is young, and none of them is the trouble.

use super::context::ContainerContext;
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Phase, Pod, WorkloadKind, WorkloadState, has_run},
};

/// Steps in which the number is said, so that a churn does not write a status with each pod.
const SAID: [usize; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// All of them, as one finding with a number, until a pod that came later has run.
pub(super) fn rejected(context: &ContainerContext<'_>, state: &WorkloadState, pods: &[Pod]) -> Option<Finding> {
    let others_come = matches!(state.kind, WorkloadKind::Deployment);
    let turned_away: Vec<&Pod> = pods.iter().filter(|pod| is_rejected(pod)).collect();
    let last = turned_away.iter().max_by_key(|pod| (pod.origin.created, &pod.name))?;
    let got_further = pods.iter().any(|pod| has_run(pod) && pod.origin.created > last.origin.created);
    let ready = pods.iter().filter(|pod| pod.is_ready() && pod.is_living()).count();
    if !others_come || got_further || ready >= state.desired as usize {
        return None;
    }
    let place = Place::workload(&state.name);
    let since = context.known_since(&place, Cause::PodsRejected);
    let over_threshold = context.moment.lasts(since, context.policy.not_ready);
    let count = SAID.into_iter().rev().find(|said| *said <= turned_away.len()).unwrap_or(1);
    let pods = if count == 1 { "a pod was".to_owned() } else { format!("{count} pods or more were") };
    let nodes: Vec<_> = turned_away.iter().map(|pod| pod.node.as_deref()).collect();
    let by = match last.node.as_deref() {
        Some(node) if nodes.iter().all(|other| *other == Some(node)) => format!(" by node {node}"),
        Some(_) | None => String::new(),
    };
    let said = last.reason.iter().chain(&last.message).cloned().collect::<Vec<_>>().join(": ");
    let message = format!("{pods} turned away{by}: {said}");
    Some(Finding::new(place, Cause::PodsRejected, since, over_threshold, message))
}

/// It has failed before any of its containers ran.
pub(super) fn is_rejected(pod: &Pod) -> bool {
    pod.phase == Phase::Failed && !has_run(pod)
}
