//! How a client wants to see objects: whole, metadata alone, or as the rows of a table.

use std::sync::Arc;

use serde_json::{Map, Value, json};

pub use super::partial_metadata::Version;
use super::partial_metadata::metadata_of;
pub use super::table::RowObject;
use super::{Api, Page, convert, table};
use crate::object::write;
use crate::resource::Resource;
use crate::stored::Stored;

/// The representation a client accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The objects themselves.
    Object,
    /// `PartialObjectMetadata`.
    Metadata(Version),
    /// `Table`, with what is asked of each row's object.
    Table(RowObject, Version),
}

impl View {
    /// The first representation in an `Accept` header that is served.
    pub fn accepted(accept: &str, include_object: &str) -> View {
        for option in accept.split(',') {
            let mut parts = option.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/yaml" | "*/*" | "application/*")) {
                continue;
            }
            let parameter = |name: &str| {
                let mut parts = option.split(';').map(str::trim).filter_map(|part| part.split_once('='));
                parts.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
            };
            match (parameter("as"), Version::parse(parameter("v"))) {
                ("", _) => return View::Object,
                ("PartialObjectMetadata" | "PartialObjectMetadataList", Some(version)) => {
                    return View::Metadata(version);
                }
                ("Table", Some(version)) => {
                    let row = match include_object {
                        "None" => RowObject::None,
                        "Object" => RowObject::Object,
                        _ => RowObject::Metadata,
                    };
                    return View::Table(row, version);
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
            View::Metadata(version) => write(&mut out, &metadata_of(object, *version)),
            View::Table(row, version) => {
                let metadata = json!({"resourceVersion": crate::object::resource_version(object)});
                let objects = std::iter::once(object.clone());
                write(&mut out, &table::render(api, resource, objects, (*row, *version), &metadata));
            }
        }
        out
    }

    /// A `Scale` of a resource as JSON text.
    pub fn scale(&self, api: &Api, resource: &Resource, scale: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            View::Object => write(&mut out, scale),
            View::Metadata(version) => write(&mut out, &metadata_of(scale, *version)),
            View::Table(row, version) => {
                let metadata = json!({"resourceVersion": crate::object::resource_version(scale)});
                write(&mut out, &table::render_scale(api, resource, scale, (*row, *version), &metadata));
            }
        }
        out
    }

    /// A list as JSON text.
    pub fn list(&self, api: &Api, resource: &Resource, page: &Page) -> Vec<u8> {
        let metadata = list_metadata(resource.custom && *self == View::Object, page);
        let mut out = Vec::with_capacity(self.length(page));
        let (kind, version) = match self {
            View::Table(row, version) => {
                let objects = page.objects.iter().map(|object| convert::to_version(resource, &object.value()));
                write(&mut out, &table::render(api, resource, objects, (*row, *version), &metadata));
                return out;
            }
            View::Object => (resource.list_kind.as_str(), resource.api_version()),
            View::Metadata(version) => ("PartialObjectMetadataList", version.api_version().to_owned()),
        };
        let head = json!({"kind": kind, "apiVersion": version, "metadata": metadata}).to_string();
        out.extend_from_slice(head.trim_end_matches('}').as_bytes());
        out.extend_from_slice(b"},\"items\":[");
        for (index, object) in page.objects.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match self {
                View::Metadata(version) => write(&mut out, &metadata_of(&object.metadata(), *version)),
                _ => write_stored(&mut out, resource, object, resource.custom),
            }
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// About how long the text of a list is.
    fn length(&self, page: &Page) -> usize {
        let each = |object: &Stored| object.json().len() + 64;
        if *self == View::Object { 512 + page.objects.iter().map(each).sum::<usize>() } else { 4096 }
    }
}

/// Lists that the real server has no type for are written with all they have.
fn list_metadata(is_untyped: bool, page: &Page) -> Value {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), page.rv.to_string().into());
    if is_untyped || !page.continued.is_empty() {
        metadata.insert("continue".into(), page.continued.clone().into());
    }
    if let Some(remaining) = page.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    Value::Object(metadata)
}

/// Appends an object as `resource` shows it; items of built-in lists carry neither kind nor version.
pub(super) fn write_stored(out: &mut Vec<u8>, resource: &Resource, object: &Stored, typed: bool) {
    out.push(b'{');
    if typed {
        let head = format!("\"kind\":\"{}\",\"apiVersion\":\"{}\",", resource.kind, resource.api_version());
        out.extend_from_slice(head.as_bytes());
    }
    if convert::renames_fields(resource) {
        let mut shown = Value::clone(&convert::to_version(resource, &object.value()));
        let members = crate::object::map(&mut shown);
        members.retain(|key, _| !matches!(key.as_str(), "kind" | "apiVersion"));
        out.extend_from_slice(&shown.to_string().as_bytes()[1..]);
    } else {
        out.extend_from_slice(object.json_untyped().as_bytes());
    }
}
