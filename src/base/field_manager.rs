//! Who writes.

use kube::api::PostParams;

use crate::api::FIELD_MANAGER;

/// A write that names kubeheal as the manager of its fields.
pub fn written_by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}
