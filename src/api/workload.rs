//! The workload a `HealedService` looks after.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::DNS_SUBDOMAIN;

/// Names one workload in the namespace of the `HealedService`.
// Only kind and name are immutable: writing the apiVersion that was implied before changes nothing.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.apiVersion) || self.apiVersion == (self.kind == 'Pod' ? 'v1' : 'apps/v1')")
        .message("workloadRef.apiVersion follows from kind: leave it out, or write v1 for a Pod and apps/v1 for a Deployment, StatefulSet or DaemonSet"),
    validation = Rule::new("self.kind == oldSelf.kind && self.name == oldSelf.name")
        .message("workloadRef cannot be changed: create another HealedService for the other workload and delete this one")
        .reason(Reason::FieldValueForbidden),
)]
pub struct WorkloadRef {
    /// Group and version of the workload. It follows from kind and may be left out.
    // Not a schema default, which could not depend on kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub api_version: Option<String>,

    /// What it is: Deployment, `StatefulSet`, `DaemonSet` or Pod. A Pod is healed only as far as its own restart policy and
    /// a kept definition allow; prefer a controller.
    pub kind: WorkloadKind,

    /// Name of the workload, in the same namespace as this object.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
}

/// The kinds of workload that can be healed.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// Replaceable pods behind `ReplicaSets`.
    Deployment,
    /// Pods with a name and claims of their own.
    StatefulSet,
    /// One pod a node.
    DaemonSet,
    /// A pod without a controller.
    Pod,
}
