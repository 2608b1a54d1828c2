//! The audit line: one line of the log for each decision that acted or was held back, with the reason.
//!
//! Its target is `audit`, so that a filter can keep it whatever else is logged; its fields keep their names from release to
//! release. Must not decide what is worth a line beyond this: what was carried out, and what is held back by other reasons
//! than before.

use crate::api::HealedService;
use kube::ResourceExt;
use kubeheal_core::model::{alert::Severity, decision::Decision, execution::Execution, plan::Plan};

/// The target of audit lines, for filters of the log: `audit=info`.
pub const TARGET: &str = "audit";

/// A plan was carried out, or was refused.
pub fn acted(service: &HealedService, decision: &Decision, plan: &Plan, execution: &Execution) {
    line(service, decision, Some(plan), outcome(execution));
}

/// Something should be done and is not, for these reasons.
pub fn held_back(service: &HealedService, decision: &Decision) {
    line(service, decision, decision.proposal(), ("Held", ""));
}

fn outcome(execution: &Execution) -> (&'static str, &str) {
    match execution {
        Execution::Done => ("Done", ""),
        Execution::Vanished => ("Vanished", ""),
        Execution::Refused(why) => ("Refused", why),
        Execution::Failed(why) => ("Failed", why),
    }
}

fn line(service: &HealedService, decision: &Decision, plan: Option<&Plan>, (outcome, error): (&str, &str)) {
    let status = service.status.as_ref();
    let policy = status.and_then(|status| status.effective_policy.as_ref()).map(|policy| policy.digest.as_str());
    let finding = decision.findings.first();
    let blocked_by: Vec<String> =
        decision.blocked_by().iter().map(|block| format!("{}: {}", block.reason, block.message)).collect();
    tracing::info!(
        target: TARGET,
        namespace = service.namespace().unwrap_or_default(),
        service = service.name_any(),
        uid = service.uid().unwrap_or_default(),
        policy = policy.unwrap_or_default(),
        action = decision.state.attempts.last_id,
        step = plan.map_or("", |plan| plan.action.step.as_str()),
        target_name = plan.map_or("", |plan| plan.action.target.as_str()),
        target_uid = plan.map_or("", |plan| plan.action.uid()),
        cause = plan.map_or("", |plan| plan.cause.as_str()),
        finding = finding.map(|finding| finding.message.as_str()).unwrap_or_default(),
        circuit = decision.state.circuit.state().as_str(),
        severity = decision.escalation.as_ref().map_or("", |known| Severity::as_str(known.severity)),
        outcome,
        error,
        blocked_by = blocked_by.join("; "),
        "decision"
    );
}
