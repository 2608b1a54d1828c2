//! Events of both APIs, and the times of Leases and Events.

use serde_json::{Value, json};

use crate::api::{Cause, Status};
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

/// Everything wrong with a new event. Only those of the new API, which have an `eventTime`, are held to its rules.
pub(super) fn causes(resource: &Resource, event: &Value) -> Vec<Cause> {
    if resource.group.is_empty() || event["eventTime"].is_null() {
        return Vec::new();
    }
    let mut causes = Vec::new();
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

/// Times with microseconds must be times.
pub(super) fn check_times(resource: &Resource, value: &Value) -> Result<(), Status> {
    let places: &[&str] = match resource.kind.as_str() {
        "Lease" => &["/spec/renewTime", "/spec/acquireTime"],
        "Event" => &["/eventTime", "/series/lastObservedTime"],
        _ => &[],
    };
    for place in places {
        let time = object::text(value, place);
        if !time.is_empty() && time.parse::<jiff::Timestamp>().is_err() {
            return Err(Status::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: parsing time {time:?} as \
                 \"2006-01-02T15:04:05.000000Z07:00\": cannot parse {time:?} as \"2006\"",
                kind = resource.kind,
                version = resource.version
            )));
        }
    }
    Ok(())
}
