//! Pods as a whole: pods on no node, failed pods, conditions that the policy names.

use jiff::Timestamp;

use super::{context::ContainerContext, rejected::is_rejected};
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Pod, WorkloadKind, WorkloadState, living},
};

/// On no node: its containers tell nothing.
pub(super) fn on_no_node(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    let (cause, message) = match gates(pod) {
        Some(message) => (Cause::SchedulingGated, message),
        None => (Cause::Unschedulable, pod.unschedulable.clone()?),
    };
    // A node may be on its way, or whoever set the gate.
    let since = context.known_since(&Place::pod(pod), cause);
    let over_threshold = context.moment.lasts(since, context.policy.not_ready);
    Some(Finding::new(Place::pod(pod), cause, since, over_threshold, message))
}

/// The gates that hold a pod's scheduling back, as a sentence.
pub fn gates(pod: &Pod) -> Option<String> {
    let names = pod.scheduling_gates.join(", ");
    (!names.is_empty())
        .then(|| format!("its scheduling gates hold it back, until whoever set them takes them away: {names}"))
}

/// A failed pod stays as it is. Its controller makes another one; a bare pod has none.
pub(super) fn failed(
    context: &ContainerContext<'_>,
    state: &WorkloadState,
    pods: &[Pod],
    pod: &Pod,
) -> Option<Finding> {
    let is_said_once = state.kind == WorkloadKind::Deployment && is_rejected(pod);
    if state.kind != WorkloadKind::Pod && (living(pods) >= state.desired || is_said_once) {
        return None;
    }
    let why = pod.reason.as_deref().unwrap_or("its containers ended badly");
    // Whoever is to replace it waits for a better time; what it was replaced by would meet the same node.
    let (cause, of_node) = match &pod.host.drain {
        Some(drain) => (Cause::NodeDraining, format!("; {} {}", pod.node_named(), drain.words())),
        None => (Cause::Deadlocked, String::new()),
    };
    let since = context.known_since(&Place::pod(pod), cause);
    let over_threshold = match state.kind {
        WorkloadKind::Pod => true,
        // They replace it under its own name, and cannot before it is gone.
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => context.moment.lasts(since, context.policy.not_ready),
        WorkloadKind::Deployment => false,
    };
    // Its controller deletes a failed pod itself, with a back-off that grows to a quarter of an hour: who deletes it undoes that.
    let is_left = state.kind == WorkloadKind::DaemonSet;
    let of_owner = if is_left && of_node.is_empty() { "; its DaemonSet makes another in its own time" } else { "" };
    let message = format!("the pod failed: {why}{of_node}{of_owner}");
    let finding = Finding::new(Place::pod(pod), cause, since, over_threshold, message);
    Some(Finding { restart_may_help: finding.restart_may_help && !is_left, ..finding })
}

/// A condition that the policy names. Its writer's clock may be wrong: it can make a finding younger, never older than we
/// have known it.
pub(super) fn named_condition(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    let known = context.known_since(&Place::pod(pod), Cause::PodCondition);
    let found = context.policy.pod_conditions.iter().filter_map(|named| {
        let is_named =
            |(kind, status, _): &&(String, String, Option<Timestamp>)| *kind == named.kind && *status == named.status;
        let (_, _, changed) = pod.conditions.iter().find(is_named)?;
        let since = changed.map_or(known, |changed| known.max(changed.min(context.now())));
        let over_threshold = context.moment.lasts(context.charged_from(since), named.duration);
        let message = format!("condition {} is {}", named.kind, named.status);
        Some(Finding::new(Place::pod(pod), Cause::PodCondition, since, over_threshold, message))
    });
    found.max_by_key(|finding| finding.over_threshold)
}
