//! Prometheus Alertmanager, API v2: `POST /api/v2/alerts`.
//!
//! Alertmanager ends an alert by itself when `endsAt` has passed, so one that fires is sent again before that; there is
//! nothing it needs to be told twice otherwise, since it repeats to people as its routes say.

use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::notify::alert::{
    AlertMessage, AlertState,
    post::{Target, post},
};
use kubeheal_core::model::{
    alert::{Severity, Subject},
    moment::after,
};

/// A firing alert is over for Alertmanager when nobody repeats it for so long: three times `RetryConfig::keep_alive`.
const ENDS_AFTER: SignedDuration = SignedDuration::from_secs(900);

pub(super) fn request(alert: &AlertMessage, target: &Target, now: Timestamp) -> Result<Request<Vec<u8>>, String> {
    let url = format!("{}/api/v2/alerts", target.url.trim_end_matches('/'));
    post(&url, "application/json", &body(alert, now))
}

fn body(alert: &AlertMessage, now: Timestamp) -> Value {
    let ends = match alert.state {
        AlertState::Firing => after(now, ENDS_AFTER),
        AlertState::Resolved(at) => at,
    };
    let mut alerts = vec![one(alert, alert.severity, ends)];
    if was_quieter(alert) {
        // Severity is a label, by which routes choose, and labels are what an alert is known by: the quieter one is over.
        alerts.push(one(alert, Severity::Warning, ends.min(now)));
    }
    Value::Array(alerts)
}

/// Whether it may know of this alert by a lower severity.
fn was_quieter(alert: &AlertMessage) -> bool {
    let heard_of = alert.knows.map_or(alert.state != AlertState::Firing, |severity| severity < alert.severity);
    alert.subject == Subject::Service && alert.severity == Severity::Critical && heard_of
}

fn one(alert: &AlertMessage, severity: Severity, ends: Timestamp) -> Value {
    let mut labels = Map::new();
    labels.insert("severity".to_owned(), json!(severity.as_str()));
    match alert.subject {
        Subject::Service => {
            labels.insert("alertname".to_owned(), json!("HealedServiceUnhealthy"));
            labels.insert("namespace".to_owned(), json!(alert.namespace));
            labels.insert("service".to_owned(), json!(alert.service));
            labels.insert("workload".to_owned(), json!(alert.workload));
        }
        Subject::Storm => {
            labels.insert("alertname".to_owned(), json!("HealedServicesStorm"));
        }
    }
    json!({
        "labels": labels,
        "annotations": {"summary": alert.title, "description": alert.whole_text(), "reason": alert.reason},
        "startsAt": format!("{:.0}", alert.since),
        "endsAt": format!("{ends:.0}"),
    })
}
