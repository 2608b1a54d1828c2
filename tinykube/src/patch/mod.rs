//! The four ways to patch an object.

use std::sync::Arc;

use serde_json::Value;

use crate::api::{Api, Options, Part, Status};
use crate::resource::Resource;

/// A patch as a client sends it.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// RFC 7386.
    Merge(Value),
    /// Merge patch that knows list keys and directives; built-in kinds only.
    Strategic(Value),
    /// Server-side apply.
    Apply {
        /// The fields the manager wants.
        object: Value,
        /// Take fields over from other managers.
        force: bool,
    },
}

pub(crate) fn run(
    api: &Api,
    resource: &Resource,
    namespace: &str,
    name: &str,
    part: Part,
    patch: &Patch,
    options: &Options,
) -> Result<Arc<Value>, Status> {
    api.transform(resource, namespace, name, part, options, |old| {
        let mut new = Value::clone(old);
        match patch {
            Patch::Json(patch) => json_patch::patch(&mut new, patch)
                .map_err(|error| Status::bad_request(error.to_string()))?,
            Patch::Merge(patch) | Patch::Strategic(patch) => json_patch::merge(&mut new, patch),
            Patch::Apply { .. } => return Err(Status::not_implemented("server-side apply yet")),
        }
        Ok(new)
    })
}
