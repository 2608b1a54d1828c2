//! Health: the sum over the pods.
//!
//! Unknown is not unhealthy: what cannot be seen never makes a service worse.

use super::{
    cause::{Cause, Finding},
    findings::node_lost,
    look::Look,
    memory::Memory,
    policy::Policy,
    readiness::{has_just_started, is_starting},
    reason::Reason,
    snapshot::{
        Container, ContainerState, Phase, Pod, Readiness, Role, Rollout, Workload, WorkloadKind, WorkloadState,
    },
    time::{Wakeups, elapsed},
};

/// How the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// All wanted pods are ready.
    Healthy,
    /// Fewer than wanted, but enough.
    Degraded,
    /// Fewer than enough, and not for lack of time.
    Unhealthy,
    /// Still within its time to start.
    Starting,
    /// Nothing is wanted: suspended, scaled to zero, completed, removed on purpose.
    Idle,
    /// It cannot be seen.
    Unknown,
}

impl Health {
    /// The health's name in status, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Unhealthy => "Unhealthy",
            Self::Starting => "Starting",
            Self::Idle => "Idle",
            Self::Unknown => "Unknown",
        }
    }
}

/// Pods by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Wanted.
    pub desired: u32,
    /// Ready.
    pub ready: u32,
    /// Within their time to start.
    pub starting: u32,
    /// With a lasting finding.
    pub unhealthy: u32,
    /// On a node that does not answer.
    pub lost: u32,
    /// Not ready, not starting, and not for long enough to count.
    pub unready: u32,
}

/// The sum and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How the service is.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// Pods by what they are.
    pub pods: PodCounts,
    /// Too few pods are ready and something is wrong with them, though it may not have lasted yet: what a storm counts.
    pub unwell: bool,
}

/// What is known about the absence of a workload that was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Seen once, and not believed yet.
    Unconfirmed,
    /// It is gone, and nobody said that it should be.
    Loss,
    /// It is gone, and a person had said so before: nothing is wanted any more.
    Intended(Reason),
    /// It has never been there, as far as anybody remembers.
    Never,
}

impl Absence {
    /// What `memory` says about an absence that is confirmed or not.
    pub fn of(confirmed: bool, memory: &Memory) -> Self {
        match (confirmed, memory.intentional_delete, memory.last_replicas) {
            (false, _, _) => Self::Unconfirmed,
            (true, true, _) => Self::Intended(Reason::IntentionalDelete),
            (true, false, Some(0)) => Self::Intended(Reason::ScaledToZero),
            (true, false, None) => Self::Never,
            (true, false, Some(_)) => Self::Loss,
        }
    }
}

/// Sums up what was found.
pub fn sum(
    policy: &Policy,
    look: &Look<'_>,
    workload: &Workload,
    pods: &[Pod],
    findings: &[Finding],
    absence: Absence,
    wakeups: &mut Wakeups,
) -> Verdict {
    let verdict = |health, reason, message: String, pods| Verdict {
        health,
        reason,
        message,
        pods,
        unwell: health == Health::Unhealthy,
    };
    if policy.suspend {
        return verdict(Health::Idle, Reason::Suspended, "suspended by its spec".into(), PodCounts::default());
    }
    let state = match workload {
        Workload::Present(state) => state,
        Workload::Unknown(why) => {
            return verdict(Health::Unknown, Reason::WorkloadUnknown, why.clone(), PodCounts::default());
        }
        Workload::Missing { kind, name } => {
            let (health, reason, text) = match absence {
                Absence::Unconfirmed => {
                    let text = "was not found; looking again before believing it";
                    (Health::Unknown, Reason::WorkloadMissing, text)
                }
                Absence::Loss => (Health::Unhealthy, Reason::WorkloadMissing, "is gone"),
                Absence::Never => (Health::Unhealthy, Reason::WorkloadMissing, "is not found"),
                Absence::Intended(reason) => (Health::Idle, reason, "was removed on purpose"),
            };
            return verdict(health, reason, format!("{} {name} {text}", kind.as_str()), PodCounts::default());
        }
    };
    let counts = count(look, state, pods, findings, wakeups);
    if state.desired == 0 {
        return verdict(Health::Idle, Reason::ScaledToZero, "scaled to zero".into(), counts);
    }
    if state.kind == WorkloadKind::Pod && pods.iter().any(|pod| pod.phase == Phase::Succeeded) {
        return verdict(Health::Idle, Reason::Completed, "the pod ended well".into(), counts);
    }
    let (health, reason, message) = compare(policy, state, &counts, findings);
    let too_few = counts.ready < policy.health.min_ready.of(state.desired);
    let brewing = too_few && findings.iter().any(|finding| finding.cause.restart_helps());
    Verdict { unwell: health == Health::Unhealthy || brewing, ..verdict(health, reason, message, counts) }
}

