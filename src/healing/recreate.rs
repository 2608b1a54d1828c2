//! Recreating: a workload that is gone, or one that restarts did not cure, and every reason to leave it alone.
//!
//! What one cannot have back afterwards (claims, somebody's intent, an owner's own copy) is never risked. Chooses; never
//! counts, never waits.

use jiff::Timestamp;

use super::{
    ladder::Wish,
    memory::Memory,
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{Policy, Recreate, Rung},
    reason::{Block, Reason},
    snapshot::{LastKnownGood, Snapshot, Tool, WorkloadKind, WorkloadState},
    time::{Wakeups, after},
};

/// Creates a workload again that is gone for certain.
pub fn missing(
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
    let action = Action { step: Step::RecreateWorkload, target: name.to_owned(), target_uid: String::new() };
    let effect = Effect::CreateWorkload { revision: good.revision.clone(), replicas: memory.last_replicas };
    let mut blocks = Vec::new();
    if memory.last_replicas == Some(0) {
        blocks.push(Block::new(Reason::ScaledToZero, format!("{name} was scaled to zero before it was removed")));
    }
    if memory.intentional_delete {
        blocks.push(intentional(name));
    }
    if good.controlled {
        blocks.push(Block::new(
            Reason::ControlledByOwner,
            format!("{name} had a controller, which alone may bring it back"),
        ));
    }
    if let Some((tool, since)) = good.managed_by.zip(memory.missing_since) {
        blocks.extend(grace(policy, tool, since, wakeups, now));
    }
    Wish::Step(Plan { action, effect, cause: Reason::WorkloadMissing, charge: Charge::Attempt }, blocks)
}

/// Deletes a living workload and creates it again, because restarts did not cure it; for a bare pod that is what a restart
/// is. Refused for good, or held back by reasons that pass.
pub fn replace(
    policy: &Policy,
    good: Option<&LastKnownGood>,
    state: &WorkloadState,
    rung: Rung,
    cause: Reason,
    since: Timestamp,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Result<(Plan, Vec<Block>), Block> {
    let name = &state.name;
    let refuse = |reason, message: String| Err(Block::new(reason, message));
    let bare = state.kind == WorkloadKind::Pod;
    if rung == Rung::RecreateWorkload && policy.remediation.recreate != Recreate::OnFailure {
        return refuse(Reason::RecreateNotAllowed, format!("the policy recreates {name} only when it is gone"));
    }
    let Some(good) = good else {
        return refuse(Reason::NoLastKnownGood, format!("{name} was never seen healthy: there is nothing to recreate"));
    };
    if state.controlled {
        return refuse(Reason::ControlledByOwner, format!("{name} has a controller, which alone may replace it"));
    }
    if state.claims_go_with_it {
        let message = format!("{name} deletes its claims with itself (whenDeleted: Delete): it is never replaced");
        return refuse(Reason::ClaimsAtRisk, message);
    }
    let replicas = memory.last_replicas.filter(|_| !bare);
    let plan = Plan {
        action: Action { step: rung.into(), target: name.clone(), target_uid: state.uid.clone() },
        effect: Effect::ReplaceWorkload { revision: good.revision.clone(), replicas },
        cause,
        charge: Charge::Attempt,
    };
    let mut blocks = Vec::new();
    if state.intentional_delete {
        blocks.push(intentional(name));
    }
    blocks.extend(state.tool.and_then(|tool| grace(policy, tool, since, wakeups, now)));
    Ok((plan, blocks))
}

fn intentional(name: &str) -> Block {
    Block::new(Reason::IntentionalDelete, format!("{name} was marked with kubeheal.dev/intentional-delete"))
}

/// What belongs to a tool is left to it for a while.
fn grace(policy: &Policy, tool: Tool, since: Timestamp, wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    let due = after(since, policy.remediation.gitops_grace);
    wakeups.at(due, now);
    let message = || format!("{} owns it and may repair it until {due:.0}", tool.as_str());
    (now < due).then(|| Block::new(Reason::GitOpsGrace, message()))
}
