//! Reads an object of ours from a file as strictly as a person would want it, and says what to write instead.
//!
//! An API server drops fields it does not know, and the types here ignore them, so that a newer object stays readable.
//! Somebody who writes a file wants to hear of the misspelt one. The checks are those of the generated CRD, structure
//! first and rules (CEL) after, then what no schema can say.

use std::sync::LazyLock;

use jiff::tz::{self, TimeZone};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::Value;

use super::as_written::AsWritten;
use super::crd::{CLUSTER_HEALING_POLICY, HEALED_SERVICE, HEALING_POLICY};
use super::healed_service::HealedService;
use super::policy::{ClusterHealingPolicy, HealingPolicy};
use super::problem::Problem;
use super::settings::HealingSettings;
use super::{API_VERSION, structural};
use crate::diagnosis;

/// An object of ours that was read from a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A `HealedService`.
    HealedService(Box<HealedService>),
    /// A `HealingPolicy`.
    HealingPolicy(Box<HealingPolicy>),
    /// A `ClusterHealingPolicy`.
    ClusterHealingPolicy(Box<ClusterHealingPolicy>),
}

/// Kinds that can be read.
const KINDS: [&str; 3] = ["HealedService", "HealingPolicy", "ClusterHealingPolicy"];

/// Reads one object from YAML (or JSON) and checks it against its CRD.
///
/// # Errors
///
/// Every problem found; rules are tried only on an object whose structure is right. Never an empty list.
pub fn lint(yaml: &str) -> Result<Document, Vec<Problem>> {
    let mut object: Value =
        serde_saphyr::from_str(yaml).map_err(|error| vec![Problem::new("", format!("is not valid YAML: {error}"))])?;
    structural::drop_nulls(&mut object);
    fail_on(identity(&object))?;

    let schema = schema(&object).map_err(|problem| vec![problem])?;
    fail_on(structure(&schema.json, &object))?;
    let document = typed(&object).map_err(|error| vec![Problem::new("", format!("cannot be read: {error}"))])?;
    fail_on(beyond_schema(&document))?;
    fail_on(schema.rules(&object))?;
    Ok(document)
}

/// What is wrong with settings as a whole. Where they come from several objects, each of which is right by itself, only
/// this can tell; it says what the API server would have said of one object with all of them. The structure is not looked
/// at again: each object's was right, and a field from a newer version is no reason to refuse the others.
///
/// Paths begin at the settings.
pub fn contradictions(settings: &AsWritten) -> Vec<Problem> {
    let mut written = Value::Object(settings.0.clone());
    structural::drop_nulls(&mut written);
    let found = match settings.settings() {
        Ok(settings) => beyond_settings(&settings, ""),
        Err(error) => vec![Problem::new("", format!("cannot be read: {error}"))],
    };
    if found.is_empty() { SETTINGS.rules(&written) } else { found }
}

/// The schema of the settings alone, without anything around them.
pub fn settings_schema() -> &'static Value {
    &SETTINGS.json
}

static SETTINGS: LazyLock<Schema> = LazyLock::new(|| {
    let whole = schema_of(&HEALING_POLICY).unwrap_or_default();
    Schema::new(whole["properties"]["spec"]["properties"]["template"].clone())
});

fn fail_on(problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A schema, and its rules ready to be tried.
struct Schema {
    json: Value,
    compiled: CompiledSchema,
}

impl Schema {
    fn new(json: Value) -> Self {
        Self { compiled: compile_schema(&json), json }
    }

    fn rules(&self, object: &Value) -> Vec<Problem> {
        let Err(failures) = Validator::new().validate_compiled(&self.compiled, object, None) else {
            return Vec::new();
        };
        failures.into_iter().map(|failure| Problem::new(&failure.field_path, failure.message)).collect()
    }
}

fn schema(object: &Value) -> Result<Schema, Problem> {
    let crd = match kind_of(object) {
        "HealingPolicy" => &HEALING_POLICY,
        "ClusterHealingPolicy" => &CLUSTER_HEALING_POLICY,
        _ => &HEALED_SERVICE,
    };
    schema_of(crd).map(Schema::new)
}

fn schema_of(crd: &CustomResourceDefinition) -> Result<Value, Problem> {
    let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
    serde_json::to_value(schema.and_then(|schema| schema.open_api_v3_schema.as_ref()))
        .map_err(|error| Problem::new("", format!("cannot be checked: reading our CRD: {error}")))
}

fn typed(object: &Value) -> Result<Document, serde_json::Error> {
    let object = object.clone();
    Ok(match kind_of(&object) {
        "HealingPolicy" => Document::HealingPolicy(serde_json::from_value(object)?),
        "ClusterHealingPolicy" => Document::ClusterHealingPolicy(serde_json::from_value(object)?),
        _ => Document::HealedService(serde_json::from_value(object)?),
    })
}

fn kind_of(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

/// Whether this is an object of ours at all. Anything else would only drown in problems.
fn identity(object: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    if object.get("apiVersion").and_then(Value::as_str) != Some(API_VERSION) {
        found.push(Problem::new("apiVersion", format!("must be {API_VERSION}")));
    }
    if !KINDS.contains(&kind_of(object)) {
        found.push(Problem::new("kind", "must be HealedService, HealingPolicy or ClusterHealingPolicy"));
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

/// What no schema can say.
fn beyond_schema(document: &Document) -> Vec<Problem> {
    let (settings, at) = match document {
        Document::HealedService(service) => (&service.spec.settings, "spec."),
        Document::HealingPolicy(policy) => (&policy.spec.template, "spec.template."),
        Document::ClusterHealingPolicy(policy) => (&policy.spec.template, "spec.template."),
    };
    let settings = match settings.settings() {
        Ok(settings) => settings,
        Err(error) => return vec![Problem::new(at.trim_end_matches('.'), format!("cannot be read: {error}"))],
    };
    let mut found = beyond_settings(&settings, at);
    if let Document::HealedService(service) = document {
        found.extend(names_itself(service, &settings));
    }
    found
}

/// Patterns that compile, and time zones that exist. `at` is where the settings are.
fn beyond_settings(settings: &HealingSettings, at: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, rule) in settings.diagnosis.rules.iter().enumerate() {
        if let Err(error) = diagnosis::compile(&rule.pattern) {
            let path = format!("{at}diagnosis.rules[{index}].pattern");
            found.push(Problem::new(&path, not_compiled(&error)));
        }
    }
    // A machine without a time zone database knows no name, which says nothing about the file.
    for (index, window) in settings.remediation.windows.iter().enumerate() {
        if !tz::db().is_definitively_empty() && TimeZone::get(&window.time_zone).is_err() {
            let path = format!("{at}remediation.windows[{index}].timeZone");
            let message =
                format!("\"{}\" is not a known time zone: write an IANA name such as Europe/Berlin", window.time_zone);
            found.push(Problem::new(&path, message));
        }
    }
    found
}

fn names_itself(service: &HealedService, settings: &HealingSettings) -> Vec<Problem> {
    let own = |dependency: &super::Dependency| {
        service.metadata.name.as_ref() == Some(&dependency.name) && service.metadata.namespace == dependency.namespace
    };
    let problem =
        |(index, _)| Problem::new(&format!("spec.dependsOn[{index}]"), "names this service itself: remove it");
    settings.depends_on.iter().enumerate().filter(|(_, dependency)| own(dependency)).map(problem).collect()
}

fn not_compiled(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            "costs too much: repeat less, for example .* instead of a class with a count".to_owned()
        }
        other => format!("is no regular expression: {other}"),
    }
}
