//! One span for each reconcile, with what was decided. It goes to the collector, and its trace id to the logs.
//!
//! Without a collector it names the service in the log, and costs no more than that.

use opentelemetry::trace::{Status, TraceContextExt};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use kubeheal_core::model::{condition::ConditionType, decision::Decision};

/// The span of one reconcile of a service, begun now.
pub fn reconcile(namespace: &str, service: &str) -> Span {
    // Of the highest level, so that every line has it that any filter lets through.
    let span = tracing::error_span!("reconcile", namespace, service, trace_id = Empty);
    let context = span.context();
    let context = context.span().span_context().clone();
    // Without a collector there are no traces, and nobody could look one up.
    if context.is_sampled() {
        span.record("trace_id", context.trace_id().to_string());
    }
    span
}

/// Writes a decision into the span that is under way, in the words of the status.
pub fn decided(decision: &Decision) {
    let span = Span::current();
    if !span.context().span().is_recording() {
        return;
    }
    let Decision { verdict, conditions, state, next_check, .. } = decision;
    let (plan, proposal, blocked_by) = (decision.plan(), decision.proposal(), decision.blocked_by());
    span.set_attribute("kubeheal.health", verdict.health.as_str());
    span.set_attribute("kubeheal.reason", verdict.reason.as_str());
    span.set_attribute("kubeheal.circuit", state.circuit.state().as_str());
    if let Some(wanted) = plan.or(proposal) {
        let fate = if plan.is_some() { "kubeheal.step" } else { "kubeheal.held_step" };
        span.set_attribute(fate, wanted.action.step.as_str());
        span.set_attribute("kubeheal.target", wanted.action.target.clone());
    }
    let mut held_by: Vec<_> = blocked_by.iter().map(|block| block.reason.as_str()).collect();
    if held_by.is_empty() && plan.is_none() && proposal.is_some() {
        // A mode that never acts blocks nothing in particular.
        let allowed = conditions.iter().find(|condition| condition.kind == ConditionType::RemediationAllowed);
        held_by.extend(allowed.map(|condition| condition.reason.as_str()));
    }
    if !held_by.is_empty() {
        span.set_attribute("kubeheal.held_by", held_by.join(","));
    }
    if let Some(next) = next_check {
        span.set_attribute("kubeheal.next_check", next.to_string());
    }
}

/// The reconcile under way has failed.
pub fn failed(error: &dyn std::error::Error) {
    Span::current().set_status(Status::error(error.to_string()));
}
