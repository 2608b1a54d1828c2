//! Settling: the state after the API server answered.

use jiff::Timestamp;

use crate::{
    circuit::conclude,
    model::{
        execution::Execution,
        moment::after,
        plan::{Charge, Plan, Step},
        policy::{Policy, RemediationPolicy, SPACING},
        snapshot::Snapshot,
        state::{Mitigation, MitigationPhase, Outcome, Pause, State},
    },
    observe::conclude_mitigation,
};

/// The state after the API server answered. To be written when it differs from what the decision already wrote.
pub fn settle(
    policy: &Policy,
    snapshot: &Snapshot,
    decided: &State,
    (plan, execution): (&Plan, &Execution),
    now: Timestamp,
) -> State {
    let mut state = decided.clone();
    settle_mitigation(&policy.remediation, plan, &mut state, execution, now);
    if matches!(execution, Execution::Refused(_) | Execution::Vanished) {
        // Nothing was done.
        state.attempts.recent.pop();
    }
    if plan.charge == Charge::Nothing {
        return state;
    }
    match execution {
        Execution::Done => {}
        Execution::Refused(why) => {
            let until = after(now, policy.remediation.backoff_initial.max(SPACING));
            conclude(policy, snapshot, Outcome::Dropped, &mut state, now);
            state.attempts.pause = Some(Pause::Refused { until, why: why.clone() });
        }
        Execution::Vanished => {
            let why = "the target is gone, or another one already".to_owned();
            conclude(policy, snapshot, Outcome::Dropped, &mut state, now);
            state.attempts.pause = Some(Pause::Refused { until: after(now, SPACING), why });
        }
        Execution::Failed(_) => conclude(policy, snapshot, Outcome::Failed, &mut state, now),
    }
    state
}

fn settle_mitigation(
    policy: &RemediationPolicy,
    plan: &Plan,
    state: &mut State,
    execution: &Execution,
    now: Timestamp,
) {
    let step = plan.action.step;
    let forth = match step {
        Step::ScaleToZero | Step::UseFallback => true,
        Step::RestoreReplicas | Step::RestoreSelector => false,
        Step::RestartPod | Step::RecreateWorkload | Step::Rollback => return,
    };
    let Some(mitigation) = &mut state.mitigation else { return };
    let outcome = match execution {
        Execution::Done if forth => {
            mitigation.enter(MitigationPhase::Effective, now);
            Some(Outcome::Verified)
        }
        // Over when it is seen.
        Execution::Done => None,
        // Somebody was quicker: the next decision tells who.
        Execution::Vanished if forth => None,
        Execution::Vanished => {
            mitigation.enter(MitigationPhase::Effective, now);
            None
        }
        Execution::Refused(why) => {
            refuse(mitigation, forth, why, now);
            mitigation.retry_at = Some(after(now, policy.backoff_initial));
            None
        }
        Execution::Failed(why) => {
            refuse(mitigation, forth, why, now);
            mitigation.retry_at = Some(after(now, policy.backoff_max));
            Some(Outcome::Failed)
        }
    };
    if let Some(outcome) = outcome {
        conclude_mitigation(state, step, outcome);
    }
}

/// Back to where it was before the step.
fn refuse(mitigation: &mut Mitigation, forth: bool, why: &str, now: Timestamp) {
    mitigation.enter(if forth { MitigationPhase::Intended } else { MitigationPhase::Effective }, now);
    mitigation.refused = Some(why.to_owned());
}
