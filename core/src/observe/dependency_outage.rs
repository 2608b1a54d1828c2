//! Outages of dependencies: one that begins, lasts and ends, and the pods that ran meanwhile.
//!
//! The pods are chosen once, when the dependencies are well again, and by UID: nothing that comes later is restarted for the
//! same outage.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    dependency::{Dependencies, DependencyHealth},
    inputs::Inputs,
    moment::clamp,
    policy::{Policy, Rung},
    snapshot::{ContainerState, Pod, Role, Workload},
    state::{DependencyRecord, MAX_RESTARTED, PendingRestart},
};

/// No ready pod for a shorter time is a blip.
const OUTAGE: SignedDuration = SignedDuration::from_secs(30);

/// Follows the dependencies: an outage that begins, lasts and ends, and the pods that are left of it.
pub(super) fn track(inputs: &Inputs<'_>, dependencies: &Dependencies, record: &mut DependencyRecord) {
    let Inputs { policy, snapshot, moment } = *inputs;
    let mut pending = record.restart.take().unwrap_or_default();
    if !is_wanted(policy) || dependencies.each.is_empty() {
        return;
    }
    let is_down = dependencies.each.iter().any(|(dependency, _)| dependency.down);
    let is_restarted = dependencies.each.iter().any(|(dependency, _)| dependency.recovering);
    pending.down_since = is_down.then(|| pending.down_since.unwrap_or(moment.now()));
    let lasts = pending.down_since.is_some_and(|since| moment.lasts(since, OUTAGE));
    pending.awaited |= lasts || is_restarted;
    // Pods that cannot be seen are not gone.
    if matches!(snapshot.workload, Workload::Present(_)) {
        if pending.awaited && !is_down && !is_restarted && dependencies.held.is_none() {
            begin(&mut pending, dependencies, &snapshot.pods, moment.now());
        }
        if !is_down && dependencies.held.is_none() {
            // Whatever the own status says: what runs since they are well, as they show it themselves, has found them.
            pending.recovered = pending.recovered.map(|known| known.min(recovery(dependencies, moment.now())));
        }
        let is_left = |uid: &String| snapshot.pods.iter().any(|pod| pod.uid == *uid && is_older(pod, &pending));
        let left: Vec<String> = pending.pods.iter().filter(|uid| is_left(uid)).cloned().collect();
        pending.pods = left;
    }
    if pending.pods.is_empty() {
        pending.recovered = None;
    }
    record.restart = Some(pending).filter(|pending| *pending != PendingRestart::default());
}

fn is_wanted(policy: &Policy) -> bool {
    policy.remediation.restart_on_recovery && policy.remediation.ladder.contains(&Rung::RestartPod)
}

/// All are well again: from here on it is known which pods are to be restarted.
fn begin(pending: &mut PendingRestart, dependencies: &Dependencies, pods: &[Pod], now: Timestamp) {
    pending.awaited = false;
    pending.recovered = Some(recovery(dependencies, now));
    pending.pods = pods.iter().filter(|pod| is_older(pod, pending)).map(|pod| pod.uid.clone()).collect();
    pending.pods.sort();
    pending.pods.truncate(MAX_RESTARTED);
}

/// When the last of them got well, as they show it.
fn recovery(dependencies: &Dependencies, now: Timestamp) -> Timestamp {
    let since = dependencies.each.iter().filter_map(|(dependency, _)| match dependency.health {
        // One that restarted its own pods served meanwhile. What is older than the last of them may have lost it all the same.
        DependencyHealth::Available(since) => Some(clamp(since.max(dependency.last_action.unwrap_or(since)), now)),
        DependencyHealth::Unavailable
        | DependencyHealth::NotFound
        | DependencyHealth::NotGranted
        | DependencyHealth::Cycle => None,
    });
    since.max().unwrap_or(now)
}

/// Something in it runs since before the dependencies got well.
fn is_older(pod: &Pod, pending: &PendingRestart) -> bool {
    let is_old = |since: Option<Timestamp>| since.is_none_or(|since| Some(since) < pending.recovered);
    let mut running = pod.containers.iter().filter(|container| container.role != Role::Init);
    !pod.is_deleting()
        && running.any(|container| match container.state {
            ContainerState::Running(since) => is_old(since),
            ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => false,
        })
}
