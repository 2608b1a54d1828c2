//! What kubeheal answers: `HealedService.status`.
//!
//! Two parts. `memory` is kubeheal's own: no decision may rest on anything kept in a process, so what a restarted or newly elected
//! controller must know stands there. It is one type, [`State`], which the decision defines. All else is for people and programs
//! that read. Every list is bounded, and a thing that is not is not written.
//!
//! Words of open vocabularies (step, cause, outcome, reason) are strings of `CamelCase` words and not enums: a status
//! written by a newer kubeheal must stay readable for an older one, which would otherwise lose its whole watch.
//!
//! Times are written in whole seconds. A `Time` must be cut to seconds before it is put here, or a status read back
//! would differ from the one written.

mod circuit;
mod evidence;
mod progress;

pub use circuit::CircuitStatus;
pub use evidence::{DependencyStatus, EffectivePolicy, Finding, LastKnownGood, PodCounts, ProbeKind};
pub use progress::{Block, NextAction};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use kubeheal_core::model::state::{History, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{conditions, finish};

/// Types of the conditions in `status.conditions`. All of them are always present.
pub mod condition {
    /// The workload is well.
    pub const READY: &str = "Ready";
    /// Enough of the workload is ready to serve.
    pub const AVAILABLE: &str = "Available";
    /// A repair is under way.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing goes on without a person.
    pub const STALLED: &str = "Stalled";
    /// The workload is degraded in a way that people should know.
    pub const DEGRADED: &str = "Degraded";
    /// Healing has stopped because it did not help.
    pub const CIRCUIT_OPEN: &str = "CircuitOpen";
    /// Everything in `dependsOn` is available, and for long enough.
    pub const DEPENDENCIES_READY: &str = "DependenciesReady";
    /// Nothing forbids an action now.
    pub const REMEDIATION_ALLOWED: &str = "RemediationAllowed";

    /// All of them, in the order in which they are written.
    pub const ALL: [&str; 8] =
        [READY, AVAILABLE, RECONCILING, STALLED, DEGRADED, CIRCUIT_OPEN, DEPENDENCIES_READY, REMEDIATION_ALLOWED];
}

/// Most entries of `status.findings`.
pub const MAX_FINDINGS: usize = 32;
/// Most entries of `status.blockedBy`.
pub const MAX_BLOCKS: usize = 16;
/// Most entries of `status.effectivePolicy.overrides`.
pub const MAX_OVERRIDES: usize = 64;

/// What kubeheal saw, decided and did, and what it must remember.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "HealedServiceStatus::default")]
#[schemars(transform = finish)]
pub struct HealedServiceStatus {
    /// The metadata.generation this status was judged on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// Health in one word: Healthy, Degraded (fewer pods ready than desired), Unhealthy (fewer than health.minReady, or
    /// missing), Starting, Idle (scaled to zero or suspended) or Unknown (not enough is known to say).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthState>,

    /// Ready, Available, Reconciling, Stalled, Degraded, `CircuitOpen`, `DependenciesReady` and `RemediationAllowed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// Pods by state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodCounts>,

    /// Restarts of all containers in the window of spec.health.restarts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub restarts_in_window: Option<i32>,

    /// What is wrong, worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub findings: Vec<Finding>,

    /// The circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitStatus>,

    /// What will be done next, and when at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,

    /// Why nothing is being done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub blocked_by: Vec<Block>,

    /// How the services in spec.dependsOn are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dependencies: Vec<DependencyStatus>,

    /// The kept definition from which the workload can be created again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_known_good: Option<LastKnownGood>,

    /// The settings that apply, after policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_policy: Option<EffectivePolicy>,

    /// The last 20 things that were done, newest last.
    #[serde(skip_serializing_if = "History::is_empty")]
    pub history: History,

    /// What kubeheal remembers. Do not change it: without it, or with another one, a restarted controller would count restarts and
    /// attempts from zero.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: State,
}

fn is_default(state: &State) -> bool {
    *state == State::default()
}

/// Health in one word.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HealthState {
    /// Every desired pod is ready.
    Healthy,
    /// Fewer pods are ready than desired, but enough.
    Degraded,
    /// Fewer pods are ready than `health.minReady`, or the workload is gone.
    Unhealthy,
    /// Pods are within their start-up time.
    Starting,
    /// Scaled to zero or suspended: there is nothing to judge.
    Idle,
    /// Not enough is known to say.
    #[default]
    Unknown,
}
