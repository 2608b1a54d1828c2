//! Restart counters over time: differences inside a window, never lifetime counts.
//!
//! A counter jumps (several restarts between two looks), stays, and falls to zero with a new pod. Differences are taken per
//! pod UID and container against what the status remembers, so a restart of kubeheal loses none.

use jiff::{SignedDuration, Timestamp};

use super::{
    memory::{ContainerMemory, MAX_CONTAINERS, MAX_RESTARTS, Memory},
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Phase, Pod, Readiness, Role},
    time::{before, clamp, elapsed},
};

/// The waiting reason with which the kubelet spaces restarts.
pub const CRASH_LOOP_BACK_OFF: &str = "CrashLoopBackOff";

/// The memory after this look at the pods.
pub fn remember(
    memory: &Memory,
    pods: &[Pod],
    policy: &HealthPolicy,
    calm: SignedDuration,
    now: Timestamp,
) -> Vec<ContainerMemory> {
    let mut remembered = Vec::new();
    for pod in pods {
        for container in &pod.containers {
            let prior = memory.container(&pod.uid, &container.name);
            let entry = look(prior, memory.observed_since.is_some(), pod, container, policy, calm, now);
            remembered.extend(worth_keeping(entry));
        }
        remembered.extend(worth_keeping(look_at_pod(memory.container(&pod.uid, ""), pod, now)));
    }
    remembered.extend(gone(memory, pods, policy, now));
    bounded(remembered)
}

/// Restarts of one container inside the window that ends now.
pub fn in_window(entry: &ContainerMemory, window: SignedDuration, now: Timestamp) -> u32 {
    let begin = before(now, window);
    let count = entry.restarts.iter().filter(|&&time| time > begin).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn look(
    prior: Option<&ContainerMemory>,
    seen_before: bool,
    pod: &Pod,
    container: &Container,
    policy: &HealthPolicy,
    calm: SignedDuration,
    now: Timestamp,
) -> ContainerMemory {
    let mut entry = ContainerMemory {
        uid: pod.uid.clone(),
        container: container.name.clone(),
        restart_count: container.restart_count,
        ..ContainerMemory::default()
    };
    if let Some(prior) = prior {
        entry.restarts.clone_from(&prior.restarts);
        entry.crash_loop_since = prior.crash_loop_since;
        entry.not_ready_since = prior.not_ready_since;
    }
    count_restarts(&mut entry, prior, seen_before, container, policy, now);
    entry.restarts.retain(|&time| time > before(now, policy.restart_window));
    follow_crash_loop(&mut entry, container, calm, now);
    follow_readiness(&mut entry, pod, container, now);
    entry
}

/// Adds the restarts since the last look. A container met for the first time by a service met for the first time has an
/// unknown past: of its restarts only the last can be dated, so only that counts. A new container of a known service
/// started from zero under our eyes.
fn count_restarts(
    entry: &mut ContainerMemory,
    prior: Option<&ContainerMemory>,
    seen_before: bool,
    container: &Container,
    policy: &HealthPolicy,
    now: Timestamp,
) {
    let count = container.restart_count;
    let new = match prior {
        Some(prior) => count.saturating_sub(prior.restart_count),
        None if seen_before => count,
        None => count.min(1),
    };
    let ignored = container.last.as_ref().is_some_and(|last| policy.ignore_exit_codes.contains(&last.exit_code));
    if new == 0 || ignored {
        return;
    }
    // A known container restarted just now, as far as we can tell; an unknown one when it last ended.
    let when = match prior {
        Some(_) => now,
        None => container.last.as_ref().and_then(|last| last.finished).map_or(now, |time| clamp(time, now)),
    };
    let new = usize::try_from(new).unwrap_or(MAX_RESTARTS).min(MAX_RESTARTS);
    entry.restarts.extend(std::iter::repeat_n(when, new));
    let surplus = entry.restarts.len().saturating_sub(MAX_RESTARTS);
    entry.restarts.drain(..surplus);
}

/// A crash loop begins with the kubelet's back-off and ends when the container has run for `calm`: between two restarts
/// it looks well for a moment and must not seem cured.
fn follow_crash_loop(entry: &mut ContainerMemory, container: &Container, calm: SignedDuration, now: Timestamp) {
    match &container.state {
        ContainerState::Waiting { reason, .. } if reason == CRASH_LOOP_BACK_OFF => {
            entry.crash_loop_since.get_or_insert(now);
        }
        ContainerState::Running(since) if elapsed(since.unwrap_or(now), now) >= calm => entry.crash_loop_since = None,
        ContainerState::Terminated(end) if end.exit_code == 0 && container.role == Role::Init => {
            entry.crash_loop_since = None;
        }
        ContainerState::Waiting { .. }
        | ContainerState::Running(_)
        | ContainerState::Terminated(_)
        | ContainerState::Unknown => {}
    }
}

/// Unready time begins when the startup probe has passed: until then the container starts and owes nobody readiness.
fn follow_readiness(entry: &mut ContainerMemory, pod: &Pod, container: &Container, now: Timestamp) {
    let owes = container.role != Role::Init && container.started && pod.phase == Phase::Running;
    let unready = owes && !container.ready;
    entry.not_ready_since = if unready { entry.not_ready_since.or(Some(now)) } else { None };
}

/// The pod as a whole can be unready although each container is ready (readiness gates).
fn look_at_pod(prior: Option<&ContainerMemory>, pod: &Pod, now: Timestamp) -> ContainerMemory {
    let unready = matches!(&pod.ready, Readiness::NotReady(Some(_)))
        && pod.phase == Phase::Running
        && pod.containers.iter().all(|container| container.ready || container.role == Role::Init);
    ContainerMemory {
        uid: pod.uid.clone(),
        not_ready_since: unready.then(|| prior.and_then(|prior| prior.not_ready_since).unwrap_or(now)),
        ..ContainerMemory::default()
    }
}

/// Restarts of pods that are gone still belong to the service's window, but to nobody's threshold.
fn gone(memory: &Memory, pods: &[Pod], policy: &HealthPolicy, now: Timestamp) -> Vec<ContainerMemory> {
    let begin = before(now, policy.restart_window);
    memory
        .containers
        .iter()
        .filter(|known| pods.iter().all(|pod| pod.uid != known.uid))
        .filter_map(|known| {
            let restarts: Vec<_> = known.restarts.iter().copied().filter(|&time| time > begin).collect();
            (!restarts.is_empty()).then(|| ContainerMemory {
                restarts,
                crash_loop_since: None,
                not_ready_since: None,
                ..known.clone()
            })
        })
        .collect()
}

fn worth_keeping(entry: ContainerMemory) -> Option<ContainerMemory> {
    let nothing = entry.restart_count == 0
        && entry.restarts.is_empty()
        && entry.crash_loop_since.is_none()
        && entry.not_ready_since.is_none();
    (!nothing).then_some(entry)
}

/// Keeps those with the most recent trouble; the order is stable so that an unchanged world writes an unchanged status.
fn bounded(mut entries: Vec<ContainerMemory>) -> Vec<ContainerMemory> {
    if entries.len() > MAX_CONTAINERS {
        entries.sort_by_key(|entry| {
            std::cmp::Reverse(entry.restarts.last().copied().max(entry.crash_loop_since).max(entry.not_ready_since))
        });
        entries.truncate(MAX_CONTAINERS);
    }
    entries.sort_by(|a, b| (&a.uid, &a.container).cmp(&(&b.uid, &b.container)));
    entries
}
