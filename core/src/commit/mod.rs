//! Committing: the intent is written into the state before anything is done, so that a crash can cost an attempt that was counted
//! and not made, and never one that was made and not counted.

mod mitigation;
mod request;

pub use self::request::{answer, is_requested};
use crate::model::{decision::Intent, reason::Block};
use crate::{
    assess::is_well,
    model::{
        inputs::Inputs,
        moment::after,
        plan::{Charge, Plan, Step},
        policy::Mode,
        snapshot::{Snapshot, Workload},
        state::{ActionRecord, Attempts, InFlight, Outcome, RollbackRecord, State},
    },
    observe::track_pods,
    propose::Situation,
};

/// What would be done next, and all that holds it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weighed {
    /// The step, if there is one.
    pub proposal: Option<Plan>,
    /// Why it must wait, or why there is none although something is wrong.
    pub blocked_by: Vec<Block>,
    /// Something else that was asked for and is not done. It does not hold the step back.
    pub note: Option<Block>,
}

/// Decides whether the step is taken. If so, its intent is in the state from here on.
pub fn commit(situation: &Situation<'_>, weighed: Weighed, state: &mut State) -> Intent {
    let Weighed { proposal, mut blocked_by, note } = weighed;
    let is_free = blocked_by.is_empty();
    match (proposal, situation.inputs.policy.mode) {
        (Some(plan), Mode::Heal) if is_free => {
            begin(situation, &plan, state);
            Intent::Do(plan)
        }
        (Some(plan), Mode::Observe) if is_free => Intent::WouldDo { plan, note },
        (proposal, Mode::Heal | Mode::Observe) => {
            blocked_by.extend(note);
            match (proposal, blocked_by.is_empty()) {
                (None, true) => Intent::None,
                (proposal, _) => Intent::Held { proposal, blocked_by },
            }
        }
    }
}

fn begin(situation: &Situation<'_>, plan: &Plan, state: &mut State) {
    let Inputs { policy, snapshot, moment } = *situation.inputs;
    let now = moment.now();
    state.attempts.recent.push(now);
    mitigation::begin(&policy.remediation, plan, state, now);
    if plan.charge == Charge::Nothing {
        return;
    }
    let verify_by = after(now, policy.remediation.verify);
    let attempts = &mut state.attempts;
    attempts.last_id = attempts.last_id.saturating_add(1);
    attempts.in_flight = Some(InFlight {
        action: plan.action.clone(),
        cause: plan.cause,
        started: now,
        verify_by,
        ready_before: ready_besides(plan, situation),
        youngest: snapshot.pods.iter().filter_map(|pod| pod.origin.created).max(),
    });
    attempts.pause = None;
    attempts.actions.push(ActionRecord { time: now, outcome: Outcome::Pending });
    if plan.action.step == Step::Rollback {
        begin_rollback(snapshot, attempts, now);
    }
    state.history.begin(plan, None, now);
    // From now on readiness must be remembered: the repair has to be verified.
    track_pods(situation.inputs, state);
    moment.wake_at(verify_by);
}

fn begin_rollback(snapshot: &Snapshot, attempts: &mut Attempts, now: jiff::Timestamp) {
    let (Workload::Present(present), Some(stable)) = (&snapshot.workload, &snapshot.last_stable) else { return };
    let (from, to) = (present.template.clone(), stable.template.clone());
    attempts.rollbacks.push(RollbackRecord { time: now, from, to, outcome: Outcome::Pending });
}

/// Pods that are ready, the target not counted.
fn ready_besides(plan: &Plan, situation: &Situation<'_>) -> u32 {
    let mut pods = situation.inputs.snapshot.pods.iter();
    let target = pods.find(|pod| Some(&pod.uid) == plan.action.target_uid.as_ref());
    let counts = target.is_some_and(|pod| is_well(pod, situation.findings));
    situation.verdict.pods.ready.saturating_sub(u32::from(counts))
}
