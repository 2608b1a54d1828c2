//! The circuit breaker, for people.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use kubeheal_core::model::state::CircuitState;
use serde::{Deserialize, Serialize};

/// The circuit breaker.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "CircuitStatus::default")]
pub struct CircuitStatus {
    /// Closed (healing goes on), Open (healing has stopped) or `HalfOpen` (one trial is allowed).
    pub state: CircuitState,

    /// Actions in the window that did not help.
    #[schemars(range(min = 0))]
    pub ineffective: i32,

    /// Openings since the last reset. Each doubles the time the circuit stays open.
    #[schemars(range(min = 0))]
    pub openings: i32,

    /// When it opened. Absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Time>,

    /// When it tries again. Absent while it is closed, or if only a person may close it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
}
