//! Checks a value against the structural schema of a CRD, the way an API server does before it runs any rule.
//!
//! Only the words of JSON schema that our generated schemas use are known. An unknown field, which a server would drop
//! with or without a warning, is a problem here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Map, Value};

use super::problem::Problem;
use super::schema::pattern_in_words;

/// Removes nulls, which the API server treats as absent fields.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every way in which `value`, found at `path`, breaks `schema`.
pub(super) fn problems(schema: &Value, value: &Value, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    check(schema, value, path, &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<Problem>) {
    if let Some(expected) = wrong_type(schema, value) {
        let message = format!("must be {expected}, but {} was given", described(value));
        found.push(Problem::new(path, message));
        return;
    }
    check_enum(schema, value, path, found);
    match value {
        Value::Object(fields) => check_fields(schema, fields, path, found),
        Value::Array(items) => check_items(schema, items, path, found),
        Value::Number(number) => {
            check_number(schema, number.as_f64().unwrap_or(f64::NAN), path, found);
        }
        Value::String(text) => check_text(schema, text, path, found),
        Value::Null | Value::Bool(_) => {}
    }
}

/// What the schema wants instead of a value of this type, or nothing if the type is right.
fn wrong_type(schema: &Value, value: &Value) -> Option<&'static str> {
    let whole = |value: &Value| value.is_i64() || value.is_u64();
    if schema["x-kubernetes-int-or-string"] == true {
        return (!whole(value) && !value.is_string()).then_some("a whole number or a percentage");
    }
    let (right, expected) = match schema["type"].as_str()? {
        "object" => (value.is_object(), "an object (indented `field: value` lines)"),
        "array" => (value.is_array(), "a list (lines that start with `-`)"),
        "integer" => (whole(value), "a whole number"),
        "boolean" => (value.is_boolean(), "true or false"),
        "string" => (value.is_string(), "text (in quotes, if it looks like a number)"),
        _ => return None,
    };
    (!right).then_some(expected)
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("\"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn check_enum(schema: &Value, value: &Value, path: &str, found: &mut Vec<Problem>) {
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
        let message = format!("{} is not known here: write one of {}", described(value), allowed.join(", "));
        found.push(Problem::new(path, message));
    }
}

fn check_fields(schema: &Value, fields: &Map<String, Value>, path: &str, found: &mut Vec<Problem>) {
    let properties = schema["properties"].as_object();
    for name in schema["required"].as_array().into_iter().flatten() {
        if let Some(name) = name.as_str().filter(|name| !fields.contains_key(*name)) {
            found.push(Problem::new(&field(path, name), "is missing: add it"));
        }
    }
    if let Some(least) = schema["minProperties"].as_u64()
        && (fields.len() as u64) < least
    {
        let message = format!("needs at least {least} entry");
        found.push(Problem::new(path, message));
    }
    if let Some(most) = schema["maxProperties"].as_u64()
        && (fields.len() as u64) > most
    {
        let message = format!("has {} entries: {most} are the most", fields.len());
        found.push(Problem::new(path, message));
    }
    for (name, value) in fields {
        let child =
            properties.and_then(|properties| properties.get(name)).or_else(|| schema.get("additionalProperties"));
        match child {
            Some(child) => check(child, value, &field(path, name), found),
            None => found.push(unknown_field(properties, path, name)),
        }
    }
}

fn unknown_field(properties: Option<&Map<String, Value>>, path: &str, name: &str) -> Problem {
    let known: Vec<_> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let message = format!("is not a known field: remove it, or write one of {}", known.join(", "));
    Problem::new(&field(path, name), message)
}

fn check_items(schema: &Value, items: &[Value], path: &str, found: &mut Vec<Problem>) {
    if let Some(least) = schema["minItems"].as_u64()
        && (items.len() as u64) < least
    {
        let message = format!("needs at least {least} entry, or leave the field out");
        found.push(Problem::new(path, message));
    }
    if let Some(most) = schema["maxItems"].as_u64()
        && (items.len() as u64) > most
    {
        let message = format!("has {} entries: {most} are the most", items.len());
        found.push(Problem::new(path, message));
    }
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(key) = list_key(schema, item)
            && !seen.insert(key.clone())
        {
            let message = format!("repeats {key}: write it once");
            found.push(Problem::new(&path, message));
        }
        check(&schema["items"], item, &path, found);
    }
}

/// What must be unique about an item of the list, in words.
fn list_key(schema: &Value, item: &Value) -> Option<String> {
    match schema["x-kubernetes-list-type"].as_str()? {
        "set" => Some(item.to_string()),
        "map" => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
            let defaults = &schema["items"]["properties"];
            let parts = keys.iter().filter_map(Value::as_str).map(|key| {
                let value = item.get(key).unwrap_or(&defaults[key]["default"]);
                format!("{key} {value}")
            });
            Some(parts.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

fn check_number(schema: &Value, number: f64, path: &str, found: &mut Vec<Problem>) {
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    let small = least.is_some_and(|least| number < least);
    let large = most.is_some_and(|most| number > most);
    if small || large {
        let range = match (least, most) {
            (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
            (Some(least), None) => format!("write {least} or more"),
            (None, Some(most)) => format!("write {most} or less"),
            (None, None) => return,
        };
        let size = if small { "small" } else { "large" };
        found.push(Problem::new(path, format!("{number} is too {size}: {range}")));
    }
}

fn check_text(schema: &Value, text: &str, path: &str, found: &mut Vec<Problem>) {
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        found.push(Problem::new(path, "is empty: write a value, or leave the field out"));
        return;
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        let message = format!("has {length} characters: {most} are the most");
        found.push(Problem::new(path, message));
        return;
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        let message = format!("\"{text}\" is not valid: write {}", pattern_in_words(pattern));
        found.push(Problem::new(path, message));
    }
    if schema["format"] == "date-time" && text.parse::<Timestamp>().is_err() {
        let message = format!("\"{text}\" is no time: write one such as 2026-11-22T10:00:00Z");
        found.push(Problem::new(path, message));
    }
}

fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
