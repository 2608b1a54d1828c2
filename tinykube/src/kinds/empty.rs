//! Empty members of built-in objects: the real server's types do not write most of them.

use serde_json::Value;

/// Members that are written even if they are empty.
const KEPT: [&str; 35] = [
    "versions",
    "emptyDir",
    "resources",
    "securityContext",
    "status",
    "selector",
    "spec",
    "lastState",
    "state",
    "metadata",
    "podSelector",
    "namespaceSelector",
    "objectSelector",
    "source",
    "deprecatedSource",
    "loadBalancer",
    "template",
    "strategy",
    "preferences",
    "linux",
    "involvedObject",
    "regarding",
    "running",
    "names",
    "uncountedTerminatedPods",
    "exec",
    "httpGet",
    "tcpSocket",
    "grpc",
    "configMap",
    "secret",
    "projected",
    "downwardAPI",
    "rollingUpdate",
    "affinity",
];

/// Nulls that are written.
const NULLS: [&str; 7] = [
    "lastProbeTime",
    "deprecatedFirstTimestamp",
    "deprecatedLastTimestamp",
    "firstTimestamp",
    "lastTimestamp",
    "conditions",
    "eventTime",
];

/// Members of the object itself that are written even if nothing is there.
const OUTERMOST: [&str; 2] = ["endpoints", "ports"];

/// Drops nulls and empty lists and maps, except where they are written.
pub(super) fn drop_empty(object: &mut Value) {
    drop_in(object, 0);
}

/// The same for metadata alone.
pub(super) fn drop_empty_metadata(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata") {
        drop_in(metadata, 1);
    }
}

fn drop_in(value: &mut Value, depth: usize) {
    match value {
        Value::Object(members) => members.retain(|key, member| {
            // Free-form content is not ours to tidy.
            if matches!(key.as_str(), "managedFields" | "openAPIV3Schema" | "annotations" | "labels" | "rules")
                || (depth == 0 && key == "data" && member.as_object().is_some_and(|data| !data.is_empty()))
            {
                return !is_empty(member) || (depth == 0 && key == "rules");
            }
            drop_in(member, depth + 1);
            !is_empty(member)
                || (depth == 0 && OUTERMOST.contains(&key.as_str()))
                || (key == "conditions" && member.is_object())
                || (member.is_null() && NULLS.contains(&key.as_str()))
                || (!member.is_null() && KEPT.contains(&key.as_str()))
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| drop_in(item, depth + 1)),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
