//! Pods as a whole: since when they are not as they should be, and, while a repair is being verified, since when they are.

use jiff::Timestamp;

use super::{
    boots,
    startup::{initializes, steps},
};
use crate::model::{
    inputs::Inputs,
    snapshot::{Phase, Pod, Readiness, Role},
    state::{PodRecord, State},
};

/// Readiness is remembered for a repair that is being verified, and no longer.
pub fn end_proof(state: &mut State) {
    if state.attempts.in_flight.is_none() {
        let pods = &mut state.observed.pods;
        for record in pods.iter_mut() {
            record.ready_since = None;
        }
        pods.retain(|record| !is_blank(record));
    }
}

/// Takes in since when pods as a whole are not as they should be; while a repair is being verified, since when they are.
pub fn track_pods(inputs: &Inputs<'_>, state: &mut State) {
    let pods = inputs.snapshot.pods.iter();
    let mut records: Vec<_> = pods.filter_map(|pod| pod_record(state, pod, inputs.now())).collect();
    records.sort_by(|one, other| one.uid.cmp(&other.uid));
    state.observed.pods = records;
}

/// The pod as a whole can be unready although each container is ready (readiness gates), or not get to run at all.
fn pod_record(state: &State, pod: &Pod, now: Timestamp) -> Option<PodRecord> {
    let known = state.observed.pod(&pod.uid);
    let proves = state.attempts.in_flight.is_some() && pod.is_ready();
    let unready = matches!(&pod.ready, Readiness::NotReady(Some(_)))
        && pod.phase == Phase::Running
        && pod.loss().is_none()
        && pod.containers.iter().all(|container| container.ready || container.role == Role::Init);
    let pending = initializes(pod) && !pod.is_deleting() && pod.loss().is_none();
    let steps = steps(pod);
    let same_step = known.filter(|known| known.steps == steps);
    let since = |is_so: bool, known: Option<Timestamp>, said: Option<Timestamp>| {
        is_so.then(|| known.unwrap_or_else(|| state.observed.first_seen(said, now)))
    };
    let (boot, booted_since) = boots::of_pod(known, pod, now);
    let due = pod.deletion.as_ref().and_then(|deletion| deletion.due);
    let record = PodRecord {
        uid: pod.uid.clone(),
        steps: if pending { steps } else { 0 },
        not_ready_since: since(unready, known.and_then(|known| known.not_ready_since), pod.ready_changed),
        ready_since: since(proves, known.and_then(|known| known.ready_since), pod.ready_changed),
        pending_since: since(pending, same_step.and_then(|known| known.pending_since), last_step(pod)),
        deleting_since: since(pod.is_deleting(), known.and_then(|known| known.deleting_since), due),
        boot,
        booted_since,
    };
    (!is_blank(&record)).then_some(record)
}

/// When it was created, or the last of its init containers has ended, by its own words.
fn last_step(pod: &Pod) -> Option<Timestamp> {
    let init = pod.containers.iter().filter(|container| container.role == Role::Init);
    let ended = init.filter_map(|container| container.last_termination()?.finished).max();
    pod.origin.created.max(ended)
}

/// It is as it should be, and nothing is known of its node.
fn is_blank(record: &PodRecord) -> bool {
    let PodRecord { not_ready_since, pending_since, deleting_since, ready_since, .. } = record;
    let is_well = [not_ready_since, pending_since, deleting_since, ready_since].into_iter().all(Option::is_none);
    is_well && record.boot.is_none()
}
