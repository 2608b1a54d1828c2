//! Webhook: our own JSON, signed if there is a key.
//!
//! A request that is signed has two headers. `x-kubeheal-timestamp` is the time in seconds since 1970.
//! `x-kubeheal-signature` is `sha256=` and, in hexadecimal digits, the HMAC-SHA256 of that time as it stands in the header, a
//! dot, and the bytes of the body. The key is the value in the Secret without white space around it. A receiver
//!
//! 1. computes the same over the bytes it received, before it reads them as JSON, and compares in constant time;
//! 2. refuses a time that differs from its own by more than five minutes;
//! 3. drops an `id` that it has seen: a notice whose answer was lost comes again, with a new time and signature.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Request};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::notify::alert::{
    AlertMessage,
    post::{Target, post_bytes},
};

/// Header with the time that is signed, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-kubeheal-timestamp";
/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "x-kubeheal-signature";

pub(super) fn request(alert: &AlertMessage, target: &Target, now: Timestamp) -> Result<Request<Vec<u8>>, String> {
    let body = data(alert).to_string().into_bytes();
    let mut headers = Vec::new();
    if let Some(key) = &target.key {
        let seconds = now.as_second().to_string();
        let signature = signature(key, &seconds, &body)?;
        for (name, value) in [(TIMESTAMP_HEADER, seconds), (SIGNATURE_HEADER, signature)] {
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            headers.push((HeaderName::from_static(name), value));
        }
    }
    post_bytes(&target.url, "application/json", body, headers)
}

/// What the body says; CloudEvents carries the same.
pub(super) fn data(alert: &AlertMessage) -> Value {
    let mut data = json!({
        "id": alert.id(),
        "key": alert.key,
        "status": alert.state.as_str(),
        "severity": alert.severity.as_str(),
        "subject": alert.subject.as_str(),
        "reason": alert.reason,
        "namespace": alert.namespace,
        "service": alert.service,
        "workload": alert.workload,
        "title": alert.title,
        "text": alert.text,
        "kubeheal": alert.doing,
        "since": format!("{:.0}", alert.since),
    });
    if let (Some(at), Some(fields)) = (alert.resolved_at(), data.as_object_mut()) {
        fields.insert("resolvedAt".to_owned(), json!(format!("{at:.0}")));
    }
    data
}

fn signature(key: &str, seconds: &str, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}
