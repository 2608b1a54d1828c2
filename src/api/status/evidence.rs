//! What was seen: pods, findings, dependencies, the kept definition, settings that apply.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::CAMEL_CASE;

/// Pods by state.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "PodCounts::default")]
pub struct PodCounts {
    /// How many there should be.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many are ready.
    #[schemars(range(min = 0))]
    pub ready: i32,
    /// How many are within their start-up time.
    #[schemars(range(min = 0))]
    pub starting: i32,
    /// How many are unhealthy.
    #[schemars(range(min = 0))]
    pub unhealthy: i32,
}

/// One thing that is wrong.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Name of the pod. Absent if it concerns the workload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod: Option<String>,

    /// UID of the pod, since a `StatefulSet` reuses names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub uid: Option<String>,

    /// Name of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub container: Option<String>,

    /// The probe that failed: Startup, Readiness or Liveness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeKind>,

    /// What is wrong, for example `CrashLoop`, `OOMKilled` or `ImagePull`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub cause: String,

    /// Root cause, if a diagnosis rule named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = CAMEL_CASE))]
    pub diagnosis: Option<String>,

    /// Since when.
    pub since: Time,

    /// A sentence for people.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// The three probes of a container.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProbeKind {
    /// Says whether it has started.
    Startup,
    /// Says whether it may be sent requests.
    Readiness,
    /// Says whether it must be restarted.
    Liveness,
}

/// How a service in `spec.dependsOn` is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyStatus {
    /// Name of the `HealedService`.
    #[schemars(length(max = 253))]
    pub name: String,

    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,

    /// Whether it is Available, and has been for stableSeconds.
    pub ready: bool,

    /// The deepest service behind it that is not Available, as namespace/name: what really has to be repaired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub root: Option<String>,
}

/// The kept definition of the workload.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastKnownGood {
    /// Name of the `ControllerRevision` that holds it.
    #[schemars(length(max = 253))]
    pub revision: String,

    /// When it was kept.
    pub recorded_at: Time,
}

/// The settings that apply.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "EffectivePolicy::default")]
pub struct EffectivePolicy {
    /// Digest of all settings: it changes when any of them does.
    #[schemars(length(max = 128))]
    pub digest: String,

    /// Settings that come from a policy, each as "field: Kind/name".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub overrides: Vec<String>,
}
