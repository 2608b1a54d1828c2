//! Starts: how long a container, and a pod, may take until it is ready.
//!
//! Reckoned from when we saw it run: the clock of its node may be wrong. A start is over when the container was ready once,
//! not when its startup probe has passed.

use jiff::SignedDuration;

use crate::model::{
    inputs::Inputs,
    moment::{Moment, after, clamp, elapsed},
    policy::HealthPolicy,
    snapshot::{Container, ContainerState, Phase, Pod, Role, Workload},
    state::{ContainerRecord, LONGEST_START, ObservedState, SeenStarts, SlowestStart, State},
};

/// What is known of starts.
#[derive(Debug, Clone, Copy)]
pub struct Starts<'a> {
    /// What earlier decisions left of pods and containers.
    pub observed: &'a ObservedState,
    /// The patience that people ask for.
    pub policy: &'a HealthPolicy,
    /// When, and when to decide again.
    pub moment: &'a Moment,
}

impl Starts<'_> {
    /// The time that a container may take from when it runs until it is ready: the policy's, that of its probe, or what it took
    /// before, whichever is longest.
    pub fn allowance(&self, container: &Container) -> SignedDuration {
        let probe = container.startup.map(|patience| patience.most).unwrap_or_default();
        self.policy.startup_grace.max(probe).max(self.observed.slowest_start(&container.name))
    }

    /// Whether the container still has a right to be unready.
    pub fn goes_on(&self, pod: &Pod, container: &Container) -> bool {
        let ContainerState::Running(_) = container.state else { return container.waits_to_start() };
        let since = self.first_run(pod, container).and_then(|record| record.runs_since);
        !container.ready && since.is_some_and(|since| !self.moment.reached(after(since, self.allowance(container))))
    }

    /// What is remembered of a run in which the container was not ready yet.
    pub fn first_run(&self, pod: &Pod, container: &Container) -> Option<&ContainerRecord> {
        let known = self.observed.container(&pod.uid, &container.name)?;
        (known.runs_since.is_some() && !known.was_ready).then_some(known)
    }

    /// The time that a pod may take from its first container to its readiness: one init container and sidecar after the
    /// other, then all others at once.
    pub fn budget(&self, pod: &Pod) -> SignedDuration {
        let of = |container: &Container| match container.role {
            Role::Init => self.policy.startup_grace,
            Role::Sidecar | Role::Main => self.allowance(container),
        };
        let (main, before): (Vec<_>, Vec<_>) =
            pod.containers.iter().partition(|container| container.role == Role::Main);
        let before = before.into_iter().map(of).fold(SignedDuration::ZERO, SignedDuration::saturating_add);
        before.saturating_add(main.into_iter().map(of).max().unwrap_or_default())
    }

    /// Whether something of the pod runs that has a right to take its time.
    pub fn of_pod_goes_on(&self, pod: &Pod) -> bool {
        let runs = |container: &&Container| matches!(container.state, ContainerState::Running(_));
        pod.is_living()
            && pod.containers.iter().filter(runs).any(|container| match container.role {
                Role::Init => self.initializes_in_time(pod),
                Role::Sidecar | Role::Main => self.goes_on(pod, container),
            })
    }

    fn initializes_in_time(&self, pod: &Pod) -> bool {
        let since = self.observed.pod(&pod.uid).and_then(|record| record.pending_since);
        since.is_some_and(|since| !self.moment.reached(after(since, self.policy.startup_grace)))
    }
}

/// Whether its containers have not all been started, or not again: the first time, or because its node has restarted.
pub fn initializes(pod: &Pod) -> bool {
    let is_init = |container: &&Container| container.role == Role::Init;
    let is_done =
        |container: &Container| matches!(&container.state, ContainerState::Terminated(end) if end.exit_code == 0);
    match pod.phase {
        Phase::Pending => true,
        Phase::Running => pod.containers.iter().filter(is_init).any(|container| !is_done(container)),
        Phase::Succeeded | Phase::Failed | Phase::Unknown => false,
    }
}

/// How many of its init containers have done their part.
pub(super) fn steps(pod: &Pod) -> u32 {
    let is_done = |container: &&Container| match container.role {
        Role::Init => matches!(&container.state, ContainerState::Terminated(end) if end.exit_code == 0),
        Role::Sidecar => container.started,
        Role::Main => false,
    };
    u32::try_from(pod.containers.iter().filter(is_done).count()).unwrap_or(u32::MAX)
}

/// Remembers how long starts took, as far as they ended before anybody would have lost patience: what was down for hours and
/// came back by itself did not start for hours.
pub(super) fn learn(inputs: &Inputs<'_>, state: &State) -> Option<SeenStarts> {
    let (policy, moment) = (&inputs.policy.health, inputs.moment);
    let known = Starts { observed: &state.observed, policy, moment };
    let mut starts = state.observed.starts.clone();
    let Workload::Present(workload) = &inputs.snapshot.workload else { return starts };
    starts.take_if(|starts| starts.template != workload.template);
    for pod in inputs.snapshot.pods.iter().filter(|pod| !pod.old_revision && !state.dependency.held) {
        for container in pod.containers.iter().filter(|container| container.ready && container.role != Role::Init) {
            let Some(record) = known.first_run(pod, container) else { continue };
            let is_same_run = record.restart_count == container.restart_count;
            let Some(since) = record.runs_since.filter(|_| is_same_run) else { continue };
            let took = elapsed(clamp(since, moment.now()), moment.now());
            if took <= known.allowance(container).saturating_add(policy.not_ready) {
                store(starts.get_or_insert_default(), &container.name, took);
            }
        }
    }
    starts
        .map(|starts| SeenStarts { template: workload.template.clone(), ..starts })
        .filter(|starts| !starts.slowest.is_empty())
}

fn store(starts: &mut SeenStarts, container: &str, took: SignedDuration) {
    let seconds = u32::try_from(took.as_secs()).unwrap_or(LONGEST_START).min(LONGEST_START);
    match starts.slowest.iter_mut().find(|one| one.container == container) {
        Some(known) => known.seconds = known.seconds.max(seconds),
        None if seconds > 0 => starts.slowest.push(SlowestStart { container: container.to_owned(), seconds }),
        None => {}
    }
}
