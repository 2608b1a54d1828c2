//! What the workload controllers ask of pods, and how they make them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::context::owner_reference;
use crate::kubelet::after;
use crate::object;
use crate::resource::Resource;

/// The Ready condition, if the kubelet has written one.
pub(crate) fn ready_condition(pod: &Value) -> Option<&Value> {
    object::items(pod, "/status/conditions").iter().find(|condition| condition["type"] == "Ready")
}

/// Whether the Ready condition is True.
pub(crate) fn is_ready(pod: &Value) -> bool {
    ready_condition(pod).is_some_and(|condition| condition["status"] == "True")
}

/// Since when the pod has been available for `min_ready` seconds; the end of time if it is not ready.
pub(crate) fn available_from(pod: &Value, min_ready: i64) -> Timestamp {
    let Some(condition) = ready_condition(pod).filter(|condition| condition["status"] == "True") else {
        return Timestamp::MAX;
    };
    let since = object::text(condition, "/lastTransitionTime").parse().unwrap_or(Timestamp::MIN);
    let wait = std::time::Duration::from_secs(u64::try_from(min_ready).unwrap_or(0));
    if wait.is_zero() { Timestamp::MIN } else { after(since, wait) }
}

/// Neither Succeeded nor Failed nor being deleted.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_over(pod) && !object::is_terminating(pod)
}

/// Succeeded or Failed.
pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(object::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// A pod of a workload's template, named by the server.
pub(crate) fn from_template(resource: &Resource, owner: &Value) -> Value {
    let template = &owner["spec"]["template"];
    let mut metadata = Map::new();
    metadata.insert("generateName".into(), format!("{}-", object::name(owner)).into());
    metadata.insert("namespace".into(), object::namespace(owner).into());
    for part in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(part).filter(|value| !value.is_null()) {
            metadata.insert(part.into(), value.clone());
        }
    }
    metadata.insert("ownerReferences".into(), json!([owner_reference(resource, owner)]));
    json!({"metadata": metadata, "spec": template["spec"]})
}

/// Which of several pods a controller gives up first: those that have come the least far, then the younger ones.
pub(crate) fn deletion_rank(pod: &Value) -> impl Ord + use<> {
    let bound = !object::text(pod, "/spec/nodeName").is_empty();
    let phase = match object::text(pod, "/status/phase") {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let restarts = object::items(pod, "/status/containerStatuses").iter();
    let restarts = restarts.filter_map(|status| status["restartCount"].as_i64()).max().unwrap_or(0);
    let created = object::text(pod, "/metadata/creationTimestamp").to_owned();
    let name = object::name(pod).to_owned();
    (bound, phase, is_ready(pod), std::cmp::Reverse(restarts), std::cmp::Reverse(created), name)
}
