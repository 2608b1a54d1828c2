//! Restart counters over time: differences inside a window, never lifetime counts.
//!
//! A counter jumps (several restarts between two observations), stays, and falls to zero with a new pod. Differences are taken
//! per pod UID and container against what the status remembers, so a restart of kubeheal loses none.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    inputs::Inputs,
    moment::{before, clamp, elapsed},
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Phase, Pod, Readiness, Role, Termination},
    state::{ContainerRecord, DependencyRecord, MAX_CONTAINERS, MAX_RESTARTS, ObservedState, PodRecord, State},
};

/// What one container is observed against.
struct Context<'a> {
    state: &'a State,
    policy: &'a HealthPolicy,
    /// Ready without a restart for this long is well.
    stabilization: SignedDuration,
    now: Timestamp,
}

/// Takes in how often containers have restarted, and since when they and their pods are not as they should be.
pub(super) fn track(inputs: &Inputs<'_>, state: &mut State) {
    let pods = &inputs.snapshot.pods;
    let remediation = &inputs.policy.remediation;
    let (policy, stabilization, now) = (&inputs.policy.health, remediation.stabilization, inputs.now());
    let context = Context { state, policy, stabilization, now };
    let of_pod = |pod| move |container| (pod, container);
    let seen = pods.iter().flat_map(|pod| pod.containers.iter().map(of_pod(pod)));
    let mut containers: Vec<_> = seen.filter_map(|(pod, container)| context.record(pod, container)).collect();
    containers.extend(gone(&state.observed, pods, policy, now));
    state.observed.containers = bounded(containers).into();
    track_pods(inputs, state);
}

/// Readiness is remembered for a repair that is being verified, and no longer.
pub fn end_proof(state: &mut State) {
    if state.attempts.in_flight.is_none() {
        let pods = &mut state.observed.pods;
        pods.iter_mut().for_each(|record| record.ready_since = None);
        pods.retain(|record| !is_as_it_should_be(record));
    }
}

/// Takes in since when pods as a whole are not as they should be; while a repair is being verified, since when they are.
pub fn track_pods(inputs: &Inputs<'_>, state: &mut State) {
    let pods = inputs.snapshot.pods.iter();
    let records = pods.filter_map(|pod| pod_record(state, pod, inputs.now())).collect();
    state.observed.pods = most_recent(records).into();
}

