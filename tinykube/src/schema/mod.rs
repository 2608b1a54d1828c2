//! Structural schemas of custom resources: pruning, defaults, validation, rules.

pub(crate) mod declared;
mod default;
pub(crate) mod prune;
mod rules;
pub(crate) mod strict;
mod validate;

use serde_json::Value;

use self::rules::Rules;
use self::validate::Patterns;
use crate::api::{Cause, FieldValidation, Options, Status, Warnings};
use crate::object;
use crate::resource::Resource;

/// What is said when rules were not evaluated.
const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to \
                         complete validation";

/// A structural schema with its compiled rules.
#[derive(Debug)]
pub struct Schema {
    /// `openAPIV3Schema`.
    pub root: Value,
    rules: Rules,
    patterns: Patterns,
}

impl Schema {
    /// Compiles a schema.
    pub fn new(root: Value) -> Schema {
        let (rules, patterns) = (Rules::compile(&root), validate::patterns(&root));
        Schema { root, rules, patterns }
    }

    /// Drops what the schema does not know and nulls it does not allow, then fills in defaults.
    ///
    /// # Errors
    /// 400 for unknown fields if `options` are strict.
    pub(crate) fn decode(&self, resource: &Resource, object: &mut Value, options: &Options) -> Result<(), Status> {
        let unknown = prune::unknown_field_messages(prune::prune_root(&self.root, object));
        report(&resource.kind, &resource.version, unknown, options)?;
        self.fill(object);
        Ok(())
    }

    /// Fills in defaults.
    pub(crate) fn fill(&self, object: &mut Value) {
        default::fill(&self.root, object);
    }

    /// Everything wrong with an object, or with the change from `old`. What was wrong before and did not change is let be; a
    /// rule says so in a warning.
    pub(crate) fn causes(
        &self,
        version: &Value,
        object: &Value,
        old: Option<&Value>,
        warnings: &Warnings,
    ) -> Vec<Cause> {
        let mut causes = validate::validate(&self.root, &self.patterns, object);
        if let Some(old) = old {
            causes.retain(|cause| !is_unchanged(cause, object, old));
        }
        causes.extend(scale_causes(version, object));
        if causes.iter().any(is_blocking) {
            causes.push(Cause::invalid("<nil>", &Value::Null, UNCHECKED));
        } else {
            let (unchanged, broken) = match old {
                Some(old) => {
                    self.rules.causes(object, Some(old)).into_iter().partition(|cause| is_unchanged(cause, object, old))
                }
                None => (Vec::new(), self.rules.causes(object, None)),
            };
            for Cause { field, message, .. } in unchanged {
                warnings.add(format!("{field}: {message}"));
            }
            causes.extend(broken);
        }
        causes
    }
}

/// Whether a cause is about a value that was the same before.
fn is_unchanged(cause: &Cause, object: &Value, old: &Value) -> bool {
    let path = cause.field.as_str();
    // What is missing is wrong with what it is missing in.
    let path = if cause.reason == "FieldValueRequired" {
        path.rsplit_once('.').map_or("", |(parent, _)| parent)
    } else {
        path
    };
    if path.is_empty() || path == "<nil>" {
        return object == old;
    }
    rules::is_same(object, old, path)
}

/// Errors of shape; rules are not evaluated on such an object.
fn is_blocking(cause: &Cause) -> bool {
    matches!(
        cause.reason,
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

/// The replicas a `Scale` would show must be a number and not negative.
fn scale_causes(version: &Value, object: &Value) -> Vec<Cause> {
    let Some(path) = version["subresources"]["scale"]["specReplicasPath"].as_str() else {
        return Vec::new();
    };
    let replicas = object.pointer(&path.replace('.', "/")).unwrap_or(&Value::Null);
    match replicas {
        Value::Null => Vec::new(),
        Value::Number(number) => match number.as_i64() {
            Some(number) if number < 0 => {
                vec![Cause::invalid(path, replicas, "should be a non-negative integer")]
            }
            _ => Vec::new(),
        },
        other => {
            let shown = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            let kind = go_type(other);
            let why = format!("{path} accessor error: {shown} is of the type {kind}, expected int64");
            vec![Cause::invalid(path, &Value::from(0), &why)]
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Number(_) => "float64",
        Value::Null => "<nil>",
    }
}

/// Says that fields were dropped, as the client asked to be told.
pub(crate) fn report(kind: &str, version: &str, messages: Vec<String>, options: &Options) -> Result<(), Status> {
    if messages.is_empty() {
        return Ok(());
    }
    match options.validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            for message in messages {
                options.warnings.add(message);
            }
            Ok(())
        }
        FieldValidation::Strict => Err(Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {errors}",
            errors = messages.join(", ")
        ))),
    }
}

/// `a.b` for a field of `a`, `b` at the root.
pub(crate) fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether a schema keeps fields it does not list.
pub(crate) fn preserves_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true)
}

/// The root properties every object has besides those of its schema.
pub(crate) fn is_type_field(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

/// Metadata fields of a text map, such as labels, must be texts.
pub(crate) fn metadata_is_sound(object: &Value) -> bool {
    ["labels", "annotations"].iter().all(|key| {
        let map = &object["metadata"][*key];
        map.is_null() || map.as_object().is_some_and(|map| map.values().all(Value::is_string))
    }) && object::finalizers(object).count() == object::items(object, "/metadata/finalizers").len()
}
