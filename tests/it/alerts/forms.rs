//! What the published rules of each receiver ask of what is sent, whatever a container printed.

use jiff::Timestamp;
use kubeheal::notify::alert::{AlertMessage, AlertState};
use kubeheal_core::model::alert::Severity;
use serde_json::{Value, json};

use crate::support::http_receiver::Answer;

use super::receivers::{Harness, alert, received, receiver, time};

/// The first rule that a body breaks.
fn broken(kind: &str, body: &Value) -> Option<&'static str> {
    let rules = match kind {
        "Alertmanager" => alertmanager(&body[0]),
        "PagerDuty" => pagerduty(body),
        "Slack" => slack(body),
        "CloudEvents" => cloudevents(body),
        _ => vec![(is_time(&body["since"]) && within(&body["id"], 1024), "id and since")],
    };
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_time(value: &Value) -> bool {
    text(value).parse::<Timestamp>().is_ok()
}

fn within(value: &Value, most: usize) -> bool {
    (1..=most).contains(&text(value).chars().count())
}

fn alertmanager(one: &Value) -> Vec<(bool, &'static str)> {
    let labels = one["labels"].as_object().unwrap();
    let is_name = |name: &String| name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    vec![
        (labels.keys().all(is_name), "names of labels"),
        (labels.values().all(|value| !text(value).is_empty()), "a label without a value is none"),
        (one["annotations"].as_object().unwrap().values().all(Value::is_string), "annotations are texts"),
        (is_time(&one["startsAt"]) && is_time(&one["endsAt"]), "times are RFC 3339"),
        (text(&one["startsAt"]) <= text(&one["endsAt"]), "an alert ends after it begins"),
    ]
}

fn pagerduty(body: &Value) -> Vec<(bool, &'static str)> {
    let payload = &body["payload"];
    vec![
        (["trigger", "resolve"].contains(&text(&body["event_action"])), "event_action"),
        (within(&body["dedup_key"], 255), "dedup_key"),
        (within(&payload["summary"], 1024), "summary"),
        (within(&payload["source"], 1024), "source"),
        (["critical", "error", "warning", "info"].contains(&text(&payload["severity"])), "severity"),
        (is_time(&payload["timestamp"]), "timestamp"),
        (body.to_string().len() < 512 * 1024, "an event is smaller than 512 kB"),
    ]
}

fn slack(body: &Value) -> Vec<(bool, &'static str)> {
    vec![
        (within(&body["text"], 40_000), "text"),
        (within(&body["attachments"][0]["fallback"], 40_000), "fallback"),
        (!body.to_string().contains(['<', '>']), "control sequences"),
    ]
}

fn cloudevents(body: &Value) -> Vec<(bool, &'static str)> {
    let is_name = |name: &String| name.chars().all(|letter| letter.is_ascii_lowercase());
    vec![
        (body.as_object().unwrap().keys().all(is_name), "names of attributes"),
        (body["specversion"] == "1.0", "specversion"),
        (["id", "source", "type"].iter().all(|name| within(&body[name], 1024)), "required attributes"),
        (text(&body["source"]).parse::<http::Uri>().is_ok(), "source is a URI reference"),
        (is_time(&body["time"]), "time"),
    ]
}

/// Warning and critical, firing and over, with texts that are hard to quote.
fn alerts() -> Vec<AlertMessage> {
    let long = "💥".repeat(1024);
    let texts = ["", "\u{0}\n\u{1b}[31m", "<http://evil|click> <!here>", "\"}]", long.as_str()];
    let mut alerts = Vec::new();
    for severity in [Severity::Warning, Severity::Critical] {
        for state in [AlertState::Firing, AlertState::Resolved(time("2026-11-23T10:04:00Z"))] {
            for text in texts.map(str::to_owned) {
                let title = format!("shop/api is Unhealthy: {text}");
                alerts.push(AlertMessage { doing: text.clone(), text, title, ..alert(severity, state) });
            }
        }
    }
    alerts
}

#[tokio::test]
async fn every_form_keeps_the_rules_of_its_receiver_whatever_a_container_printed() {
    for kind in ["Alertmanager", "PagerDuty", "Slack", "Webhook", "CloudEvents"] {
        let server = receiver(Answer::new(200)).await;
        let mut sink = json!({"name": "a", "type": kind, "url": server.uri()});
        if kind == "PagerDuty" {
            sink["routingKeyFrom"] = json!({"secretRef": {"name": "hook", "key": "hmac"}});
        }
        for alert in alerts() {
            let harness = Harness::open("");
            harness.request(&sink, alert);
            harness.news().await;
        }
        let bodies: Vec<Value> = received(&server).await.into_iter().map(|(_, body)| body).collect();
        assert!(bodies.len() >= alerts().len(), "{kind}: {}", bodies.len());
        for body in bodies {
            assert_eq!(broken(kind, &body), None, "{kind}: {body}");
        }
    }
}
