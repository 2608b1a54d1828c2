//! Restart counters over time: differences inside a window, never lifetime counts.
//!
//! A counter jumps (several restarts between two looks), stays, and falls to zero with a new pod. Differences are taken per
//! pod UID and container against what the status remembers, so a restart of kubeheal loses none.

use jiff::{SignedDuration, Timestamp};

use super::{
    ending,
    look::last_end,
    memory::{ContainerMemory, MAX_CONTAINERS, MAX_RESTARTS, Memory},
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Phase, Pod, Readiness, Role, Termination},
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
            let entry = look(memory, pod, container, policy, calm, now);
            remembered.extend(worth_keeping(entry));
        }
        remembered.extend(worth_keeping(look_at_pod(memory, pod, now)));
    }
    remembered.extend(gone(memory, pods, policy, now));
    bounded(remembered)
}

/// Readiness is remembered for a repair that must prove itself, and no longer.
pub fn end_proof(memory: &mut Memory) {
    if memory.in_flight.is_some() {
        return;
    }
    let of_proof = memory.containers.drain(..).map(|entry| ContainerMemory { ready_since: None, ..entry });
    memory.containers = of_proof.filter_map(worth_keeping).collect();
}

/// Restarts of one container inside the window that ends now.
pub fn in_window(entry: &ContainerMemory, window: SignedDuration, now: Timestamp) -> u32 {
    let begin = before(now, window);
    let count = entry.restarts.iter().filter(|&&time| time > begin).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn look(
    memory: &Memory,
    pod: &Pod,
    container: &Container,
    policy: &HealthPolicy,
    calm: SignedDuration,
    now: Timestamp,
) -> ContainerMemory {
    let prior = memory.container(&pod.uid, &container.name);
    let mut entry = ContainerMemory {
        uid: pod.uid.clone(),
        container: container.name.clone(),
        restart_count: container.restart_count,
        ..ContainerMemory::default()
    };
    forgive(&mut entry, prior, memory, container, now);
    if let Some(prior) = prior {
        entry.restarts.clone_from(&prior.restarts);
        entry.crash_loop_since = prior.crash_loop_since.filter(|_| memory.released_at != Some(now));
        entry.not_ready_since = prior.not_ready_since;
    }
    count_restarts(&mut entry, prior, memory, container, policy, now);
    entry.restarts.retain(|&time| time > before(now, policy.restart_window));
    // Nobody restarts more often than he says, whoever wrote that down.
    let counted = usize::try_from(container.restart_count).unwrap_or(usize::MAX);
    entry.restarts.drain(..entry.restarts.len().saturating_sub(counted));
    if is_forgiven(&entry, memory, container) {
        entry.crash_loop_since = None;
    } else {
        follow_crash_loop(&mut entry, container, policy, calm, now);
    }
    follow_readiness(&mut entry, pod, container, now);
    entry
}

fn is_running(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running(_))
}

/// What ended while a dependency was down, or before it was well again, is not the service's own fault, although the next start
/// may be minutes away.
fn forgive(
    entry: &mut ContainerMemory,
    prior: Option<&ContainerMemory>,
    memory: &Memory,
    container: &Container,
    now: Timestamp,
) {
    let known = prior.map_or(0, |prior| prior.forgiven).min(ending::number(container));
    let forgives = memory.held || memory.released_at == Some(now);
    entry.forgiven = if forgives { ending::number(container) } else { known };
}

/// The latest end is forgiven: by our own sight, or because it came before that by its node's clock. Neither clock can make it
/// count sooner.
fn is_forgiven(entry: &ContainerMemory, memory: &Memory, container: &Container) -> bool {
    let Some(released) = memory.released_at.filter(|_| !memory.held) else { return false };
    let ended_before = |end: &Termination| end.finished.is_some_and(|finished| finished <= released);
    ending::number(container) <= entry.forgiven || last_end(container).is_some_and(ended_before)
}

/// Adds the restarts since the last look. A container met for the first time by a service met for the first time has an
/// unknown past: of its restarts only the last can be dated, so only that counts. A new container of a known service
/// started from zero under our eyes.
fn count_restarts(
    entry: &mut ContainerMemory,
    prior: Option<&ContainerMemory>,
    memory: &Memory,
    container: &Container,
    policy: &HealthPolicy,
    now: Timestamp,
) {
    let count = container.restart_count;
    let new = match prior {
        Some(prior) => count.saturating_sub(prior.restart_count),
        None if memory.observed_since.is_some() => count,
        None => count.min(1),
    };
    if new == 0 || is_ignored(container.last.as_ref(), policy) {
        return;
    }
    // A known container restarted just now, as far as we can tell; an unknown one when it last ended.
    let latest = match prior {
        Some(_) => now,
        None => container.last.as_ref().and_then(|last| last.finished).map_or(now, |time| clamp(time, now)),
    };
    let new = usize::try_from(new).unwrap_or(MAX_RESTARTS).min(MAX_RESTARTS);
    let mut dates = spread(latest, new, container.last.as_ref());
    if let Some(released) = memory.released_at {
        let before_that = container.last.as_ref().and_then(|end| end.finished).is_some_and(|ended| ended <= released);
        for (date, number) in dates.iter_mut().rev().zip((1..=count).rev()) {
            // Started again only now, after an end that is forgiven.
            if before_that || number <= entry.forgiven {
                *date = (*date).min(released);
            }
        }
    }
    if let Some(&known) = entry.restarts.last() {
        for date in &mut dates {
            *date = (*date).max(known);
        }
    }
    entry.restarts.extend(dates);
    let surplus = entry.restarts.len().saturating_sub(MAX_RESTARTS);
    entry.restarts.drain(..surplus);
}

