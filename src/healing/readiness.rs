//! Readiness: containers that run, had their time to start, and are not ready.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::{
    cause::{Cause, Finding, Probe},
    look::{Look, about},
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Pod},
    time::{Wakeups, after, spoken},
};

/// Unready for less than this is how every pod begins and ends.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(15);

/// When a sign is given. Well before anything is done about it, however short the patience: a storm is counted from the first
/// signs, and must be seen before the first service acts.
pub fn first_sign(policy: &HealthPolicy) -> SignedDuration {
    WORTH_A_WORD.min(SignedDuration::from_secs(policy.not_ready.as_secs() / 2))
}

/// Runs, had its time to start, and is not ready.
pub fn unready(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> Option<Finding> {
    let since = look.memory.container(&pod.uid, &container.name)?.not_ready_since?;
    running_since(container, look.now)?;
    if is_starting(container, look.policy, wakeups, look.now) {
        return None;
    }
    // Unready time counts from the end of the grace, else a slow start would use up the patience for what follows.
    let ready_due = after(began(container, look.now).unwrap_or(since), grace(container, look.policy)).min(look.now);
    let counted = look.charged_from(since.max(ready_due));
    let lasting = look.lasts(counted, look.policy.not_ready, wakeups);
    if !look.lasts(counted, first_sign(look.policy), wakeups) {
        return None;
    }
    let mut message = format!("{} runs but is not ready since {since:.0}", container.name);
    if !lasting {
        // Why nothing is done about it yet.
        let _ = write!(message, "; more than {} is too long", spoken(look.policy.not_ready));
    }
    let mut finding = about(pod, container, Cause::ReadinessFailed, since, lasting, message);
    finding.probe = Some(Probe::Readiness);
    // How it ended before it ran says nothing about why it is not ready.
    finding.diagnosis = None;
    Some(finding)
}

/// The time that the container may take to start; its probe's budget ends when the probe has passed.
pub fn grace(container: &Container, policy: &HealthPolicy) -> SignedDuration {
    let startup = container.startup.filter(|_| !container.started);
    let budget = startup.map(|patience| patience.most).unwrap_or_default();
    policy.startup_grace.max(budget)
}

/// When the container began to run, if its node's clock is not ahead of ours.
fn began(container: &Container, now: Timestamp) -> Option<Timestamp> {
    match container.state {
        ContainerState::Running(began) => began.filter(|&began| began <= now),
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => None,
    }
}

/// Since when the container runs, if it does.
pub fn running_since(container: &Container, now: Timestamp) -> Option<Timestamp> {
    match &container.state {
        ContainerState::Running(since) => Some(since.unwrap_or(now).min(now)),
        ContainerState::Waiting { .. } | ContainerState::Terminated(_) | ContainerState::Unknown => None,
    }
}

/// However long a start took, the container is not ready in the very moment in which it is over.
pub fn has_just_started(look: &Look<'_>, pod: &Pod, container: &Container, wakeups: &mut Wakeups) -> bool {
    let owes_since = look.memory.container(&pod.uid, &container.name).and_then(|entry| entry.not_ready_since);
    owes_since.is_some_and(|since| !look.lasts(since, first_sign(look.policy), wakeups))
}

/// Whether the container still has a right to be unready.
pub fn is_starting(container: &Container, policy: &HealthPolicy, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    let Some(since) = running_since(container, now) else {
        return matches!(&container.state, ContainerState::Waiting { reason, .. }
            if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing" | ""));
    };
    if container.ready {
        return false;
    }
    let due = after(since, grace(container, policy));
    wakeups.at(due, now);
    now < due
}
