//! Schemas of the built-in kinds, out of the types of `k8s-openapi`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use k8s_openapi::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::api::{Options, Status};
use crate::kinds::time::{self, GoTime};
use crate::quantity::{self, Quantity};
use crate::resource::Resource;
use crate::schema;

/// Times with microseconds: those of Leases and Events.
const MICRO_TIMES: [&str; 4] = ["acquireTime", "renewTime", "eventTime", "lastObservedTime"];

/// Schemas by API version and kind, and what they refer to.
pub(crate) struct Schemas {
    pub(crate) kinds: BTreeMap<(&'static str, &'static str), Value>,
    pub(crate) definitions: serde_json::Map<String, Value>,
}

/// Every built-in schema; made once.
pub(crate) static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut generator = SchemaGenerator::default();
    let mut kinds = BTreeMap::new();
    add::<api::admissionregistration::v1::MutatingWebhookConfiguration>(&mut generator, &mut kinds);
    add::<api::admissionregistration::v1::ValidatingWebhookConfiguration>(&mut generator, &mut kinds);
    add::<api::core::v1::ConfigMap>(&mut generator, &mut kinds);
    add::<api::core::v1::Endpoints>(&mut generator, &mut kinds);
    add::<api::core::v1::Event>(&mut generator, &mut kinds);
    add::<api::core::v1::Namespace>(&mut generator, &mut kinds);
    add::<api::core::v1::Node>(&mut generator, &mut kinds);
    add::<api::core::v1::PersistentVolumeClaim>(&mut generator, &mut kinds);
    add::<api::core::v1::Pod>(&mut generator, &mut kinds);
    add::<api::core::v1::ResourceQuota>(&mut generator, &mut kinds);
    add::<api::core::v1::Secret>(&mut generator, &mut kinds);
    add::<api::core::v1::ServiceAccount>(&mut generator, &mut kinds);
    add::<api::core::v1::Service>(&mut generator, &mut kinds);
    add::<api::apps::v1::ControllerRevision>(&mut generator, &mut kinds);
    add::<api::apps::v1::DaemonSet>(&mut generator, &mut kinds);
    add::<api::apps::v1::Deployment>(&mut generator, &mut kinds);
    add::<api::apps::v1::ReplicaSet>(&mut generator, &mut kinds);
    add::<api::apps::v1::StatefulSet>(&mut generator, &mut kinds);
    add::<api::autoscaling::v2::HorizontalPodAutoscaler>(&mut generator, &mut kinds);
    add::<api::batch::v1::Job>(&mut generator, &mut kinds);
    add::<api::coordination::v1::Lease>(&mut generator, &mut kinds);
    add::<api::discovery::v1::EndpointSlice>(&mut generator, &mut kinds);
    add::<api::events::v1::Event>(&mut generator, &mut kinds);
    add::<api::networking::v1::NetworkPolicy>(&mut generator, &mut kinds);
    add::<api::policy::v1::PodDisruptionBudget>(&mut generator, &mut kinds);
    add::<api::rbac::v1::ClusterRoleBinding>(&mut generator, &mut kinds);
    add::<api::rbac::v1::ClusterRole>(&mut generator, &mut kinds);
    add::<api::rbac::v1::RoleBinding>(&mut generator, &mut kinds);
    add::<api::rbac::v1::Role>(&mut generator, &mut kinds);
    add::<CustomResourceDefinition>(&mut generator, &mut kinds);
    let definitions = generator.take_definitions(true);
    Schemas { kinds, definitions }
});

fn add<K: JsonSchema + k8s_openapi::Resource>(
    generator: &mut SchemaGenerator,
    kinds: &mut BTreeMap<(&'static str, &'static str), Value>,
) {
    let schema = generator.subschema_for::<K>();
    kinds.insert((K::API_VERSION, K::KIND), schema.to_value());
}

impl Schemas {
    /// The schema of a built-in kind.
    pub(crate) fn of(&self, resource: &Resource) -> Option<&Value> {
        let version = resource.api_version();
        let mut kinds = self.kinds.iter();
        let (_, schema) = kinds.find(|((known, kind), _)| *known == version && *kind == resource.kind)?;
        Some(self.resolve(schema))
    }

    /// A schema without references at its root.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        let name = reference.and_then(|reference| reference.rsplit('/').next());
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }
}

/// Drops fields the kind does not have.
///
/// # Errors
/// 400 for values of the wrong type, and for unknown fields if `options` are strict.
pub(crate) fn prune(resource: &Resource, object: &mut Value, options: &Options) -> Result<(), Status> {
    let unknown = take_unknown(resource, object)?;
    if unknown.is_empty() {
        return Ok(());
    }
    let messages = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    schema::report(&resource.kind, &resource.version, messages, options)
}

