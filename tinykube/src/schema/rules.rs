//! `x-kubernetes-validations`, evaluated by the `kube-cel` crate.

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use crate::api::Cause;

/// The compiled rules of a schema.
pub(crate) struct Rules {
    compiled: Option<CompiledSchema>,
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
            compile_schema(&schema)
        });
        Rules { compiled }
    }

    /// Every rule that does not hold.
    pub(crate) fn causes(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Some(compiled) = &self.compiled else {
            return Vec::new();
        };
        let Err(errors) = Validator::new().validate_compiled(compiled, object, old) else {
            return Vec::new();
        };
        errors.into_vec().into_iter().map(|error| cause(&error, object)).collect()
    }
}

fn cause(error: &ValidationError, object: &Value) -> Cause {
    let field = if error.field_path.is_empty() { "<nil>".to_owned() } else { error.field_path.clone() };
    let failed = format!("failed rule: {}", error.rule);
    let message = if error.message.trim().is_empty() { failed.as_str() } else { error.message.as_str() };
    if error.kind == ErrorKind::EvaluationError {
        let why = as_go_says(message.trim_start_matches("rule evaluation error: "));
        let message = format!("Invalid value: {:?}: {why} evaluating rule: {}", kind_of(object, &field), error.rule);
        return Cause { reason: "FieldValueInvalid", message, field };
    }
    match error.reason.as_deref() {
        Some("FieldValueForbidden") => Cause::forbidden(field, message),
        Some("FieldValueRequired") => Cause::required(field, message),
        Some("FieldValueDuplicate") => {
            Cause { reason: "FieldValueDuplicate", message: "Duplicate value".to_owned(), field }
        }
        _ => {
            let value = at(object, &field).filter(|value| !value.is_object() && !value.is_array() && !value.is_null());
            let shown = value.map(|value| format!("{value}: ")).unwrap_or_default();
            Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {shown}{message}"), field }
        }
    }
}

/// What is at a path such as `spec.l[0]`.
pub(super) fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[']).try_fold(object, |inner, step| match step.strip_suffix(']') {
        Some(step) => step.parse::<usize>().map_or_else(|_| inner.get(step), |index| inner.get(index)),
        None => inner.get(step),
    })
}

fn kind_of(object: &Value, path: &str) -> &'static str {
    match at(object, path) {
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
                    rule["message"] = format!("failed rule: {}", rule["rule"].as_str().unwrap_or_default()).into();
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
