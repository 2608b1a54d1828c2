//! Observing: what was seen becomes what is known, over time.
//!
//! Owns the record of what was observed, of dependencies, and of where a mitigation stands. Must not judge.

mod boots;
mod containers;
mod context;
mod dependencies;
mod dependency_outage;
mod mitigation;
mod pods;
mod restarts;
mod rollout_progress;
mod runs;
mod startup;
mod workload;

pub use self::{
    mitigation::{Seen, conclude as conclude_mitigation, seen},
    pods::{end_proof, track_pods},
    runs::KUBELET_FORGETS,
    startup::{Starts, initializes},
};
use crate::model::{dependency::Dependencies, inputs::Inputs, snapshot::Workload, state::State};

/// What is known of the world now.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The workload, its rollout judged by our own deadline where it has none.
    pub workload: Workload,
    /// The workload is gone for certain.
    pub missing: bool,
    /// Replicas that the workload is meant to have, while it is at zero because its circuit is open.
    pub scaled_down_from: Option<u32>,
    /// The dependencies, judged.
    pub dependencies: Dependencies,
}

/// Takes in what was seen.
pub fn observe(inputs: &Inputs<'_>, state: &mut State) -> Observed {
    let Inputs { policy, snapshot, moment } = *inputs;
    mitigation::track(snapshot, state, moment.now());
    let scaled_down_from =
        mitigation::scaled_down_from(snapshot, state.mitigation.as_ref()).filter(|_| !policy.suspend);
    let missing = workload::track(&snapshot.workload, scaled_down_from, &mut state.observed, moment);
    let dependencies = dependencies::judge(&snapshot.dependencies, moment);
    dependency_outage::track(inputs, &dependencies, &mut state.dependency);
    dependencies::track_release(&dependencies, &mut state.dependency, moment.now());
    containers::track(inputs, state);
    state.observed.since.get_or_insert(moment.now());
    let workload = rollout_progress::track(inputs, &mut state.observed);
    Observed { workload, missing, scaled_down_from, dependencies }
}
