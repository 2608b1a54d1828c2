//! The alerts that receivers know of, and which receiver knows what.
//!
//! Without this a restarted or newly elected controller would page twice, or never say that it is over.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::CAMEL_CASE;

/// One alert, while it fires and until each receiver has been told that it is over.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// Service: this one is unwell. Storm: many are, and this one tells for all of them.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub subject: String,

    /// warning (kubeheal is at work) or critical (a person should look).
    #[schemars(length(min = 1, max = 64))]
    pub severity: String,

    /// Why, for example `CrashLoop` or `UnhealthyTooLong`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub reason: String,

    /// Since when.
    pub since: Time,

    /// When it was over. Kept until each receiver has been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Time>,

    /// Receivers that have been told, or could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sinks: Vec<SinkStatus>,
}

/// What one receiver knows of an alert.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkStatus {
    /// Its name in spec.alerts.sinks.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// When it was last told. Absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Time>,

    /// The severity it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub severity: Option<String>,

    /// Why it could not be told, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
}
