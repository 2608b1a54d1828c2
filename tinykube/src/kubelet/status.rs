//! A pod's status as the kubelet writes it: phase, conditions and container statuses, field by field as recorded.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::allotment;
use super::container::{Container, State, Terminated};
use super::pod::{PodMachine, Stage};
use super::spec::Role;
use crate::object;

/// A condition's status, reason and message.
struct Verdict {
    kind: &'static str,
    status: bool,
    reason: &'static str,
    message: String,
}

impl PodMachine {
    /// The status to report for the pod as stored, on a node with this address. Conditions of others are kept.
    pub(crate) fn status(&mut self, stored: &Value, host_ip: &str, now: Timestamp) -> Value {
        let generation = object::generation(stored);
        let mut status = Map::new();
        status.insert("observedGeneration".into(), generation.into());
        status.insert("phase".into(), self.phase().into());
        status.insert("conditions".into(), self.conditions(stored, generation, now));
        if let Some(verdict) = &self.verdict {
            status.insert("message".into(), verdict.message.clone().into());
            status.insert("reason".into(), verdict.reason.into());
        }
        status.insert("hostIP".into(), host_ip.into());
        status.insert("hostIPs".into(), json!([{ "ip": host_ip }]));
        if self.has_ip {
            status.insert("podIP".into(), self.identity.ip.clone().into());
            status.insert("podIPs".into(), json!([{ "ip": self.identity.ip }]));
        }
        status.insert("startTime".into(), seconds(self.admitted).into());
        let inits = self.statuses(true);
        if !inits.is_empty() {
            status.insert("initContainerStatuses".into(), inits.into());
        }
        status.insert("containerStatuses".into(), self.statuses(false).into());
        status.insert("qosClass".into(), object::text(stored, "/status/qosClass").into());
        let lasting = self.containers.iter().filter(|container| container.role != Role::Init);
        status.insert("resources".into(), allotment::total(lasting.map(|container| &container.allotment)));
        Value::Object(status)
    }

