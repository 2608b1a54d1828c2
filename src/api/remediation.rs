//! What may be done to an unhealthy workload, how often and when.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::HOUR_MINUTE;

/// What may be done to an unhealthy workload, in which order, how often and when.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Remediation::default")]
#[x_kube(
    validation = Rule::new("self.stabilizationSeconds <= self.verifySeconds")
        .message("remediation.stabilizationSeconds must not be more than verifySeconds, or no repair could ever be verified: raise verifySeconds or lower stabilizationSeconds"),
    validation = Rule::new("self.ladder.all(step, self.ladder.exists_one(other, other == step))")
        .message("remediation.ladder names a step twice: name each step once, in the order in which they are tried"),
)]
pub struct Remediation {
    /// The steps, in the order in which they are tried: `RestartPod` (evict the sick pod), `RecreateWorkload` (create it
    /// again from the last known good definition), Rollback (a Deployment, to its last healthy revision). When none
    /// helped, the circuit opens.
    // Atomic, not a set: order has meaning, and merging two writers' sets would invent one.
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ladder: Vec<Step>,

    /// When `RecreateWorkload` may be used: `IfMissing` (only if the workload is gone), `OnFailure` (also if restarts did not
    /// cure it) or Never.
    pub recreate: RecreatePolicy,

    /// What to do when a `PodDisruptionBudget` refuses: `RespectBudget` (wait) or `DeleteWhenUnready` (delete a pod that is
    /// not ready all the same).
    pub eviction_policy: EvictionPolicy,

    /// How long to wait between two actions.
    pub backoff: Backoff,

    /// Seconds in which an action must prove that it helped. An action that cannot prove it has failed.
    #[schemars(range(min = 1, max = 86_400))]
    pub verify_seconds: i32,

    /// Seconds a repaired pod must be ready, without a restart, before the repair counts.
    #[schemars(range(min = 0, max = 86_400))]
    pub stabilization_seconds: i32,

    /// After this many healthy seconds, attempts, back-off and circuit start afresh.
    #[schemars(range(min = 60, max = 604_800))]
    pub reset_after_healthy_seconds: i32,

    /// Seconds that Argo CD, Flux or Helm get to bring back a missing workload they manage, before kubeheal does.
    #[schemars(range(min = 0, max = 86_400))]
    pub git_ops_grace_seconds: i32,

    /// Restart the pods of this service, one at a time, once a dependency is Available again that had no ready pod for half a
    /// minute or longer. Only pods that were running meanwhile; each is verified, and the first that is not ends
    /// the round.
    pub restart_on_dependency_recovery: bool,

    /// Times of the week in which healing may act. Any time, if none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub windows: Vec<HealingWindow>,
}

impl Default for Remediation {
    fn default() -> Self {
        Self {
            ladder: vec![Step::RestartPod, Step::RecreateWorkload],
            recreate: RecreatePolicy::IfMissing,
            eviction_policy: EvictionPolicy::RespectBudget,
            backoff: Backoff::default(),
            verify_seconds: 600,
            stabilization_seconds: 300,
            reset_after_healthy_seconds: 3600,
            git_ops_grace_seconds: 300,
            restart_on_dependency_recovery: false,
            windows: Vec::new(),
        }
    }
}

/// A rung of the ladder.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Evict the sick pod, so that its controller makes a new one.
    RestartPod,
    /// Create the workload again from the last known good definition.
    RecreateWorkload,
    /// Take a Deployment back to the last revision that was healthy.
    Rollback,
}

/// When a workload may be created again.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecreatePolicy {
    /// Only if it is gone.
    #[default]
    IfMissing,
    /// Also if restarts did not cure it.
    OnFailure,
    /// Not at all.
    Never,
}

/// What to do when a disruption budget refuses an eviction.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EvictionPolicy {
    /// Wait until the budget allows it.
    #[default]
    RespectBudget,
    /// Delete the pod all the same if it is not ready.
    DeleteWhenUnready,
}

/// Exponential pause between two actions on one service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Backoff::default")]
#[x_kube(
    validation = Rule::new("self.initialSeconds <= self.maxSeconds")
        .message("remediation.backoff.initialSeconds must not be more than maxSeconds: raise maxSeconds or lower initialSeconds"),
)]
pub struct Backoff {
    /// Seconds after the first action.
    #[schemars(range(min = 1, max = 86_400))]
    pub initial_seconds: i32,

    /// Each pause is this many times the one before. 1 keeps it the same.
    #[schemars(range(min = 1, max = 10))]
    pub factor: i32,

    /// No pause is longer than this many seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub max_seconds: i32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_seconds: 30, factor: 2, max_seconds: 600 }
    }
}

/// A time of the week in which healing may act.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.start != self.end")
        .message("a healing window must not start when it ends: for a whole day leave out windows, or write start \"00:00\" and end \"23:59\""),
)]
pub struct HealingWindow {
    /// Days on which the window opens. Every day, if none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub days: Vec<Weekday>,

    /// When it opens, "HH:MM" on a 24-hour clock.
    #[schemars(length(max = 5), regex(pattern = HOUR_MINUTE))]
    pub start: String,

    /// When it closes, "HH:MM". A time before start is on the next day.
    #[schemars(length(max = 5), regex(pattern = HOUR_MINUTE))]
    pub end: String,

    /// IANA name of the time zone, for example Europe/Berlin.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Day of the week.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}