impl Context<'_> {
    /// The record of a container after this observation, if there is something to remember.
    fn record(&self, pod: &Pod, container: &Container) -> Option<ContainerRecord> {
        let Self { state, policy, now, .. } = *self;
        let known = state.observed.container(&pod.uid, &container.name);
        let mut record = ContainerRecord {
            uid: pod.uid.clone(),
            container: container.name.clone(),
            restart_count: container.restart_count,
            forgiven: forgiven(known, &state.dependency, container, now),
            ..ContainerRecord::default()
        };
        if let Some(known) = known {
            record.restarts.clone_from(&known.restarts);
            record.crash_loop_since = known.crash_loop_since.filter(|_| state.dependency.released_at != Some(now));
            record.not_ready_since = known.not_ready_since;
        }
        self.count_restarts(&mut record, known, container);
        record.restarts.retain(|&time| time > before(now, policy.restart_window));
        // Nobody restarts more often than he says, whoever wrote that down.
        record.restarts.keep_newest(usize::try_from(container.restart_count).unwrap_or(usize::MAX));
        if is_forgiven(&record, &state.dependency, container) || pod.loss().is_some() {
            record.crash_loop_since = None;
        } else {
            self.track_crash_loop(&mut record, container);
        }
        track_readiness(&mut record, pod, container, now);
        (!is_blank(&record)).then_some(record)
    }

    /// Adds the restarts since the last observation. A container met for the first time by a service met for the first time has an
    /// unknown past: of its restarts only the last can be dated, so only that counts. A new container of a known service
    /// started from zero under our eyes.
    fn count_restarts(&self, record: &mut ContainerRecord, known: Option<&ContainerRecord>, container: &Container) {
        let Self { state, policy, now, .. } = *self;
        let count = container.restart_count;
        let new = match known {
            Some(known) => count.saturating_sub(known.restart_count),
            None if state.observed.since.is_some() => count,
            None => count.min(1),
        };
        if new == 0 || is_ignored(container.last.as_ref(), policy) {
            return;
        }
        // A known container restarted just now, as far as we can tell; an unknown one when it last ended.
        let latest = match known {
            Some(_) => now,
            None => container.last.as_ref().and_then(|last| last.finished).map_or(now, |time| clamp(time, now)),
        };
        let new = usize::try_from(new).unwrap_or(MAX_RESTARTS).min(MAX_RESTARTS);
        let mut dates = spread(latest, new, container.last.as_ref());
        if let Some(released) = state.dependency.released_at {
            let before_that =
                container.last.as_ref().and_then(|end| end.finished).is_some_and(|ended| ended <= released);
            for (date, number) in dates.iter_mut().rev().zip((1..=count).rev()) {
                // Started again only now, after an end that is forgiven.
                if before_that || number <= record.forgiven {
                    *date = (*date).min(released);
                }
            }
        }
        if let Some(&known) = record.restarts.last() {
            for date in &mut dates {
                *date = (*date).max(known);
            }
        }
        record.restarts.extend(dates);
    }

    /// A crash loop begins with the kubelet's back-off and ends when the container has run for the stabilization time: between two restarts
    /// it looks well for a moment and must not seem cured.
    fn track_crash_loop(&self, record: &mut ContainerRecord, container: &Container) {
        let Self { policy, stabilization, now, .. } = *self;
        match &container.state {
            ContainerState::Waiting { .. } if is_ignored(container.last.as_ref(), policy) => {}
            ContainerState::Waiting { .. } if container.is_in_back_off() => {
                record.crash_loop_since.get_or_insert(now);
            }
            ContainerState::Running(since) if elapsed(since.unwrap_or(now), now) >= stabilization => {
                record.crash_loop_since = None;
            }
            ContainerState::Terminated(end) if end.exit_code == 0 && container.role == Role::Init => {
                record.crash_loop_since = None;
            }
            ContainerState::Waiting { .. }
            | ContainerState::Running(_)
            | ContainerState::Terminated(_)
            | ContainerState::Unknown => {}
        }
    }
}

/// What ended while a dependency was down, or before it was well again, is not the service's own fault, although the next start
/// may be minutes away.
fn forgiven(
    known: Option<&ContainerRecord>,
    dependency: &DependencyRecord,
    container: &Container,
    now: Timestamp,
) -> u32 {
    let latest = container.termination_number();
    let forgives = dependency.held || dependency.released_at == Some(now);
    if forgives { latest } else { known.map_or(0, |known| known.forgiven).min(latest) }
}

