//! When healing stops because it does not help, and what happens then.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{DNS_LABEL, labels};

/// When healing stops because it does not help, for how long, and what happens meanwhile.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "CircuitBreaker::default")]
#[x_kube(
    validation = Rule::new("self.openSeconds <= self.maxOpenSeconds")
        .message("circuitBreaker.openSeconds must not be more than maxOpenSeconds: raise maxOpenSeconds or lower openSeconds"),
)]
pub struct CircuitBreaker {
    /// The circuit opens after this many actions that did not help, within windowSeconds.
    #[schemars(range(min = 1, max = 50))]
    pub failure_threshold: i32,

    /// Seconds in which they are counted: at least failureThreshold × (remediation.verifySeconds +
    /// remediation.backoff.maxSeconds), or so many could never happen in it.
    #[schemars(range(min = 1, max = 2_592_000))]
    pub window_seconds: i32,

    /// It also opens after this many actions of any outcome: a cure that must be repeated is none.
    pub recurrence: Recurrence,

    /// Seconds the circuit stays open the first time. Each further time doubles them.
    #[schemars(range(min = 1, max = 86_400))]
    pub open_seconds: i32,

    /// It never stays open longer than this many seconds.
    #[schemars(range(min = 1, max = 604_800))]
    pub max_open_seconds: i32,

    /// After so many openings since the last reset it makes no more trial by itself: a person closes it with the annotation
    /// kubeheal.dev/reset-breaker, or a new pod template or lasting health ends it. 0: it always tries again by itself.
    #[schemars(range(min = 0, max = 100))]
    pub latch_after: i32,

    /// What to do with the workload while the circuit is open.
    // Atomic: an action of one writer does not go with the stand-in of another.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub on_open: OnOpen,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_threshold: 3,
            window_seconds: 3600,
            recurrence: Recurrence::default(),
            open_seconds: 900,
            max_open_seconds: 3600,
            latch_after: 0,
            on_open: OnOpen::default(),
        }
    }
}

/// Too many actions, whether they helped or not.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Recurrence::default")]
pub struct Recurrence {
    /// This many actions are too many.
    // Fewer than status.actions remembers, or it could never be reached.
    #[schemars(range(min = 1, max = 50))]
    pub threshold: i32,

    /// Seconds in which they are counted.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub window_seconds: i32,
}

impl Default for Recurrence {
    fn default() -> Self {
        Self { threshold: 5, window_seconds: 14_400 }
    }
}

/// What happens to the workload while the circuit is open.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "OnOpen::default")]
#[x_kube(
    validation = Rule::new("self.action != 'Fallback' || has(self.fallback)")
        .message("circuitBreaker.onOpen.action Fallback needs a fallback: write fallback.serviceName and fallback.selector"),
    validation = Rule::new("self.action == 'Fallback' || !has(self.fallback)")
        .message("circuitBreaker.onOpen.fallback is used by action Fallback only: remove it, or write action: Fallback"),
)]
pub struct OnOpen {
    /// Hold (leave it as it is), `ScaleToZero` (and back when the circuit closes) or Fallback (point a Service at a
    /// stand-in, and back when the circuit closes).
    pub action: OnOpenAction,

    /// The stand-in, for action Fallback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// What to do while the circuit is open.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OnOpenAction {
    /// Leave the workload as it is.
    #[default]
    Hold,
    /// Scale it to zero; scale it back when the circuit closes.
    ScaleToZero,
    /// Point a Service at a stand-in; point it back when the circuit closes.
    Fallback,
}

/// A Service, and the pods it shows while the circuit is open.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// Name of the Service, in the same namespace, whose selector is changed.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub service_name: String,

    /// Labels of the stand-in pods.
    #[schemars(schema_with = "labels")]
    pub selector: BTreeMap<String, String>,
}
