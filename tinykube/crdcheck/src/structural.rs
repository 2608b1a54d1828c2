//! Whether a schema is structural: it says the type of everything, outside of what combines schemas.

use serde_json::{Value, json};

use crate::problem::Problem;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Whether a schema has nothing that structural schemas cannot hold at all; such things are named elsewhere.
pub(crate) fn is_convertible(schema: &Value) -> bool {
    let unsupported = ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];
    if unsupported.iter().any(|key| schema.get(key).is_some_and(|value| !is_empty(value))) {
        return false;
    }
    if schema["items"].is_array() || schema["x-kubernetes-preserve-unknown-fields"] == false {
        return false;
    }
    parts(schema).all(|(_, part)| is_convertible(part))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Every schema in a schema, with its path.
pub(crate) fn parts(schema: &Value) -> impl Iterator<Item = (String, &Value)> {
    let one = |key: &'static str| schema.get(key).filter(|part| part.is_object()).map(|part| (key.to_owned(), part));
    let named = schema["properties"].as_object().into_iter().flatten();
    let named = named.map(|(name, part)| (format!("properties[{name}]"), part));
    let listed = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(move |key| {
        let list = schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().enumerate().map(move |(index, part)| (format!("{key}[{index}]"), part))
    });
    ["items", "additionalProperties", "not"].into_iter().filter_map(one).chain(named).chain(listed)
}

/// What is wrong with the structure, in the order in which the server says it.
pub(crate) fn problems(schema: &Value, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    invariants(schema, Level::Root, path, &mut found);
    found.extend(incomplete(schema, path));
    found.sort_by_key(|problem| format!("{}: {}", problem.field, problem.message));
    found
}

fn invariants(schema: &Value, level: Level, path: &str, found: &mut Vec<Problem>) {
    let kind = schema["type"].as_str().unwrap_or_default();
    let is = |key: &str| schema[key] == true;
    let (embedded, preserving) = (is("x-kubernetes-embedded-resource"), is("x-kubernetes-preserve-unknown-fields"));
    let int_or_string = is("x-kubernetes-int-or-string");
    if kind == "array" && !schema["items"].is_object() {
        found.push(Problem::required(format!("{path}.items"), "must be specified"));
    }
    if schema["items"].is_object() {
        invariants(&schema["items"], Level::Item, &format!("{path}.items"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        invariants(property, Level::Field, &format!("{path}.properties[{name}]"), found);
    }
    let additional = schema.get("additionalProperties").filter(|additional| !additional.is_null());
    if let Some(additional) = additional {
        let place = format!("{path}.additionalProperties");
        if level == Level::Root {
            found.push(Problem::forbidden(&place, "must not be used at the root"));
        }
        if additional.is_object() {
            invariants(additional, Level::Field, &place, found);
        }
    }
    if int_or_string {
        let why = "must be false if x-kubernetes-int-or-string is true";
        for key in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
            if is(key) {
                found.push(Problem::invalid(format!("{path}.{key}"), &json!(true), why));
            }
        }
    }
    values(schema, is_int_or_string(schema), path, found);
    let place = format!("{path}.type");
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        found.push(if kind.is_empty() {
            Problem::required(place.as_str(), why)
        } else {
            Problem::invalid(place.as_str(), &json!(kind), why)
        });
    } else if kind.is_empty() && !int_or_string && !preserving {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        found.push(Problem::required(place.as_str(), why));
    }
    if embedded && additional.is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        found.push(Problem::forbidden(format!("{path}.additionalProperties"), why));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        found.push(Problem::invalid(place.as_str(), &json!(kind), "must be object at the root"));
    }
    metadata(schema, level, embedded, path, found);
    let has_properties = schema["properties"].as_object().is_some_and(|properties| !properties.is_empty());
    if embedded && !preserving && !has_properties {
        let why =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        found.push(Problem::required(format!("{path}.properties"), why));
    }
}

/// What a resource may say of the fields that each has.
fn metadata(schema: &Value, level: Level, embedded: bool, path: &str, found: &mut Vec<Problem>) {
    let is_resource = level == Level::Root || embedded;
    let properties = &schema["properties"];
    for key in ["kind", "apiVersion"] {
        if let (true, Some(field)) = (is_resource, properties.get(key))
            && field["type"] != "string"
        {
            let kind = field["type"].as_str().unwrap_or_default();
            found.push(Problem::invalid(format!("{path}.properties[{key}].type"), &json!(kind), "must be string"));
        }
    }
    let Some(metadata) = properties.get("metadata") else { return };
    let place = format!("{path}.properties[metadata]");
    if is_resource && metadata["type"] != "object" {
        let kind = metadata["type"].as_str().unwrap_or_default();
        found.push(Problem::invalid(format!("{place}.type"), &json!(kind), "must be object"));
    }
    let allowed = |key: &str| matches!(key, "type" | "default");
    let names = metadata["properties"].as_object();
    let only_names =
        names.is_none_or(|names| names.keys().all(|name| matches!(name.as_str(), "name" | "generateName")));
    let members = metadata.as_object().into_iter().flatten();
    let others = members.filter(|(key, value)| !allowed(key) && *key != "properties" && !is_empty(value)).count();
    if level == Level::Root && (others > 0 || !only_names) {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        found.push(Problem::forbidden(place, why));
    }
}

