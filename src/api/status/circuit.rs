//! The circuit breaker's state, and its memory.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
