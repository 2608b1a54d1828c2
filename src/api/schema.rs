//! Pieces of schema that the derives cannot say: nulls, int-or-string and standard conditions.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// `CamelCase` words: reasons, causes, steps. One pattern, so that every vocabulary looks the same to a reader.
pub(super) const CAMEL_CASE: &str = r"^[A-Z][A-Za-z0-9]*$";

/// DNS label: namespaces, Services, names of list entries.
pub(super) const DNS_LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// DNS subdomain: names of workloads and of our own objects.
pub(super) const DNS_SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Time of day on a 24-hour clock.
pub(super) const HOUR_MINUTE: &str = r"^([01][0-9]|2[0-3]):[0-5][0-9]$";

/// Value of a label.
pub(super) const LABEL_VALUE: &str = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$";

/// Address of a receiver.
pub(super) const HTTP_URL: &str = r"^https?://[^\s]+$";

/// A percentage from 0% to 100%.
const PERCENTAGE: &str = "^(100|[1-9]?[0-9])%$";

/// Says in words what a pattern of the schema accepts.
pub(super) fn pattern_in_words(pattern: &str) -> String {
    let words = match pattern {
        CAMEL_CASE => "one CamelCase word, such as LicenceExpired",
        DNS_LABEL => "lower-case letters, digits and '-', such as my-app",
        DNS_SUBDOMAIN => "lower-case letters, digits, '-' and '.', such as my-app",
        HOUR_MINUTE => "a time as \"HH:MM\", such as \"02:30\"",
        PERCENTAGE => "a whole number, or a percentage such as \"50%\"",
        HTTP_URL => "an address that starts with http:// or https://",
        _ => return format!("text that matches {pattern}"),
    };
    words.to_owned()
}

/// Finishes a schema that was derived: optional fields are absent rather than null, descriptions are plain text.
///
/// schemars lets an `Option` be null. A stored null would make `has(self.x)` true in CEL while `x` says nothing, so
/// nulls are taken out: the API server then drops a null that a person writes, or puts the default there.
/// Descriptions lose the marks and line ends of rustdoc, which `kubectl explain` would show.
pub(super) fn finish(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        finish_object(object);
    }
}

fn finish_object(schema: &mut Map<String, Value>) {
    drop_null(schema);
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('`', "").replace('\n', " ");
    }
    for value in schema.values_mut() {
        match value {
            Value::Object(object) => finish_object(object),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(finish_object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn drop_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|one| !one.is_null());
    }
    if let Some(only) = sole_alternative(schema.get("anyOf")) {
        schema.remove("anyOf");
        for (key, value) in only {
            // The field's own description, already there, says more than its type's.
            schema.entry(key).or_insert(value);
        }
    }
}

/// The schema `X` of `anyOf: [X, {type: "null"}]`.
fn sole_alternative(any_of: Option<&Value>) -> Option<Map<String, Value>> {
    let [first, second] = any_of?.as_array()?.as_slice() else {
        return None;
    };
    (second.get("type")? == "null").then(|| first.as_object().cloned()).flatten()
}

/// An absolute number of pods, or a percentage of the wanted ones.
pub(super) fn count_or_percentage(_: &mut SchemaGenerator) -> Schema {
    // `pattern` and `maxLength` judge strings, `minimum` and `maximum` judge integers.
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "pattern": PERCENTAGE,
        "maxLength": 4,
        "minimum": 0,
        "maximum": 10_000,
    })
}

/// Labels, as a selector holds them.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "x-kubernetes-map-type": "atomic",
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
    })
}

/// Standard conditions, with the bounds Kubernetes gives them.
///
/// Written out because the schema that comes with the Rust type has no bounds.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What the condition is about, for example Ready.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": CAMEL_CASE,
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The metadata.generation this was judged on.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When status last flipped.",
                    "type": "string",
                    "format": "date-time",
                },
                "reason": {
                    "description": "Why, as one CamelCase word for machines.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": CAMEL_CASE,
                },
                "message": {
                    "description": "Why, as a sentence for people.",
                    "type": "string",
                    "maxLength": 32_768,
                },
            },
        },
    })
}
