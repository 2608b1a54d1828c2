//! Events of both APIs.

use serde_json::{Value, json};

use crate::api::Cause;
use crate::object::{self, default};
use crate::resource::Resource;

/// Longest note of an event.
const NOTE_LIMIT: usize = 1024;

/// Members the real server always writes.
pub(super) fn defaults(resource: &Resource, event: &mut Value) {
    let event = object::map(event);
    let (source, first, last) = if resource.group.is_empty() {
        ("source", "firstTimestamp", "lastTimestamp")
    } else {
        ("deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp")
    };
    default(event, source, json!({}));
    for key in [first, last, "eventTime"] {
        event.entry(key.to_owned()).or_insert(Value::Null);
    }
    if resource.group.is_empty() {
        for key in ["reportingComponent", "reportingInstance"] {
            default(event, key, "");
        }
    }
}

/// Everything wrong with a new event: it is about something in its namespace. Only those of the new API, which have an
/// `eventTime`, are held to more.
pub(super) fn causes(resource: &Resource, event: &Value) -> Vec<Cause> {
    let about = if resource.group.is_empty() { "involvedObject" } else { "regarding" };
    let (home, namespace) = (object::namespace(event), object::text(event, &format!("/{about}/namespace")));
    let mut causes = Vec::new();
    // What has no namespace is told of in the default one.
    if namespace != home && !(namespace.is_empty() && home == "default") {
        let why = "does not match event.namespace";
        causes.push(Cause::invalid("involvedObject.namespace", &json!(namespace), why));
    }
    if resource.group.is_empty() || event["eventTime"].is_null() {
        return causes;
    }
    for (key, field) in [
        ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
    ] {
        if object::text(event, &format!("/{key}")).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let kind = object::text(event, "/type");
    if !matches!(kind, "Normal" | "Warning") {
        causes.push(Cause::invalid("type", &json!(""), &format!("has invalid value: {kind}")));
    }
    if object::text(event, "/note").len() > NOTE_LIMIT {
        causes.push(Cause::invalid("message", &json!(""), "can have at most 1024 characters"));
    }
    causes
}
