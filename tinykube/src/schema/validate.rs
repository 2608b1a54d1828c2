//! Validation against a structural schema, worded as the real server words it.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::{field, preserves_unknown};
use crate::api::Cause;
use crate::kinds::time::is_date_time;

/// The patterns of a schema, compiled once, by their text. One that cannot be compiled is missing and forbids nothing.
pub(super) type Patterns = BTreeMap<String, Regex>;

/// Compiles every pattern of a schema.
pub(super) fn patterns(schema: &Value) -> Patterns {
    let mut found = Patterns::new();
    let mut open = vec![schema];
    while let Some(part) = open.pop() {
        match part {
            Value::Object(members) => {
                let pattern = members.get("pattern").and_then(Value::as_str);
                found.extend(pattern.and_then(|pattern| Some((pattern.to_owned(), Regex::new(pattern).ok()?))));
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// Everything wrong with an object: first against the schema, then lists that repeat themselves.
pub(super) fn validate(schema: &Value, patterns: &Patterns, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(schema, patterns, object, "", &mut causes);
    check_lists(schema, object, "", &mut causes);
    causes
}

fn check(schema: &Value, patterns: &Patterns, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == Value::Bool(true) {
        return;
    }
    if !check_type(schema, value, path, causes) {
        return;
    }
    check_enum(schema, value, path, causes);
    match value {
        Value::Object(members) => check_members(schema, patterns, members, path, causes),
        Value::Array(items) => check_items(schema, patterns, items, path, causes),
        Value::String(text) => check_text(schema, patterns, text, path, causes),
        Value::Number(_) => check_number(schema, value, path, causes),
        _ => {}
    }
    check_combined(schema, patterns, value, path, causes);
}

/// Whether the type fits; nothing else is checked if it does not.
fn check_type(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) -> bool {
    let int_or_string = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    let expected = match schema["type"].as_str() {
        _ if int_or_string => "integer,string",
        Some(expected) => expected,
        None => return true,
    };
    let actual = type_name(value);
    let fits = match expected {
        "integer,string" => actual == "integer" || actual == "string",
        "number" => actual == "number" || actual == "integer",
        expected => actual == expected,
    };
    if !fits {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: {actual:?}: {path} in body must be of type {expected}: {actual:?}"),
            field: path.to_owned(),
        });
    }
    fits
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|number| number.fract() != 0.0) => {
            "number"
        }
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_enum(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(allowed) = schema["enum"].as_array() else {
        return;
    };
    if !allowed.contains(value) {
        let shown: Vec<String> =
            allowed.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        causes.push(Cause::unsupported(path, value, &shown));
    }
}

fn check_members(
    schema: &Value,
    patterns: &Patterns,
    members: &Map<String, Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    check_count(schema, &PROPERTIES, members.len(), path, causes);
    let properties = schema["properties"].as_object();
    for (key, member) in members {
        let known = properties.and_then(|properties| properties.get(key));
        let known =
            known.or_else(|| schema["additionalProperties"].as_object().map(|_| &schema["additionalProperties"]));
        if let Some(known) = known {
            check(known, patterns, member, &field(path, key), causes);
        } else if !preserves_unknown(schema) && properties.is_none() {
            // Pruned before; nothing to check against.
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            causes.push(Cause::required(field(path, name), ""));
        }
    }
}

fn check_items(schema: &Value, patterns: &Patterns, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    check_count(schema, &ITEMS, items.len(), path, causes);
    for (index, item) in items.iter().enumerate() {
        check(&schema["items"], patterns, item, &format!("{path}[{index}]"), causes);
    }
}

/// How a schema bounds the number of something.
struct Counted {
    least: &'static str,
    most: &'static str,
    noun: &'static str,
}

const PROPERTIES: Counted = Counted { least: "minProperties", most: "maxProperties", noun: "properties" };
const ITEMS: Counted = Counted { least: "minItems", most: "maxItems", noun: "items" };

fn check_count(schema: &Value, counted: &Counted, count: usize, path: &str, causes: &mut Vec<Cause>) {
    let bound = |key: &str| schema[key].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if let Some(least) = bound(counted.least).filter(|least| count < *least) {
        let why = format!("{path} in body should have at least {least} {}", counted.noun);
        causes.push(Cause::invalid(path, &json!(count), &why));
    }
    if let Some(most) = bound(counted.most).filter(|most| count > *most) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {most} items"),
            field: path.to_owned(),
        });
    }
}

