//! Pods as a whole: since when they are not as they should be, and, while a repair is being verified, since when they are.

use jiff::Timestamp;

use super::{
    boots,
    startup::{initializes, steps},
};
use crate::model::{
    inputs::Inputs,
    snapshot::{Phase, Pod, Readiness, Role},
    state::{MAX_CONTAINERS, PodRecord, State},
};

/// Readiness is remembered for a repair that is being verified, and no longer.
pub fn end_proof(state: &mut State) {
    if state.attempts.in_flight.is_none() {
        let pods = &mut state.observed.pods;
        pods.iter_mut().for_each(|record| record.ready_since = None);
        pods.retain(|record| !is_blank(record));
    }
}

/// Takes in since when pods as a whole are not as they should be; while a repair is being verified, since when they are.
pub fn track_pods(inputs: &Inputs<'_>, state: &mut State) {
    let pods = inputs.snapshot.pods.iter();
    let records = pods.filter_map(|pod| pod_record(state, pod, inputs.now())).collect();
    state.observed.pods = most_troubled(records).into();
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
    let (boot, booted_since) = boots::of_pod(known, pod, now);
    let record = PodRecord {
        uid: pod.uid.clone(),
        steps: if pending { steps } else { 0 },
        not_ready_since: unready.then(|| known.and_then(|known| known.not_ready_since).unwrap_or(now)),
        ready_since: proves.then(|| known.and_then(|known| known.ready_since).unwrap_or(now)),
        pending_since: pending.then(|| same_step.and_then(|known| known.pending_since).unwrap_or(now)),
        deleting_since: pod.is_deleting().then(|| known.and_then(|known| known.deleting_since).unwrap_or(now)),
        boot,
        booted_since,
    };
    (!is_blank(&record)).then_some(record)
}

/// It is as it should be, and nothing is known of its node.
fn is_blank(record: &PodRecord) -> bool {
    let PodRecord { not_ready_since, pending_since, deleting_since, ready_since, .. } = record;
    let is_well = [not_ready_since, pending_since, deleting_since, ready_since].into_iter().all(Option::is_none);
    is_well && record.boot.is_none()
}

/// Keeps those with the oldest trouble.
fn most_troubled(mut records: Vec<PodRecord>) -> Vec<PodRecord> {
    if records.len() > MAX_CONTAINERS {
        let trouble = |record: &PodRecord| {
            let now = [record.not_ready_since, record.pending_since, record.deleting_since];
            let oldest = now.into_iter().flatten().min();
            (oldest.is_none(), oldest)
        };
        records.sort_by_cached_key(|record| (trouble(record), record.uid.clone()));
        records.truncate(MAX_CONTAINERS);
    }
    records.sort_by(|a, b| a.uid.cmp(&b.uid));
    records
}
