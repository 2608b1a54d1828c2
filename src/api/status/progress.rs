//! What is about to be done, and what holds it back.

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
