//! A request to a receiver, in the form that its kind wants.

use http::Request;
use jiff::Timestamp;

use super::{AlertMessage, alertmanager, cloudevents, pagerduty, post::Target, slack, webhook};
use crate::api::ReceiverType;

/// The alert in the form that the receiver wants.
pub(super) fn request(
    kind: ReceiverType,
    alert: &AlertMessage,
    target: &Target,
    now: Timestamp,
) -> Result<Request<Vec<u8>>, String> {
    match kind {
        ReceiverType::Alertmanager => alertmanager::request(alert, target, now),
        ReceiverType::PagerDuty => pagerduty::request(alert, target),
        ReceiverType::Slack => slack::request(alert, target),
        ReceiverType::Webhook => webhook::request(alert, target, now),
        ReceiverType::CloudEvents => cloudevents::request(alert, target, now),
    }
}
