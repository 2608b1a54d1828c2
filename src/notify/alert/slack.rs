//! Slack, incoming webhook.

use http::Request;
use serde_json::{Value, json};

use crate::notify::alert::{
    AlertMessage, AlertState,
    post::{Target, post},
};
use kubeheal_core::model::alert::Severity;

pub(super) fn request(alert: &AlertMessage, target: &Target) -> Result<Request<Vec<u8>>, String> {
    post(&target.url, "application/json", &body(alert))
}

fn body(alert: &AlertMessage) -> Value {
    let (mark, color) = match (alert.state, alert.severity) {
        (AlertState::Resolved(_), _) => (":large_green_circle:", "#2eb67d"),
        (AlertState::Firing, Severity::Warning) => (":large_yellow_circle:", "#ecb22e"),
        (AlertState::Firing, Severity::Critical) => (":red_circle:", "#e01e5a"),
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
