//! Tables: what `kubectl get` shows.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Api;
use super::view::{RowObject, metadata_of};
use crate::resource::Resource;

/// The table of these objects.
pub(super) fn render(
    _api: &Api,
    _resource: &Resource,
    objects: &[Arc<Value>],
    row: RowObject,
    metadata: Value,
) -> Value {
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let shown = match row {
                RowObject::None => Value::Null,
                RowObject::Metadata => metadata_of(object),
                RowObject::Object => Value::clone(object),
            };
            json!({"cells": [object["metadata"]["name"]], "object": shown})
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
        "rows": rows,
    })
}
