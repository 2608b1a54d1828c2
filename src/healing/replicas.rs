//! Replicas: how far the workload's controller has come, and what it cannot do.
//!
//! A Deployment says itself that it makes no progress. A StatefulSet and a DaemonSet do not: they are watched with a deadline
//! of ours. Must not touch pods; a restart makes no controller faster.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::{
    cause::{Cause, Finding},
    look::Look,
    memory::{Memory, Progress},
    policy::HealthPolicy,
    readiness::is_starting,
    snapshot::{Phase, Pod, Readiness, Rollout, Snapshot, Workload, WorkloadKind, WorkloadState},
    time::{Wakeups, after, elapsed},
};

/// No progress for this long is a stuck rollout, where the workload has no deadline of its own. The default of Deployments.
const PROGRESS_DEADLINE: SignedDuration = SignedDuration::from_secs(600);

/// Remembers the progress of the workload's controller. A rollout past our deadline is stuck.
pub fn follow<'a>(
    snapshot: &'a Snapshot,
    policy: &HealthPolicy,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Cow<'a, Snapshot> {
    let Workload::Present(state) = &snapshot.workload else { return Cow::Borrowed(snapshot) };
    let living = living(&snapshot.pods);
    let rolling = state.rollout == Rollout::InProgress && state.kind != WorkloadKind::Deployment;
    if !(rolling || living < state.desired) {
        memory.progress = None;
        return Cow::Borrowed(snapshot);
    }
    let mark = format!("{} {}/{living}/{}", state.template, state.updated, state.desired);
    let known = memory.progress.take().filter(|progress| progress.mark == mark);
    let since = known.map_or(now, |progress| progress.since);
    memory.progress = Some(Progress { mark, since });
    if !rolling || is_any_starting(&snapshot.pods, policy, wakeups, now) {
        return Cow::Borrowed(snapshot);
    }
    wakeups.at(after(since, PROGRESS_DEADLINE), now);
    if elapsed(since, now) < PROGRESS_DEADLINE {
        return Cow::Borrowed(snapshot);
    }
    let stuck = WorkloadState { rollout: Rollout::Stuck, ..state.clone() };
    Cow::Owned(Snapshot { workload: Workload::Present(stuck), ..snapshot.clone() })
}

/// Pods that are there and not about to go or done.
pub fn living(pods: &[Pod]) -> u32 {
    u32::try_from(pods.iter().filter(|pod| is_living(pod)).count()).unwrap_or(u32::MAX)
}

/// It is there and neither about to go nor done.
pub fn is_living(pod: &Pod) -> bool {
    !pod.deleting && !matches!(pod.phase, Phase::Failed | Phase::Succeeded)
}

/// Pods that the controller does not make.
pub fn missing(look: &Look<'_>, state: &WorkloadState, pods: &[Pod], wakeups: &mut Wakeups) -> Option<Finding> {
    let living = living(pods);
    if state.kind == WorkloadKind::Pod || (living >= state.desired && state.replica_failure.is_none()) {
        return None;
    }
    let unready = |pod: &Pod| !matches!(pod.ready, Readiness::Ready(_));
    let (cause, message) = match &state.replica_failure {
        Some(why) if why.contains("quota") => (Cause::QuotaExceeded, why.clone()),
        Some(why) => (Cause::ConfigError, why.clone()),
        // They come one after the other, and each waits for those before it.
        None if state.kind == WorkloadKind::StatefulSet && pods.iter().any(unready) => return None,
        None if pods.iter().any(|pod| pod.deleting) => return None,
        None => {
            let message = format!("{living} of {} pods exist and no more are made: see its Events", state.desired);
            (Cause::ConfigError, message)
        }
    };
    let progress = look.memory.progress.as_ref();
    let since = progress.map_or_else(|| look.known_since("", "", cause), |progress| progress.since);
    let lasting = look.lasts(since, look.policy.not_ready, wakeups);
    if state.replica_failure.is_none() && !lasting {
        return None;
    }
    Some(Finding {
        pod: state.name.clone(),
        uid: String::new(),
        container: String::new(),
        probe: None,
        cause,
        diagnosis: None,
        since,
        lasting,
        acute: true,
        message,
    })
}

fn is_any_starting(pods: &[Pod], policy: &HealthPolicy, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    pods.iter()
        .filter(|pod| !pod.deleting && pod.phase == Phase::Running)
        .flat_map(|pod| &pod.containers)
        .any(|container| is_starting(container, policy, wakeups, now))
}
