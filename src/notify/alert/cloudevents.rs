//! CloudEvents 1.0 over HTTP, in structured JSON.

use http::Request;
use jiff::Timestamp;
use serde_json::json;

use crate::notify::alert::{
    AlertMessage,
    post::{Target, post},
    webhook::data,
};

pub(super) fn request(alert: &AlertMessage, target: &Target, now: Timestamp) -> Result<Request<Vec<u8>>, String> {
    let event = json!({
        "specversion": "1.0",
        "id": alert.id(),
        "source": format!("/kubeheal.dev/namespaces/{}/healedservices/{}", alert.namespace, alert.service),
        "type": format!("dev.kubeheal.alert.{}", alert.state.as_str()),
        "subject": format!("{}/{}", alert.namespace, alert.service),
        "time": format!("{now:.0}"),
        "datacontenttype": "application/json",
        "data": data(alert),
    });
    post(&target.url, "application/cloudevents+json; charset=UTF-8", &event)
}