/// Drops fields the kind does not have; their paths, in the order in which they were there. A custom resource keeps all.
///
/// # Errors
/// 400 for values of the wrong type.
pub(crate) fn take_unknown(resource: &Resource, object: &mut Value) -> Result<Vec<String>, Status> {
    let Some(root) = SCHEMAS.of(resource) else {
        return Ok(Vec::new());
    };
    let mut reading = Reading::default();
    reading.walk(root, object, At { path: "", go: "" }, &resource.kind);
    match reading.wrong {
        None => Ok(reading.unknown),
        Some(wrong) => Err(Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {wrong}",
            kind = resource.kind,
            version = resource.version
        ))),
    }
}

/// What was found while an object was read.
#[derive(Default)]
struct Reading {
    unknown: Vec<String>,
    /// The first value of the wrong type, in Go's words.
    wrong: Option<String>,
}

/// Where a value stands: with every index and key, and as Go names the field that holds it.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a str,
    go: &'a str,
}

impl Reading {
    /// `owner` is the type that has the field.
    fn walk(&mut self, schema: &Value, value: &mut Value, at: At<'_>, owner: &str) {
        let At { path, go } = at;
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        let name = reference.and_then(|reference| reference.rsplit(['/', '.']).next()).unwrap_or_default();
        let owner = if name.is_empty() { owner } else { name };
        let schema = SCHEMAS.resolve(schema);
        self.check_type(schema, value, go, owner);
        if schema["format"] == "date-time" {
            self.read_time(value, path);
        }
        match value {
            Value::Object(members) => {
                let Some(properties) = schema["properties"].as_object() else {
                    let each = &schema["additionalProperties"];
                    if each.is_object() {
                        for (key, member) in members.iter_mut() {
                            self.walk(each, member, At { path: &schema::field(path, key), go }, owner);
                        }
                    }
                    return;
                };
                members.retain(|key, member| {
                    let place = schema::field(path, key);
                    let Some(property) = properties.get(key) else {
                        self.unknown.push(place);
                        return false;
                    };
                    // Schemas inside a definition are free-form here; they are compiled elsewhere.
                    if key != "openAPIV3Schema" && key != "managedFields" {
                        self.walk(property, member, At { path: &place, go: &schema::field(go, key) }, owner);
                    }
                    true
                });
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(&schema["items"], item, At { path: &format!("{path}[{index}]"), go }, owner);
                }
            }
            _ => {}
        }
    }

    /// Times are kept as the real server writes them.
    fn read_time(&mut self, value: &mut Value, path: &str) {
        let Some(text) = value.as_str() else { return };
        let exact = MICRO_TIMES.contains(&path.rsplit('.').next().unwrap_or_default());
        match GoTime::read(text) {
            Some(time) => *value = if exact { time.in_microseconds() } else { time.in_seconds() }.into(),
            None if self.wrong.is_none() => {
                let form = if exact { time::MICROSECONDS } else { time::SECONDS };
                let wrong = format!("parsing time {text:?} as {form:?}: cannot parse {text:?} as \"2006\"");
                self.wrong = Some(wrong);
            }
            None => {}
        }
    }

    fn check_type(&mut self, schema: &Value, value: &Value, go: &str, owner: &str) {
        let expected = schema["type"].as_str().unwrap_or_default();
        let actual = match value {
            Value::Null => return,
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if self.wrong.is_some() {
            return;
        }
        self.wrong = match (owner, value) {
            ("Quantity", value) if Quantity::of(value).is_none() => Some(quantity::MALFORMED.to_owned()),
            (_, Value::String(text)) if schema["format"] == "byte" => not_base64(text),
            _ => None,
        };
        // Quantities may be numbers, and some values are numbers or strings.
        let free = matches!(owner, "Quantity" | "IntOrString" | "JSON" | "RawExtension");
        let fits = expected.is_empty() || expected == actual || (expected == "number" && actual == "integer");
        if !free && !fits {
            let shown = if actual == "boolean" { "bool" } else { actual };
            let shown = if matches!(actual, "integer" | "number") { "number" } else { shown };
            let wanted = schema["format"].as_str().unwrap_or(expected);
            self.wrong =
                Some(format!("json: cannot unmarshal {shown} into Go struct field {owner}.{go} of type {wanted}"));
        }
    }
}

/// Where a text stops being base64, in Go's words.
fn not_base64(text: &str) -> Option<String> {
    let position = match STANDARD.decode(text).err()? {
        DecodeError::InvalidByte(index, _) | DecodeError::InvalidLastSymbol(index, _) => index,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len() - text.len() % 4,
    };
    Some(format!("illegal base64 data at input byte {position}"))
}
