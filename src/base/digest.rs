//! Digests of JSON values.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// First 16 hexadecimal digits of the SHA-256 of a JSON value, whatever the order of its keys.
pub fn digest(value: &Value) -> String {
    let mut hasher = Sha256::new();
    feed(value, &mut hasher);
    let digest = hasher.finalize();
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(start))
}

fn feed(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            hasher.update(b"{");
            for (key, value) in sorted {
                hasher.update(key.as_bytes());
                hasher.update(b":");
                feed(value, hasher);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed(item, hasher);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hasher.update(value.to_string().as_bytes());
        }
    }
}
