//! Slack, incoming webhook.

use http::Request;
use serde_json::{Value, json};

use super::{
    Alert, State,
    outgoing::{Target, post},
};
use crate::healing::escalation::Severity;

pub(super) fn request(alert: &Alert, target: &Target) -> Result<Request<Vec<u8>>, String> {
    post(&target.url, "application/json", &body(alert))
}

fn body(alert: &Alert) -> Value {
    let (mark, color) = match (alert.state, alert.severity) {
        (State::Resolved(_), _) => (":large_green_circle:", "#2eb67d"),
        (State::Firing, Severity::Warning) => (":large_yellow_circle:", "#ecb22e"),
        (State::Firing, Severity::Critical) => (":red_circle:", "#e01e5a"),
    };
    json!({
        "text": format!("{mark} *{}*", escaped(&alert.title)),
        "attachments": [{"color": color, "text": escaped(&alert.whole_text()), "fallback": escaped(&alert.title)}],
    })
}

/// What a container printed must neither call people (`<!channel>`) nor lead them anywhere (`<http://…|here>`).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
