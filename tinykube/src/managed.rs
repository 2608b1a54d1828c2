//! `metadata.managedFields`: who wrote which field.

use serde_json::Value;

use crate::api::{Api, Options, Part};
use crate::resource::Resource;

/// Records the creator of an object.
pub(crate) fn created(_api: &Api, _resource: &Resource, _object: &mut Value, _options: &Options) {}

/// Records who changed what between `old` and `new`.
pub(crate) fn updated(
    _api: &Api,
    _resource: &Resource,
    _part: Part,
    _old: &Value,
    _new: &mut Value,
    _options: &Options,
) {
}
