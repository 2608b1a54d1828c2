//! Rollout progress: how far the workload's controller has come.
//!
//! A Deployment says itself that it makes no progress. A StatefulSet and a DaemonSet do not: they are watched with a deadline
//! of ours.

use jiff::SignedDuration;

use super::startup::Starts;
use crate::model::{
    inputs::Inputs,
    snapshot::{Phase, Rollout, Workload, WorkloadKind, WorkloadState, living},
    state::{ObservedState, Progress},
};

/// No progress for this long is a stuck rollout, where the workload has no deadline of its own. The default of Deployments.
const PROGRESS_DEADLINE: SignedDuration = SignedDuration::from_secs(600);

/// Remembers the progress of the workload's controller. Returns the workload; a rollout past our deadline is stuck.
pub(super) fn track(inputs: &Inputs<'_>, observed: &mut ObservedState) -> Workload {
    let Workload::Present(state) = &inputs.snapshot.workload else { return inputs.snapshot.workload.clone() };
    let pods = &inputs.snapshot.pods;
    let living = living(pods);
    let rolling = state.rollout == Rollout::InProgress && state.kind != WorkloadKind::Deployment;
    if !(rolling || living < state.desired) {
        observed.progress = None;
        return inputs.snapshot.workload.clone();
    }
    let mark = format!("{} {}/{living}/{}", state.template, state.updated, state.desired);
    let known = observed.progress.take().filter(|progress| progress.mark == mark);
    let since = known.map_or(inputs.now(), |progress| progress.since);
    observed.progress = Some(Progress { mark, since });
    let is_stuck = rolling && !is_any_starting(inputs, observed) && inputs.moment.lasts(since, PROGRESS_DEADLINE);
    let rollout = if is_stuck { Rollout::Stuck } else { state.rollout };
    Workload::Present(WorkloadState { rollout, ..state.clone() })
}

fn is_any_starting(inputs: &Inputs<'_>, observed: &ObservedState) -> bool {
    let starts = Starts { observed, policy: &inputs.policy.health, moment: inputs.moment };
    let mut running = inputs.snapshot.pods.iter().filter(|pod| !pod.is_deleting() && pod.phase == Phase::Running);
    running.any(|pod| pod.containers.iter().any(|container| starts.goes_on(pod, container)))
}
