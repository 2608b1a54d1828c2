//! Pods that the kubelet turns away: those that were bound past the scheduler to a node that they do not select.
//!
//! Of the checks of a real kubelet this is the only one. It is made when a pod comes; who runs already stays.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::note::Note;
use super::span::after;
use super::status::seconds;
use crate::object;
use crate::workloads::{View, is_selected};

/// How long a pod is there before it is turned away, as in churns that people have reported. Its controller makes another at once,
/// and time that is virtual does not pass by itself meanwhile.
const TAKES: Duration = Duration::from_secs(3);

/// That the kubelet does not want a pod.
pub(super) enum Rejection {
    /// To be told then.
    Due(Timestamp),
    /// The Event and the status to write.
    Now(Note, Value),
}

/// What becomes of a pod that just came, if the kubelet does not want it.
pub(super) fn rejection(pod: &Value, view: &View, now: Timestamp) -> Option<Rejection> {
    if !pod["status"]["startTime"].is_null() || object::is_terminating(pod) {
        return None;
    }
    let node = view.get_kind("Node", "", object::text(pod, "/spec/nodeName"))?;
    if is_selected(&pod["spec"], &node) {
        return None;
    }
    let created = object::text(pod, "/metadata/creationTimestamp").parse().unwrap_or(now);
    let due = after(created, TAKES);
    if now < due {
        return Some(Rejection::Due(due));
    }
    let reason = "NodeAffinity";
    let message = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector".to_owned();
    let status = rejected(pod, reason, &message, now);
    Some(Rejection::Now(Note::warning(reason, message), status))
}

/// The kubelet's `rejectPod`, with what its status manager adds.
fn rejected(pod: &Value, reason: &str, message: &str, now: Timestamp) -> Value {
    let ours = ["Ready", "ContainersReady"];
    let not_ready = |kind: &str| {
        json!({
            "type": kind,
            "observedGeneration": object::generation(pod),
            "status": "False",
            "lastProbeTime": null,
            "lastTransitionTime": seconds(now),
            "reason": "PodFailed",
        })
    };
    let of_others =
        object::items(pod, "/status/conditions").iter().filter(|known| !ours.iter().any(|kind| known["type"] == *kind));
    let conditions: Vec<Value> = ours.map(not_ready).into_iter().chain(of_others.cloned()).collect();
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object::generation(pod).into());
    status.insert("phase".into(), "Failed".into());
    status.insert("conditions".into(), conditions.into());
    status.insert("message".into(), format!("Pod was rejected: {message}").into());
    status.insert("reason".into(), reason.into());
    status.insert("startTime".into(), seconds(now).into());
    status.insert("qosClass".into(), object::text(pod, "/status/qosClass").into());
    Value::Object(status)
}
