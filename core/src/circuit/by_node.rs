//! Restarts by node: where what came instead helped, and where it did not.

use std::collections::BTreeSet;

use crate::model::{
    plan::Step,
    snapshot::{Pod, Snapshot},
    state::{Attempts, InFlight, NodeRecord, Outcome},
};

/// Takes note of how a restart of a pod ended, on the nodes of the pods that came after it began.
pub(super) fn note(snapshot: &Snapshot, in_flight: &InFlight, outcome: Outcome, attempts: &mut Attempts) {
    let helped = match outcome {
        Outcome::Verified => true,
        Outcome::Ineffective => false,
        Outcome::Pending | Outcome::Failed | Outcome::Dropped => return,
    };
    let Some(youngest) = in_flight.youngest.filter(|_| in_flight.action.step == Step::RestartPod) else { return };
    let came = |pod: &&Pod| pod.is_living() && pod.is_younger_than(youngest) && pod.is_ready() == helped;
    let nodes: BTreeSet<&str> = snapshot.pods.iter().filter(came).filter_map(|pod| pod.node.as_deref()).collect();
    for node in nodes {
        if attempts.nodes.iter().all(|record| record.node != node) {
            attempts.nodes.push(NodeRecord { node: node.to_owned(), ..NodeRecord::default() });
        }
        for record in attempts.nodes.iter_mut().filter(|record| record.node == node) {
            let count = if helped { &mut record.verified } else { &mut record.ineffective };
            *count = count.saturating_add(1);
        }
    }
}