/// Restarts that nobody watched lie as far apart as the last run was long, as far as can be told; oldest first. Dated all
/// alike, those of a whole night would seem to be of this minute.
fn spread(latest: Timestamp, count: usize, last: Option<&Termination>) -> Vec<Timestamp> {
    let run = last.and_then(|end| end.started.zip(end.finished)).map(|(from, to)| elapsed(from, to));
    let apart = run.unwrap_or_default();
    let mut dates = Vec::with_capacity(count);
    let mut date = latest;
    for _ in 0..count {
        dates.push(date);
        date = before(date, apart);
    }
    dates.reverse();
    dates
}

/// An exit code that is no failure, and a process that never ran, count neither as a restart nor as a loop.
fn is_ignored(end: Option<&Termination>, policy: &HealthPolicy) -> bool {
    end.is_some_and(|end| end.never_ran() || policy.ignore_exit_codes.contains(&end.exit_code))
}

/// A crash loop begins with the kubelet's back-off and ends when the container has run for `calm`: between two restarts
/// it looks well for a moment and must not seem cured.
fn follow_crash_loop(
    entry: &mut ContainerMemory,
    container: &Container,
    policy: &HealthPolicy,
    calm: SignedDuration,
    now: Timestamp,
) {
    match &container.state {
        ContainerState::Waiting { .. } if is_ignored(container.last.as_ref(), policy) => {}
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
    let runs = is_running(container) && pod.phase == Phase::Running;
    let owes = runs && container.role != Role::Init && container.started;
    let unready = owes && !container.ready;
    // What was written down is not believed to be older than what the pod says itself.
    let turned = pod.ready_changed.filter(|&turned| turned <= now);
    let since = entry.not_ready_since.unwrap_or(now).max(turned.unwrap_or(Timestamp::MIN));
    entry.not_ready_since = unready.then_some(since);
}

/// The pod as a whole can be unready although each container is ready (readiness gates), or not get to run at all.
fn look_at_pod(memory: &Memory, pod: &Pod, now: Timestamp) -> ContainerMemory {
    let prior = memory.container(&pod.uid, "");
    let proves = memory.in_flight.is_some() && matches!(pod.ready, Readiness::Ready(_));
    let unready = matches!(&pod.ready, Readiness::NotReady(Some(_)))
        && pod.phase == Phase::Running
        && pod.containers.iter().all(|container| container.ready || container.role == Role::Init);
    let pending = pod.phase == Phase::Pending && !pod.deleting;
    ContainerMemory {
        uid: pod.uid.clone(),
        not_ready_since: unready.then(|| prior.and_then(|prior| prior.not_ready_since).unwrap_or(now)),
        ready_since: proves.then(|| prior.and_then(|prior| prior.ready_since).unwrap_or(now)),
        pending_since: pending.then(|| prior.and_then(|prior| prior.pending_since).unwrap_or(now)),
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
                uid: known.uid.clone(),
                container: known.container.clone(),
                restart_count: known.restart_count,
                restarts,
                ..ContainerMemory::default()
            })
        })
        .collect()
}

fn worth_keeping(entry: ContainerMemory) -> Option<ContainerMemory> {
    let nothing = entry.restart_count == 0
        && entry.restarts.is_empty()
        && entry.crash_loop_since.is_none()
        && entry.not_ready_since.is_none()
        && entry.pending_since.is_none()
        && entry.ready_since.is_none()
        && entry.forgiven == 0;
    (!nothing).then_some(entry)
}

/// Keeps those with the most recent trouble; the order is stable so that an unchanged world writes an unchanged status.
fn bounded(mut entries: Vec<ContainerMemory>) -> Vec<ContainerMemory> {
    if entries.len() > MAX_CONTAINERS {
        entries.sort_by_key(|entry| {
            let trouble = [entry.crash_loop_since, entry.not_ready_since, entry.pending_since].into_iter().max();
            std::cmp::Reverse(trouble.flatten().max(entry.restarts.last().copied()))
        });
        entries.truncate(MAX_CONTAINERS);
    }
    entries.sort_by(|a, b| (&a.uid, &a.container).cmp(&(&b.uid, &b.container)));
    entries
}
