//! The selector of a Service, as it stands on the object.

use kube::core::DynamicObject;
use kubeheal_core::model::plan::Selector;
use serde_json::Value;

/// The selector of a Service.
pub(super) fn selector_of(service: &DynamicObject) -> Selector {
    let labels = service.data.pointer("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
