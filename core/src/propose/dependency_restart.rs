//! Restarting after a dependency: what was running while it was down is restarted once it is well, if the policy says so
//! (rest-for-one).
//!
//! Must not hold back; that is asked of every step alike, afterwards.

use super::{
    Proposal, Situation,
    ladder::{evict, repair_blocks},
    recreate::{self, Replacing},
};
use crate::model::{
    policy::Rung,
    reason::{Block, Reason},
    snapshot::{Pod, Workload, WorkloadKind},
    state::State,
};

/// The next pod to be restarted: those that are not ready first. Asked only when nothing is to be repaired.
pub(super) fn propose(situation: &Situation<'_>, state: &State) -> Proposal {
    let Some(pending) = &state.dependency.restart else { return Proposal::Nothing };
    let Workload::Present(workload) = &situation.observed.workload else { return Proposal::Nothing };
    let pods = &situation.inputs.snapshot.pods;
    let is_left = |pod: &&Pod| pending.pods.contains(&pod.uid);
    let Some(pod) = pods.iter().filter(is_left).min_by_key(|pod| (pod.is_ready(), &pod.name)) else {
        return Proposal::Nothing;
    };
    let (cause, since) = (Reason::DependencyRecovered, pending.recovered.unwrap_or(situation.inputs.now()));
    let restarted = match workload.kind {
        WorkloadKind::Pod => {
            recreate::replace(situation, &Replacing { workload, rung: Rung::RestartPod, cause, since }, state)
        }
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            Ok((evict(situation.inputs.policy, pod, cause), Vec::new()))
        }
    };
    let (plan, mut blocks) = match restarted {
        Ok(step) => step,
        Err(why) => return Proposal::NoStep(why),
    };
    blocks.splice(0..0, repair_blocks(workload, pod, &plan));
    if let Some(other) = pods.iter().filter(|pod| !is_left(pod)).find(|pod| is_coming(pod)) {
        blocks.push(Block::new(Reason::NotYet, format!("{} is not ready yet: one pod at a time", other.name)));
    }
    Proposal::Step(plan, blocks)
}

/// It may become ready, and is not.
fn is_coming(pod: &Pod) -> bool {
    pod.is_living() && !pod.is_ready()
}
