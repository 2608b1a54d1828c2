//! Resource quotas: what is used of each.

use super::Turn;
use super::context::Context;
use super::view::Key;
use crate::kinds;

/// One turn for one quota.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(quota) = context.view.get_key(key) else { return Ok(None) };
    let status = kinds::quota::status(&context.api, &quota);
    context.write_status(&context.kinds.quotas, &quota, &status)?;
    Ok(None)
}
