//! Verification: an action has helped when the workload is ready and stays so, not when the API server said 200.

use jiff::{SignedDuration, Timestamp};

use super::{
    SPACING, breaker,
    budget::{backoff, take_back},
    memory::{InFlight, Memory, Outcome},
    plan::{Action, Step},
    policy::Policy,
    recovery,
    restarts::in_window,
    rollback,
    snapshot::{Pod, Readiness, Rollout, Workload},
    time::{Wakeups, after, clamp, elapsed},
};

/// What the API server made of an action, as `execute` reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    /// Accepted. Whether it helped will be seen.
    Done,
    /// Not now: a disruption budget, a conflict, a server that is busy. Not charged.
    Refused(String),
    /// The target was gone or another one already. Nothing was done, nothing is charged.
    Vanished,
    /// Refused for good. Charged: trying the same again will not help either.
    Failed(String),
}

/// Judges the repair in flight. Called with the health memory of this look already filled in.
pub fn judge(
    policy: &Policy,
    workload: &Workload,
    pods: &[Pod],
    excuse: Excuse,
    seed: &str,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    let Some(in_flight) = memory.in_flight.clone() else { return };
    let verify_by = in_flight.verify_by;
    wakeups.at(verify_by, now);
    let outcome = match excuse {
        Excuse::GoneAgain if in_flight.action.step == Step::RecreateWorkload && is_due(&in_flight, now) => {
            Some(Outcome::Ineffective)
        }
        Excuse::GoneAgain if in_flight.action.step == Step::RecreateWorkload => None,
        Excuse::GoneAgain | Excuse::NothingWanted => Some(Outcome::Dropped),
        Excuse::None | Excuse::Held if has_helped(policy, workload, pods, &in_flight, memory, wakeups, now) => {
            Some(Outcome::Verified)
        }
        Excuse::Held if now >= verify_by => Some(Outcome::Dropped),
        Excuse::None if now >= verify_by => Some(Outcome::Ineffective),
        Excuse::None | Excuse::Held => None,
    };
    if let Some(outcome) = outcome {
        conclude(policy, workload, seed, memory, outcome, now);
    }
}

/// What else explains that an action cannot prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    /// Nothing does.
    None,
    /// A dependency is down.
    Held,
    /// The workload is gone.
    GoneAgain,
    /// No pods are wanted any more.
    NothingWanted,
}

/// A workload that we created a moment ago may not be visible yet.
fn is_due(in_flight: &InFlight, now: Timestamp) -> bool {
    elapsed(in_flight.started, now) >= SignedDuration::from_secs(30)
}

/// Takes note of what the API server answered.
pub fn settle(
    policy: &Policy,
    workload: &Workload,
    seed: &str,
    memory: &mut Memory,
    execution: &Execution,
    now: Timestamp,
) {
    match execution {
        Execution::Done => {}
        Execution::Refused(why) => {
            conclude(policy, workload, seed, memory, Outcome::Dropped, now);
            take_back(memory);
            memory.not_before = Some(after(now, policy.remediation.backoff_initial.max(SPACING)));
            memory.refused = Some(why.clone());
        }
        Execution::Vanished => {
            conclude(policy, workload, seed, memory, Outcome::Dropped, now);
            take_back(memory);
            memory.not_before = Some(after(now, SPACING));
            memory.refused = Some("the target is gone, or another one already".to_owned());
        }
        Execution::Failed(_) => conclude(policy, workload, seed, memory, Outcome::Failed, now),
    }
}

fn conclude(policy: &Policy, workload: &Workload, seed: &str, memory: &mut Memory, outcome: Outcome, now: Timestamp) {
    let Some(in_flight) = memory.in_flight.take() else { return };
    let entry = memory.history.iter_mut().rev().find(|entry| {
        entry.outcome == Outcome::Pending && entry.time == in_flight.started && entry.target == in_flight.action.target
    });
    if let Some(entry) = entry {
        entry.outcome = outcome;
    }
    match in_flight.action.step {
        Step::RestartPod
        | Step::RecreateWorkload
        | Step::ScaleToZero
        | Step::RestoreReplicas
        | Step::UseFallback
        | Step::RestoreSelector => {}
        Step::Rollback => rollback::conclude(memory, outcome),
    }
    breaker::conclude(policy, workload, memory, outcome, now);
    recovery::conclude(&in_flight, outcome, memory);
    let attempts = u32::try_from(memory.actions.len()).unwrap_or(u32::MAX);
    memory.not_before = (attempts > 0).then(|| after(now, backoff(&policy.remediation, seed, attempts)));
    memory.refused = None;
}

fn has_helped(
    policy: &Policy,
    workload: &Workload,
    pods: &[Pod],
    in_flight: &InFlight,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> bool {
    let calm = policy.remediation.stabilization;
    wakeups.at(after(in_flight.started, calm), now);
    let Workload::Present(state) = workload else { return false };
    let steady = steady(pods, memory, calm, wakeups, now);
    if elapsed(in_flight.started, now) < calm {
        return false;
    }
    let Action { step, target_uid, .. } = &in_flight.action;
    match step {
        Step::RestartPod => {
            let replaced = pods.iter().all(|pod| pod.uid != *target_uid);
            replaced && steady > in_flight.ready_before.min(state.desired.saturating_sub(1))
        }
        Step::RecreateWorkload | Step::RestoreReplicas => state.desired > 0 && steady >= state.desired,
        // Pods of the old template may have been ready all the time.
        Step::Rollback => steady >= state.desired && state.rollout == Rollout::Complete,
        // Never attempts.
        Step::ScaleToZero | Step::UseFallback | Step::RestoreSelector => false,
    }
}

/// Pods that have been ready, without a restart, for the whole of `calm`.
fn steady(pods: &[Pod], memory: &Memory, calm: SignedDuration, wakeups: &mut Wakeups, now: Timestamp) -> u32 {
    let mut count = 0;
    for pod in pods.iter().filter(|pod| !pod.deleting) {
        let Readiness::Ready(since) = pod.ready else { continue };
        // By our own clock, where we remember it: the node's may be wrong.
        let seen = memory.container(&pod.uid, "").and_then(|entry| entry.ready_since);
        let due = after(seen.unwrap_or_else(|| clamp(since.unwrap_or(now), now)), calm);
        wakeups.at(due, now);
        let restarted = memory.containers.iter().any(|entry| entry.uid == pod.uid && in_window(entry, calm, now) > 0);
        if now >= due && !restarted {
            count += 1;
        }
    }
    count
}
