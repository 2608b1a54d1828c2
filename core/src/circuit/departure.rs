//! The moment between a pod that took long to end and the one that is made instead: a StatefulSet makes none before.

use jiff::SignedDuration;

use crate::model::{inputs::Inputs, moment::after, state::State};

/// What a controller needs to make a pod, with time to spare.
const MADE_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// The repair is not judged in the moment in which the old pod is gone, however late that is. What was there when it was last
/// looked is asked for, so this comes before the pods are taken in.
pub fn give_time_to_replace(inputs: &Inputs<'_>, state: &mut State) {
    let Some(in_flight) = &mut state.attempts.in_flight else { return };
    let Some(target) = in_flight.action.target_uid.as_deref() else { return };
    let was_leaving = state.observed.pod(target).is_some_and(|record| record.deleting_since.is_some());
    let is_gone = inputs.snapshot.pods.iter().all(|pod| pod.uid != target);
    if was_leaving && is_gone {
        in_flight.verify_by = in_flight.verify_by.max(after(inputs.now(), MADE_WITHIN));
    }
}
