//! The row of a pod: how many containers are ready, what state it is in, how often it was restarted.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, human};
use crate::object::{is_terminating, items, text};
use crate::resource::Resource;

/// The cells of a pod.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let containers = items(pod, "/spec/containers").len() + sidecars(pod).len();
    let statuses = items(pod, "/status/containerStatuses");
    let initial = items(pod, "/status/initContainerStatuses");
    let is_sidecar = |status: &&Value| sidecars(pod).contains(&text(status, "/name"));
    let counted: Vec<&Value> = statuses.iter().chain(initial.iter().filter(is_sidecar)).collect();
    let ready = counted.iter().filter(|status| status["ready"] == true).count();
    let or_none = |pointer: &str| match text(pod, pointer) {
        "" => "<none>".to_owned(),
        found => found.to_owned(),
    };
    vec![
        pod["metadata"]["name"].clone(),
        format!("{ready}/{containers}").into(),
        state(pod).into(),
        restarts(&counted, initial, now).into(),
        age(&pod["metadata"]["creationTimestamp"], now),
        or_none("/status/podIP").into(),
        or_none("/spec/nodeName").into(),
        or_none("/status/nominatedNodeName").into(),
        gates(pod).into(),
    ]
}

/// What a row says besides of a pod that is over.
pub(super) fn over(resource: &Resource, pod: &Value) -> Option<Value> {
    let phase = text(pod, "/status/phase");
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    let over = json!({"type": "Completed", "status": "True", "reason": phase, "message": message});
    resource.is("", "pods").then_some(over)
}

/// How many readiness gates are open.
fn gates(pod: &Value) -> String {
    let gates = items(pod, "/spec/readinessGates");
    let open = |gate: &&Value| {
        let mut conditions = items(pod, "/status/conditions").iter();
        conditions.any(|known| known["type"] == gate["conditionType"] && known["status"] == "True")
    };
    if gates.is_empty() {
        "<none>".to_owned()
    } else {
        format!("{}/{}", gates.iter().filter(open).count(), gates.len())
    }
}

fn sidecars(pod: &Value) -> Vec<&str> {
    let initial = items(pod, "/spec/initContainers").iter();
    initial
        .filter(|container| container["restartPolicy"] == "Always")
        .map(|container| text(container, "/name"))
        .collect()
}

fn restarts(counted: &[&Value], initial: &[Value], now: Timestamp) -> String {
    let initializing = counted.iter().all(|status| status["started"].is_null() && status["restartCount"] == 0);
    let all: Vec<&Value> = if initializing { initial.iter().collect() } else { counted.to_vec() };
    let count: i64 = all.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let last = all
        .iter()
        .filter_map(|status| text(status, "/lastState/terminated/finishedAt").parse::<Timestamp>().ok())
        .max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", human(now.as_second() - last.as_second())),
        _ => count.to_string(),
    }
}

/// What kubectl shows as the status of a pod.
fn state(pod: &Value) -> String {
    let mut state = text(pod, "/status/phase").to_owned();
    let reason = text(pod, "/status/reason");
    if !reason.is_empty() {
        reason.clone_into(&mut state);
    }
    let gated = "SchedulingGated";
    if items(pod, "/status/conditions").iter().any(|known| known["type"] == "PodScheduled" && known["reason"] == gated)
    {
        gated.clone_into(&mut state);
    }
    let initializing = initial_state(pod);
    if let Some(initial) = &initializing {
        state.clone_from(initial);
    } else {
        let mut running = false;
        for status in items(pod, "/status/containerStatuses").iter().rev() {
            let (waiting, ended) = (text(status, "/state/waiting/reason"), &status["state"]["terminated"]);
            if !waiting.is_empty() {
                waiting.clone_into(&mut state);
            } else if ended.is_object() {
                state = ended_state(ended);
            } else if status["ready"] == true && status["state"]["running"].is_object() {
                running = true;
            }
        }
        if state == "Completed" && running {
            let conditions = items(pod, "/status/conditions");
            let ready =
                conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            (if ready { "Running" } else { "NotReady" }).clone_into(&mut state);
        }
    }
    if is_terminating(pod) {
        let lost = text(pod, "/status/reason") == "NodeLost";
        let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        if lost {
            return "Unknown".to_owned();
        }
        if !over {
            return "Terminating".to_owned();
        }
    }
    state
}

fn ended_state(ended: &Value) -> String {
    let reason = text(ended, "/reason");
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match (ended["signal"].as_i64().unwrap_or(0), ended["exitCode"].as_i64().unwrap_or(0)) {
        (0, code) => format!("ExitCode:{code}"),
        (signal, _) => format!("Signal:{signal}"),
    }
}

/// The state of a pod whose init containers are not through.
fn initial_state(pod: &Value) -> Option<String> {
    let statuses = items(pod, "/status/initContainerStatuses");
    let sidecars = sidecars(pod);
    for (index, status) in statuses.iter().enumerate() {
        let (waiting, ended) = (text(status, "/state/waiting/reason"), &status["state"]["terminated"]);
        if ended.is_object() && ended["exitCode"] == 0 {
            continue;
        }
        if status["started"] == true && sidecars.contains(&text(status, "/name")) {
            continue;
        }
        if ended.is_object() {
            return Some(format!("Init:{}", ended_state(ended)));
        }
        if !waiting.is_empty() && waiting != "PodInitializing" {
            return Some(format!("Init:{waiting}"));
        }
        return Some(format!("Init:{index}/{}", items(pod, "/spec/initContainers").len()));
    }
    None
}