/// `anyOf` an integer and a text, at the top or as the first of `allOf`.
fn is_int_or_string(schema: &Value) -> [bool; 2] {
    let either = json!([{"type": "integer"}, {"type": "string"}]);
    [schema["anyOf"] == either, schema["allOf"][0]["anyOf"] == either]
}

/// What combines schemas must not say types; two forms may.
fn values(schema: &Value, [skip_any, skip_first_all]: [bool; 2], path: &str, found: &mut Vec<Problem>) {
    for key in ["anyOf", "allOf", "oneOf"] {
        for (index, part) in schema[key].as_array().into_iter().flatten().enumerate() {
            let skip = key == "allOf" && index == 0 && skip_first_all;
            if key != "anyOf" || !skip_any {
                nested(part, skip, &format!("{path}.{key}[{index}]"), found);
            }
        }
    }
    if schema["not"].is_object() {
        nested(&schema["not"], false, &format!("{path}.not"), found);
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = regex::Regex::new(pattern)
    {
        let why =
            format!("must be a valid regular expression, but isn't: error parsing regexp: {}", why(pattern, &error));
        found.push(Problem::invalid(format!("{path}.pattern"), &json!(pattern), &why));
    }
}

/// Why a pattern cannot be compiled, in Go's words where they are known.
fn why(pattern: &str, error: &regex::Error) -> String {
    let said = error.to_string();
    if said.contains("unclosed character class") {
        let from = pattern.rfind('[').map_or(pattern, |index| &pattern[index..]);
        return format!("missing closing ]: `{from}`");
    }
    if said.contains("unclosed group") {
        return format!("missing closing ): `{pattern}`");
    }
    if said.contains("repetition operator missing expression") {
        return "missing argument to repetition operator: `*`".to_owned();
    }
    said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn nested(schema: &Value, skip_any: bool, path: &str, found: &mut Vec<Problem>) {
    values(schema, [skip_any, false], path, found);
    if schema["items"].is_object() {
        nested(&schema["items"], false, &format!("{path}.items"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        nested(property, false, &format!("{path}.properties[{name}]"), found);
    }
    let mut forbid = |key: &str, why: &str| {
        if schema.get(key).is_some_and(|value| !is_empty(value) && *value != false) {
            found.push(Problem::forbidden(format!("{path}.{key}"), why));
        }
    };
    forbid("type", "must be empty to be structural");
    forbid("additionalProperties", "must be undefined to be structural");
    forbid("default", "must be undefined to be structural");
    forbid("title", "must be empty to be structural");
    forbid("description", "must be empty to be structural");
    forbid("nullable", "must be false to be structural");
    forbid("x-kubernetes-preserve-unknown-fields", "must be false to be structural");
    forbid("x-kubernetes-embedded-resource", "must be false to be structural");
    forbid("x-kubernetes-int-or-string", "must be false to be structural");
    forbid("x-kubernetes-list-map-keys", "must be empty to be structural");
    forbid("x-kubernetes-list-type", "must be undefined to be structural");
    forbid("x-kubernetes-map-type", "must be undefined to be structural");
    forbid("x-kubernetes-validations", "must be empty to be structural");
    if schema["properties"].get("metadata").is_some() {
        found.push(Problem::forbidden(
            format!("{path}.properties[metadata]"),
            "must not be specified in a nested context",
        ));
    }
}

/// What combines schemas may only speak of what the schema itself has.
fn incomplete(schema: &Value, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    combined_are_complete(schema, schema, [path, path], &mut found);
    found
}

fn combined_are_complete(nested: &Value, schema: &Value, [schema_path, path]: [&str; 2], found: &mut Vec<Problem>) {
    if nested["not"].is_object() {
        nested_is_complete(&nested["not"], schema, [schema_path, &format!("{path}.not")], found);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, part) in nested[key].as_array().into_iter().flatten().enumerate() {
            nested_is_complete(part, schema, [schema_path, &format!("{path}.{key}[{index}]")], found);
        }
    }
}

fn nested_is_complete(nested: &Value, schema: &Value, [schema_path, path]: [&str; 2], found: &mut Vec<Problem>) {
    if !schema.is_object() {
        found.push(Problem::required(schema_path, &format!("because it is defined in {path}")));
        return;
    }
    combined_are_complete(nested, schema, [schema_path, path], found);
    if nested["items"].is_object() {
        let places = [format!("{schema_path}.items"), format!("{path}.items")];
        nested_is_complete(&nested["items"], &schema["items"], places.each_ref().map(String::as_str), found);
    }
    for (name, property) in nested["properties"].as_object().into_iter().flatten() {
        let places = [schema_path, path].map(|path| format!("{path}.properties[{name}]"));
        nested_is_complete(property, &schema["properties"][name], places.each_ref().map(String::as_str), found);
    }
}
