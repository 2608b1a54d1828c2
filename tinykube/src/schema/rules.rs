//! `x-kubernetes-validations`, evaluated by the `kube-cel` crate.

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use super::field;
use crate::api::Cause;

/// What is said of a rule that says nothing.
const FAILED: &str = "failed rule: ";

/// The compiled rules of a schema.
pub(crate) struct Rules {
    /// With the schema of which they were compiled.
    compiled: Option<(CompiledSchema, Value)>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rules").field("any", &self.compiled.is_some()).finish()
    }
}

impl Rules {
    /// Compiles every rule of a schema; one without rules costs nothing later.
    pub(crate) fn compile(schema: &Value) -> Rules {
        let compiled = has_rules(schema).then(|| {
            let mut schema = schema.clone();
            make_old_optional(&mut schema);
            (compile_schema(&schema), schema)
        });
        Rules { compiled }
    }

    /// Every rule that does not hold.
    pub(crate) fn causes(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Some((compiled, schema)) = &self.compiled else {
            return Vec::new();
        };
        let Err(errors) = Validator::new().validate_compiled(compiled, object, old) else {
            return Vec::new();
        };
        errors.into_vec().into_iter().map(|error| cause(&error, schema, object)).collect()
    }
}

fn cause(error: &ValidationError, schema: &Value, object: &Value) -> Cause {
    let place = Place::find(schema, object, &error.field_path);
    let (value, schema) = place.as_ref().map_or((None, &Value::Null), |place| (Some(place.value), place.schema));
    let field = match &place {
        Some(place) if place.path.is_empty() => "<nil>".to_owned(),
        Some(place) => place.path.clone(),
        None => error.field_path.clone(),
    };
    let failed = format!("{FAILED}{}", error.rule);
    let message = if error.message.trim().is_empty() { failed.as_str() } else { error.message.as_str() };
    if error.kind == ErrorKind::EvaluationError {
        let why = as_go_says(message.trim_start_matches("rule evaluation error: "));
        let message =
            format!("Invalid value: {:?}: {why} evaluating rule: {}", kind_of(value), shown(schema, &error.rule));
        return Cause { reason: "FieldValueInvalid", message, field };
    }
    match error.reason.as_deref() {
        Some("FieldValueForbidden") => Cause::forbidden(field, message),
        Some("FieldValueRequired") => Cause::required(field, message),
        Some("FieldValueDuplicate") => {
            Cause { reason: "FieldValueDuplicate", message: "Duplicate value".to_owned(), field }
        }
        _ => {
            let value = value.filter(|value| !value.is_object() && !value.is_array() && !value.is_null());
            let shown = value.map(|value| format!("{value}: ")).unwrap_or_default();
            Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {shown}{message}"), field }
        }
    }
}

/// A place in an object that a rule is about.
struct Place<'a> {
    /// As the real server writes it: `spec.list[0]`, `spec.map[key]`.
    path: String,
    schema: &'a Value,
    value: &'a Value,
}

impl<'a> Place<'a> {
    /// The place that the library writes with dots alone, `spec.map.key`: keys may have dots, too.
    fn find(schema: &'a Value, object: &'a Value, written: &str) -> Option<Place<'a>> {
        Place { path: String::new(), schema, value: object }.below(written)
    }

    fn below(self, rest: &str) -> Option<Place<'a>> {
        if rest.is_empty() {
            return Some(self);
        }
        if let Some((index, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let value = self.value.get(index.parse::<usize>().ok()?)?;
            let path = format!("{}[{index}]", self.path);
            return Place { path, schema: &self.schema["items"], value }.below(rest);
        }
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        self.value.as_object()?.iter().find_map(|(key, value)| {
            let rest =
                rest.strip_prefix(key.as_str()).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))?;
            let known = self.schema["properties"].get(key);
            let path = if known.is_some() { field(&self.path, key) } else { format!("{}[{key}]", self.path) };
            Place { path, schema: known.unwrap_or(&self.schema["additionalProperties"]), value }.below(rest)
        })
    }
}

/// Whether what is at a path was the same before. Of a list all must be: its items have no names.
pub(super) fn is_same(object: &Value, old: &Value, path: &str) -> bool {
    let (step, rest) = match path.strip_prefix('[') {
        Some(path) => path.split_once(']').unwrap_or((path, "")),
        None => path.split_at(path.find(['.', '[']).unwrap_or(path.len())),
    };
    if path.is_empty() || object.is_array() {
        return object == old;
    }
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    object.get(step).zip(old.get(step)).is_some_and(|(object, old)| is_same(object, old, rest))
}

/// A rule as it is shown when it could not be evaluated: what it says of itself, or its text.
fn shown<'a>(schema: &'a Value, rule: &'a str) -> &'a str {
    let mut rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let message = rules.find(|known| known["rule"] == rule).and_then(|known| known["message"].as_str());
    // One of the messages is ours: see `make_old_optional`.
    let message = message.map(|message| message.strip_prefix(FAILED).unwrap_or(message).trim());
    message.filter(|message| !message.is_empty()).unwrap_or(rule.trim())
}

fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        Some(Value::String(_)) => "string",
        Some(Value::Number(number)) if number.is_f64() => "number",
        Some(Value::Number(_)) => "integer",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Array(_)) => "array",
        _ => "object",
    }
}

/// Why a rule could not be evaluated, in the words of the Go library.
fn as_go_says(why: &str) -> String {
    match why.split_once(": ") {
        _ if why.starts_with("Division by zero") => "division by zero".to_owned(),
        Some(("No such key", key)) => format!("no such key: {key}"),
        _ => why.to_owned(),
    }
}

/// The library gives a rule the old value, or null; one that asks for it as an optional gets one.
fn make_old_optional(schema: &mut Value) {
    const OPTIONAL: &str = "(oldSelf == null ? optional.none() : optional.of(oldSelf))";
    match schema {
        Value::Object(members) => {
            for rule in members.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut).into_iter().flatten()
            {
                if rule["optionalOldSelf"] != true {
                    continue;
                }
                if rule["message"].is_null() {
                    rule["message"] = format!("{FAILED}{}", rule["rule"].as_str().unwrap_or_default()).into();
                }
                for key in ["rule", "messageExpression"] {
                    if let Some(source) = rule[key].as_str() {
                        rule[key] = source.replace("oldSelf", OPTIONAL).into();
                    }
                }
            }
            members.values_mut().for_each(make_old_optional);
        }
        Value::Array(items) => items.iter_mut().for_each(make_old_optional),
        _ => {}
    }
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.contains_key("x-kubernetes-validations") || members.values().any(has_rules),
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}
