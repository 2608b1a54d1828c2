//! `x-kubernetes-validations`, evaluated by the `kube-cel` crate.

use kube::core::cel::{CompiledSchema, Validator, compile_schema};
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
        Rules { compiled: has_rules(schema).then(|| compile_schema(schema)) }
    }

    /// Rules that do not compile, as the definition's author has to be told.
    pub(crate) fn errors(&self) -> Vec<String> {
        let compiled = self.compiled.as_ref();
        compiled
            .map(|compiled| compiled.compilation_errors().iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// Every rule that does not hold.
    pub(crate) fn causes(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Some(compiled) = &self.compiled else {
            return Vec::new();
        };
        let Err(errors) = Validator::new().validate_compiled(compiled, object, old) else {
            return Vec::new();
        };
        errors
            .into_vec()
            .into_iter()
            .map(|error| cause(error.reason.as_deref(), error.field_path, &error.message))
            .collect()
    }
}

fn cause(reason: Option<&str>, path: String, message: &str) -> Cause {
    let field = if path.is_empty() { "<nil>".to_owned() } else { path };
    match reason {
        Some("FieldValueForbidden") => Cause::forbidden(field, message),
        Some("FieldValueRequired") => Cause::required(field, message),
        Some("FieldValueDuplicate") => {
            Cause { reason: "FieldValueDuplicate", message: format!("Duplicate value: {message}"), field }
        }
        _ => Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {message}"), field },
    }
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.contains_key("x-kubernetes-validations") || members.values().any(has_rules),
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}
