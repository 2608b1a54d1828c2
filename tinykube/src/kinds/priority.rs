//! Priorities of pods. Priority classes are not served; the two every cluster has are known.

use serde_json::Value;

use crate::api::Status;
use crate::object::{self, default};
use crate::resource::Resource;

/// Classes for what the cluster itself needs.
const SYSTEM: [(&str, i64); 2] = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Gives a new pod its priority.
///
/// # Errors
/// 403 when there is no such class.
pub(super) fn admit(pods: &Resource, pod: &mut Value) -> Result<(), Status> {
    let class = object::text(pod, "/spec/priorityClassName").to_owned();
    let known = SYSTEM.iter().find(|(name, _)| *name == class);
    if known.is_none() && !class.is_empty() {
        let why = format!("no PriorityClass with name {class} was found");
        return Err(Status::forbidden(pods, object::name(pod), &why));
    }
    let spec = object::entry(pod, "spec");
    default(spec, "priority", known.map_or(0, |(_, priority)| *priority));
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    Ok(())
}
