//! The ladder: the smallest step that could help, and every reason not to take it.
//!
//! Chooses; never counts, never waits.

use jiff::Timestamp;

use super::{
    cause::{Cause, Finding},
    memory::{Memory, Outcome},
    plan::{Action, Effect, Plan},
    policy::{Policy, Recreate, Rung},
    reason::{Block, Reason},
    snapshot::{LastKnownGood, Pod, Readiness, Rollout, Snapshot, Workload, WorkloadKind, WorkloadState},
    time::{Wakeups, after},
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
            recreate_missing(policy, snapshot, name, memory, wakeups, now)
        }
        Workload::Missing { .. } => Wish::Nothing,
        Workload::Present(state) if state.desired == 0 => Wish::Nothing,
        Workload::Present(state) => repair(policy, snapshot, state, findings, eager, memory),
    }
}

fn recreate_missing(
    policy: &Policy,
    snapshot: &Snapshot,
    name: &str,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Wish {
    let Some(good) = &snapshot.last_known_good else {
        return Wish::NoStep(if memory.last_replicas.is_none() {
            Block::new(
                Reason::WorkloadNotFound,
                format!("{name} does not exist and was never seen: check spec.workloadRef"),
            )
        } else {
            Block::new(
                Reason::NoLastKnownGood,
                format!("{name} is gone and was never seen healthy: create it again by hand"),
            )
        });
    };
    if policy.remediation.recreate == Recreate::Never || !policy.remediation.ladder.contains(&Rung::RecreateWorkload) {
        return Wish::NoStep(Block::new(
            Reason::RecreateNotAllowed,
            format!("{name} is gone and the policy does not allow to recreate it"),
        ));
    }
    let action = Action { step: Rung::RecreateWorkload, target: name.to_owned(), target_uid: String::new() };
    let effect = Effect::CreateWorkload { revision: good.revision.clone(), replicas: memory.last_replicas };
    let mut blocks = Vec::new();
    if memory.last_replicas == Some(0) {
        blocks.push(Block::new(Reason::ScaledToZero, format!("{name} was scaled to zero before it was removed")));
    }
    if memory.intentional_delete {
        blocks.push(Block::new(
            Reason::IntentionalDelete,
            format!("{name} was marked with kubeheal.dev/intentional-delete"),
        ));
    }
    if good.controlled {
        blocks.push(Block::new(
            Reason::ControlledByOwner,
            format!("{name} had a controller, which alone may bring it back"),
        ));
    }
    blocks.extend(gitops_grace(policy, good, memory, wakeups, now));
    Wish::Step(Plan { action, effect, cause: Cause::WorkloadMissing }, blocks)
}

fn gitops_grace(
    policy: &Policy,
    good: &LastKnownGood,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Block> {
    let tool = good.managed_by.as_ref()?;
    let due = after(memory.missing_since?, policy.remediation.gitops_grace);
    wakeups.at(due, now);
    (now < due).then(|| Block::new(Reason::GitOpsGrace, format!("{tool} owns it and may bring it back until {due:.0}")))
}

fn repair(
    policy: &Policy,
    snapshot: &Snapshot,
    state: &WorkloadState,
    findings: &[Finding],
    eager: bool,
    memory: &Memory,
) -> Wish {
    let Some(finding) = worst(findings, eager) else {
        // Said at once, although it may pass.
        return match findings.iter().find(|finding| finding.lasting || !finding.cause.restart_helps()) {
            Some(finding) => {
                let message =
                    format!("a restart does not help against {}: {}", finding.cause.as_str(), finding.message);
                Wish::NoStep(Block::new(Reason::RestartCannotHelp, message))
            }
            None => Wish::Nothing,
        };
    };
    let Some(pod) = snapshot.pods.iter().find(|pod| pod.uid == finding.uid) else { return Wish::Nothing };
    let rungs: Vec<Plan> = policy
        .remediation
        .ladder
        .iter()
        .filter_map(|rung| on_rung(*rung, policy, snapshot, state, pod, finding.cause, memory))
        .collect();
    let tried = failed_in_a_row(memory);
    let Some(plan) = rungs.get(tried.min(rungs.len().saturating_sub(1))).cloned() else {
        return Wish::NoStep(Block::new(Reason::NoStepLeft, "no rung of the ladder applies"));
    };
    let mut blocks = repair_blocks(state, pod, &plan);
    if !finding.acute {
        let message =
            format!("{} of {} runs at this moment: waiting for what becomes of it", finding.container, pod.name);
        blocks.push(Block::new(Reason::NotYet, message));
    }
    Wish::Step(plan, blocks)
}

/// The oldest trouble that a restart could help, what is so right now before the rest; sick pods are treated one by one.
fn worst(findings: &[Finding], eager: bool) -> Option<&Finding> {
    findings
        .iter()
        .filter(|finding| finding.cause.restart_helps() && (finding.lasting || eager) && !finding.uid.is_empty())
        .min_by(|a, b| (!a.acute, a.since, &a.pod).cmp(&(!b.acute, b.since, &b.pod)))
}

fn on_rung(
    rung: Rung,
    policy: &Policy,
    snapshot: &Snapshot,
    state: &WorkloadState,
    pod: &Pod,
    cause: Cause,
    memory: &Memory,
) -> Option<Plan> {
    let good = snapshot.last_known_good.as_ref();
    let whole = |step, effect| Plan {
        action: Action { step, target: state.name.clone(), target_uid: state.uid.clone() },
        effect,
        cause,
    };
    match rung {
        // Nobody replaces a bare pod: restarting it is replacing it ourselves.
        Rung::RestartPod if state.kind == WorkloadKind::Pod => {
            let revision = good?.revision.clone();
            Some(whole(rung, Effect::ReplaceWorkload { revision, replicas: None }))
        }
        Rung::RestartPod => {
            let unready = !matches!(pod.ready, Readiness::Ready(_));
            Some(Plan {
                action: Action { step: rung, target: pod.name.clone(), target_uid: pod.uid.clone() },
                effect: Effect::EvictPod { delete_if_refused: policy.remediation.delete_when_unready && unready },
                cause,
            })
        }
        Rung::RecreateWorkload if policy.remediation.recreate == Recreate::OnFailure && !good?.controlled => {
            let revision = good?.revision.clone();
            Some(whole(rung, Effect::ReplaceWorkload { revision, replicas: memory.last_replicas }))
        }
        Rung::RecreateWorkload => None,
        Rung::Rollback if state.kind == WorkloadKind::Deployment && good?.template != state.template => {
            let revision = good?.revision.clone();
            Some(whole(rung, Effect::Rollback { revision }))
        }
        Rung::Rollback => None,
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
        blocks.push(Block::new(Reason::WorkloadDeleting, format!("{} is being deleted", state.name)));
    }
    match (state.rollout, plan.action.step) {
        (Rollout::Complete, _) | (Rollout::Stuck, Rung::Rollback) => {}
        // A pod of an old revision is what the rollout waits for.
        (Rollout::InProgress | Rollout::Stuck, Rung::RestartPod) if plan.cause == Cause::Deadlocked => {}
        (Rollout::InProgress, _) => {
            let message = format!("{} is rolling out: its own controller is at work", state.name);
            blocks.push(Block::new(Reason::RolloutInProgress, message));
        }
        (Rollout::Stuck, Rung::RestartPod | Rung::RecreateWorkload) => {
            let message = format!("the rollout of {} never finished: restarting its pods cannot finish it", state.name);
            blocks.push(Block::new(Reason::RolloutStuck, message));
        }
    }
    let evicts = matches!(plan.effect, Effect::EvictPod { delete_if_refused: false });
    if let Some(budget) = pod.refused_by_budget.as_ref().filter(|_| evicts) {
        blocks.push(Block::new(Reason::DisruptionBudget, format!("budget {budget} allows 0 disruptions")));
    }
    blocks
}
