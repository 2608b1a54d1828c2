//! Health: the sum over the pods.
//!
//! Unknown is not unhealthy: what cannot be seen never makes a service worse.

use super::{availability::available, nodes, shortage};
use crate::{
    diagnose::{ContainerContext, has_just_started},
    model::{
        cause::Cause,
        finding::Finding,
        inputs::Inputs,
        reason::Reason,
        snapshot::{Container, ContainerState, Phase, Pod, Role, Rollout, Workload, WorkloadKind, WorkloadState},
        state::{ObservedState, Shortage, State},
        verdict::{Health, PodCounts, Verdict},
    },
    observe::{Observed, initializes},
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
    let counts_as_unhealthy = health == Health::Unhealthy;
    Verdict { health, reason, message, pods, short: None, available, counts_as_unhealthy }
}

fn of_pods(inputs: &Inputs<'_>, workload: &WorkloadState, state: &State, findings: &[Finding]) -> Verdict {
    let snapshot = inputs.snapshot;
    let context = ContainerContext::new(inputs, state);
    let pods = count(&context, workload, &snapshot.pods, findings);
    let too_few = pods.ready < pods.needed;
    let mut short = shortage::follow(&context, &state.health, too_few);
    let (health, reason, message) = if workload.desired == 0 {
        (Health::Idle, Reason::ScaledToZero, idle(workload))
    } else if workload.kind == WorkloadKind::Pod && snapshot.pods.iter().any(|pod| pod.phase == Phase::Succeeded) {
        (Health::Idle, Reason::Completed, "the pod ended well".to_owned())
    } else {
        let seen = compare(workload, &pods, findings);
        // Pods on a node that does not answer may serve.
        let may_be_enough = pods.lost > 0 && pods.ready.saturating_add(pods.lost) >= pods.needed;
        let lasts = !may_be_enough && shortage::lasts(&context, short.as_ref(), &snapshot.pods);
        let (health, reason, message) = if lasts { unhealthy_at_last(seen, short.as_ref()) } else { seen };
        short = short.map(|short| Shortage { lasted: lasts, ..short });
        (health, reason, nodes::with_node(message, health, &snapshot.pods, findings))
    };
    let brewing = too_few && findings.iter().any(|finding| finding.restart_may_help);
    let counts_as_unhealthy = health == Health::Unhealthy || (health != Health::Idle && brewing);
    let available = available(health, reason, &pods);
    Verdict { health, reason, message, pods, short, available, counts_as_unhealthy }
}

/// Too few for too long, whatever else is said of them.
fn unhealthy_at_last(
    (health, reason, message): (Health, Reason, String),
    short: Option<&Shortage>,
) -> (Health, Reason, String) {
    let since = short.map(|short| format!(" since {:.0}", short.since)).unwrap_or_default();
    match health {
        Health::Starting => (Health::Unhealthy, Reason::TooFewReady, format!("{message}: too few{since}")),
        Health::Degraded | Health::Unknown => {
            (Health::Unhealthy, reason, format!("{message}; too few are ready{since}"))
        }
        Health::Healthy | Health::Unhealthy | Health::Idle => (health, reason, message),
    }
}

/// Nothing is wanted of it; of another, perhaps, which is then the one to look at.
fn idle(workload: &WorkloadState) -> String {
    match &workload.taken_over_by {
        Some(other) => format!("scaled to zero; pods with its labels run under {other}: look there"),
        None => "scaled to zero".to_owned(),
    }
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
        Phase::Running => initializes(pod) || unready.all(|container| in_time(context, pod, container)),
        Phase::Succeeded | Phase::Failed | Phase::Unknown => false,
    }
}

fn in_time(context: &ContainerContext<'_>, pod: &Pod, container: &Container) -> bool {
    let starts = context.starts();
    if !matches!(container.state, ContainerState::Running(_)) {
        return starts.goes_on(pod, container);
    }
    // Once ready, a container is not starting any more.
    let Some(since) = starts.first_run(pod, container).and_then(|record| record.runs_since) else { return false };
    let first_minutes = !context.moment.lasts(since, context.policy.not_ready);
    starts.goes_on(pod, container)
        || (container.restart_count == 0 && first_minutes)
        || has_just_started(context, pod, container)
}

fn compare(state: &WorkloadState, counts: &PodCounts, findings: &[Finding]) -> (Health, Reason, String) {
    let PodCounts { desired, needed: _, ready, starting, unhealthy, lost, unready } = *counts;
    let held = state.rollout.held().map(|why| format!(" ({} on the newest revision: {why})", state.updated));
    let ready_of = format!("{ready} of {desired} pods ready{}", held.unwrap_or_default());
    let worst = findings
        .iter()
        .filter(|finding| finding.over_threshold && finding.cause != Cause::NodeLost)
        .max_by_key(|finding| (finding.restart_may_help, std::cmp::Reverse(finding.since)));
    let of_workload = findings.iter().any(|finding| finding.over_threshold && finding.place.uid().is_none());
    if ready >= desired && unhealthy == 0 && state.rollout != Rollout::Stuck && !of_workload {
        return (Health::Healthy, Reason::Healthy, ready_of);
    }
    let enough = ready >= counts.needed;
    if let Some(worst) = worst {
        let health = if enough { Health::Degraded } else { Health::Unhealthy };
        return (health, worst.cause.reason(), format!("{ready_of}: {}", worst.message));
    }
    if lost > 0 {
        let health = if enough { Health::Degraded } else { Health::Unknown };
        return (health, Reason::NodeLost, format!("{ready_of}: {}", nodes::lost(lost, findings)));
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
    let below = findings.iter().filter(|finding| finding.cause != Cause::NodeLost);
    match below.min_by_key(|finding| finding.cause == Cause::NodeRestarted) {
        Some(finding) if finding.cause == Cause::NodeRestarted => {
            (Health::Starting, Reason::NodeRestarted, format!("{ready_of}: {}", finding.message))
        }
        // Below its threshold: said, not counted.
        Some(finding) => (Health::Degraded, finding.cause.reason(), format!("{ready_of}: {}", finding.message)),
        None if unready > 0 => (Health::Degraded, Reason::ReadinessFailed, format!("{ready_of}, {unready} not ready")),
        None => (Health::Starting, Reason::Starting, format!("{ready_of}, {starting} starting")),
    }
}
