//! The ladder: the smallest step that could help, and every reason not to take it.
//!
//! Chooses; never counts, never waits.

use jiff::Timestamp;

use super::{
    cause::Finding,
    memory::{Memory, Outcome},
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{Policy, Rung},
    reason::{Block, Reason},
    recreate, rollback,
    snapshot::{Pod, Readiness, Rollout, Snapshot, Workload, WorkloadKind, WorkloadState},
    time::Wakeups,
};

/// What the ladder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// All is well, or it is nobody's business.
    Nothing,
    /// This would be the step, unless one of the reasons holds it back.
    Step(Plan, Vec<Block>),
    /// Something is wrong and no step could help.
    NoStep(Block),
}

/// Chooses the step. `eager` also acts on what is below its threshold, because a person asked.
pub fn wish(
    policy: &Policy,
    snapshot: &Snapshot,
    findings: &[Finding],
    missing_confirmed: bool,
    eager: bool,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Wish {
    match &snapshot.workload {
        Workload::Unknown(_) => Wish::Nothing,
        Workload::Missing { name, .. } if missing_confirmed => {
            recreate::missing(policy, snapshot, name, memory, wakeups, now)
        }
        Workload::Missing { .. } => Wish::Nothing,
        Workload::Present(state) if state.desired == 0 => Wish::Nothing,
        Workload::Present(state) => repair(policy, snapshot, state, findings, eager, memory, wakeups, now),
    }
}

fn repair(
    policy: &Policy,
    snapshot: &Snapshot,
    state: &WorkloadState,
    findings: &[Finding],
    eager: bool,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Wish {
    let is_stuck = state.rollout == Rollout::Stuck && state.kind == WorkloadKind::Deployment;
    if is_stuck && policy.remediation.ladder.contains(&Rung::Rollback) {
        return roll_back(snapshot, state, memory);
    }
    let Some(finding) = worst(findings, eager) else {
        // Said at once, although it may pass.
        return match findings.iter().find(|finding| finding.lasting || !finding.cause.restart_helps()) {
            Some(finding) => {
                let message =
                    format!("a restart does not help against {}: {}", finding.cause.as_str(), finding.message);
                Wish::NoStep(Block::new(Reason::RestartCannotHelp, message))
            }
            None if is_stuck => Wish::NoStep(stuck(state)),
            None => Wish::Nothing,
        };
    };
    let Some(pod) = snapshot.pods.iter().find(|pod| pod.uid == finding.uid) else { return Wish::Nothing };
    let on_rung = |rung: &Rung| on_rung(*rung, policy, snapshot, state, pod, finding, memory, wakeups, now);
    let (rungs, refused): (Vec<_>, Vec<_>) = policy.remediation.ladder.iter().map(on_rung).partition(Result::is_ok);
    let mut rungs: Vec<(Plan, Vec<Block>)> = rungs.into_iter().flatten().collect();
    if rungs.is_empty() {
        let why = refused.into_iter().find_map(Result::err);
        return Wish::NoStep(why.unwrap_or_else(|| Block::new(Reason::NoStepLeft, "no rung of the ladder applies")));
    }
    let tried = failed_in_a_row(memory);
    let (plan, mut blocks) = rungs.swap_remove(tried.min(rungs.len() - 1));
    blocks.splice(0..0, repair_blocks(state, pod, &plan));
    if !finding.acute {
        let message =
            format!("{} of {} runs at this moment: waiting for what becomes of it", finding.container, pod.name);
        blocks.push(Block::new(Reason::NotYet, message));
    }
    Wish::Step(plan, blocks)
}

/// Out of a rollout past its deadline, whatever is wrong with its pods.
fn roll_back(snapshot: &Snapshot, state: &WorkloadState, memory: &Memory) -> Wish {
    match rollback::plan(snapshot, state, Reason::RolloutStuck, memory) {
        Ok(_) if state.deleting => Wish::NoStep(deleting(state)),
        Ok(plan) => Wish::Step(plan, Vec::new()),
        Err(why) => Wish::NoStep(why),
    }
}

/// The oldest trouble that a restart could help, what is so right now before the rest; sick pods are treated one by one.
fn worst(findings: &[Finding], eager: bool) -> Option<&Finding> {
    findings
        .iter()
        .filter(|finding| finding.cause.restart_helps() && (finding.lasting || eager) && !finding.uid.is_empty())
        .min_by(|a, b| (!a.acute, a.since, &a.pod).cmp(&(!b.acute, b.since, &b.pod)))
}

/// What the rung would do about the finding and what holds that back, or why it does not apply at all.
fn on_rung(
    rung: Rung,
    policy: &Policy,
    snapshot: &Snapshot,
    state: &WorkloadState,
    pod: &Pod,
    finding: &Finding,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Result<(Plan, Vec<Block>), Block> {
    let good = snapshot.last_known_good.as_ref();
    let cause = finding.cause.reason();
    match rung {
        // Nobody replaces a bare pod: restarting it is replacing it ourselves.
        Rung::RestartPod if state.kind == WorkloadKind::Pod => {
            recreate::replace(policy, good, state, rung, cause, finding.since, memory, wakeups, now)
        }
        Rung::RestartPod => Ok((evict(policy, pod, cause), Vec::new())),
        Rung::RecreateWorkload => {
            recreate::replace(policy, good, state, rung, cause, finding.since, memory, wakeups, now)
        }
        Rung::Rollback => rollback::plan(snapshot, state, cause, memory).map(|plan| (plan, Vec::new())),
    }
}

/// Restarts a pod that has no finding, for another cause, and what holds that back. `since` is when the cause began.
pub(super) fn restart(
    policy: &Policy,
    snapshot: &Snapshot,
    state: &WorkloadState,
    pod: &Pod,
    cause: Reason,
    since: Timestamp,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Wish {
    let good = snapshot.last_known_good.as_ref();
    let restarted = match state.kind {
        WorkloadKind::Pod => {
            recreate::replace(policy, good, state, Rung::RestartPod, cause, since, memory, wakeups, now)
        }
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            Ok((evict(policy, pod, cause), Vec::new()))
        }
    };
    match restarted {
        Ok((plan, mut blocks)) => {
            blocks.splice(0..0, repair_blocks(state, pod, &plan));
            Wish::Step(plan, blocks)
        }
        Err(why) => Wish::NoStep(why),
    }
}

/// Evicts a pod, so that its controller replaces it.
fn evict(policy: &Policy, pod: &Pod, cause: Reason) -> Plan {
    let unready = !matches!(pod.ready, Readiness::Ready(_));
    Plan {
        action: Action { step: Step::RestartPod, target: pod.name.clone(), target_uid: pod.uid.clone() },
        effect: Effect::EvictPod { delete_if_refused: policy.remediation.delete_when_unready && unready },
        cause,
        charge: Charge::Attempt,
    }
}

/// Attempts since the last success: each failed one goes up a rung.
fn failed_in_a_row(memory: &Memory) -> usize {
    memory
        .actions
        .iter()
        .rev()
        .filter(|action| memory.circuit.closed_at.is_none_or(|closed| action.time >= closed))
        .take_while(|action| matches!(action.outcome, Outcome::Ineffective | Outcome::Failed))
        .count()
}

fn repair_blocks(state: &WorkloadState, pod: &Pod, plan: &Plan) -> Vec<Block> {
    let mut blocks = Vec::new();
    if state.deleting {
        blocks.push(deleting(state));
    }
    match (state.rollout, plan.action.step) {
        (Rollout::Complete, _) => {}
        // A pod of an old revision is what the rollout waits for.
        (Rollout::InProgress | Rollout::Stuck, Step::RestartPod) if plan.cause == Reason::Deadlocked => {}
        (Rollout::InProgress, _) => {
            let message = format!("{} is rolling out: its own controller is at work", state.name);
            blocks.push(Block::new(Reason::RolloutInProgress, message));
        }
        (Rollout::Stuck, _) => blocks.push(stuck(state)),
    }
    let evicts = matches!(plan.effect, Effect::EvictPod { delete_if_refused: false });
    if let Some(budget) = pod.refused_by_budget.as_ref().filter(|_| evicts) {
        blocks.push(Block::new(Reason::DisruptionBudget, format!("budget {budget} allows 0 disruptions")));
    }
    blocks
}

fn stuck(state: &WorkloadState) -> Block {
    let message = format!("the rollout of {} never finished: restarting its pods cannot finish it", state.name);
    Block::new(Reason::RolloutStuck, message)
}

fn deleting(state: &WorkloadState) -> Block {
    Block::new(Reason::WorkloadDeleting, format!("{} is being deleted", state.name))
}
