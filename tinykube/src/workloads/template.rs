//! Hashes of pod templates, which name ReplicaSets and revisions.

use std::collections::BTreeMap;

use serde_json::Value;

const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a template, in the characters of generated names. The same for the same content whatever the order of
/// its fields; another one after a collision has been counted.
pub(crate) fn hash(template: &Value, collisions: i64) -> String {
    let mut hash = 0x811c_9dc5_u32;
    let mut text = canonical(template).to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    for byte in text.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let digits = hash.to_string();
    digits
        .bytes()
        .filter_map(|digit| ALPHABET.get(usize::from(digit) % ALPHABET.len()))
        .map(|c| char::from(*c))
        .collect()
}

/// Whether two templates are the same but for the hash label.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    without_hash(one) == without_hash(other)
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove("pod-template-hash");
    }
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| !value.is_null());
    }
    template
}

/// With the fields of every object in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, canonical(value))).collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_does_not_matter_but_content_does() {
        let one = json!({"spec": {"a": 1, "b": [2]}});
        let same = json!({"spec": {"b": [2], "a": 1}});
        assert_eq!(hash(&one, 0), hash(&same, 0));
        assert_ne!(hash(&one, 0), hash(&json!({"spec": {"a": 1, "b": [3]}}), 0));
        assert_ne!(hash(&one, 0), hash(&one, 1));
    }
}
