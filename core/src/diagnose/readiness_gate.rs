//! Readiness gates: all containers are ready, and the pod is not.
//!
//! A gate is somebody else's word, such as a load balancer's that has not taken the pod in. A new pod would wait for the same
//! word, so it is told from a probe that fails, and acted on only where the policy says so.

use super::context::ContainerContext;
use crate::model::{
    cause::Cause,
    finding::{Finding, Place},
    snapshot::{Pod, Readiness},
};

/// Gates that a sentence names.
const MAX_NAMED: usize = 3;

/// All containers are ready and the pod is not: a readiness gate is closed, or something else that is not said.
pub(super) fn closed_gate(context: &ContainerContext<'_>, pod: &Pod) -> Option<Finding> {
    let since = context.observed.pod(&pod.uid).and_then(|record| record.not_ready_since)?;
    let counted = context.charged_from(since);
    let over_threshold = context.moment.lasts(counted, context.policy.not_ready);
    if !context.moment.lasts(counted, context.policy.first_sign()) {
        return None;
    }
    let finding = |cause, message| Finding::new(Place::pod(pod), cause, since, over_threshold, message);
    if let Some(gates) = named(pod) {
        let message = format!("all containers are ready but the pod is not since {since:.0}: {gates}");
        let restart_may_help = context.policy.restart_at_closed_gates;
        return Some(Finding { restart_may_help, ..finding(Cause::ReadinessGate, message) });
    }
    let reason = match &pod.ready {
        Readiness::NotReady(Some(reason)) => reason.as_str(),
        Readiness::NotReady(None) | Readiness::Ready(_) | Readiness::Unknown => "not ready",
    };
    let message = format!("all containers are ready but the pod is not ({reason}) since {since:.0}");
    Some(finding(Cause::ReadinessFailed, message))
}

/// The gates that keep it from being ready, each with its status and what was said, and whom to look at.
fn named(pod: &Pod) -> Option<String> {
    let gates: Vec<String> = pod.closed_gates.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let more = pod.closed_gates.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let whose = if pod.closed_gates.len() == 1 { "readiness gate" } else { "readiness gates" };
    (!gates.is_empty()).then(|| format!("{whose} {}{more}; look at the controller that sets it", gates.join(", ")))
}
