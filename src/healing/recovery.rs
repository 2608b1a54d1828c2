//! Recovery of a dependency: what was running while it was down is restarted after it, if the policy says so (rest-for-one).
//!
//! The pods are chosen once, when the dependencies are well again, and by UID: nothing that comes later is restarted for the
//! same outage. Must not hold back; that is asked of every step alike, afterwards.

use jiff::{SignedDuration, Timestamp};

use super::{
    dependency::{Dependencies, DependencyState},
    ladder::{Wish, restart},
    memory::{ActionRecord, InFlight, Memory, Outcome},
    policy::{Policy, Rung},
    reason::{Block, Reason},
    snapshot::{ContainerState, Phase, Pod, Readiness, Role, Snapshot, Workload},
    time::{Wakeups, after, clamp, elapsed},
};

/// No ready pod for a shorter time is a blip.
pub const OUTAGE: SignedDuration = SignedDuration::from_secs(30);
/// Pods remembered at most; what is beyond them is not restarted.
pub const MAX_PODS: usize = 256;

/// What an outage of a dependency left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// A dependency has had no ready pod since then.
    pub down_since: Option<Timestamp>,
    /// That was no blip, or a dependency is restarted for the same reason: what runs now is restarted once all are well.
    pub awaited: bool,
    /// When the dependencies got well. What has started since has found them.
    pub recovered: Option<Timestamp>,
    /// UIDs of the pods still to be restarted.
    pub pods: Vec<String>,
}

/// Follows the dependencies: an outage that begins, lasts and ends, and the pods that are left of it.
pub fn follow(
    policy: &Policy,
    snapshot: &Snapshot,
    dependencies: &Dependencies,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    let mut recovery = memory.recovery.take().unwrap_or_default();
    if !is_wanted(policy) || dependencies.each.is_empty() {
        return;
    }
    let is_down = dependencies.each.iter().any(|(dependency, _)| dependency.down);
    let is_restarted = dependencies.each.iter().any(|(dependency, _)| dependency.recovering);
    recovery.down_since = is_down.then(|| recovery.down_since.unwrap_or(now));
    if let Some(since) = recovery.down_since {
        wakeups.at(after(since, OUTAGE), now);
    }
    let lasts = recovery.down_since.is_some_and(|since| elapsed(since, now) >= OUTAGE);
    recovery.awaited |= lasts || is_restarted;
    // Pods that cannot be seen are not gone.
    if matches!(snapshot.workload, Workload::Present(_)) {
        if recovery.awaited && !is_down && !is_restarted && dependencies.held.is_none() {
            begin(&mut recovery, dependencies, &snapshot.pods, now);
        }
        let is_left = |uid: &String| snapshot.pods.iter().any(|pod| pod.uid == *uid && is_older(pod, &recovery));
        let left: Vec<String> = recovery.pods.iter().filter(|uid| is_left(uid)).cloned().collect();
        recovery.pods = left;
    }
    if recovery.pods.is_empty() {
        recovery.recovered = None;
    }
    memory.recovery = Some(recovery).filter(|recovery| *recovery != Recovery::default());
}

fn is_wanted(policy: &Policy) -> bool {
    policy.remediation.restart_on_recovery && policy.remediation.ladder.contains(&Rung::RestartPod)
}

/// All are well again: from here on it is known which pods are to be restarted.
fn begin(recovery: &mut Recovery, dependencies: &Dependencies, pods: &[Pod], now: Timestamp) {
    let since = dependencies.each.iter().filter_map(|(dependency, _)| match dependency.state {
        DependencyState::Healthy(since) => Some(clamp(since, now)),
        DependencyState::NotHealthy
        | DependencyState::NotFound
        | DependencyState::NotGranted
        | DependencyState::Cycle => None,
    });
    recovery.awaited = false;
    recovery.recovered = Some(since.max().unwrap_or(now));
    recovery.pods = pods.iter().filter(|pod| is_older(pod, recovery)).map(|pod| pod.uid.clone()).collect();
    recovery.pods.sort();
    recovery.pods.truncate(MAX_PODS);
}

/// Something in it runs since before the dependencies got well.
fn is_older(pod: &Pod, recovery: &Recovery) -> bool {
    let is_old = |since: Option<Timestamp>| since.is_none_or(|since| Some(since) < recovery.recovered);
    let mut running = pod.containers.iter().filter(|container| container.role != Role::Init);
    !pod.deleting
        && running.any(|container| match container.state {
            ContainerState::Running(since) => is_old(since),
            ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => false,
        })
}

/// Whether pods are still to be restarted.
pub fn goes_on(memory: &Memory) -> bool {
    memory.recovery.as_ref().is_some_and(|recovery| !recovery.pods.is_empty())
}

/// The next pod to be restarted: those that are not ready first. Asked only when nothing is to be repaired.
pub fn wish(policy: &Policy, snapshot: &Snapshot, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> Wish {
    let Some(recovery) = &memory.recovery else { return Wish::Nothing };
    let Workload::Present(state) = &snapshot.workload else { return Wish::Nothing };
    let is_left = |pod: &&Pod| recovery.pods.contains(&pod.uid);
    let Some(pod) = snapshot.pods.iter().filter(is_left).min_by_key(|pod| (is_ready(pod), &pod.name)) else {
        return Wish::Nothing;
    };
    let since = recovery.recovered.unwrap_or(now);
    let wish = restart(policy, snapshot, state, pod, Reason::DependencyRecovered, since, memory, wakeups, now);
    let mut others = snapshot.pods.iter().filter(|pod| !is_left(pod));
    match (wish, others.find(|pod| is_coming(pod))) {
        (Wish::Step(plan, mut blocks), Some(other)) => {
            blocks.push(Block::new(Reason::NotYet, format!("{} is not ready yet: one pod at a time", other.name)));
            Wish::Step(plan, blocks)
        }
        (wish, _) => wish,
    }
}

fn is_ready(pod: &Pod) -> bool {
    matches!(pod.ready, Readiness::Ready(_))
}

/// It may become ready, and is not.
fn is_coming(pod: &Pod) -> bool {
    !pod.deleting && !is_ready(pod) && !matches!(pod.phase, Phase::Succeeded | Phase::Failed)
}

/// Takes note of how a restart ended. One that helped counts for nothing: nothing was wrong with the service. One that did
/// not is an attempt like any other, and the last of this round.
pub fn conclude(in_flight: &InFlight, outcome: Outcome, memory: &mut Memory) {
    if in_flight.cause != Reason::DependencyRecovered {
        return;
    }
    match outcome {
        Outcome::Verified => {
            let it = |action: &mut ActionRecord| action.time == in_flight.started && action.outcome == outcome;
            let _forgiven = memory.actions.pop_if(it);
        }
        Outcome::Ineffective | Outcome::Failed => {
            // An outage that goes on is another round.
            let rest = memory.recovery.take().map(|known| Recovery { recovered: None, pods: Vec::new(), ..known });
            memory.recovery = rest.filter(|recovery| *recovery != Recovery::default());
        }
        Outcome::Pending | Outcome::Dropped => {}
    }
}
