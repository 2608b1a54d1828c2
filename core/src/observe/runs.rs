//! Runs: since when a container runs, whether it was ready since, and how it ended time and again.
//!
//! By our own clock. Where nothing was remembered of a run, the pod's own times tell whether it was ready since it runs: both
//! are of the same clock.

use jiff::{SignedDuration, Timestamp};

use super::{
    context::{Context, is_ignored},
    startup::initializes,
};
use crate::model::{
    moment::{after, elapsed},
    snapshot::{Container, ContainerState, Pod, Role},
    state::{ContainerRecord, FailedHook},
    text::{MAX_MESSAGE, cut},
};

/// The kubelet forgets how often a container has ended when it has run for so long: twice its longest back-off.
pub const KUBELET_FORGETS: SignedDuration = SignedDuration::from_mins(10);

impl Context<'_> {
    /// Since when it runs, or has ended.
    pub(super) fn track_run(
        &self,
        record: &mut ContainerRecord,
        known: Option<&ContainerRecord>,
        (pod, container): (&Pod, &Container),
    ) {
        let now = self.moment.now();
        let same = known.filter(|known| known.restart_count == container.restart_count);
        match &container.state {
            ContainerState::Running(started) => {
                // An older status says no more than that it ran and was not ready.
                let since = same.and_then(|known| known.runs_since.or(known.not_ready_since));
                let was_ready = match (same, since) {
                    (Some(known), Some(_)) => known.was_ready,
                    (Some(_) | None, None) | (None, Some(_)) => was_ready_since(pod, *started),
                };
                record.runs_since = since.or_else(|| Some(self.state.observed.first_seen(*started, now)));
                record.was_ready = container.ready || was_ready;
            }
            // Its init containers come first, which run again after a restart of the node.
            ContainerState::Terminated(end) if container.role != Role::Init && !initializes(pod) => {
                let first_seen = || self.state.observed.first_seen(end.finished, now);
                record.ended_since = same.and_then(|known| known.ended_since).or_else(|| Some(first_seen()));
            }
            ContainerState::Terminated(_) | ContainerState::Waiting { .. } | ContainerState::Unknown => {}
        }
    }

    /// Ends that come one after the other: the kubelet starts the container later each time, so that the restarts of any window
    /// grow fewer while the trouble goes on.
    pub(super) fn track_relapses(
        &self,
        record: &mut ContainerRecord,
        known: Option<&ContainerRecord>,
        container: &Container,
    ) {
        let number = container.termination_number();
        let seen = match known {
            // An older status does not say.
            Some(known) => known.ends.max(known.restart_count),
            None if self.knows_its_past() => 0,
            None => number.saturating_sub(1),
        };
        record.ends = number;
        let new = number.saturating_sub(seen);
        if new == 0 {
            return;
        }
        let end = container.last_termination();
        if number <= record.forgiven {
            record.relapses = 0;
        } else if !is_ignored(end, self.policy) {
            let run = end.and_then(|end| end.started.zip(end.finished)).map(|(from, to)| elapsed(from, to));
            let is_short = run.is_some_and(|run| run < KUBELET_FORGETS);
            let own = new.saturating_sub(record.of_boot_among(seen, number));
            record.relapses = match (is_short, own) {
                (true, own) => record.relapses.saturating_add(own).min(number),
                (false, own) => own.min(1),
            };
        }
    }

    /// A crash loop begins with the kubelet's back-off and ends when the container has run for the stabilization time: between
    /// two restarts it looks well for a moment and must not seem cured.
    pub(super) fn track_crash_loop(&self, record: &mut ContainerRecord, pod: &Pod, container: &Container) {
        let Some(since) = record.crash_loop_since else {
            let is_own = !record.came_with_boot(container) && !is_ignored(container.last.as_ref(), self.policy);
            if container.is_in_back_off() && is_own {
                record.crash_loop_since = Some(self.state.observed.first_seen(pod.ready_changed, self.moment.now()));
            }
            return;
        };
        let is_over = match &container.state {
            ContainerState::Running(_) => {
                let runs_since = record.runs_since.unwrap_or(since);
                self.moment.reached(after(runs_since, self.stabilization))
            }
            ContainerState::Terminated(end) => end.exit_code == 0 && container.role == Role::Init,
            ContainerState::Waiting { .. } | ContainerState::Unknown => false,
        };
        if is_over {
            record.crash_loop_since = None;
        }
    }
}

/// What the kubelet says of a `postStart` hook that failed, for as long as no other end comes.
pub(super) fn track_hook(record: &mut ContainerRecord, known: Option<&ContainerRecord>, container: &Container) {
    let end = container.termination_number();
    record.failed_hook = match container.failed_hook() {
        Some(message) => Some(FailedHook { end, message: cut(message, MAX_MESSAGE) }),
        None => known.and_then(|known| known.failed_hook.clone()).filter(|hook| hook.end == end),
    };
}

/// By the clock of the node, which wrote both.
fn was_ready_since(pod: &Pod, started: Option<Timestamp>) -> bool {
    pod.ready_changed.zip(started).is_some_and(|(changed, started)| changed > started)
}
