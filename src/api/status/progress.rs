//! What is about to be done, under way, held back and done.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::CAMEL_CASE;

/// What will be done next.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// The step, for example `RestartPod`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub step: String,

    /// Name of the pod or workload.
    #[schemars(length(max = 253))]
    pub target: String,

    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
}

/// Something that holds an action back.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// What it is, for example `DisruptionBudget`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub reason: String,

    /// A sentence for people.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// The action under way.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// Number of the action on this service, counting up. An answer for another number is ignored.
    #[schemars(range(min = 0))]
    pub id: i64,

    /// The step, for example `RestartPod`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub step: String,

    /// Why it is taken, for example `CrashLoop`. It goes to history when the action ends, when the finding may be gone.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub cause: String,

    /// Name of the pod or workload.
    #[schemars(length(max = 253))]
    pub target: String,

    /// UID of the pod or workload acted on: the precondition of the request, and how its replacement is told from it.
    /// Absent if the workload was gone.
    #[serde(default, rename = "targetUID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub target_uid: Option<String>,

    /// Pods that were ready when the action began, its target not counted. It has helped when more are, and stay so.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready_before: i32,

    /// When it began.
    pub started_at: Time,

    /// By when it must have proven that it helped.
    pub verify_by: Time,
}

/// Something that was done.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    pub time: Time,

    /// What: a step such as `RestartPod`, or the answer to a person's annotation.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub step: String,

    /// Name of the pod or workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub target: Option<String>,

    /// Why, for example `CrashLoop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = CAMEL_CASE))]
    pub cause: Option<String>,

    /// How it ended, or Pending.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub outcome: String,

    /// A sentence for people, if there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// One action, as the circuit breaker counts it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRecord {
    /// When it began.
    pub time: Time,

    /// How it ended, or Pending.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub outcome: String,
}

/// One rollback.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackRecord {
    /// When it began.
    pub time: Time,

    /// Digest of the pod template that was left.
    #[schemars(length(max = 128))]
    pub from: String,

    /// Digest of the pod template that was brought back.
    #[schemars(length(max = 128))]
    pub to: String,

    /// How it ended, or Pending.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub outcome: String,
}

/// The annotation values last acted on. A value longer than 1024 characters is kept, and compared, cut to that length.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Handled::default")]
pub struct Handled {
    /// Of kubeheal.dev/heal-now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub heal_now: Option<String>,

    /// Of kubeheal.dev/reset-breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reset_breaker: Option<String>,

    /// Of kubeheal.dev/force-open. Forgotten when the annotation is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub force_open: Option<String>,
}
