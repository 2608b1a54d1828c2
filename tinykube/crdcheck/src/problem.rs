//! One thing that is wrong, in the words of the server.

use serde_json::Value;

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `FieldValueInvalid` and such.
    pub reason: &'static str,
    /// Where.
    pub field: String,
    /// What is wrong there.
    pub message: String,
}

impl Problem {
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Problem {
        let shown = match value {
            Value::String(text) => format!("{text:?}"),
            other => as_go_writes(other),
        };
        let message = format!("Invalid value: {shown}: {why}");
        Problem { reason: "FieldValueInvalid", field: field.into(), message }
    }

    pub(crate) fn required(field: impl Into<String>, why: &str) -> Problem {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Problem { reason: "FieldValueRequired", field: field.into(), message }
    }

    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Problem {
        Problem { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {why}") }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &str) -> Problem {
        Problem { reason: "FieldValueDuplicate", field: field.into(), message: format!("Duplicate value: {value:?}") }
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Problem {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
        Problem { reason: "FieldValueNotSupported", field: field.into(), message }
    }
}

/// JSON with what could be taken for HTML escaped.
fn as_go_writes(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
