//! PagerDuty, Events API v2.

use http::Request;
use serde_json::{Value, json};

use super::{
    Alert, State,
    outgoing::{Target, post},
};
use crate::publish::cut;

/// Where events go when the sink names no address.
pub(super) const ADDRESS: &str = "https://events.pagerduty.com/v2/enqueue";

/// Longest summary that is taken.
const MAX_SUMMARY: usize = 1024;

pub(super) fn request(alert: &Alert, target: &Target) -> Result<Request<Vec<u8>>, String> {
    let Some(key) = &target.key else {
        return Err("it has no integration key: write routingKeyFrom".to_owned());
    };
    post(&target.url, "application/json", &body(alert, key))
}

fn body(alert: &Alert, routing_key: &str) -> Value {
    let action = match alert.state {
        State::Firing => "trigger",
        State::Resolved(_) => "resolve",
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
