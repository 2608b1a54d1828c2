//! Signatures under what is kept in objects that others may write.

use std::{fmt, sync::Arc};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes that HMAC-SHA256 makes of a key.
const BLOCK: usize = 64;

/// A key that only the controller has. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Arc<[u8; BLOCK]>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// A key of just that length.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        // As HMAC fills up a key that is shorter than a block.
        let mut block = [0; BLOCK];
        block[..KEY_BYTES].copy_from_slice(&bytes);
        Some(Self(Arc::new(block)))
    }

    /// The signature of a value, whatever the order of its keys, in hexadecimal digits.
    pub fn sign(&self, value: &Value) -> String {
        HEXLOWER.encode(&self.mac(value).finalize().into_bytes())
    }

    /// Whether it is the signature of that value. Takes as long whatever is wrong with it.
    pub fn has_signed(&self, value: &Value, signature: &str) -> bool {
        HEXLOWER.decode(signature.as_bytes()).is_ok_and(|signature| self.mac(value).verify_slice(&signature).is_ok())
    }

    fn mac(&self, value: &Value) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&(*self.0).into());
        mac.update(canonical(value).as_bytes());
        mac
    }
}

/// SHA-256 of a value, whatever the order of its keys, in hexadecimal digits.
pub fn fingerprint(value: &Value) -> String {
    HEXLOWER.encode(&Sha256::digest(canonical(value)))
}

/// JSON without spaces, keys in order. Two values that differ in anything else have two texts.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    append(value, &mut text);
    text
}

fn append(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                // As a string, so that no key can look like two.
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                append(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, value) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                append(value, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::of(&[byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn a_signature_is_the_one_that_everybody_computes() {
        // printf '{"a":[1,null],"b":"x"}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
        let signed = key(7).sign(&json!({"b": "x", "a": [1, null]}));
        assert_eq!(signed, "1340fdb7dc840e0e479557b5f1dd5d4cc1c7b9bb58d40aa17aa497634000772e");
        assert_eq!(fingerprint(&json!({})), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn only_the_same_value_under_the_same_key_has_a_signature() {
        let value = json!({"b": {"y": 1, "x": [true, "t"]}, "a": "1"});
        let signature = key(1).sign(&value);
        let reordered: Value = serde_json::from_str(r#"{"a": "1", "b": {"x": [true, "t"], "y": 1}}"#).unwrap();
        assert!(key(1).has_signed(&reordered, &signature));
        assert!(!key(2).has_signed(&value, &signature), "another key");
        for other in [
            json!({"b": {"y": 1, "x": [true, "t"]}, "a": 1}),
            json!({"b": {"y": 1, "x": ["t", true]}, "a": "1"}),
            json!({"b": {"y": 1, "x": [true, "t"]}, "a": "1", "c": null}),
            json!({"b": {"y": 1}, "x": [true, "t"], "a": "1"}),
        ] {
            assert!(!key(1).has_signed(&other, &signature), "{other}");
        }
        for wrong in ["", "00", &signature[1..], &format!("{signature}00"), &"g".repeat(64), &"é".repeat(32)] {
            assert!(!key(1).has_signed(&value, wrong), "{wrong}");
        }
    }

    #[test]
    fn no_key_of_an_object_can_look_like_two() {
        let pairs = [
            (json!({"a": 1, "b": 2}), json!({"a\":1,\"b": 2})),
            (json!({"a": "1,b:2"}), json!({"a": "1", "b": "2"})),
            (json!(["a", "b"]), json!(["a,b"])),
        ];
        for (one, other) in pairs {
            assert_ne!(fingerprint(&one), fingerprint(&other), "{one} {other}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_none_and_no_key_is_shown() {
        assert!(
            SigningKey::of(&[1; 31]).is_none() && SigningKey::of(&[1; 33]).is_none() && SigningKey::of(&[]).is_none()
        );
        assert_eq!(format!("{:?}", key(1)), "SigningKey");
    }
}
