//! The proof of a repair: what must be over before anybody may say that it did not help.

use jiff::Timestamp;

use crate::{
    model::{
        inputs::Inputs,
        moment::{after, clamp},
        snapshot::{Pod, Readiness},
        state::{InFlight, State},
    },
    observe::Starts,
};

/// The old pod still has time to end, or what came instead has time to start or to show that it stays ready.
pub(super) fn goes_on(inputs: &Inputs<'_>, in_flight: &InFlight, state: &State) -> bool {
    let Inputs { policy, snapshot, moment } = *inputs;
    let starts = Starts { observed: &state.observed, policy: &policy.health, moment };
    let is_target = |pod: &Pod| Some(&pod.uid) == in_flight.action.target_uid.as_ref();
    snapshot.pods.iter().any(|pod| {
        if is_target(pod) || pod.is_deleting() {
            return is_target(pod) && ends_in_time(inputs, pod);
        }
        // What falls meanwhile is judged then.
        starts.of_pod_goes_on(pod) || may_become_steady(inputs, pod, state)
    })
}

/// The grace that it was given is not over.
fn ends_in_time(inputs: &Inputs<'_>, pod: &Pod) -> bool {
    let due = pod.deletion.as_ref().and_then(|deletion| deletion.due);
    due.is_some_and(|due| !inputs.moment.reached(due))
}

fn may_become_steady(inputs: &Inputs<'_>, pod: &Pod, state: &State) -> bool {
    steady_at(inputs, pod, state).is_some_and(|due| !inputs.moment.reached(due))
}

/// When a pod that is ready will have been so for the stabilization time: by our own clock, where we remember it, for that of
/// its node may be wrong.
pub(super) fn steady_at(inputs: &Inputs<'_>, pod: &Pod, state: &State) -> Option<Timestamp> {
    let Readiness::Ready(since) = pod.ready else { return None };
    let seen = state.observed.pod(&pod.uid).and_then(|record| record.ready_since);
    let since = seen.unwrap_or_else(|| clamp(since.unwrap_or(inputs.now()), inputs.now()));
    Some(after(since, inputs.policy.remediation.stabilization))
}
