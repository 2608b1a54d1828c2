//! The shape of a pod status: what a controller decides by, without times, names and messages.

use std::fmt;

use serde_json::Value;

/// One container in a pod's status.
#[derive(Clone, PartialEq, Eq)]
struct ContainerShape {
    name: String,
    state: String,
    last: String,
    ready: bool,
    started: Value,
    restarts: i64,
}

/// One pod status.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    phase: String,
    terminating: bool,
    conditions: Vec<(String, String, String)>,
    containers: Vec<ContainerShape>,
}

impl Shape {
    /// The shape of a pod.
    pub(crate) fn of(pod: &Value) -> Shape {
        let status = &pod["status"];
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let mut conditions: Vec<_> =
            conditions.map(|c| (text(&c["type"]), text(&c["status"]), text(&c["reason"]))).collect();
        conditions.sort();
        let lists = ["initContainerStatuses", "containerStatuses"];
        let containers = lists.iter().flat_map(|list| status[*list].as_array().into_iter().flatten());
        Shape {
            phase: text(&status["phase"]),
            terminating: pod["metadata"]["deletionTimestamp"].is_string(),
            conditions,
            containers: containers.map(container).collect(),
        }
    }

    /// Whether the Ready condition is True.
    pub(crate) fn is_ready(&self) -> bool {
        self.conditions.iter().any(|(kind, status, _)| kind == "Ready" && status == "True")
    }

    /// Whether containers are about to be created.
    pub(crate) fn is_creating(&self) -> bool {
        self.containers.iter().any(|container| container.state == "waiting:ContainerCreating")
    }

    /// Whether the pod's network is not up yet, as its first status says.
    pub(crate) fn has_no_sandbox(&self) -> bool {
        self.conditions.iter().any(|(kind, status, _)| kind == "PodReadyToStartContainers" && status == "False")
    }

    /// Whether the phase is Running.
    pub(crate) fn is_running(&self) -> bool {
        self.phase == "Running"
    }
}

fn container(status: &Value) -> ContainerShape {
    ContainerShape {
        name: text(&status["name"]),
        state: state(&status["state"]),
        last: state(&status["lastState"]),
        ready: status["ready"] == true,
        started: status["started"].clone(),
        restarts: status["restartCount"].as_i64().unwrap_or(-1),
    }
}

/// `running`, `waiting:Reason`, `terminated:Reason(code)` or `-`.
fn state(state: &Value) -> String {
    let Some((kind, detail)) = state.as_object().and_then(|state| state.iter().next()) else {
        return "-".to_owned();
    };
    match kind.as_str() {
        "waiting" => format!("waiting:{}", text(&detail["reason"])),
        "terminated" => format!("terminated:{}({})", text(&detail["reason"]), detail["exitCode"]),
        other => other.to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl fmt::Debug for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.phase, if self.terminating { " terminating" } else { "" })?;
        for (kind, status, reason) in &self.conditions {
            write!(formatter, " {kind}={status}:{reason}")?;
        }
        for container in &self.containers {
            let ContainerShape { name, state, last, ready, started, restarts } = container;
            write!(formatter, " {name}[{state} last={last} ready={ready} started={started} restarts={restarts}]")?;
        }
        Ok(())
    }
}

/// Drops what repeats the one before.
pub(crate) fn distinct(shapes: impl IntoIterator<Item = Shape>) -> Vec<Shape> {
    let mut distinct: Vec<Shape> = Vec::new();
    for shape in shapes {
        if distinct.last() != Some(&shape) {
            distinct.push(shape);
        }
    }
    distinct
}
