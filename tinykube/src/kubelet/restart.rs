//! Restarts of a container that has ended: whether there is one, and after which back-off.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff::go_duration;
use super::container::{Container, Identity, Scene, State};
use super::note::Note;
use super::span::after;
use super::spec::{RestartPolicy, Role};
use super::waiting::Waiting;

/// The kubelet looks after a pod at least this often.
const RESYNC: Duration = Duration::from_mins(1);

impl Container {
    /// After an exit: free the first time, then after the back-off since this exit.
    pub(super) fn restart(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        if !self.may_restart(scene) {
            self.ready = self.role == Role::Init && self.exited.as_ref().is_some_and(|exited| exited.code == 0);
            self.state = State::Finished;
        } else if let Some((_, left)) = self.backoff.remaining(at, at) {
            self.back_off(scene, left, at);
        } else {
            self.backoff.step(at, at);
            self.prepare(scene, at);
        }
    }

    /// After a probe's kill the kubelet still counts from the exit *before* this one, which is why a container that
    /// fails its liveness probe slowly is restarted several times before it first backs off.
    pub(super) fn restart_killed(&mut self, scene: &mut Scene<'_>, last_exit: Option<Timestamp>, at: Timestamp) {
        if !self.may_restart(scene) {
            self.state = State::Finished;
            return;
        }
        let Some(last_exit) = last_exit else {
            return self.restart_now(scene, at);
        };
        if let Some((delay, _)) = self.backoff.remaining(last_exit, at) {
            self.waiting = Some(crash_loop(&self.name, scene.pod, delay));
            self.back_off(scene, delay, at);
        } else {
            self.backoff.step(last_exit, at);
            self.restart_now(scene, at);
        }
    }

    fn restart_now(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        self.prepare(scene, at);
        if matches!(self.state, State::Starting { .. }) {
            self.start(scene, at);
        }
    }

    fn back_off(&mut self, scene: &mut Scene<'_>, left: Duration, at: Timestamp) {
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            self.name, scene.pod.name, scene.pod.namespace, scene.pod.uid
        );
        self.note(scene, Note::warning("BackOff", message));
        let sync = after(at, self.jitter(scene, left.min(RESYNC)));
        self.state = State::BackingOff { sync };
    }

    pub(super) fn sync_back_off(&mut self, scene: &mut Scene<'_>, at: Timestamp) {
        let Some(finished) = self.exited.as_ref().map(|exited| exited.finished) else {
            return self.prepare(scene, at);
        };
        if self.waiting.as_ref().is_none_or(|waiting| waiting.reason != "CrashLoopBackOff") {
            let delay = self.backoff.remaining(finished, finished).map_or(Duration::ZERO, |(delay, _)| delay);
            self.waiting = Some(crash_loop(&self.name, scene.pod, delay));
        }
        if let Some((_, left)) = self.backoff.remaining(finished, at) {
            self.back_off(scene, left, at);
        } else {
            self.backoff.step(finished, at);
            self.prepare(scene, at);
        }
    }

    fn may_restart(&self, scene: &Scene<'_>) -> bool {
        let failed = self.exited.as_ref().is_some_and(|exited| exited.code != 0);
        let wanted = match (self.role, scene.pod.restart_policy) {
            (Role::Sidecar, _) | (Role::Main, RestartPolicy::Always) => true,
            (Role::Init, RestartPolicy::Always) | (_, RestartPolicy::OnFailure) => failed,
            (_, RestartPolicy::Never) => false,
        };
        wanted && !scene.terminating
    }

    /// Between the length and half as much again, as the kubelet spreads its work; the same for the same pod.
    pub(super) fn jitter(&mut self, scene: &Scene<'_>, length: Duration) -> Duration {
        self.syncs = self.syncs.wrapping_add(1);
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = scene.pod.uid.bytes().chain(self.name.bytes()).chain(self.syncs.to_le_bytes());
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let share = u32::try_from(hash >> 33 & 0xffff).unwrap_or(0);
        length + length * share / 0x2_0000
    }
}

fn crash_loop(container: &str, pod: &Identity, delay: Duration) -> Waiting {
    Waiting {
        reason: "CrashLoopBackOff",
        message: format!(
            "back-off {} restarting failed container={container} pod={}_{}({})",
            go_duration(delay),
            pod.name,
            pod.namespace,
            pod.uid
        ),
    }
}
