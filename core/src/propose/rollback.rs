//! Rolling back: a Deployment, to the last pod template that was healthy for long enough to be trusted.
//!
//! Never the same way twice: who brings a template back that was rolled back wants it. Never where a tool would undo it.

use crate::model::{
    plan::{Action, Charge, Effect, Plan, Step},
    reason::{Block, Reason},
    snapshot::{Snapshot, WorkloadKind, WorkloadState},
    state::{RollbackRecord, State},
};

/// The step back, or why there is none.
pub(super) fn plan(snapshot: &Snapshot, workload: &WorkloadState, cause: Reason, state: &State) -> Result<Plan, Block> {
    let name = &workload.name;
    if workload.kind != WorkloadKind::Deployment {
        let message = format!("a {} cannot be rolled back", workload.kind.as_str());
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    if let Some(refused) = &snapshot.stable_refused {
        return Err(refused.clone());
    }
    let Some(stable) = &snapshot.last_stable else {
        let message = format!("{name} has no earlier template that was healthy for long enough: roll back by hand");
        return Err(Block::new(Reason::NoLastKnownGood, message));
    };
    if stable.template == workload.template {
        let message = format!("{name} already has the last template that was healthy");
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    if let Some(tool) = workload.tool.filter(|tool| tool.undoes_changes()) {
        let message = format!("{} owns {name} and would undo it: roll back there", tool.as_str());
        return Err(Block::new(Reason::GitOpsOwned, message));
    }
    if workload.paused {
        let message = format!("{name} is paused: its controller would not roll back");
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    if let Some(earlier) =
        state.attempts.rollbacks.iter().find(|known| forbids(known, &workload.template, &stable.template))
    {
        let message = if earlier.from == workload.template {
            format!("{name} has a template again that was rolled back at {:.0}: somebody wants it", earlier.time)
        } else {
            format!("the rollback of {name} at {:.0} to the same template did not help", earlier.time)
        };
        return Err(Block::new(Reason::RolledBackBefore, message));
    }
    Ok(Plan {
        action: Action { step: Step::Rollback, target: name.clone(), target_uid: Some(workload.uid.clone()) },
        effect: Effect::Rollback { revision: stable.revision.clone() },
        cause,
        charge: Charge::Attempt,
    })
}

fn forbids(earlier: &RollbackRecord, from: &str, to: &str) -> bool {
    earlier.from == from || (earlier.to == to && earlier.outcome.is_ineffective())
}
