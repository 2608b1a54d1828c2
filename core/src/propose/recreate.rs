//! Recreating: a workload that is gone, or one that restarts did not cure, and every reason to leave it alone.
//!
//! What one cannot have back afterwards (claims, somebody's intent, an owner's own copy) is never risked. Chooses; never
//! counts, never waits.

use jiff::Timestamp;

use super::{Proposal, Situation};
use crate::model::{
    inputs::Inputs,
    moment::{Moment, after},
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{Policy, Recreate, Rung},
    reason::{Block, Reason},
    snapshot::{LastKnownGood, Tool, WorkloadKind, WorkloadState},
    state::State,
};

/// What is to be replaced, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replacing<'a> {
    /// The workload.
    pub workload: &'a WorkloadState,
    /// The rung that asks for it.
    pub rung: Rung,
    /// Why.
    pub cause: Reason,
    /// Since when.
    pub since: Timestamp,
}

/// Creates a workload again that is gone for certain.
pub(super) fn missing(situation: &Situation<'_>, name: &str, state: &State) -> Proposal {
    let Inputs { policy, snapshot, moment } = *situation.inputs;
    let Some(good) = &snapshot.last_known_good else {
        return Proposal::NoStep(if let Some(refused) = &snapshot.good_refused {
            Block::new(refused.reason, format!("{name} is gone and is not created again: {}", refused.message))
        } else if state.observed.last_replicas.is_none() {
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
        return Proposal::NoStep(Block::new(
            Reason::RecreateNotAllowed,
            format!("{name} is gone and the policy does not allow to recreate it"),
        ));
    }
    let action = Action { step: Step::RecreateWorkload, target: name.to_owned(), target_uid: None };
    let effect = Effect::CreateWorkload { revision: good.revision.clone(), replicas: replicas(good, state) };
    let mut blocks = Vec::new();
    if state.observed.last_replicas == Some(0) {
        blocks.push(Block::new(Reason::ScaledToZero, format!("{name} was scaled to zero before it was removed")));
    }
    if state.observed.intentional_delete {
        blocks.push(intentional(name));
    }
    if good.controlled {
        blocks.push(Block::new(
            Reason::ControlledByOwner,
            format!("{name} had a controller, which alone may bring it back"),
        ));
    }
    if let Some((tool, since)) = good.managed_by.zip(state.observed.missing_since) {
        blocks.extend(grace(policy, tool, since, moment));
    }
    Proposal::Step(Plan { action, effect, cause: Reason::WorkloadMissing, charge: Charge::Attempt }, blocks)
}

/// Deletes a living workload and creates it again, because restarts did not cure it; for a bare pod that is what a restart
/// is. Refused for good, or held back by reasons that pass.
pub(super) fn replace(
    situation: &Situation<'_>,
    replacing: &Replacing<'_>,
    state: &State,
) -> Result<(Plan, Vec<Block>), Block> {
    let Inputs { policy, snapshot, moment } = *situation.inputs;
    let Replacing { workload, rung, cause, since } = *replacing;
    let name = &workload.name;
    let refuse = |reason, message: String| Err(Block::new(reason, message));
    let bare = workload.kind == WorkloadKind::Pod;
    if rung == Rung::RecreateWorkload && policy.remediation.recreate != Recreate::OnFailure {
        return refuse(Reason::RecreateNotAllowed, format!("the policy recreates {name} only when it is gone"));
    }
    if let Some(refused) = &snapshot.good_refused {
        return Err(refused.clone());
    }
    let Some(good) = &snapshot.last_known_good else {
        return refuse(Reason::NoLastKnownGood, format!("{name} was never seen healthy: there is nothing to recreate"));
    };
    if workload.controlled {
        return refuse(Reason::ControlledByOwner, format!("{name} has a controller, which alone may replace it"));
    }
    if workload.claims_go_with_it {
        let message = format!("{name} deletes its claims with itself (whenDeleted: Delete): it is never replaced");
        return refuse(Reason::ClaimsAtRisk, message);
    }
    let replicas = replicas(good, state).filter(|_| !bare);
    let plan = Plan {
        action: Action { step: rung.into(), target: name.clone(), target_uid: Some(workload.uid.clone()) },
        effect: Effect::ReplaceWorkload { revision: good.revision.clone(), replicas },
        cause,
        charge: Charge::Attempt,
    };
    let mut blocks = Vec::new();
    if workload.intentional_delete {
        blocks.push(intentional(name));
    }
    blocks.extend(workload.tool.and_then(|tool| grace(policy, tool, since, moment)));
    Ok((plan, blocks))
}

/// As many as it had last, and no more than it was kept with: how many it had stands in the status alone, which more people may
/// write than the workload, and what was kept is signed. Of what an autoscaler added since, it adds what is missing itself.
fn replicas(good: &LastKnownGood, state: &State) -> Option<u32> {
    let last = state.observed.last_replicas;
    good.replicas.map_or(last, |kept| last.map(|last| last.min(kept)))
}

fn intentional(name: &str) -> Block {
    Block::new(Reason::IntentionalDelete, format!("{name} was marked with kubeheal.dev/intentional-delete"))
}

/// What belongs to a tool is left to it for a while.
fn grace(policy: &Policy, tool: Tool, since: Timestamp, moment: &Moment) -> Option<Block> {
    let due = after(since, policy.remediation.gitops_grace);
    let message = || format!("{} owns it and may repair it until {due:.0}", tool.as_str());
    (!moment.reached(due)).then(|| Block::new(Reason::GitOpsGrace, message()))
}
