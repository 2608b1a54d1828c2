//! Configurations of admission webhooks: defaults, and what of them is not done here.

use serde_json::{Value, json};

use crate::api::Status;
use crate::object::{self, default, items};

/// Defaults of a configuration.
pub(super) fn defaults(kind: &str, configuration: &mut Value) {
    for webhook in list(configuration, "webhooks") {
        if let Some(service) = webhook["clientConfig"].get_mut("service").filter(|service| service.is_object()) {
            default(object::map(service), "port", 443);
        }
        for rule in list(webhook, "rules") {
            default(object::map(rule), "scope", "*");
        }
        let webhook = object::map(webhook);
        default(webhook, "failurePolicy", "Fail");
        default(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", 10);
        if kind == "MutatingWebhookConfiguration" {
            default(webhook, "reinvocationPolicy", "Never");
        }
    }
}

fn list<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter(|item| item.is_object())
}

/// A webhook that is asked only under conditions would be asked always here, which is something else.
///
/// # Errors
/// 501.
pub(super) fn refuse_conditions(configuration: &Value) -> Result<(), Status> {
    let conditional = |webhook: &Value| !items(webhook, "/matchConditions").is_empty();
    if items(configuration, "/webhooks").iter().any(conditional) {
        return Err(Status::not_implemented("matchConditions of admission webhooks"));
    }
    Ok(())
}
