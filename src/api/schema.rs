//! Pieces of schema that the derives cannot say: nulls, defaults in words, int-or-string and standard conditions.

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

/// Finishes a schema that was derived: optional fields are absent rather than null, numbers are of the
/// formats that the API knows, descriptions are plain text.
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
    if let Some(format) = schema.get_mut("format").filter(|format| **format == "uint32") {
        // The API knows no numbers without a sign; ours are far below either bound.
        *format = "int32".into();
    }
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

/// Takes the defaults out of a schema: its fields tell them in words, its rules bring them along.
///
/// Fields of list items keep theirs: an item is always written whole.
pub(super) fn tell_defaults(schema: &mut Map<String, Value>) {
    let defaults = defaults_of(schema);
    for rule in schema.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut).into_iter().flatten() {
        for part in ["rule", "messageExpression"] {
            if let Some(Value::String(text)) = rule.get_mut(part) {
                *text = rule_with_defaults(text, &defaults);
            }
        }
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for field in properties.into_iter().flatten().filter_map(|(_, field)| field.as_object_mut()) {
        let default = field.remove("default");
        if let (Some(default), Some(Value::String(text))) =
            (default.filter(|default| !default.is_object()), field.get_mut("description"))
        {
            *text = format!("{text} Default: {}.", in_words(&default));
        }
        tell_defaults(field);
    }
}

/// The defaults of an object's fields, as one value.
fn defaults_of(schema: &Map<String, Value>) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let default = |(name, field): (&String, &Value)| Some((name.clone(), field.get("default")?.clone()));
    Value::Object(properties.into_iter().flatten().filter_map(default).collect())
}

fn in_words(default: &Value) -> String {
    match default {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(in_words).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => default.to_string(),
    }
}

/// A rule that is written as if defaults were filled in → one that holds without them: `self.a.b` becomes
/// `(has(self.a) && has(self.a.b) ? self.a.b : 1)` where `b` has the default 1.
pub(super) fn rule_with_defaults(rule: &str, defaults: &Value) -> String {
    let mut out = String::new();
    let mut rest = rule;
    while let Some(start) = rest.find("self.") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let length = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(from.len());
        let (path, after) = from.split_at(length);
        out.push_str(&path_with_default(path, defaults));
        rest = after;
    }
    out + rest
}

/// `path` begins with `self` and may end in the name of a method, which stays behind the default.
fn path_with_default(path: &str, defaults: &Value) -> String {
    let mut known = defaults;
    let mut read = String::from("self");
    let mut guards = Vec::new();
    let mut parts = path.split('.').skip(1);
    for part in parts.by_ref() {
        let Some(default) = known.get(part) else { return path.to_owned() };
        read = format!("{read}.{part}");
        guards.push(format!("has({read})"));
        known = default;
        if !known.is_object() {
            break;
        }
    }
    if known.is_object() {
        return path.to_owned();
    }
    let value = format!("({} ? {read} : {})", guards.join(" && "), in_cel(known));
    [value.as_str()].into_iter().chain(parts).collect::<Vec<_>>().join(".")
}

fn in_cel(default: &Value) -> String {
    match default {
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", items.iter().map(in_cel).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => default.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rule_with_defaults;

    #[test]
    fn a_rule_brings_the_defaults_along_that_the_schema_does_not_have() {
        let defaults = json!({"a": 1, "b": {"c": "x", "d": {"e": true}}, "list": ["p", "q"]});
        let table = [
            ("self.a <= 2", "(has(self.a) ? self.a : 1) <= 2"),
            ("self.b.c == 'y'", "(has(self.b) && has(self.b.c) ? self.b.c : 'x') == 'y'"),
            ("self.b.d.e", "(has(self.b) && has(self.b.d) && has(self.b.d.e) ? self.b.d.e : true)"),
            (
                "self.list.all(p, p in self.list)",
                "(has(self.list) ? self.list : ['p', 'q']).all(p, p in (has(self.list) ? self.list : ['p', 'q']))",
            ),
            // What has no default is left as it is, and so is an object as a whole.
            ("has(self.other) || self.b.other == 1", "has(self.other) || self.b.other == 1"),
            ("has(self.b)", "has(self.b)"),
            ("oldSelf.z == 1", "oldSelf.z == 1"),
        ];
        for (rule, expected) in table {
            assert_eq!(rule_with_defaults(rule, &defaults), expected, "{rule}");
        }
    }
}
