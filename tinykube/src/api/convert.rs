//! Resources that are views of the same stored objects: the two Event APIs, and versions of custom resources.

use std::sync::Arc;

use serde_json::Value;

use crate::object;
use crate::registry::Custom;
use crate::resource::Resource;
use crate::stored::Stored;

/// Field names of `events.k8s.io/v1` and of the core group's Event.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn is_new_event(resource: &Resource) -> bool {
    resource.group == "events.k8s.io"
}

/// A stored object as `resource` shows it. Free unless the versions differ.
pub(crate) fn to_version(resource: &Resource, stored: &Arc<Value>) -> Arc<Value> {
    match rename(resource, stored) {
        Some(shown) => Arc::new(shown),
        None => stored.clone(),
    }
}

/// Why a stored object cannot be shown: its version is not declared any more.
pub(crate) fn refusal(custom: &Custom, stored: &Stored) -> Option<String> {
    let version = stored.api_version();
    let is_declared = custom.declared.iter().any(|declared| declared == version);
    (!is_declared).then(|| format!("request to convert CR from an invalid group/version: {version}"))
}

/// Whether objects are stored with other fields than `resource` shows, so that their text cannot be shown as it is.
pub(crate) fn renames_fields(resource: &Resource) -> bool {
    is_new_event(resource)
}

/// An object of `resource` as it is stored.
pub(crate) fn to_storage(resource: &Resource, object: Value) -> Value {
    if !is_new_event(resource) {
        return object;
    }
    let mut stored = renamed(object, |new, old| (new, old));
    stored["apiVersion"] = "v1".into();
    stored
}

fn rename(resource: &Resource, stored: &Value) -> Option<Value> {
    if is_new_event(resource) {
        let mut shown = renamed(stored.clone(), |new, old| (old, new));
        shown["apiVersion"] = resource.api_version().into();
        return Some(shown);
    }
    let version = stored["apiVersion"].as_str().unwrap_or_default();
    if resource.custom && version != resource.api_version() {
        let mut shown = stored.clone();
        shown["apiVersion"] = resource.api_version().into();
        return Some(shown);
    }
    None
}

fn renamed(mut event: Value, direction: impl Fn(&'static str, &'static str) -> (&'static str, &'static str)) -> Value {
    let members = object::map(&mut event);
    for (new, old) in EVENT_FIELDS {
        let (from, to) = direction(new, old);
        if let Some(value) = members.shift_remove(from) {
            members.insert(to.to_owned(), value);
        }
    }
    event
}
