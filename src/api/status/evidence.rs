//! What was seen: pods, findings, dependencies, settings in force, and the memory of each container.

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

    /// Whether it is Ready, and has been for stableSeconds.
    pub ready: bool,

    /// The deepest unhealthy service behind it, as namespace/name: what really has to be repaired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub root: Option<String>,
}

/// What an outage of a dependency left to do: pods that were running meanwhile are restarted after it, one at a time.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "DependencyRecovery::default")]
pub struct DependencyRecovery {
    /// Since when a dependency has had no ready pod. Less than 30 seconds of that are forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Time>,

    /// Pods will be restarted, once all dependencies are healthy and none of them is itself being restarted for this reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaited: bool,

    /// When the dependencies got healthy. Whatever has started since then is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_at: Option<Time>,

    /// UIDs of the pods still to be restarted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub pods: Vec<String>,
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

/// The settings in force.
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

/// What is remembered of one container of one pod.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerMemory {
    /// UID of the pod: a new pod of the same name starts with a new memory.
    #[schemars(length(max = 128))]
    pub uid: String,

    /// Name of the container.
    #[schemars(length(max = 63))]
    pub container: String,

    /// The restart count last seen. Only what it grows by counts, never the count itself.
    #[schemars(range(min = 0))]
    pub restart_count: i32,

    /// When it was seen to grow, oldest first: the pod tells how often it restarted, and not when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub restarts: Vec<Time>,

    /// Since when it has been in `CrashLoopBackOff`, seen as one stretch: between two attempts it runs for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_loop_since: Option<Time>,

    /// Since when it has been started but not ready: the pod keeps that time for all its containers together only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Time>,

    /// Since when the pod is pending. Only of the pod as a whole, where the container has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<Time>,

    /// While an action must prove that it helped: since when the pod has been seen ready. Only of the pod as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Time>,

    /// So many times it had ended before the dependencies of the service were well again: those are not its own fault.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub forgiven_ends: i32,
}

/// What the log told of one end of a container.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRead {
    /// UID of the pod.
    #[schemars(length(max = 128))]
    pub uid: String,

    /// Name of the container.
    #[schemars(length(max = 63))]
    pub container: String,

    /// The how many-th end of the container it was.
    #[schemars(range(min = 0))]
    pub end: i32,

    /// Root cause, if a diagnosis rule named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = CAMEL_CASE))]
    pub diagnosis: Option<String>,

    /// The line that told it, without secrets. Nothing else of the log is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub line: Option<String>,

    /// Why the log could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
}

/// How far the workload's own controller has come.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Digest of the template, pods made from it, pods there, pods wanted.
    #[schemars(length(max = 128))]
    pub mark: String,

    /// Since when the mark has not changed.
    pub since: Time,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &i32) -> bool {
    *count == 0
}
