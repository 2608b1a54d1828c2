//! Reads a `HealedService` from a file as strictly as a person would want it, and says what to write instead.
//!
//! An API server drops fields it does not know, and the types here ignore them, so that a newer object stays readable.
//! Somebody who writes a file wants to hear of the misspelt one. The checks are those of the generated CRD, structure
//! first and rules (CEL) after, then what no schema can say.

use std::fmt;

use jiff::tz::{self, TimeZone};
use kube::CustomResourceExt;
use kube::core::cel::Validator;
use regex::Regex;
use serde_json::Value;

use super::healed_service::HealedService;
use super::{API_VERSION, structural};

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, for example `spec.alerts.sinks[0].url`. Empty if it concerns the whole file.
    pub path: String,
    /// What is wrong, and what to write.
    pub message: String,
}

impl Problem {
    pub(super) fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            formatter.write_str(&self.message)
        } else {
            write!(formatter, "{}: {}", self.path, self.message)
        }
    }
}

/// Reads one `HealedService` from YAML (or JSON) and checks it against the CRD.
///
/// # Errors
///
/// Every problem found; rules are tried only on an object whose structure is right. Never an empty list.
pub fn lint(yaml: &str) -> Result<HealedService, Vec<Problem>> {
    let mut object: Value =
        serde_saphyr::from_str(yaml).map_err(|error| vec![Problem::new("", format!("is not valid YAML: {error}"))])?;
    structural::drop_nulls(&mut object);
    fail_on(identity(&object))?;

    let schema = schema().map_err(|problem| vec![problem])?;
    fail_on(structure(&schema, &object))?;
    fail_on(rules(&schema, &object))?;

    let service =
        serde_json::from_value(object).map_err(|error| vec![Problem::new("", format!("cannot be read: {error}"))])?;
    fail_on(beyond_schema(&service))?;
    Ok(service)
}

fn fail_on(problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn schema() -> Result<Value, Problem> {
    let crd = HealedService::crd();
    let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
    serde_json::to_value(schema.and_then(|schema| schema.open_api_v3_schema.as_ref()))
        .map_err(|error| Problem::new("", format!("cannot be checked: reading our CRD: {error}")))
}

/// Whether this is a `HealedService` at all. Anything else would only drown in problems.
fn identity(object: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, expected) in [("apiVersion", API_VERSION), ("kind", "HealedService")] {
        if object.get(name).and_then(Value::as_str) != Some(expected) {
            found.push(Problem::new(name, format!("must be {expected}")));
        }
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        found.push(Problem::new("metadata.name", "is missing: add it"));
    }
    found
}

fn structure(schema: &Value, object: &Value) -> Vec<Problem> {
    let mut body = object.clone();
    if let Some(fields) = body.as_object_mut() {
        // The server has its own schema for these.
        fields.retain(|name, _| !["apiVersion", "kind", "metadata"].contains(&name.as_str()));
    }
    structural::problems(schema, &body, "")
}

fn rules(schema: &Value, object: &Value) -> Vec<Problem> {
    match Validator::new().validate(schema, object, None) {
        Ok(()) => Vec::new(),
        Err(failures) => {
            failures.into_iter().map(|failure| Problem::new(&failure.field_path, failure.message)).collect()
        }
    }
}

/// What no schema can say: patterns that compile, time zones that exist, and our own namespace.
fn beyond_schema(service: &HealedService) -> Vec<Problem> {
    let settings = match service.spec.settings.settings() {
        Ok(settings) => settings,
        Err(error) => return vec![Problem::new("spec", format!("cannot be read: {error}"))],
    };
    let mut found = Vec::new();
    for (index, rule) in settings.diagnosis.rules.iter().enumerate() {
        if let Err(error) = Regex::new(&rule.pattern) {
            let path = format!("spec.diagnosis.rules[{index}].pattern");
            found.push(Problem::new(&path, format!("is no regular expression: {error}")));
        }
    }
    // A machine without a time zone database knows no name, which says nothing about the file.
    for (index, window) in settings.remediation.windows.iter().enumerate() {
        if !tz::db().is_definitively_empty() && TimeZone::get(&window.time_zone).is_err() {
            let path = format!("spec.remediation.windows[{index}].timeZone");
            let message =
                format!("\"{}\" is not a known time zone: write an IANA name such as Europe/Berlin", window.time_zone);
            found.push(Problem::new(&path, message));
        }
    }
    for (index, dependency) in settings.depends_on.iter().enumerate() {
        if service.metadata.name.as_ref() == Some(&dependency.name)
            && service.metadata.namespace == dependency.namespace
        {
            let path = format!("spec.dependsOn[{index}]");
            found.push(Problem::new(&path, "names this service itself: remove it"));
        }
    }
    found
}
