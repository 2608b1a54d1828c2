//! How a client wants to see objects: whole, metadata alone, or as the rows of a table.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Api, Page, table};
use crate::resource::Resource;

/// The representation a client accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The objects themselves.
    Object,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, with what is asked of each row's object.
    Table(RowObject),
}

/// The `includeObject` parameter of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowObject {
    /// No object.
    None,
    /// Its metadata.
    Metadata,
    /// The whole of it.
    Object,
}

impl View {
    /// The first representation in an `Accept` header that is served.
    pub fn accepted(accept: &str, include_object: &str) -> View {
        for option in accept.split(',') {
            let mut parts = option.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "*/*" | "application/*")) {
                continue;
            }
            let parameter = |name: &str| {
                let mut parts = option.split(';').map(str::trim).filter_map(|part| part.split_once('='));
                parts.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
            };
            match (parameter("as"), parameter("v")) {
                ("", _) => return View::Object,
                ("PartialObjectMetadata" | "PartialObjectMetadataList", "v1") => return View::Metadata,
                ("Table", "v1") => {
                    return View::Table(match include_object {
                        "None" => RowObject::None,
                        "Object" => RowObject::Object,
                        _ => RowObject::Metadata,
                    });
                }
                _ => {}
            }
        }
        View::Object
    }

    /// One object as JSON text.
    pub fn one(&self, api: &Api, resource: &Resource, object: &Arc<Value>) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            View::Object => write(&mut out, object),
            View::Metadata => write(&mut out, &metadata_of(object)),
            View::Table(row) => {
                let rv = crate::object::resource_version(object);
                let table =
                    table::render(api, resource, std::slice::from_ref(object), *row, &json!({"resourceVersion": rv}));
                write(&mut out, &table);
            }
        }
        out
    }

    /// A list as JSON text.
    pub fn list(&self, api: &Api, resource: &Resource, page: &Page) -> Vec<u8> {
        let metadata = list_metadata(resource, page);
        let mut out = Vec::new();
        let (kind, version) = match self {
            View::Table(row) => {
                write(&mut out, &table::render(api, resource, &page.objects, *row, &metadata));
                return out;
            }
            View::Object => (resource.list_kind.as_str(), resource.api_version()),
            View::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
        };
        let head = json!({"kind": kind, "apiVersion": version, "metadata": metadata}).to_string();
        out.extend_from_slice(head.trim_end_matches('}').as_bytes());
        out.extend_from_slice(b"},\"items\":[");
        for (index, object) in page.objects.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match self {
                View::Metadata => write(&mut out, &metadata_of(object)),
                _ if resource.custom => write(&mut out, object),
                _ => write_untyped(&mut out, object),
            }
        }
        out.extend_from_slice(b"]}");
        out
    }
}

fn list_metadata(resource: &Resource, page: &Page) -> Value {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), page.rv.to_string().into());
    if resource.custom || !page.continued.is_empty() {
        metadata.insert("continue".into(), page.continued.clone().into());
    }
    if let Some(remaining) = page.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    Value::Object(metadata)
}

/// `PartialObjectMetadata` of an object.
pub(super) fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Appends JSON text; values made of `Value` always serialise.
pub(super) fn write(out: &mut Vec<u8>, value: &Value) {
    if let Err(error) = serde_json::to_writer(out, value) {
        tracing::error!(%error, "an object could not be written as JSON");
    }
}

/// Items of built-in lists carry neither kind nor version.
fn write_untyped(out: &mut Vec<u8>, object: &Value) {
    out.push(b'{');
    let members = object.as_object().into_iter().flatten();
    let mut first = true;
    for (key, value) in members.filter(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion")) {
        if !first {
            out.push(b',');
        }
        first = false;
        write(out, &Value::String(key.clone()));
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}
