//! The defaults that a schema declares must be values of the schema.

use crdcheck::Problem;
use serde_json::{Value, json};

use super::{Schema, prune};
use crate::api::{Cause, Warnings};

/// Everything wrong with the defaults of a schema at a path.
pub(crate) fn problems(schema: &Value, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        found.extend(problems_of(schema, default, &format!("{path}.default")));
    }
    if schema["items"].is_object() {
        found.extend(problems(&schema["items"], &format!("{path}.items")));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(problems(property, &format!("{path}.properties[{name}]")));
    }
    found
}

fn problems_of(schema: &Value, default: &Value, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut pruned = default.clone();
    if !prune::prune_value(schema, &mut pruned).is_empty() {
        let message = format!("Invalid value: {default}: must not have unknown fields");
        found.push(Problem { reason: "FieldValueInvalid", field: path.to_owned(), message });
    }
    let causes = Schema::new(schema.clone()).causes(&json!({}), default, None, &Warnings::default());
    found.extend(causes.into_iter().filter(|cause| !cause.message.ends_with(super::UNCHECKED)).map(|cause| {
        let Cause { reason, message, field } = cause;
        let field = match field.as_str() {
            "" | "<nil>" => path.to_owned(),
            inner if inner.starts_with('[') => format!("{path}{inner}"),
            inner => format!("{path}.{inner}"),
        };
        Problem { reason, field, message }
    }));
    found
}
