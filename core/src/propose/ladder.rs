//! The ladder: the smallest step that could help, and every reason not to take it.
//!
//! Chooses; never counts, never waits.

use super::{
    Proposal, Situation,
    recreate::{self, Replacing},
    rollback,
};
use crate::model::{
    cause::Cause,
    finding::Finding,
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{Policy, Rung},
    reason::{Block, Reason},
    snapshot::{BudgetRefusal, Hold, Ordinals, Pod, Rollout, Workload, WorkloadKind, WorkloadState},
    state::State,
    verdict::Health,
};

/// Chooses the step. What is below its threshold is acted on too when a person asks.
pub(super) fn propose(situation: &Situation<'_>, state: &State) -> Proposal {
    match &situation.observed.workload {
        Workload::Missing { name, .. } if situation.observed.missing => recreate::missing(situation, name, state),
        Workload::Unknown(_) | Workload::Missing { .. } => Proposal::Nothing,
        Workload::Present(workload) if workload.desired == 0 => Proposal::Nothing,
        Workload::Present(workload) => repair(situation, workload, state),
    }
}

fn repair(situation: &Situation<'_>, workload: &WorkloadState, state: &State) -> Proposal {
    let is_stuck = workload.rollout == Rollout::Stuck && workload.kind == WorkloadKind::Deployment;
    if is_stuck && situation.inputs.policy.remediation.ladder.contains(&Rung::Rollback) {
        return roll_back(situation, workload, state);
    }
    // What is to be restarted after an outage comes before what is not trouble enough.
    let requested = situation.requested && !state.dependency.restarts_go_on();
    let Some(finding) = worst(situation, workload, requested, state) else {
        return no_step(situation, workload, is_stuck);
    };
    let Some(pod) = situation.inputs.snapshot.pods.iter().find(|pod| finding.is_about(pod)) else {
        return Proposal::Nothing;
    };
    match climb(situation, workload, pod, finding, state) {
        Ok((plan, blocks)) => Proposal::Step(plan, blocks),
        Err(why) => Proposal::NoStep(why),
    }
}

/// Why there is no step although something is wrong. Said at once, although it may pass.
fn no_step(situation: &Situation<'_>, workload: &WorkloadState, is_stuck: bool) -> Proposal {
    let is_healthy = situation.verdict.health == Health::Healthy;
    let is_said = |finding: &&Finding| match finding.cause {
        // One that does not go is missed by nobody where all that are wanted are there.
        Cause::StuckTerminating if is_healthy => false,
        // Every new pod waits for its gates for a while: that is not worth a word before it lasts.
        Cause::ReadinessGate => finding.over_threshold,
        _ => finding.over_threshold || !finding.restart_may_help,
    };
    match situation.findings.iter().find(is_said) {
        Some(finding) => {
            let message = format!("a restart does not help against {}: {}", finding.cause.as_str(), finding.message);
            Proposal::NoStep(Block::new(Reason::RestartCannotHelp, message))
        }
        None if is_stuck => Proposal::NoStep(stuck(workload)),
        None => Proposal::Nothing,
    }
}

/// The step of the rung that is due: each attempt that did not help goes up one, as far as there are rungs that apply.
fn climb(
    situation: &Situation<'_>,
    workload: &WorkloadState,
    pod: &Pod,
    finding: &Finding,
    state: &State,
) -> Result<(Plan, Vec<Block>), Block> {
    let ladder = &situation.inputs.policy.remediation.ladder;
    let replacing = |rung| Replacing { workload, rung, cause: finding.cause.reason(), since: finding.since };
    let on_rung = |rung: &Rung| match rung {
        // Nobody replaces a bare pod: restarting it is replacing it ourselves.
        Rung::RestartPod if workload.kind != WorkloadKind::Pod => {
            Ok((evict(situation.inputs.policy, pod, finding.cause.reason()), Vec::new()))
        }
        Rung::RestartPod | Rung::RecreateWorkload => recreate::replace(situation, &replacing(*rung), state),
        Rung::Rollback => {
            let snapshot = situation.inputs.snapshot;
            rollback::plan(snapshot, workload, finding.cause.reason(), state).map(|plan| (plan, Vec::new()))
        }
    };
    let (rungs, refused): (Vec<_>, Vec<_>) = ladder.iter().map(on_rung).partition(Result::is_ok);
    let mut rungs: Vec<(Plan, Vec<Block>)> = rungs.into_iter().flatten().collect();
    if rungs.is_empty() {
        let why = refused.into_iter().find_map(Result::err);
        return Err(why.unwrap_or_else(|| Block::new(Reason::NoStepLeft, "no rung of the ladder applies")));
    }
    let tried = state.attempts.failed_in_a_row(state.circuit.closed_at);
    let (plan, mut blocks) = rungs.swap_remove(tried.min(rungs.len() - 1));
    blocks.splice(0..0, repair_blocks(workload, pod, &plan));
    if !finding.active_now {
        let container = finding.place.container().unwrap_or_default();
        let message = format!("{container} of {} runs at this moment: waiting for what becomes of it", pod.name);
        blocks.push(Block::new(Reason::NotYet, message));
    }
    Ok((plan, blocks))
}

