//! Containers over time: how often they restarted, since when they run, and since when they are not as they should be.

use jiff::Timestamp;

use super::{context::Context, pods::track_pods, runs::track_hook, startup};
use crate::model::{
    inputs::Inputs,
    moment::before,
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Phase, Pod, Role, Termination},
    state::{ContainerRecord, DependencyRecord, ObservedState, State},
};

/// Takes in how often containers have restarted, and since when they and their pods are not as they should be.
pub(super) fn track(inputs: &Inputs<'_>, state: &mut State) {
    let pods = &inputs.snapshot.pods;
    let remediation = &inputs.policy.remediation;
    let (policy, stabilization, moment) = (&inputs.policy.health, remediation.stabilization, inputs.moment);
    let context = Context { state, policy, stabilization, moment };
    let of_pod = |pod| move |container| (pod, container);
    let seen = pods.iter().flat_map(|pod| pod.containers.iter().map(of_pod(pod)));
    let mut containers: Vec<_> = seen.filter_map(|(pod, container)| context.record(pod, container)).collect();
    containers.extend(gone(&state.observed, pods, policy, moment.now()));
    let starts = startup::learn(inputs, state);
    state.observed.starts = starts;
    containers.sort_by(|one, other| (&one.uid, &one.container).cmp(&(&other.uid, &other.container)));
    state.observed.containers = containers;
    track_pods(inputs, state);
    let is_crowd = state.observed.is_crowd();
    state.observed.crowd_since = is_crowd.then(|| state.observed.crowd_since.unwrap_or(moment.now()));
}

impl Context<'_> {
    /// The record of a container after this observation, if there is something to remember.
    fn record(&self, pod: &Pod, container: &Container) -> Option<ContainerRecord> {
        let Self { state, policy, moment, .. } = *self;
        let now = moment.now();
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
            // Nobody falls again and again who never ended, whoever wrote that down.
            let may_loop = container.termination_number() > 0 && state.dependency.released_at != Some(now);
            record.crash_loop_since = known.crash_loop_since.filter(|_| may_loop);
            record.not_ready_since = known.not_ready_since;
            record.relapses = known.relapses.min(container.termination_number());
        }
        self.track_boot(&mut record, known, (pod, container));
        self.track_run(&mut record, known, (pod, container));
        self.track_relapses(&mut record, known, container);
        track_hook(&mut record, known, container);
        self.count_restarts(&mut record, known, container);
        record.restarts.retain(|&time| time > before(now, policy.restart_window));
        // Nobody restarts more often than he says, whoever wrote that down.
        record.restarts.keep_newest(usize::try_from(container.restart_count).unwrap_or(usize::MAX));
        if is_forgiven(&record, &state.dependency, container) || pod.loss().is_some() {
            record.crash_loop_since = None;
        } else {
            self.track_crash_loop(&mut record, pod, container);
        }
        self.track_readiness(&mut record, pod, container);
        (!is_blank(&record)).then_some(record)
    }

    /// Unready time begins when the startup probe has passed: until then the container starts and owes nobody readiness.
    fn track_readiness(&self, record: &mut ContainerRecord, pod: &Pod, container: &Container) {
        let now = self.moment.now();
        let runs = matches!(container.state, ContainerState::Running(_)) && pod.phase == Phase::Running;
        let owes = runs && container.role != Role::Init && container.started;
        // Nobody knows what it does while its node is lost: that time is not held against it.
        let unready = owes && !container.ready && pod.loss().is_none();
        // What was written down is not believed to be older than what the pod says itself.
        let turned = pod.ready_changed.filter(|&turned| turned <= now);
        let first_seen = || self.state.observed.first_seen(turned, now);
        let since = record.not_ready_since.unwrap_or_else(first_seen).max(turned.unwrap_or(Timestamp::MIN));
        record.not_ready_since = unready.then_some(since);
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
        && record.ended_since.is_none()
        && record.ends == 0
        && record.boot_end.is_none()
        && record.runs_since.is_none_or(|_| record.was_ready)
        && record.forgiven == 0
}