fn count(
    look: &Look<'_>,
    state: &WorkloadState,
    pods: &[Pod],
    findings: &[Finding],
    wakeups: &mut Wakeups,
) -> PodCounts {
    let mut counts = PodCounts { desired: state.desired, ..PodCounts::default() };
    for pod in pods.iter().filter(|pod| !pod.deleting && !matches!(pod.phase, Phase::Succeeded)) {
        if node_lost(pod) {
            counts.lost += 1;
        } else if is_unhealthy(pod, findings) {
            counts.unhealthy += 1;
        } else if is_well(pod, findings) {
            counts.ready += 1;
        } else if starting(look, pod, wakeups) {
            counts.starting += 1;
        } else if pod.phase != Phase::Failed {
            counts.unready += 1;
        }
    }
    counts
}

fn is_unhealthy(pod: &Pod, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.uid == pod.uid && finding.lasting)
}

/// Counted as ready.
pub(super) fn is_well(pod: &Pod, findings: &[Finding]) -> bool {
    matches!(pod.ready, Readiness::Ready(_)) && !pod.deleting && !node_lost(pod) && !is_unhealthy(pod, findings)
}

fn starting(look: &Look<'_>, pod: &Pod, wakeups: &mut Wakeups) -> bool {
    let mut unready = pod.containers.iter().filter(|container| container.role != Role::Init && !container.ready);
    match pod.phase {
        Phase::Pending => true,
        Phase::Running => unready.all(|container| in_time(look, pod, container, wakeups)),
        Phase::Succeeded | Phase::Failed | Phase::Unknown => false,
    }
}

fn in_time(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> bool {
    let since = match container.state {
        ContainerState::Running(since) => since,
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => None,
    };
    // Once ready, a container is not starting any more.
    if pod.ready_changed.zip(since).is_some_and(|(changed, since)| changed > since) {
        return false;
    }
    let first_minutes = since.is_some_and(|since| elapsed(since, look.now) < look.policy.not_ready);
    is_starting(container, look.policy, wakeups, look.now)
        || (container.restart_count == 0 && first_minutes)
        || has_just_started(look, pod, container, wakeups)
}

fn compare(
    policy: &Policy,
    state: &WorkloadState,
    counts: &PodCounts,
    findings: &[Finding],
) -> (Health, Reason, String) {
    let PodCounts { desired, ready, starting, unhealthy, lost, unready } = *counts;
    let ready_of = format!("{ready} of {desired} pods ready");
    let worst = findings
        .iter()
        .filter(|finding| finding.lasting && finding.cause != Cause::NodeLost)
        .max_by_key(|finding| (finding.cause.restart_helps(), std::cmp::Reverse(finding.since)));
    let of_workload = findings.iter().any(|finding| finding.lasting && finding.uid.is_empty());
    if ready >= desired && unhealthy == 0 && state.rollout != Rollout::Stuck && !of_workload {
        return (Health::Healthy, Reason::Healthy, ready_of);
    }
    let enough = ready >= policy.health.min_ready.of(desired);
    if let Some(worst) = worst {
        let health = if enough { Health::Degraded } else { Health::Unhealthy };
        return (health, worst.cause.reason(), format!("{ready_of}: {}", worst.message));
    }
    if lost > 0 {
        let health = if enough { Health::Degraded } else { Health::Unknown };
        return (health, Reason::NodeLost, format!("{ready_of}: {lost} on a node that does not answer"));
    }
    if state.rollout == Rollout::Stuck {
        return (
            Health::Degraded,
            Reason::RolloutStuck,
            format!("{ready_of}: the rollout passed its progress deadline"),
        );
    }
    if state.rollout == Rollout::InProgress && enough {
        return (Health::Degraded, Reason::RolloutInProgress, format!("{ready_of}, rolling out"));
    }
    match findings.iter().find(|finding| finding.cause != Cause::NodeLost) {
        // Below its threshold: said, not counted.
        Some(finding) => (Health::Degraded, finding.cause.reason(), format!("{ready_of}: {}", finding.message)),
        None if unready > 0 => (Health::Degraded, Reason::ReadinessFailed, format!("{ready_of}, {unready} not ready")),
        None => (Health::Starting, Reason::Starting, format!("{ready_of}, {starting} starting")),
    }
}
