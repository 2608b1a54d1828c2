//! Strategic merge patch: a merge patch that knows the keys of lists, and directives.

use serde_json::{Map, Value};

use crate::api::Status;
use crate::object;

/// Lays a patch over an object.
///
/// # Errors
/// 400 for a directive that is not known.
pub(super) fn apply(object: &mut Value, patch: &Value) -> Result<(), Status> {
    merge(object, patch, "", "")
}

/// By which key the items of a list are told apart; `None` replaces the list.
pub(crate) fn merge_key(field: &str, parent: &str) -> Option<&'static str> {
    Some(match (field, parent) {
        (
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "secrets"
            | "webhooks"
            | "matchConditions",
            _,
        ) => "name",
        ("ports", "spec") => "port",
        ("ports", _) => "containerPort",
        ("volumeMounts", _) => "mountPath",
        ("volumeDevices", _) => "devicePath",
        ("conditions" | "addresses", "status") => "type",
        ("ownerReferences", _) => "uid",
        ("hostAliases" | "podIPs" | "hostIPs", _) => "ip",
        ("topologySpreadConstraints", _) => "topologyKey",
        _ => return None,
    })
}

/// Lists of plain values that merge.
fn is_merged_set(field: &str) -> bool {
    field == "finalizers"
}

fn merge(value: &mut Value, patch: &Value, field: &str, parent: &str) -> Result<(), Status> {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return Ok(());
    };
    match changes.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let mut changes = changes.clone();
            changes.shift_remove("$patch");
            *value = Value::Object(changes);
            return Ok(());
        }
        Some("delete") => {
            *value = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => {
            return Err(Status::bad_request(format!("Unknown patch type found: {other}")));
        }
    }
    let members = object::map(value);
    retain_keys(members, changes);
    for (key, change) in changes {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            delete_values(members, list, change);
        } else if key.starts_with('$') {
            // Orders and directives are dealt with elsewhere.
        } else if change.is_null() {
            members.shift_remove(key);
        } else if let Value::Array(items) = change {
            let order = changes.get(&format!("$setElementOrder/{key}"));
            let current = members.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
            merge_list(current, items, key, field, order)?;
        } else if change.is_object() {
            let current = members.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
            merge(current, change, key, field)?;
        } else {
            members.insert(key.clone(), change.clone());
        }
    }
    for (key, order) in changes.iter().filter_map(|(key, order)| Some((key.strip_prefix("$setElementOrder/")?, order)))
    {
        if let Some(list) = members.get_mut(key).filter(|_| !changes.contains_key(key)) {
            reorder(list, order, merge_key(key, field));
        }
    }
    let _ = parent;
    Ok(())
}

fn retain_keys(members: &mut Map<String, Value>, changes: &Map<String, Value>) {
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        members.retain(|key, _| kept.iter().any(|name| name == key));
    }
}

fn delete_values(members: &mut Map<String, Value>, list: &str, values: &Value) {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(items) = members.get_mut(list).and_then(Value::as_array_mut) {
        items.retain(|item| !values.contains(item));
    }
}

fn merge_list(
    current: &mut Value,
    changes: &[Value],
    field: &str,
    parent: &str,
    order: Option<&Value>,
) -> Result<(), Status> {
    let is_replace = |item: &Value| item["$patch"] == "replace";
    let Some(key) = merge_key(field, parent).filter(|_| !changes.iter().any(is_replace)) else {
        let plain: Vec<Value> = changes.iter().filter(|item| !is_replace(item)).cloned().collect();
        let items = current.as_array_mut().filter(|_| is_merged_set(field));
        match items {
            Some(items) => items.extend(plain.into_iter().filter(|item| !changes.is_empty() && !item.is_null())),
            None => *current = Value::Array(plain),
        }
        dedup(current);
        return Ok(());
    };
    let mut items = current.as_array().cloned().unwrap_or_default();
    for change in changes {
        let position = items.iter().position(|item| item.get(key).is_some() && item.get(key) == change.get(key));
        match (change["$patch"].as_str(), position) {
            (Some("delete"), Some(index)) => {
                items.remove(index);
            }
            (Some("delete"), None) => {}
            (_, Some(index)) => merge(&mut items[index], change, field, parent)?,
            (_, None) => {
                let mut item = Value::Object(Map::new());
                merge(&mut item, change, field, parent)?;
                items.push(item);
            }
        }
    }
    *current = Value::Array(items);
    if let Some(order) = order {
        reorder(current, order, Some(key));
    }
    Ok(())
}

fn dedup(list: &mut Value) {
    if let Some(items) = list.as_array_mut() {
        let mut seen: Vec<Value> = Vec::new();
        items.retain(|item| {
            let new = !seen.contains(item);
            seen.push(item.clone());
            new || item.is_object()
        });
    }
}

/// Brings a list into the order a patch names; items it does not name keep their places behind.
fn reorder(list: &mut Value, order: &Value, key: Option<&str>) {
    let order = order.as_array().map(Vec::as_slice).unwrap_or_default();
    let rank = |item: &Value| {
        let place = order.iter().position(|named| match key {
            Some(key) => named.get(key).is_some() && named.get(key) == item.get(key),
            None => named == item,
        });
        place.unwrap_or(order.len())
    };
    if let Some(items) = list.as_array_mut() {
        items.sort_by_key(rank);
    }
}
