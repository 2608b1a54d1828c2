//! Resource quotas: what is used of each.

use super::Turn;
use super::context::Context;
use super::view::Key;
use crate::api::{Options, Part};
use crate::kinds;

/// One turn for one quota.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(quota) = context.view.get_key(key) else { return Ok(None) };
    let status = kinds::quota::status(&context.api, &quota);
    if quota["status"] != status {
        // Admission counts as well, so that it is told which of them has counted what.
        let options = Options::by("kube-controller-manager");
        let target = context.kinds.quotas.named(&key.namespace, &key.name);
        context.api.modify(target, Part::Status, &options, |quota| {
            quota["status"] = status;
        })?;
    }
    Ok(None)
}
