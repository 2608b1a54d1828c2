//! Conditions of a definition: what its controllers say of it.

use serde_json::{Value, json};

use crate::api::Api;
use crate::object;

/// One condition as a controller wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) kind: &'static str,
    pub(super) holds: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Condition {
    pub(super) fn new(kind: &'static str, holds: bool, reason: &'static str, message: impl Into<String>) -> Condition {
        Condition { kind, holds, reason, message: message.into() }
    }

    fn status(&self) -> &'static str {
        if self.holds { "True" } else { "False" }
    }

    /// Whether a definition says the same already.
    pub(super) fn stands_in(&self, definition: &Value) -> bool {
        find(definition, self.kind).is_some_and(|found| {
            found["status"] == self.status() && found["reason"] == self.reason && found["message"] == self.message
        })
    }

    /// Writes the condition. The time is that of the last change of its status.
    pub(super) fn set(&self, api: &Api, definition: &mut Value) {
        let status = object::entry(definition, "status");
        let conditions = status.entry("conditions").or_insert(Value::Null);
        if !conditions.is_array() {
            *conditions = json!([]);
        }
        let now = api.clock().seconds();
        let written = |time: Value| json!({"type": self.kind, "status": self.status(), "lastTransitionTime": time, "reason": self.reason, "message": self.message});
        let Some(conditions) = conditions.as_array_mut() else { return };
        match conditions.iter_mut().find(|condition| condition["type"] == self.kind) {
            Some(there) if there["status"] == self.status() && there["lastTransitionTime"].is_string() => {
                *there = written(there["lastTransitionTime"].take());
            }
            Some(there) => *there = written(now.into()),
            None => conditions.push(written(now.into())),
        }
    }
}

/// The condition of this type, if there is one.
pub(super) fn find<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    object::items(definition, "/status/conditions").iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition is there and true.
pub(super) fn holds(definition: &Value, kind: &str) -> bool {
    find(definition, kind).is_some_and(|condition| condition["status"] == "True")
}
