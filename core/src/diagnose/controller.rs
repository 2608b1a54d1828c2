//! What the workload's controller cannot do. Must not touch pods; a restart makes no controller faster.

use super::context::ContainerContext;
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Phase, Pod, WorkloadKind, WorkloadState, living},
};

/// Pods that the controller does not make.
pub(super) fn missing_pods(context: &ContainerContext<'_>, state: &WorkloadState, pods: &[Pod]) -> Option<Finding> {
    let living = living(pods);
    if state.kind == WorkloadKind::Pod || (living >= state.desired && state.replica_failure.is_none()) {
        return None;
    }
    let unready = |pod: &Pod| !pod.is_ready();
    let (cause, message) = match &state.replica_failure {
        Some(why) if why.contains("quota") => (Cause::QuotaExceeded, why.clone()),
        Some(why) => (Cause::ConfigError, why.clone()),
        // They come one after the other, and each waits for those before it.
        None if state.kind == WorkloadKind::StatefulSet && pods.iter().any(unready) => return None,
        None if pods.iter().any(|pod| pod.is_deleting() || waits_for_its_node(pod)) => return None,
        None => {
            let message = format!("{living} of {} pods exist and no more are made: see its Events", state.desired);
            (Cause::ConfigError, message)
        }
    };
    let place = Place::workload(&state.name);
    let progress = context.observed.progress.as_ref();
    let since = progress.map_or_else(|| context.known_since(&place, cause), |progress| progress.since);
    let over_threshold = context.moment.lasts(since, context.policy.not_ready);
    if state.replica_failure.is_none() && !over_threshold {
        return None;
    }
    Some(Finding::new(place, cause, since, over_threshold, message))
}

/// It failed on a node that gives its pods away: there is a place for the next one, and its controller waits.
fn waits_for_its_node(pod: &Pod) -> bool {
    pod.phase == Phase::Failed && pod.host.drain.is_some()
}
