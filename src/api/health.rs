//! When a pod, and a workload, counts as unhealthy.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::count_or_percentage;

/// When a pod, and the workload as a whole, counts as unhealthy.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "HealthCriteria::default")]
pub struct HealthCriteria {
    /// Seconds a starting container is left alone. The budget of its startupProbe always applies, if it is longer.
    #[schemars(range(min = 0, max = 86_400))]
    pub startup_grace_seconds: i32,

    /// A started pod that is not ready for this many seconds is unhealthy. A short flap is not.
    #[schemars(range(min = 1, max = 86_400))]
    pub not_ready_seconds: i32,

    /// `CrashLoopBackOff` for this many seconds is unhealthy by itself: the kubelet then restarts too rarely to be counted.
    #[schemars(range(min = 1, max = 86_400))]
    pub crash_loop_seconds: i32,

    /// How many restarts of one container, in which time, are unhealthy.
    pub restarts: RestartLimit,

    /// With fewer ready pods than this, a number or a percentage of the desired ones (rounded up), the workload is
    /// Unhealthy and not Available, which holds its dependents back; with fewer than desired it is Degraded.
    #[schemars(schema_with = "count_or_percentage")]
    pub min_ready: IntOrString,

    /// Pod conditions that make a pod unhealthy when they last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into(), "status".into()]))]
    pub pod_conditions: Vec<PodConditionRule>,

    /// What to do about a pod that only its readiness gates keep from being ready, as a load balancer does that has not taken
    /// it in: `Hold` (name the gate; a new pod would wait for it too) or `Restart` (as when a readiness probe fails).
    pub readiness_gates: ReadinessGates,

    /// Exit codes that are no failure, for example 143 of a process that ends on SIGTERM. Windows has codes of 32 bits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(range(min = i32::MIN, max = i32::MAX)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub ignore_exit_codes: Vec<i32>,
}

impl Default for HealthCriteria {
    fn default() -> Self {
        Self {
            startup_grace_seconds: 0,
            not_ready_seconds: 300,
            crash_loop_seconds: 300,
            restarts: RestartLimit::default(),
            min_ready: IntOrString::Int(1),
            pod_conditions: Vec::new(),
            readiness_gates: ReadinessGates::Hold,
            ignore_exit_codes: Vec::new(),
        }
    }
}

/// What to do about readiness gates that do not open.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReadinessGates {
    /// Name them, and leave the pod alone.
    Hold,
    /// Restart the pod, as when a readiness probe fails.
    Restart,
}

/// A number of restarts in a sliding window.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "RestartLimit::default")]
pub struct RestartLimit {
    /// This many restarts of one container are too many.
    // Fewer than are remembered of one container, or it could never be reached.
    #[schemars(range(min = 1, max = 30))]
    pub threshold: i32,

    /// Seconds in which they are counted. A crash loop settles at one restart in 300 seconds, so a short window goes
    /// blind after the first burst.
    #[schemars(range(min = 60, max = 86_400))]
    pub window_seconds: i32,
}

impl Default for RestartLimit {
    fn default() -> Self {
        Self { threshold: 5, window_seconds: 1800 }
    }
}

/// A pod condition that makes a pod unhealthy when it lasts.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodConditionRule {
    /// Type of the pod condition, for example `DiskPressure` or a readiness gate.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316), regex(pattern = r"^([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9_.-]*$"))]
    pub type_: String,

    /// The status that is bad.
    #[serde(default = "ConditionStatus::bad_by_default")]
    pub status: ConditionStatus,

    /// For how many seconds it must last.
    #[serde(default = "default_condition_seconds")]
    #[schemars(range(min = 0, max = 86_400))]
    pub seconds: i32,
}

fn default_condition_seconds() -> i32 {
    60
}

/// Status of a condition.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can say.
    Unknown,
}

impl ConditionStatus {
    fn bad_by_default() -> Self {
        Self::True
    }
}
