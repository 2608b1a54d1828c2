//! The `OpenAPI` v2 document: the schemas of all kinds, for clients that validate what the v3 documents do not name, such
//! as kubectl a `List`. As JSON, or in the Protocol Buffers of `gnostic` that clients in Go ask for.

use serde_json::{Map, Value, json};

use super::{document, root};
use crate::api::Api;

/// How clients ask for Protocol Buffers, and what they are told they got.
pub(crate) const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Numbers of fields in `gnostic`'s `openapi.v2` messages.
mod field {
    pub(super) const DOCUMENT_SWAGGER: u64 = 1;
    pub(super) const DOCUMENT_INFO: u64 = 2;
    pub(super) const DOCUMENT_DEFINITIONS: u64 = 9;
    pub(super) const INFO_TITLE: u64 = 1;
    pub(super) const INFO_VERSION: u64 = 2;
    pub(super) const REFERENCE: u64 = 1;
    pub(super) const FORMAT: u64 = 2;
    pub(super) const DESCRIPTION: u64 = 4;
    pub(super) const REQUIRED: u64 = 19;
    pub(super) const ADDITIONAL_PROPERTIES: u64 = 21;
    pub(super) const TYPE: u64 = 22;
    pub(super) const ITEMS: u64 = 23;
    pub(super) const PROPERTIES: u64 = 25;
    pub(super) const EXTENSION: u64 = 31;
}

/// The document as JSON.
pub(crate) fn json(api: &Api) -> Value {
    let mut definitions = Map::new();
    for (group, versions) in api.groups() {
        for version in versions {
            let document = document(api, &root(&group, &version));
            let schemas = document.as_ref().and_then(|document| document["components"]["schemas"].as_object());
            definitions.extend(schemas.into_iter().flatten().map(|(name, schema)| (name.clone(), rewritten(schema))));
        }
    }
    definitions.sort_keys();
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": {},
        "definitions": definitions,
    })
}

/// References as v2 has them: into the definitions, and never beside other members.
fn rewritten(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let only = schema["allOf"].as_array().filter(|all| all.len() == 1).and_then(|all| all.first());
            let reference = members.get("$ref").or_else(|| only.and_then(|only| only.get("$ref")));
            if let Some(name) = reference.and_then(Value::as_str).and_then(|text| text.rsplit('/').next()) {
                return json!({"$ref": format!("#/definitions/{name}")});
            }
            members.iter().map(|(key, value)| (key.clone(), rewritten(value))).collect()
        }
        Value::Array(items) => items.iter().map(rewritten).collect(),
        other => other.clone(),
    }
}

/// The document in Protocol Buffers.
pub(crate) fn protobuf(api: &Api) -> Vec<u8> {
    let document = json(api);
    let mut info = Vec::new();
    put_text(&mut info, field::INFO_TITLE, &document["info"]["title"]);
    put_text(&mut info, field::INFO_VERSION, &document["info"]["version"]);
    let mut out = Vec::new();
    put_text(&mut out, field::DOCUMENT_SWAGGER, &document["swagger"]);
    put(&mut out, field::DOCUMENT_INFO, &info);
    put(&mut out, field::DOCUMENT_DEFINITIONS, &named(&document["definitions"]));
    out
}

/// Schemas by name.
fn named(schemas: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in schemas.as_object().into_iter().flatten() {
        let mut entry = Vec::new();
        put(&mut entry, 1, name.as_bytes());
        put(&mut entry, 2, &schema(value));
        put(&mut out, 1, &entry);
    }
    out
}

fn schema(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, field::REFERENCE, &value["$ref"]);
    put_text(&mut out, field::FORMAT, &value["format"]);
    put_text(&mut out, field::DESCRIPTION, &value["description"]);
    for name in value["required"].as_array().into_iter().flatten() {
        put_text(&mut out, field::REQUIRED, name);
    }
    match &value["additionalProperties"] {
        Value::Bool(allowed) => put(&mut out, field::ADDITIONAL_PROPERTIES, &[2 << 3, u8::from(*allowed)]),
        Value::Object(_) => {
            put(&mut out, field::ADDITIONAL_PROPERTIES, &wrapped(&schema(&value["additionalProperties"])));
        }
        _ => {}
    }
    if let Some(kind) = value["type"].as_str() {
        put(&mut out, field::TYPE, &wrapped(kind.as_bytes()));
    }
    if value["items"].is_object() {
        put(&mut out, field::ITEMS, &wrapped(&schema(&value["items"])));
    }
    if value["properties"].is_object() {
        put(&mut out, field::PROPERTIES, &named(&value["properties"]));
    }
    let extensions = value.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("x-"));
    for (key, extension) in extensions {
        let mut entry = Vec::new();
        put(&mut entry, 1, key.as_bytes());
        let mut any = Vec::new();
        put(&mut any, 2, extension.to_string().as_bytes());
        put(&mut entry, 2, &any);
        put(&mut out, field::EXTENSION, &entry);
    }
    out
}

/// A message whose first field is all there is.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, 1, bytes);
    out
}

fn put_text(out: &mut Vec<u8>, number: u64, text: &Value) {
    if let Some(text) = text.as_str() {
        put(out, number, text.as_bytes());
    }
}

/// A field of bytes, text or a message.
fn put(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_number(out, number << 3 | 2);
    put_number(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    let [last, ..] = number.to_le_bytes();
    out.push(last);
}
