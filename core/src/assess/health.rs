//! Health: the sum over the pods.
//!
//! Unknown is not unhealthy: what cannot be seen never makes a service worse.

use super::availability::available;
use crate::{
    diagnose::{ContainerContext, has_just_started},
    model::{
        cause::Cause,
        finding::Finding,
        inputs::Inputs,
        policy::Policy,
        reason::Reason,
        snapshot::{Container, ContainerState, Phase, Pod, Role, Rollout, Workload, WorkloadKind, WorkloadState},
        state::{ObservedState, State},
        verdict::{Health, PodCounts, Verdict},
    },
    observe::{Observed, is_starting},
};

/// What is known about the absence of a workload that was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
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
    /// What is remembered about an absence that is confirmed or not.
    fn of(confirmed: bool, observed: &ObservedState) -> Self {
        match (confirmed, observed.intentional_delete, observed.last_replicas) {
            (false, _, _) => Self::Unconfirmed,
            (true, true, _) => Self::Intended(Reason::IntentionalDelete),
            (true, false, Some(0)) => Self::Intended(Reason::ScaledToZero),
            (true, false, None) => Self::Never,
            (true, false, Some(_)) => Self::Loss,
        }
    }
}

/// Sums up what was found.
pub fn sum(inputs: &Inputs<'_>, observed: &Observed, state: &State, findings: &[Finding]) -> Verdict {
    if let Some(replicas) = observed.scaled_down_from {
        return scaled_down(replicas);
    }
    if inputs.policy.suspend {
        return bare(Health::Idle, Reason::Suspended, "suspended by its spec".to_owned());
    }
    match &observed.workload {
        Workload::Present(workload) => of_pods(inputs, workload, state, findings),
        Workload::Unknown(why) => bare(Health::Unknown, Reason::WorkloadUnknown, why.clone()),
        Workload::Missing { kind, name } => {
            let (health, reason, text) = match Absence::of(observed.missing, &state.observed) {
                Absence::Unconfirmed => {
                    let text = "was not found; asking again before believing it";
                    (Health::Unknown, Reason::WorkloadMissing, text)
                }
                Absence::Loss => (Health::Unhealthy, Reason::WorkloadMissing, "is gone"),
                Absence::Never => (Health::Unhealthy, Reason::WorkloadMissing, "is not found"),
                Absence::Intended(reason) => (Health::Idle, reason, "was removed on purpose"),
            };
            bare(health, reason, format!("{} {name} {text}", kind.as_str()))
        }
    }
}

/// How a workload is that we scaled to zero: not idle, for nobody wanted that.
fn scaled_down(replicas: u32) -> Verdict {
    let message = format!("0 of {replicas} pods ready: scaled to zero while the circuit is open");
    let pods = PodCounts { desired: replicas, ..PodCounts::default() };
    Verdict { pods, ..bare(Health::Unhealthy, Reason::BreakerOpen, message) }
}

/// A verdict that says nothing of pods.
fn bare(health: Health, reason: Reason, message: String) -> Verdict {
    let pods = PodCounts::default();
    let available = available(health, reason, &pods);
    Verdict { health, reason, message, pods, available, counts_as_unhealthy: health == Health::Unhealthy }
}

fn of_pods(inputs: &Inputs<'_>, workload: &WorkloadState, state: &State, findings: &[Finding]) -> Verdict {
    let Inputs { policy, snapshot, .. } = *inputs;
    let pods = count(&ContainerContext::new(inputs, state), workload, &snapshot.pods, findings);
    let (health, reason, message) = if workload.desired == 0 {
        (Health::Idle, Reason::ScaledToZero, "scaled to zero".to_owned())
    } else if workload.kind == WorkloadKind::Pod && snapshot.pods.iter().any(|pod| pod.phase == Phase::Succeeded) {
        (Health::Idle, Reason::Completed, "the pod ended well".to_owned())
    } else {
        compare(policy, workload, &pods, findings)
    };
    let brewing = pods.ready < pods.needed && findings.iter().any(|finding| finding.cause.restart_helps());
    let counts_as_unhealthy = health == Health::Unhealthy || (health != Health::Idle && brewing);
    let available = available(health, reason, &pods);
    Verdict { health, reason, message, pods, available, counts_as_unhealthy }
}

fn count(context: &ContainerContext<'_>, state: &WorkloadState, pods: &[Pod], findings: &[Finding]) -> PodCounts {
    let needed = context.policy.min_ready.of(state.desired);
    let mut counts = PodCounts { desired: state.desired, needed, ..PodCounts::default() };
    for pod in pods.iter().filter(|pod| !pod.is_deleting() && !matches!(pod.phase, Phase::Succeeded)) {
        if pod.is_on_lost_node() {
            counts.lost += 1;
        } else if is_unhealthy(pod, findings) {
            counts.unhealthy += 1;
        } else if is_well(pod, findings) {
            counts.ready += 1;
        } else if starting(context, pod) {
            counts.starting += 1;
        } else if pod.phase != Phase::Failed {
            counts.unready += 1;
        }
    }
    counts
}

fn is_unhealthy(pod: &Pod, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.is_about(pod) && finding.over_threshold)
}

/// Counted as ready.
pub fn is_well(pod: &Pod, findings: &[Finding]) -> bool {
    pod.is_ready() && !pod.is_deleting() && !pod.is_on_lost_node() && !is_unhealthy(pod, findings)
}

fn starting(context: &ContainerContext<'_>, pod: &Pod) -> bool {
    let mut unready = pod.containers.iter().filter(|container| container.role != Role::Init && !container.ready);
    match pod.phase {
        Phase::Pending => true,
        Phase::Running => unready.all(|container| in_time(context, pod, container)),
        Phase::Succeeded | Phase::Failed | Phase::Unknown => false,
    }
}

fn in_time(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> bool {
    let since = match container.state {
        ContainerState::Running(since) => since,
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => None,
    };
    // Once ready, a container is not starting any more.
    if pod.ready_changed.zip(since).is_some_and(|(changed, since)| changed > since) {
        return false;
    }
    let first_minutes = since.is_some_and(|since| context.moment.elapsed(since) < context.policy.not_ready);
    is_starting(container, context.policy, context.moment)
        || (container.restart_count == 0 && first_minutes)
        || has_just_started(context, pod, container)
}

fn compare(
    policy: &Policy,
    state: &WorkloadState,
    counts: &PodCounts,
    findings: &[Finding],
) -> (Health, Reason, String) {
    let PodCounts { desired, needed: _, ready, starting, unhealthy, lost, unready } = *counts;
    let ready_of = format!("{ready} of {desired} pods ready");
    let worst = findings
        .iter()
        .filter(|finding| finding.over_threshold && finding.cause != Cause::NodeLost)
        .max_by_key(|finding| (finding.cause.restart_helps(), std::cmp::Reverse(finding.since)));
    let of_workload = findings.iter().any(|finding| finding.over_threshold && finding.place.uid().is_none());
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
