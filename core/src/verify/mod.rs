//! Verifying: an action has helped when the workload is ready and stays so, not when the API server said 200.
//!
//! Only judges; what follows from it is taken in by `circuit`.

mod proof;

use jiff::SignedDuration;

use crate::{
    model::{
        inputs::Inputs,
        plan::{Action, Step},
        snapshot::{Rollout, Workload},
        state::{InFlight, Outcome, State},
        verdict::{Health, Verdict},
    },
    observe::Observed,
};

/// A workload that we created a moment ago may not be visible yet.
const VISIBLE_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// What else explains that an action cannot be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excuse {
    /// Nothing does.
    None,
    /// A dependency is down.
    Held,
    /// The workload is gone.
    GoneAgain,
    /// No pods are wanted any more.
    NothingWanted,
}

/// How the repair in flight has ended, if it has.
pub fn verify(inputs: &Inputs<'_>, observed: &Observed, verdict: &Verdict, state: &State) -> Option<Outcome> {
    let in_flight = state.attempts.in_flight.as_ref()?;
    let proof_goes_on = || proof::goes_on(inputs, in_flight, state);
    let is_late = inputs.moment.reached(in_flight.verify_by) && !proof_goes_on();
    let created = in_flight.action.step == Step::RecreateWorkload;
    match excuse(inputs, observed, verdict) {
        Excuse::GoneAgain if created => {
            let is_due = inputs.moment.lasts(in_flight.started, VISIBLE_AFTER);
            is_due.then_some(Outcome::Ineffective)
        }
        Excuse::GoneAgain | Excuse::NothingWanted => Some(Outcome::Dropped),
        Excuse::None | Excuse::Held if has_helped(inputs, &observed.workload, in_flight, state) => {
            Some(Outcome::Verified)
        }
        Excuse::Held => is_late.then_some(Outcome::Dropped),
        Excuse::None => is_late.then_some(Outcome::Ineffective),
    }
}

fn excuse(inputs: &Inputs<'_>, observed: &Observed, verdict: &Verdict) -> Excuse {
    match verdict.health {
        _ if inputs.snapshot.service.deleting => Excuse::NothingWanted,
        _ if observed.missing => Excuse::GoneAgain,
        Health::Idle => Excuse::NothingWanted,
        _ if observed.dependencies.held.is_some() => Excuse::Held,
        _ => Excuse::None,
    }
}

fn has_helped(inputs: &Inputs<'_>, workload: &Workload, in_flight: &InFlight, state: &State) -> bool {
    let is_settled = inputs.moment.lasts(in_flight.started, inputs.policy.remediation.stabilization);
    let Workload::Present(present) = workload else { return false };
    let steady = steady_pods(inputs, state);
    if !is_settled {
        return false;
    }
    let Action { step, target_uid, .. } = &in_flight.action;
    match step {
        Step::RestartPod => {
            let replaced = inputs.snapshot.pods.iter().all(|pod| Some(&pod.uid) != target_uid.as_ref());
            replaced && steady > in_flight.ready_before.min(present.desired.saturating_sub(1))
        }
        Step::RecreateWorkload | Step::RestoreReplicas => present.desired > 0 && steady >= present.desired,
        // Pods of the old template may have been ready all the time.
        Step::Rollback => steady >= present.desired && present.rollout == Rollout::Complete,
        // Never attempts.
        Step::ScaleToZero | Step::UseFallback | Step::RestoreSelector => false,
    }
}

/// Pods that have been ready, without a restart, for the whole of the stabilization time.
fn steady_pods(inputs: &Inputs<'_>, state: &State) -> u32 {
    let (now, stabilization) = (inputs.now(), inputs.policy.remediation.stabilization);
    let mut count = 0;
    for pod in inputs.snapshot.pods.iter().filter(|pod| !pod.is_deleting()) {
        let Some(due) = proof::steady_at(inputs, pod, state) else { continue };
        let of_pod = state.observed.containers.iter().filter(|record| record.uid == pod.uid);
        let restarts: u32 = of_pod.map(|record| record.restarts_within(stabilization, now)).sum();
        if inputs.moment.reached(due) && restarts == 0 {
            count += 1;
        }
    }
    count
}
