//! From the status a pod's machine reports to what is written: nothing if it is known, the rest is left as it is.

use serde_json::{Map, Value, json};

use crate::object;

/// The parts of a status the kubelet writes; the rest is left as it is.
const OWNED: [&str; 11] = [
    "observedGeneration",
    "phase",
    "conditions",
    "message",
    "reason",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "startTime",
    "initContainerStatuses",
];

/// Whether a pod as stored says already what its machine reports.
pub(crate) fn is_known(stored: &Value, status: &Value) -> bool {
    let Some(ours) = status.as_object() else { return true };
    ours.iter().all(|(field, value)| stored["status"][field] == *value)
        && OWNED.iter().all(|field| ours.contains_key(*field) || stored["status"][*field].is_null())
}

/// The whole status to store: what the machine reports, and what others wrote.
pub(crate) fn merged(stored: &Value, status: &Value) -> Value {
    let mut merged: Map<String, Value> = status.as_object().cloned().unwrap_or_default();
    for (field, value) in stored["status"].as_object().into_iter().flatten() {
        if !OWNED.contains(&field.as_str()) && !merged.contains_key(field) {
            merged.insert(field.clone(), value.clone());
        }
    }
    Value::Object(merged)
}

/// A strategic merge patch of the status of this very pod; nothing if all is known. Conditions of others are not touched,
/// whoever wrote them meanwhile, nor is the order in which conditions stand.
pub(crate) fn patch(stored: &Value, status: &Value) -> Option<Value> {
    let mut ours: Map<String, Value> = status.as_object().cloned().unwrap_or_default();
    ours.retain(|field, value| stored["status"][field] != *value);
    for field in OWNED {
        if status.get(field).is_none() && !stored["status"][field].is_null() {
            ours.insert(field.to_owned(), Value::Null);
        }
    }
    if let Some(conditions) = ours.get_mut("conditions").and_then(Value::as_array_mut) {
        let known = object::items(stored, "/status/conditions");
        conditions.retain(|condition| !known.contains(condition));
        for condition in conditions {
            for field in ["reason", "message"] {
                // What is not said any more goes.
                object::map(condition).entry(field.to_owned()).or_insert(Value::Null);
            }
        }
    }
    ours.retain(|field, value| field != "conditions" || value.as_array().is_none_or(|list| !list.is_empty()));
    if ours.is_empty() {
        return None;
    }
    for list in ["hostIPs", "podIPs"] {
        if let Some(addresses) = ours.get_mut(list).and_then(Value::as_array_mut) {
            addresses.insert(0, json!({"$patch": "replace"}));
        }
    }
    Some(json!({"metadata": {"uid": object::uid(stored)}, "status": ours}))
}