fn check_text(schema: &Value, patterns: &Patterns, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    let bound = |key: &str| schema[key].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if let Some(most) = bound("maxLength").filter(|most| length > *most) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} bytes"),
            field: path.to_owned(),
        });
    }
    if let Some(least) = bound("minLength").filter(|least| length < *least) {
        let why = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, &json!(text), &why));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && patterns.get(pattern).is_some_and(|pattern| !pattern.is_match(text))
    {
        let why = format!("{path} in body should match '{pattern}'");
        causes.push(Cause::invalid(path, &json!(text), &why));
    }
    if let Some(format) = schema["format"].as_str().filter(|format| !has_format(format, text)) {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: {text:?}: {path} in body must be of type {format}: {text:?}"),
            field: path.to_owned(),
        });
    }
}

/// Formats that are checked; others are notes for people.
fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => is_date_time(text),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

fn check_number(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let number = value.as_f64().unwrap_or(0.0);
    let mut refuse = |why: String| causes.push(Cause::invalid(path, value, &format!("{path} in body should be {why}")));
    if let Some(least) = schema["minimum"].as_f64() {
        let exclusive = schema["exclusiveMinimum"] == Value::Bool(true);
        if number < least || (exclusive && number <= least) {
            let or_equal = if exclusive { "" } else { " or equal to" };
            refuse(format!("greater than{or_equal} {least}"));
        }
    }
    if let Some(most) = schema["maximum"].as_f64() {
        let exclusive = schema["exclusiveMaximum"] == Value::Bool(true);
        if number > most || (exclusive && number >= most) {
            let or_equal = if exclusive { "" } else { " or equal to" };
            refuse(format!("less than{or_equal} {most}"));
        }
    }
    if let Some(step) = schema["multipleOf"].as_f64().filter(|step| *step > 0.0)
        && (number / step).fract() != 0.0
    {
        refuse(format!("a multiple of {step}"));
    }
    if schema["format"] == "int32" && value.as_i64().is_some_and(|number| i32::try_from(number).is_err()) {
        causes.push(Cause::invalid(path, value, &format!("{path} in body must be of type int32: {value}")));
    }
}

fn check_combined(schema: &Value, patterns: &Patterns, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let matches = |schema: &Value| {
        let mut causes = Vec::new();
        check(schema, patterns, value, path, &mut causes);
        causes.is_empty()
    };
    let list = |key: &str| schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
    for part in list("allOf") {
        check(part, patterns, value, path, causes);
    }
    let mut refuse = |why: &str| {
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {path:?} {why}"),
            field: path.to_owned(),
        });
    };
    if !list("anyOf").is_empty() && !list("anyOf").iter().any(matches) {
        refuse("must validate at least one schema (anyOf)");
    }
    if !list("oneOf").is_empty() && list("oneOf").iter().filter(|part| matches(part)).count() != 1 {
        refuse("must validate one and only one schema (oneOf)");
    }
    if schema.get("not").is_some_and(&matches) {
        refuse("must not validate the schema (not)");
    }
}

/// Sets and maps written as lists must not repeat an item or a key.
fn check_lists(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let known = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                check_lists(known, member, &field(path, key), causes);
            }
        }
        Value::Array(items) => {
            let mut seen: Vec<Value> = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let place = format!("{path}[{index}]");
                check_lists(&schema["items"], item, &place, causes);
                let Some(identity) = identity(schema, item) else {
                    continue;
                };
                if seen.contains(&identity) {
                    causes.push(Cause {
                        reason: "FieldValueDuplicate",
                        message: format!("Duplicate value: {identity}"),
                        field: place,
                    });
                } else {
                    seen.push(identity);
                }
            }
        }
        _ => {}
    }
}

/// What makes an item of a set or of a list-map itself.
fn identity(schema: &Value, item: &Value) -> Option<Value> {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(item.clone()),
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
            let keys = keys.iter().filter_map(Value::as_str);
            Some(keys.filter_map(|key| Some((key.to_owned(), item.get(key)?.clone()))).collect::<Map<_, _>>().into())
        }
        _ => None,
    }
}
