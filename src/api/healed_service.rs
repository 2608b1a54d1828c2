//! `HealedService`: one workload, and how it is to be healed.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::as_written::{self, AsWritten};
use super::dependency::Grant;
use super::schema::{DNS_SUBDOMAIN, finish};
use super::status::HealedServiceStatus;
use super::workload::WorkloadRef;

/// The workload to look after, and how.
// Columns: Target is read from spec, so it stands there from the first moment. Status is shown without `-o wide`, because
// people watch it; it comes last, where a long sentence runs on to the right and shifts no other column.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "kubeheal.dev",
    version = "v1alpha1",
    kind = "HealedService",
    doc = "HealedService names one workload (Deployment, StatefulSet, DaemonSet or Pod) that kubeheal watches, and heals when it is unhealthy.",
    namespaced,
    shortname = "hsvc",
    category = "kubeheal",
    status = "HealedServiceStatus",
    derive = "PartialEq",
    cel,
    validation = Rule::new("!has(self.spec.dependsOn) || self.spec.dependsOn.all(d, d.name != self.metadata.name || has(d.__namespace__))")
        .message("spec.dependsOn names this service itself, which could then never be healthy: remove that entry, or write the namespace of the service that is meant"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the workload is well"),
    printcolumn(name = "Available", type_ = "string", json_path = ".status.conditions[?(@.type==\"Available\")].status", description = "Whether enough of the workload is ready to serve", priority = 1),
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.workloadRef.name", description = "Name of the workload"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.workloadRef.kind", description = "Kind of the workload", priority = 1),
    printcolumn(name = "Circuit", type_ = "string", json_path = ".status.circuit.state", description = "Whether healing goes on (Closed), has stopped (Open) or is tried once more (HalfOpen)"),
    printcolumn(name = "Restarts", type_ = "integer", json_path = ".status.restartsInWindow", description = "Container restarts in the window of spec.health.restarts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "Why"),
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = finish)]
#[x_kube(
    validation = Rule::new(as_written::rule("self.workloadRef.kind == 'Deployment' || !self.remediation.ladder.exists(step, step == 'Rollback')"))
        .message("only a Deployment can be rolled back: remove Rollback from remediation.ladder"),
    validation = Rule::new(as_written::rule("self.workloadRef.kind in ['Deployment', 'StatefulSet'] || self.circuitBreaker.onOpen.action != 'ScaleToZero'"))
        .message("only a Deployment or StatefulSet can be scaled to zero: write circuitBreaker.onOpen.action Hold or Fallback"),
)]
pub struct HealedServiceSpec {
    /// The workload to look after. It cannot be changed.
    pub workload_ref: WorkloadRef,

    /// The policy to follow. If none is named, the one called "default" of this namespace, else of the cluster, if it
    /// exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_ref: Option<PolicyRef>,

    /// How it is healed, as far as this object says so itself. What applies is known with its policy only.
    #[serde(flatten)]
    pub settings: AsWritten,

    /// Other namespaces whose services may depend on this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into()]))]
    pub grants: Vec<Grant>,
}

/// Names a policy.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// `HealingPolicy` (of this namespace) or `ClusterHealingPolicy`.
    #[serde(default)]
    pub kind: PolicyKind,

    /// Name of the policy.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
}

/// The two kinds of policy.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyKind {
    /// A policy of the service's namespace.
    #[default]
    HealingPolicy,
    /// A policy of the cluster.
    ClusterHealingPolicy,
}
