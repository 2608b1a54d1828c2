//! The circuit breaker's state, and its memory.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::{CAMEL_CASE, any_labels};

/// The circuit breaker's state, and its memory.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "CircuitStatus::default")]
pub struct CircuitStatus {
    /// Closed (healing goes on), Open (healing has stopped) or `HalfOpen` (one trial is allowed).
    pub state: CircuitState,

    /// Actions in the window that did not help.
    #[schemars(range(min = 0))]
    pub ineffective: i32,

    /// Openings in a row. Each doubles the time the circuit stays open.
    #[schemars(range(min = 0))]
    pub openings: i32,

    /// When it last opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Time>,

    /// When it tries again. Absent while it is closed, or if only a person may close it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,

    /// When it last closed. Actions before that were forgiven and are not counted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,

    /// Digest of the pod template on which it opened: another template is new code and deserves one try at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_template: Option<String>,

    /// What was changed because it opened, and how it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_open: Option<OnOpenStatus>,
}

/// What was changed because the circuit opened. It is written before it is done, and taken back when the circuit closes.
/// If the `HealedService` is deleted before, this is what has to be taken back by hand.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnOpenStatus {
    /// `ScaleToZero` or Fallback.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub action: String,

    /// Intended (about to be done), `InForce`, Undoing (about to be taken back) or Overruled (somebody else changed the same
    /// field, which stays as they left it).
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub phase: String,

    /// Name of the workload, or of the Service.
    #[schemars(length(max = 253))]
    pub target: String,

    /// Its UID: what comes after it under the same name is left alone.
    #[serde(rename = "targetUID")]
    #[schemars(length(max = 128))]
    pub target_uid: String,

    /// Since when it is in this phase.
    pub since: Time,

    /// Replicas that the workload had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,

    /// Selector that the Service had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_labels")]
    pub selector: Option<BTreeMap<String, String>>,

    /// Selector that the Service was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_labels")]
    pub stand_in: Option<BTreeMap<String, String>>,

    /// Not tried again before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,

    /// What the API server said when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub refused: Option<String>,
}

/// State of a circuit.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CircuitState {
    /// Healing goes on.
    #[default]
    Closed,
    /// Healing has stopped.
    Open,
    /// One trial is allowed.
    HalfOpen,
}
