//! PagerDuty, Events API v2.

use http::Request;
use serde_json::{Value, json};

use crate::notify::alert::{
    AlertMessage, AlertState,
    post::{Target, post},
};
use kubeheal_core::model::text::cut;

/// Where events go when the receiver names no address.
pub(super) const ADDRESS: &str = "https://events.pagerduty.com/v2/enqueue";

/// Longest summary that is taken.
const MAX_SUMMARY: usize = 1024;

pub(super) fn request(alert: &AlertMessage, target: &Target) -> Result<Request<Vec<u8>>, String> {
    let Some(key) = &target.key else {
        return Err("it has no integration key: write routingKeyFrom".to_owned());
    };
    post(&target.url, "application/json", &body(alert, key))
}

fn body(alert: &AlertMessage, routing_key: &str) -> Value {
    let action = match alert.state {
        AlertState::Firing => "trigger",
        AlertState::Resolved(_) => "resolve",
    };
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": alert.key,
        "client": "kubeheal",
        "payload": {
            "summary": cut(&format!("{}: {}", alert.title, alert.text), MAX_SUMMARY),
            "source": format!("{}/{}", alert.namespace, alert.service),
            "severity": alert.severity.as_str(),
            "timestamp": format!("{:.0}", alert.since),
            "component": alert.workload,
            "group": alert.namespace,
            "class": alert.reason,
            "custom_details": {"text": alert.text, "kubeheal": alert.doing},
        },
    })
}
