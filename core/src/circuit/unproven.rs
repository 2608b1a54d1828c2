//! A restart after which nothing came that was ready: until something does, no other pod is given up for the same hope.

use crate::model::{
    inputs::Inputs,
    plan::Step,
    snapshot::{Pod, Snapshot, Workload, living},
    state::{InFlight, State, Unproven},
    verdict::Health,
};

/// What is to be remembered of a restart that did not help.
pub(super) fn after(snapshot: &Snapshot, in_flight: &InFlight) -> Option<Unproven> {
    let Workload::Present(workload) = &snapshot.workload else { return None };
    let youngest = in_flight.youngest.filter(|_| in_flight.action.step == Step::RestartPod)?;
    let (target, template) = (in_flight.action.target.clone(), workload.template.clone());
    Some(Unproven { target, template, youngest })
}

/// Forgets it when a younger pod is ready, when none is wanted instead, for a new template, and when all is well.
pub fn follow(inputs: &Inputs<'_>, health: Health, state: &mut State) {
    let Workload::Present(workload) = &inputs.snapshot.workload else { return };
    let pods = &inputs.snapshot.pods;
    state.attempts.unproven.take_if(|unproven| {
        let is_younger = |pod: &&Pod| pod.is_living() && pod.is_younger_than(unproven.youngest);
        let none_is_wanted = !pods.iter().any(|pod| is_younger(&pod)) && living(pods) >= workload.desired;
        let is_proven = pods.iter().filter(is_younger).any(Pod::is_ready);
        health == Health::Healthy || workload.template != unproven.template || is_proven || none_is_wanted
    });
}
