//! A kubelet that was restarted goes on from what it reported before: containers that ran still do, and are not started
//! again. What it kept in memory only, back-off and probe results, is forgotten, as by a real one. After an orderly reboot of
//! the node none of them runs any more, and all that is to run begins anew.

use jiff::Timestamp;
use serde_json::Value;

use super::container::{Container, State, Terminated};
use super::pod::{Nothing, PodMachine, Stage};
use super::span::{after, between};
use super::spec::{RestartPolicy, Role};
use super::waiting::Waiting;
use crate::object;

/// Whether the kubelet has reported a pod's end: it looks at it no more.
pub(crate) fn is_over(stored: &Value) -> bool {
    matches!(object::text(stored, "/status/phase"), "Succeeded" | "Failed")
}

impl PodMachine {
    /// Takes over what the status of the pod says, if a kubelet wrote it.
    pub(crate) fn restore(&mut self, stored: &Value, now: Timestamp) {
        let Some(since) = time(&stored["status"], "/startTime") else { return };
        self.deadline = self.deadline.min(after(since, between(self.admitted, self.deadline)));
        self.admitted = since;
        let ip = object::text(stored, "/status/podIP");
        if !ip.is_empty() {
            ip.clone_into(&mut self.identity.ip);
            self.has_ip = true;
        }
        self.transitions.restore(stored);
        let policy = self.identity.restart_policy;
        for container in &mut self.containers {
            let list =
                if container.role.is_init() { "/status/initContainerStatuses" } else { "/status/containerStatuses" };
            let mut statuses = object::items(stored, list).iter();
            if let Some(status) = statuses.find(|status| status["name"] == container.name.as_str()) {
                container.restore(status, policy, now);
            }
        }
        if self.containers.iter().any(|container| container.instances > 0) {
            self.stage = Stage::Running;
            self.resume(now);
        }
    }

    /// Its node went down in an orderly way and is up again: init containers first, as at the first start.
    pub(crate) fn reboot(&mut self, now: Timestamp) {
        if self.stage != Stage::Running {
            return;
        }
        let (policy, grace) = (self.identity.restart_policy, self.identity.grace);
        for container in &mut self.containers {
            container.go_down(now, grace, &Nothing);
            let code = container.exited.as_ref().map_or(0, |exited| exited.code);
            let again = match container.role {
                Role::Sidecar => true,
                Role::Init => policy == RestartPolicy::Always || !container.succeeded(),
                Role::Main => wants_another(policy, Role::Main, code) || container.instances == 0,
            };
            container.state = if again { State::Idle } else { State::Finished };
        }
        self.resume(now);
    }

    /// Whoever's turn has come is started.
    fn resume(&mut self, now: Timestamp) {
        for container in &mut self.containers {
            if container.state == State::Idle {
                container.state = State::Blocked { sync: now, problem: None };
            }
            if !container.lets_next_start() {
                return;
            }
        }
    }
}

impl Container {
    fn restore(&mut self, status: &Value, policy: RestartPolicy, now: Timestamp) {
        let restarts = status["restartCount"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        if object::text(status, "/containerID").is_empty() {
            return;
        }
        self.instances = restarts.saturating_add(1);
        self.pulled = true;
        let last = terminated(&status["lastState"], restarts);
        if let Some(since) = time(status, "/state/running/startedAt") {
            self.exited = last;
            self.started = status["started"] == true;
            self.state = State::Running { since };
            self.forget_probe_results(now);
            if !self.started {
                self.begin_startup_probe(now);
            }
        } else if let Some(exited) = terminated(&status["state"], self.instances) {
            let again = self.role == Role::Sidecar || wants_another(policy, self.role, exited.code);
            (self.exited, self.before) = (Some(exited), last);
            self.state = if again { State::Blocked { sync: now, problem: None } } else { State::Finished };
            self.ready = self.role == Role::Init && self.succeeded();
        } else {
            self.exited = last;
            let waits = object::text(status, "/state/waiting/reason") == "CrashLoopBackOff";
            let message = object::text(status, "/state/waiting/message").to_owned();
            let problem = waits.then_some(Waiting { reason: "CrashLoopBackOff", message });
            self.waiting.clone_from(&problem);
            self.state = State::Blocked { sync: now, problem };
        }
    }
}

fn wants_another(policy: RestartPolicy, role: Role, code: u8) -> bool {
    match policy {
        RestartPolicy::Always => role == Role::Main || code != 0,
        RestartPolicy::OnFailure => code != 0,
        RestartPolicy::Never => false,
    }
}

fn terminated(state: &Value, instance: u32) -> Option<Terminated> {
    let ended = state.get("terminated").filter(|ended| ended.is_object())?;
    Some(Terminated {
        code: ended["exitCode"].as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX),
        reason: object::text(ended, "/reason").to_owned(),
        message: ended["message"].as_str().map(str::to_owned),
        started: time(ended, "/startedAt").unwrap_or(Timestamp::UNIX_EPOCH),
        finished: time(ended, "/finishedAt").unwrap_or(Timestamp::UNIX_EPOCH),
        instance,
    })
}

fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    object::text(value, pointer).parse().ok()
}
