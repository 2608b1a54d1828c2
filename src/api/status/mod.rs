//! What kubeheal answers: `HealedService.status`.
//!
//! Two kinds of fields. Some are for people and programs that read: `health`, `conditions`, `findings`, `nextAction`,
//! `blockedBy`, `history`. The others are kubeheal's memory: no decision may rest on anything kept in a process, so what
//! a restarted or newly elected controller must know stands here, next to the reason why. Every list is bounded, and
//! a thing that is not is not written.
//!
//! Words of open vocabularies (step, cause, outcome, reason) are strings of `CamelCase` words and not enums: a status
//! written by a newer kubeheal must stay readable for an older one, which would otherwise lose its whole watch.
//!
//! Times are written in whole seconds. A `Time` must be cut to seconds before it is put here, or a status read back
//! would differ from the one written.

mod alert;
mod circuit;
mod evidence;
mod progress;

pub use alert::{AlertStatus, SinkStatus};
pub use circuit::{CircuitState, CircuitStatus, OnOpenStatus};
pub use evidence::{
    ContainerMemory, DependencyRecovery, DependencyStatus, EffectivePolicy, Finding, LastKnownGood, LogRead, PodCounts,
    ProbeKind, Progress,
};
pub use progress::{ActionRecord, Block, Handled, HistoryEntry, InFlight, NextAction, RollbackRecord};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{conditions, finish};

/// Types of the conditions in `status.conditions`. All of them are always present.
pub mod condition {
    /// The workload is well.
    pub const READY: &str = "Ready";
    /// A repair is under way.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing goes on without a person.
    pub const STALLED: &str = "Stalled";
    /// The workload is unwell in a way that people should know.
    pub const DEGRADED: &str = "Degraded";
    /// Healing has stopped because it did not help.
    pub const CIRCUIT_OPEN: &str = "CircuitOpen";
    /// Everything in `dependsOn` is healthy.
    pub const DEPENDENCIES_READY: &str = "DependenciesReady";
    /// Nothing forbids an action now.
    pub const REMEDIATION_ALLOWED: &str = "RemediationAllowed";

    /// All of them, in the order in which they are written.
    pub const ALL: [&str; 7] =
        [READY, RECONCILING, STALLED, DEGRADED, CIRCUIT_OPEN, DEPENDENCIES_READY, REMEDIATION_ALLOWED];
}

/// Most entries of `status.findings`.
pub const MAX_FINDINGS: usize = 32;
/// Most entries of `status.blockedBy`.
pub const MAX_BLOCKS: usize = 16;
/// Most entries of `status.history`.
pub const MAX_HISTORY: usize = 20;
/// Most entries of `status.containers`.
pub const MAX_CONTAINERS: usize = 256;
/// Most entries of `status.containers[].restarts`: more than the highest `health.restarts.threshold`.
pub const MAX_RESTARTS: usize = 64;
/// Most entries of `status.actions`: more than the highest threshold of the circuit breaker.
pub const MAX_ACTIONS: usize = 64;
/// Most entries of `status.recentActions`: the highest ceiling.
pub const MAX_RECENT: usize = 60;
/// Most entries of `status.effectivePolicy.overrides`.
pub const MAX_OVERRIDES: usize = 64;
/// Longest message, in characters. Longer ones must be cut.
pub const MAX_MESSAGE: usize = 1024;

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

    /// Ready, Reconciling, Stalled, Degraded, `CircuitOpen`, `DependenciesReady` and `RemediationAllowed`.
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

    /// The action that is under way. Written before it is carried out, so that a crash can cost an attempt that was
    /// counted and not made, and never one that was made and not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,

    /// How the services in spec.dependsOn are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dependencies: Vec<DependencyStatus>,

    /// What an outage of a dependency left to do, with remediation.restartOnDependencyRecovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependency_recovery: Option<DependencyRecovery>,

    /// The kept definition from which the workload can be created again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_known_good: Option<LastKnownGood>,

    /// The settings in force, after policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_policy: Option<EffectivePolicy>,

    /// What receivers of alerts have been told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["subject".into()]))]
    pub alerts: Vec<AlertStatus>,

    /// The last 20 things that were done, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub history: Vec<HistoryEntry>,

    /// What is remembered of each container: without it a restarted controller would count restarts from zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub containers: Vec<ContainerMemory>,

    /// What logs told of how containers ended, with diagnosis.logTailLines. Kept so that each is read once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub logs: Vec<LogRead>,

    /// Since when the workload's own controller has made no progress. Absent while all that is wanted is in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,

    /// When this object was first observed. What happened before was not seen and is not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_since: Option<Time>,

    /// When the API server first said that the workload does not exist. It counts as gone only when asked again later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Time>,

    /// Since when the workload has been healthy without a break. Attempts and circuit start afresh after
    /// remediation.resetAfterHealthySeconds of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,

    /// Begin of the current or last unhealthy time. Escalation is counted from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_since: Option<Time>,

    /// When the last unhealthy time ended. With its begin it lets a storm across services be seen after it has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_until: Option<Time>,

    /// The workload carried kubeheal.dev/intentional-delete when it was last seen: once it is gone, nobody can look.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub intentional_delete: bool,

    /// What the API server said when it refused the last action. Absent where notBefore is a back-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub refused: Option<String>,

    /// When the services in spec.dependsOn got well after they had not been. What went wrong before that was not this
    /// service's fault and is not counted against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Time>,

    /// Number of the last action on this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub last_action_id: Option<i64>,

    /// The last desired number of replicas that was observed: a workload that is created again, or scaled back up, gets
    /// this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub last_replicas: Option<i32>,

    /// No action before this time. It is kept so that neither an event nor a restart shortens a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,

    /// Actions within the windows of spec.circuitBreaker, oldest first: what the breaker counts. history is for people
    /// and may be too short for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub actions: Vec<ActionRecord>,

    /// When the actions of the last hour began, oldest first, whatever became of them: what a ceiling counts. What the
    /// breaker has forgiven still counts there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub recent_actions: Vec<Time>,

    /// Name of the `ControllerRevision` with the last definition that was healthy for remediation.stabilizationSeconds:
    /// what a Rollback goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_stable: Option<String>,

    /// The last rollbacks, oldest first: none is made the same way twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub rollbacks: Vec<RollbackRecord>,

    /// Annotation values that have been acted on, so that each is handled once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled: Option<Handled>,
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