    /// The phase, by the rules of the kubelet's `getPhase`.
    pub(crate) fn phase(&self) -> &'static str {
        let final_phase = if self.verdict.is_some() || !self.ended_well() { "Failed" } else { "Succeeded" };
        match self.stage {
            Stage::Final => final_phase,
            Stage::Creating { .. } => "Pending",
            _ if !self.initialized() => "Pending",
            _ if self.mains().all(|container| container.instances == 0) => "Pending",
            _ => "Running",
        }
    }

    fn ended_well(&self) -> bool {
        let ok = |container: &Container| container.exited.as_ref().is_some_and(|exited| exited.code == 0);
        self.mains().all(ok)
    }

    fn initialized(&self) -> bool {
        self.containers.iter().all(|container| match container.role {
            Role::Init => container.succeeded(),
            Role::Sidecar => container.instances > 0,
            Role::Main => true,
        })
    }

    fn conditions(&mut self, stored: &Value, generation: i64, now: Timestamp) -> Value {
        let mut verdicts = vec![self.sandbox_condition()];
        verdicts.push(self.initialized_condition());
        let containers = self.ready_condition("ContainersReady");
        let mut ready = self.ready_condition("Ready");
        self.heed_gates(stored, &mut ready);
        verdicts.extend([ready, containers]);
        let mut conditions: Vec<Value> = Vec::new();
        for verdict in &verdicts {
            let since = self.transitions.since(verdict.kind, verdict.status, now);
            conditions.push(condition(verdict, generation, since));
        }
        let ours = |known: &Value| verdicts.iter().any(|verdict| known["type"] == verdict.kind);
        let others = object::items(stored, "/status/conditions").iter().filter(|known| !ours(known));
        conditions.extend(others.cloned());
        // The scheduler does not say of which generation it speaks; the kubelet does.
        for scheduled in conditions.iter_mut().filter(|known| known["type"] == "PodScheduled") {
            scheduled["observedGeneration"] = generation.into();
        }
        Value::Array(conditions)
    }

    fn sandbox_condition(&self) -> Verdict {
        verdict(
            "PodReadyToStartContainers",
            matches!(self.stage, Stage::Running | Stage::Terminating { .. } | Stage::Ended { .. }),
        )
    }

    fn initialized_condition(&self) -> Verdict {
        let incomplete = |container: &&Container| match container.role {
            Role::Init => !container.succeeded(),
            Role::Sidecar => !container.started && container.instances <= 1 && !container.is_finished(),
            Role::Main => false,
        };
        let names = names(self.containers.iter().filter(incomplete));
        match names {
            None if matches!(self.stage, Stage::Ended { .. } | Stage::Final)
                && self.verdict.is_none()
                && self.ended_well() =>
            {
                Verdict { reason: "PodCompleted", ..verdict("Initialized", true) }
            }
            None => verdict("Initialized", true),
            Some(names) => Verdict {
                kind: "Initialized",
                status: false,
                reason: "ContainersNotInitialized",
                message: format!("containers with incomplete status: {names}"),
            },
        }
    }

    fn ready_condition(&self, kind: &'static str) -> Verdict {
        let over = matches!(self.stage, Stage::Ended { .. } | Stage::Final);
        if over {
            let well = self.verdict.is_none() && self.ended_well();
            return Verdict {
                kind,
                status: false,
                reason: if well { "PodCompleted" } else { "PodFailed" },
                message: String::new(),
            };
        }
        let counts = |container: &&Container| container.role != Role::Init;
        let unready = self.containers.iter().filter(counts).filter(|container| !container.ready);
        match names(unready) {
            None => verdict(kind, true),
            Some(names) => Verdict {
                kind,
                status: false,
                reason: "ContainersNotReady",
                message: format!("containers with unready status: {names}"),
            },
        }
    }

    fn heed_gates(&self, stored: &Value, ready: &mut Verdict) {
        if !ready.status {
            return;
        }
        let conditions = object::items(stored, "/status/conditions");
        let holds = |gate: &str| conditions.iter().any(|known| known["type"] == gate && known["status"] == "True");
        if let Some(gate) = self.gates.iter().find(|gate| !holds(gate)) {
            ready.status = false;
            ready.reason = "ReadinessGatesNotReady";
            ready.message = format!("the status of pod readiness gate \"{gate}\" is not \"True\", but False");
        }
    }

    fn statuses(&self, init: bool) -> Vec<Value> {
        let wanted = self.containers.iter().filter(|container| container.role.is_init() == init);
        wanted.map(|container| self.container_status(container)).collect()
    }

    fn container_status(&self, container: &Container) -> Value {
        let (state, last) = self.states(container);
        let mut status = Map::new();
        status.insert("name".into(), container.name.clone().into());
        status.insert("state".into(), state);
        status.insert("lastState".into(), last);
        status.insert("ready".into(), container.ready.into());
        status.insert("restartCount".into(), container.instances.saturating_sub(1).into());
        status.insert("image".into(), container.image.clone().into());
        if container.instances == 0 {
            status.insert("imageID".into(), "".into());
        } else {
            status.insert("imageID".into(), format!("sha256:{}", digest(&container.image)).into());
            status.insert("containerID".into(), self.container_id(container, container.instances).into());
        }
        status.insert("started".into(), container.started.into());
        if container.instances > 0 {
            container.allotment.show(&mut status);
        }
        Value::Object(status)
    }

    /// `state` and `lastState`.
    fn states(&self, container: &Container) -> (Value, Value) {
        let finished = |ended: Option<&Terminated>| ended.map_or_else(|| json!({}), |e| self.terminated(container, e));
        if let State::Running { since } | State::Stopping { since, .. } = container.state {
            return (json!({"running": {"startedAt": seconds(since)}}), finished(container.exited.as_ref()));
        }
        if let Some(waiting) = &container.waiting {
            let state = json!({"waiting": {"reason": waiting.reason, "message": waiting.message}});
            return (state, finished(container.exited.as_ref()));
        }
        if container.exited.is_some() {
            return (finished(container.exited.as_ref()), finished(container.before.as_ref()));
        }
        if self.stage == Stage::Final {
            let lost = json!({"terminated": {
                "exitCode": 137,
                "reason": "ContainerStatusUnknown",
                "message": "The container could not be located when the pod was terminated",
                "startedAt": null,
                "finishedAt": null,
            }});
            return (lost, json!({}));
        }
        let initializing = self.containers.iter().any(|other| other.role.is_init());
        let reason = if initializing { "PodInitializing" } else { "ContainerCreating" };
        (json!({"waiting": {"reason": reason}}), json!({}))
    }

    fn terminated(&self, container: &Container, ended: &Terminated) -> Value {
        let mut state = Map::new();
        state.insert("exitCode".into(), ended.code.into());
        state.insert("reason".into(), ended.reason.clone().into());
        if let Some(message) = &ended.message {
            state.insert("message".into(), message.clone().into());
        }
        state.insert("startedAt".into(), seconds(ended.started).into());
        state.insert("finishedAt".into(), seconds(ended.finished).into());
        state.insert("containerID".into(), self.container_id(container, ended.instance).into());
        json!({ "terminated": state })
    }

    fn container_id(&self, container: &Container, instance: u32) -> String {
        format!("containerd://{}", digest(&format!("{}/{}/{instance}", self.identity.uid, container.name)))
    }
}

fn verdict(kind: &'static str, status: bool) -> Verdict {
    Verdict { kind, status, reason: "", message: String::new() }
}

fn condition(verdict: &Verdict, generation: i64, since: Timestamp) -> Value {
    let mut condition = Map::new();
    condition.insert("type".into(), verdict.kind.into());
    condition.insert("observedGeneration".into(), generation.into());
    condition.insert("status".into(), if verdict.status { "True" } else { "False" }.into());
    condition.insert("lastProbeTime".into(), Value::Null);
    condition.insert("lastTransitionTime".into(), seconds(since).into());
    if !verdict.reason.is_empty() {
        condition.insert("reason".into(), verdict.reason.into());
    }
    if !verdict.message.is_empty() {
        condition.insert("message".into(), verdict.message.clone().into());
    }
    Value::Object(condition)
}

/// `[a b]`, or nothing if there is none.
fn names<'a>(containers: impl Iterator<Item = &'a Container>) -> Option<String> {
    let names: Vec<&str> = containers.map(|container| container.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("[{}]", names.join(" ")))
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A moment as `metav1.Time`.
pub(crate) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
