//! When the conditions of a pod last changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::object;

/// Since when each condition has the status it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transitions(BTreeMap<&'static str, (bool, Timestamp)>);

impl Transitions {
    /// Since when, given the status now.
    pub(super) fn since(&mut self, condition: &'static str, status: bool, now: Timestamp) -> Timestamp {
        let entry = self.0.entry(condition).or_insert((status, now));
        if entry.0 != status {
            *entry = (status, now);
        }
        entry.1
    }

    /// Takes over what the conditions of a pod say.
    pub(crate) fn restore(&mut self, stored: &Value) {
        let known = object::items(stored, "/status/conditions");
        for kind in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"] {
            let Some(condition) = known.iter().find(|condition| condition["type"] == kind) else { continue };
            if let Ok(since) = object::text(condition, "/lastTransitionTime").parse() {
                self.0.insert(kind, (condition["status"] == "True", since));
            }
        }
    }
}