/// The latest end is forgiven: by our own sight, or because it came before that by its node's clock. Neither clock can make it
/// count sooner.
fn is_forgiven(record: &ContainerRecord, dependency: &DependencyRecord, container: &Container) -> bool {
    let Some(released) = dependency.released_at.filter(|_| !dependency.held) else { return false };
    let ended_before = |end: &Termination| end.finished.is_some_and(|finished| finished <= released);
    container.termination_number() <= record.forgiven || container.last_termination().is_some_and(ended_before)
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

/// An exit code that is no failure, a process that never ran, and an end that is its node's, count neither as a restart nor as
/// a loop.
fn is_ignored(end: Option<&Termination>, policy: &HealthPolicy) -> bool {
    end.is_some_and(|end| end.never_ran() || end.is_made_up() || policy.ignore_exit_codes.contains(&end.exit_code))
}

/// Unready time begins when the startup probe has passed: until then the container starts and owes nobody readiness.
fn track_readiness(record: &mut ContainerRecord, pod: &Pod, container: &Container, now: Timestamp) {
    let runs = matches!(container.state, ContainerState::Running(_)) && pod.phase == Phase::Running;
    let owes = runs && container.role != Role::Init && container.started;
    // Nobody knows what it does while its node is lost: that time is not held against it.
    let unready = owes && !container.ready && pod.loss().is_none();
    // What was written down is not believed to be older than what the pod says itself.
    let turned = pod.ready_changed.filter(|&turned| turned <= now);
    let since = record.not_ready_since.unwrap_or(now).max(turned.unwrap_or(Timestamp::MIN));
    record.not_ready_since = unready.then_some(since);
}

/// The pod as a whole can be unready although each container is ready (readiness gates), or not get to run at all.
fn pod_record(state: &State, pod: &Pod, now: Timestamp) -> Option<PodRecord> {
    let known = state.observed.pod(&pod.uid);
    let proves = state.attempts.in_flight.is_some() && pod.is_ready();
    let unready = matches!(&pod.ready, Readiness::NotReady(Some(_)))
        && pod.phase == Phase::Running
        && pod.loss().is_none()
        && pod.containers.iter().all(|container| container.ready || container.role == Role::Init);
    let pending = pod.phase == Phase::Pending && !pod.is_deleting() && pod.loss().is_none();
    let record = PodRecord {
        uid: pod.uid.clone(),
        not_ready_since: unready.then(|| known.and_then(|known| known.not_ready_since).unwrap_or(now)),
        ready_since: proves.then(|| known.and_then(|known| known.ready_since).unwrap_or(now)),
        pending_since: pending.then(|| known.and_then(|known| known.pending_since).unwrap_or(now)),
    };
    (!is_as_it_should_be(&record)).then_some(record)
}

/// Restarts of pods that are gone still belong to the service's window, but to nobody's threshold.
fn gone(observed: &ObservedState, pods: &[Pod], policy: &HealthPolicy, now: Timestamp) -> Vec<ContainerRecord> {
    let begin = before(now, policy.restart_window);
    let of_gone = observed.containers.iter().filter(|known| pods.iter().all(|pod| pod.uid != known.uid));
    let kept = of_gone.filter_map(|known| {
        let restarts: Vec<_> = known.restarts.iter().copied().filter(|&time| time > begin).collect();
        (!restarts.is_empty()).then(|| ContainerRecord {
            uid: known.uid.clone(),
            container: known.container.clone(),
            restart_count: known.restart_count,
            restarts: restarts.into(),
            ..ContainerRecord::default()
        })
    });
    kept.collect()
}

fn is_blank(record: &ContainerRecord) -> bool {
    record.restart_count == 0
        && record.restarts.is_empty()
        && record.crash_loop_since.is_none()
        && record.not_ready_since.is_none()
        && record.forgiven == 0
}

fn is_as_it_should_be(record: &PodRecord) -> bool {
    record.not_ready_since.is_none() && record.pending_since.is_none() && record.ready_since.is_none()
}

/// Keeps those with the most recent trouble; the order is stable so that an unchanged world writes an unchanged status.
fn bounded(mut records: Vec<ContainerRecord>) -> Vec<ContainerRecord> {
    if records.len() > MAX_CONTAINERS {
        let trouble = |record: &ContainerRecord| {
            record.crash_loop_since.max(record.not_ready_since).max(record.restarts.last().copied())
        };
        records.sort_by_key(|record| std::cmp::Reverse(trouble(record)));
        records.truncate(MAX_CONTAINERS);
    }
    records.sort_by(|a, b| (&a.uid, &a.container).cmp(&(&b.uid, &b.container)));
    records
}

fn most_recent(mut records: Vec<PodRecord>) -> Vec<PodRecord> {
    if records.len() > MAX_CONTAINERS {
        records.sort_by_key(|record| std::cmp::Reverse(record.not_ready_since.max(record.pending_since)));
        records.truncate(MAX_CONTAINERS);
    }
    records.sort_by(|a, b| a.uid.cmp(&b.uid));
    records
}
