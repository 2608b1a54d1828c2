//! Rolling back: a Deployment, to the last pod template that was healthy for long enough to be trusted.
//!
//! Never the same way twice: who brings a template back that was rolled back wants it. Never where a tool would undo it.

use jiff::Timestamp;

use super::{
    health::{Health, Verdict},
    memory::{MAX_ROLLBACKS, Memory, Outcome, RollbackRecord},
    plan::{Action, Charge, Effect, Plan, Step},
    policy::Policy,
    reason::{Block, Reason},
    snapshot::{Rollout, Snapshot, Workload, WorkloadKind, WorkloadState},
    time::{Wakeups, after},
};

/// Remembers the last definition that has been healthy for the stabilization time.
pub fn follow(
    policy: &Policy,
    snapshot: &Snapshot,
    verdict: &Verdict,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    let (Workload::Present(state), Some(good), Some(healthy_since)) =
        (&snapshot.workload, &snapshot.last_known_good, memory.healthy_since)
    else {
        return;
    };
    let settled = verdict.health == Health::Healthy && state.rollout == Rollout::Complete;
    if !settled || good.definition != state.definition || memory.stable.as_ref() == Some(&good.revision) {
        return;
    }
    let due = after(healthy_since.max(good.recorded.unwrap_or(now).min(now)), policy.remediation.stabilization);
    wakeups.at(due, now);
    if now >= due {
        memory.stable = Some(good.revision.clone());
    }
}

/// The step back, or why there is none.
pub fn plan(snapshot: &Snapshot, state: &WorkloadState, cause: Reason, memory: &Memory) -> Result<Plan, Block> {
    let name = &state.name;
    if state.kind != WorkloadKind::Deployment {
        let message = format!("a {} cannot be rolled back", state.kind.as_str());
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    let Some(stable) = &snapshot.last_stable else {
        let message = format!("{name} has no earlier template that was healthy for long enough: roll back by hand");
        return Err(Block::new(Reason::NoLastKnownGood, message));
    };
    if stable.template == state.template {
        let message = format!("{name} already has the last template that was healthy");
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    if let Some(tool) = state.tool.filter(|tool| tool.undoes_changes()) {
        let message = format!("{} owns {name} and would undo it: roll back there", tool.as_str());
        return Err(Block::new(Reason::GitOpsOwned, message));
    }
    if state.paused {
        let message = format!("{name} is paused: its controller would not roll back");
        return Err(Block::new(Reason::RollbackNotPossible, message));
    }
    if let Some(earlier) = memory.rollbacks.iter().find(|known| forbids(known, &state.template, &stable.template)) {
        let message = if earlier.from == state.template {
            format!("{name} has a template again that was rolled back at {:.0}: somebody wants it", earlier.time)
        } else {
            format!("the rollback of {name} at {:.0} to the same template did not help", earlier.time)
        };
        return Err(Block::new(Reason::RolledBackBefore, message));
    }
    Ok(Plan {
        action: Action { step: Step::Rollback, target: name.clone(), target_uid: state.uid.clone() },
        effect: Effect::Rollback { revision: stable.revision.clone() },
        cause,
        charge: Charge::Attempt,
    })
}

fn forbids(earlier: &RollbackRecord, from: &str, to: &str) -> bool {
    let in_vain = matches!(earlier.outcome, Outcome::Ineffective | Outcome::Failed);
    earlier.from == from || (earlier.to == to && in_vain)
}

/// Writes the intent into the memory.
pub fn begin(snapshot: &Snapshot, memory: &mut Memory, now: Timestamp) {
    let (Workload::Present(state), Some(stable)) = (&snapshot.workload, &snapshot.last_stable) else { return };
    let (from, to) = (state.template.clone(), stable.template.clone());
    memory.rollbacks.push(RollbackRecord { time: now, from, to, outcome: Outcome::Pending });
    let surplus = memory.rollbacks.len().saturating_sub(MAX_ROLLBACKS);
    memory.rollbacks.drain(..surplus);
}

/// Takes note of how the rollback in flight ended. One that was never made is forgotten.
pub fn conclude(memory: &mut Memory, outcome: Outcome) {
    if let Some(record) = memory.rollbacks.last_mut().filter(|record| record.outcome == Outcome::Pending) {
        record.outcome = outcome;
    }
    memory.rollbacks.retain(|record| record.outcome != Outcome::Dropped);
}
