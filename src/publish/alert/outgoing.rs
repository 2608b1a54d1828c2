//! A request to a receiver, and where it goes.

use http::{HeaderName, HeaderValue, Request, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::Value;

use super::{Alert, alertmanager, cloudevents, pagerduty, slack, webhook};
use crate::api::SinkType;

/// Where a receiver is and what it wants to know us by; secrets, if they came from a Secret. Not to be shown.
#[derive(Clone, Default)]
pub(super) struct Target {
    /// Its address.
    pub(super) url: String,
    /// The key to sign with, or the integration key.
    pub(super) key: Option<String>,
}

/// The alert in the form that the receiver wants.
pub(super) fn request(
    kind: SinkType,
    alert: &Alert,
    target: &Target,
    now: Timestamp,
) -> Result<Request<Vec<u8>>, String> {
    match kind {
        SinkType::Alertmanager => alertmanager::request(alert, target, now),
        SinkType::PagerDuty => pagerduty::request(alert, target),
        SinkType::Slack => slack::request(alert, target),
        SinkType::Webhook => webhook::request(alert, target, now),
        SinkType::CloudEvents => cloudevents::request(alert, target, now),
    }
}

/// JSON by POST.
pub(super) fn post(url: &str, content_type: &'static str, body: &Value) -> Result<Request<Vec<u8>>, String> {
    post_bytes(url, content_type, body.to_string().into_bytes(), Vec::new())
}

/// Bytes by POST, with headers. An address may be a secret, so no error repeats it.
pub(super) fn post_bytes(
    url: &str,
    content_type: &'static str,
    body: Vec<u8>,
    headers: Vec<(HeaderName, HeaderValue)>,
) -> Result<Request<Vec<u8>>, String> {
    let mut request = Request::post(url)
        .header(CONTENT_TYPE, content_type)
        .body(body)
        .map_err(|_| "its address is none: write one that begins with http:// or https://".to_owned())?;
    request.headers_mut().extend(headers);
    Ok(request)
}
