//! The intent of a mitigation, and of taking it back.

use jiff::Timestamp;

use crate::model::{
    moment::after,
    plan::{Action, Charge, Effect, Plan, Selector, Step},
    policy::RemediationPolicy,
    state::{Change, Mitigation, MitigationPhase, State},
};

/// Writes the intent into the state.
pub(super) fn begin(policy: &RemediationPolicy, plan: &Plan, state: &mut State, now: Timestamp) {
    let retry_at = Some(after(now, policy.backoff_initial));
    let change = match &plan.effect {
        Effect::Scale { from, to: 0 } => Change::ToZero { replicas: *from },
        Effect::Select { from, to } if plan.action.step == Step::UseFallback => {
            Change::Diverted { selector: from.clone(), stand_in: to.clone() }
        }
        Effect::Scale { .. } | Effect::Select { .. } => {
            if let Some(mitigation) = &mut state.mitigation {
                mitigation.enter(MitigationPhase::Undoing, now);
                mitigation.retry_at = retry_at;
            }
            return note(plan, state, now);
        }
        Effect::EvictPod { .. }
        | Effect::CreateWorkload { .. }
        | Effect::ReplaceWorkload { .. }
        | Effect::Rollback { .. } => return,
    };
    let Action { target, target_uid, .. } = plan.action.clone();
    let (uid, phase, since) = (target_uid.unwrap_or_default(), MitigationPhase::Intended, now);
    let intended = Mitigation { change, target, uid, phase, since, retry_at, refused: None };
    if state.mitigation.replace(intended).is_none() {
        note(plan, state, now);
    }
}

/// Tells people, once, with what they need to take it back by hand. A trial is told by who counts it.
fn note(plan: &Plan, state: &mut State, now: Timestamp) {
    if plan.charge != Charge::Nothing {
        return;
    }
    let labels = |selector: &Selector| {
        selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    let message = match &plan.effect {
        Effect::Scale { from, to } => Some(format!("from {from} to {to} replicas")),
        Effect::Select { from, to } => Some(format!("selector from {} to {}", labels(from), labels(to))),
        Effect::EvictPod { .. }
        | Effect::CreateWorkload { .. }
        | Effect::ReplaceWorkload { .. }
        | Effect::Rollback { .. } => None,
    };
    state.history.begin(plan, message, now);
}
