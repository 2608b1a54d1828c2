//! Dropping fields a schema does not know.

use serde_json::Value;

use super::{field, is_type_field, preserves_unknown};

/// Prunes a whole object; returns the paths of what was dropped. Kind, version and metadata stay.
pub(crate) fn prune_root(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune(schema, object, "", true, &mut dropped);
    dropped
}

/// What is said of every field of an object that a schema does not know.
pub(crate) fn unknown(schema: &Value, object: &Value) -> Vec<String> {
    unknown_field_messages(prune_root(schema, &mut object.clone()))
}

pub(super) fn unknown_field_messages(mut dropped: Vec<String>) -> Vec<String> {
    dropped.sort();
    dropped.iter().map(|path| format!("unknown field {path:?}")).collect()
}

/// Prunes a value that may be a part of an object.
pub(super) fn prune_value(schema: &Value, value: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune(schema, value, "", schema["x-kubernetes-embedded-resource"] == Value::Bool(true), &mut dropped);
    dropped
}

fn prune(schema: &Value, value: &mut Value, path: &str, is_object: bool, dropped: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let properties = schema["properties"].as_object();
            let additional = &schema["additionalProperties"];
            let keeps = preserves_unknown(schema);
            members.retain(|key, member| {
                if is_object && is_type_field(key) {
                    return true;
                }
                let place = field(path, key);
                if let Some(known) = properties.and_then(|properties| properties.get(key)) {
                    if member.is_null() && known["nullable"] != Value::Bool(true) {
                        return false;
                    }
                    let embedded = known["x-kubernetes-embedded-resource"] == Value::Bool(true);
                    prune(known, member, &place, embedded, dropped);
                    return true;
                }
                if additional.is_object() {
                    prune(additional, member, &place, false, dropped);
                    return true;
                }
                if keeps || *additional == Value::Bool(true) {
                    return true;
                }
                dropped.push(place);
                false
            });
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{index}]"), false, dropped);
            }
        }
        _ => {}
    }
}
