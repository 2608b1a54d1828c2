//! A service's own fields over those of a policy.
//!
//! Objects are merged field by field; lists, single values and what the schema calls atomic are taken as a whole. Knows
//! nothing of what the fields mean.

use serde_json::{Map, Value};

use crate::api::{AsWritten, settings_schema};

/// Settings from two sources.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layered {
    /// All that was written, the service's own before the policy's.
    pub(super) written: AsWritten,
    /// Paths of the fields whose values come from the policy.
    pub(super) inherited: Vec<String>,
}

/// Lays a service's own fields over those of a policy.
pub(super) fn merge(own: &AsWritten, policy: &AsWritten) -> Layered {
    let mut inherited = Vec::new();
    let written = fields(settings_schema(), Some(&own.0), &policy.0, "", &mut inherited);
    Layered { written: AsWritten(written), inherited }
}

fn fields(
    schema: &Value,
    own: Option<&Map<String, Value>>,
    policy: &Map<String, Value>,
    path: &str,
    inherited: &mut Vec<String>,
) -> Map<String, Value> {
    let mut merged = own.cloned().unwrap_or_default();
    // An API server takes a null for an absent field.
    merged.retain(|_, value| !value.is_null());
    for (name, value) in policy {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let schema = &schema["properties"][name];
        match (merged.get(name), value) {
            (_, Value::Null) => {}
            (None | Some(Value::Object(_)), Value::Object(inner)) if is_granular(schema) => {
                let own = merged.get(name).and_then(Value::as_object);
                let inner = fields(schema, own, inner, &path, inherited);
                merged.insert(name.clone(), Value::Object(inner));
            }
            (None, value) => {
                merged.insert(name.clone(), value.clone());
                inherited.push(path);
            }
            (Some(_), _) => {}
        }
    }
    merged
}

fn is_granular(schema: &Value) -> bool {
    schema["properties"].is_object() && schema["x-kubernetes-map-type"] != "atomic"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: Value) -> AsWritten {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn own_fields_win_one_by_one_and_lists_as_a_whole() {
        let table = [
            ("nothing", json!({}), json!({}), json!({}), vec![]),
            ("only own", json!({"mode": "Heal"}), json!({}), json!({"mode": "Heal"}), vec![]),
            ("only the policy's", json!({}), json!({"mode": "Observe"}), json!({"mode": "Observe"}), vec!["mode"]),
            ("both", json!({"mode": "Heal"}), json!({"mode": "Observe"}), json!({"mode": "Heal"}), vec![]),
            (
                "deep",
                json!({"remediation": {"backoff": {"factor": 3}}}),
                json!({"remediation": {"backoff": {"factor": 2, "maxSeconds": 900}, "verifySeconds": 60}}),
                json!({"remediation": {"backoff": {"factor": 3, "maxSeconds": 900}, "verifySeconds": 60}}),
                vec!["remediation.backoff.maxSeconds", "remediation.verifySeconds"],
            ),
            (
                "a list is one value",
                json!({"remediation": {"ladder": ["RestartPod"]}}),
                json!({"remediation": {"ladder": ["Rollback"]}, "dependsOn": [{"name": "db"}]}),
                json!({"remediation": {"ladder": ["RestartPod"]}, "dependsOn": [{"name": "db"}]}),
                vec!["dependsOn"],
            ),
            (
                "an empty list is a value too",
                json!({"dependsOn": []}),
                json!({"dependsOn": [{"name": "db"}]}),
                json!({"dependsOn": []}),
                vec![],
            ),
            (
                "onOpen is one value: an action does not fit another's stand-in",
                json!({"circuitBreaker": {"onOpen": {"action": "Hold"}}}),
                json!({"circuitBreaker": {"onOpen": {"action": "Fallback", "fallback": {"serviceName": "a"}}}}),
                json!({"circuitBreaker": {"onOpen": {"action": "Hold"}}}),
                vec![],
            ),
            (
                "a null is nothing",
                json!({"health": {"minReady": null}}),
                json!({"health": {"minReady": "50%"}, "mode": null}),
                json!({"health": {"minReady": "50%"}}),
                vec!["health.minReady"],
            ),
            (
                "a value of another shape is left for the check of the whole",
                json!({"health": 1}),
                json!({"health": {"minReady": 2}}),
                json!({"health": 1}),
                vec![],
            ),
        ];
        for (what, own, policy, expected, inherited) in table {
            let layered = merge(&written(own), &written(policy));
            assert_eq!(layered.written, written(expected), "{what}");
            assert_eq!(layered.inherited, inherited, "{what}");
        }
    }
}