/// Out of a rollout past its deadline, whatever is wrong with its pods.
fn roll_back(situation: &Situation<'_>, workload: &WorkloadState, state: &State) -> Proposal {
    match rollback::plan(situation.inputs.snapshot, workload, Reason::RolloutStuck, state) {
        Ok(_) if workload.deleting => Proposal::NoStep(deleting(workload)),
        Ok(plan) => Proposal::Step(plan, Vec::new()),
        Err(why) => Proposal::NoStep(why),
    }
}

/// The oldest trouble that a restart could help, what is so right now before the rest; sick pods are treated one by one. What
/// came of the last restart and was not ready comes before all that is older, and of pods that are made one by one the first.
fn worst<'a>(
    situation: &Situation<'a>,
    workload: &WorkloadState,
    requested: bool,
    state: &State,
) -> Option<&'a Finding> {
    let pods = &situation.inputs.snapshot.pods;
    let one_by_one = workload.ordinals.is_some_and(|ordinals| ordinals.one_by_one);
    let order = |one: &&Finding| {
        let pod = pods.iter().find(|pod| one.is_about(pod));
        let unproven = state.attempts.unproven.as_ref();
        let is_older = unproven.is_some_and(|known| !pod.is_some_and(|pod| pod.is_younger_than(known.youngest)));
        let number = pod.filter(|_| one_by_one).and_then(|pod| Ordinals::of(&pod.name));
        (is_older, !one.active_now, number, one.since, one.place.object().to_owned())
    };
    situation
        .findings
        .iter()
        .filter(|finding| {
            finding.restart_may_help && (finding.over_threshold || requested) && finding.place.uid().is_some()
        })
        .min_by_key(order)
}

/// Evicts a pod, so that its controller replaces it.
pub(super) fn evict(policy: &Policy, pod: &Pod, cause: Reason) -> Plan {
    let delete_if_refused = policy.remediation.delete_when_unready && !pod.is_ready();
    Plan {
        action: Action { step: Step::RestartPod, target: pod.name.clone(), target_uid: Some(pod.uid.clone()) },
        effect: Effect::EvictPod { delete_if_refused },
        cause,
        charge: Charge::Attempt,
    }
}

/// What of the pod and its workload holds a repair back.
pub(super) fn repair_blocks(state: &WorkloadState, pod: &Pod, plan: &Plan) -> Vec<Block> {
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
        // What a pod comes from makes it again, whoever holds the rest.
        (Rollout::Held(Hold::Paused), Step::RestartPod) | (Rollout::Held(Hold::OnDelete | Hold::Partition), _) => {}
        (Rollout::Held(Hold::Paused), _) => {
            let message = format!("the rollout of {} was paused by a person: only its pods are restarted", state.name);
            blocks.push(Block::new(Reason::RolloutPaused, message));
        }
    }
    blocks.extend(refused_by_budget(pod, plan));
    blocks
}

/// Where a pod is deleted if a budget refuses, what a person must mend holds it all the same: that is no budget's no.
fn refused_by_budget(pod: &Pod, plan: &Plan) -> Option<Block> {
    let Effect::EvictPod { delete_if_refused } = plan.effect else { return None };
    let refusal = pod.refusal.as_ref().filter(|refusal| !delete_if_refused || refusal.needs_person())?;
    let message = match refusal {
        BudgetRefusal::Several { .. } => format!("{} cannot be evicted: {refusal}", pod.name),
        BudgetRefusal::NothingAllowed { .. } | BudgetRefusal::NotCounted { .. } => refusal.to_string(),
    };
    Some(Block::new(Reason::DisruptionBudget, message))
}

fn stuck(state: &WorkloadState) -> Block {
    let message = format!("the rollout of {} never finished: restarting its pods cannot finish it", state.name);
    Block::new(Reason::RolloutStuck, message)
}

fn deleting(state: &WorkloadState) -> Block {
    Block::new(Reason::WorkloadDeleting, format!("{} is being deleted", state.name))
}
