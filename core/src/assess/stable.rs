//! The definition to go back to: the last one that has been healthy for the stabilization time.

use crate::model::{
    inputs::Inputs,
    moment::after,
    snapshot::Workload,
    state::State,
    verdict::{Health, Verdict},
};

/// Remembers it once it has lasted.
pub fn track(inputs: &Inputs<'_>, workload: &Workload, verdict: &Verdict, state: &mut State) {
    let (Workload::Present(present), Some(good), Some(healthy_since)) =
        (workload, &inputs.snapshot.last_known_good, state.health.healthy_since)
    else {
        return;
    };
    let settled = verdict.health == Health::Healthy && present.rollout.is_settled();
    let is_new = good.definition == present.definition && state.attempts.stable.as_ref() != Some(&good.revision);
    if !settled || !is_new {
        return;
    }
    let recorded = good.recorded.map_or(inputs.now(), |recorded| recorded.min(inputs.now()));
    if inputs.moment.reached(after(healthy_since.max(recorded), inputs.policy.remediation.stabilization)) {
        state.attempts.stable = Some(good.revision.clone());
    }
}
