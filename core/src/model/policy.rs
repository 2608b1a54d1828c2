//! The effective policy: what one `HealedService` asks for, with every default filled in.
//!
//! Plain values only. Where they come from (the object, a policy object, ceilings) is not known here.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::reason::Block;

/// Two live reads must agree, this far apart, before a workload is believed to be gone.
pub const MISSING_CONFIRMATION: SignedDuration = SignedDuration::from_secs(10);
/// The shortest time between two actions on one service; the kubelet is not quicker either.
pub const SPACING: SignedDuration = SignedDuration::from_secs(10);
/// A crash loop looks well between two crashes: what was degraded by one stays so until it has been well for this long.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(60);
/// Unready for less than this is how every pod begins and ends.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(15);

/// Everything `decide` may be told by people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Heal, or only say what healing would do.
    pub mode: Mode,
    /// Hold still: the service is Idle.
    pub suspend: bool,
    /// When a pod counts as unhealthy.
    pub health: HealthPolicy,
    /// What may be done about it.
    pub remediation: RemediationPolicy,
    /// When to stop trying.
    pub breaker: BreakerPolicy,
    /// Unhealthy for this long needs a person.
    pub escalate_after: SignedDuration,
    /// Limits shared by all services.
    pub cluster: ClusterPolicy,
    /// How many actions an hour a ceiling allows.
    pub ceiling: Option<Ceiling>,
    /// Why nothing may be done, whatever is wrong: a policy that is missing, contradictory or cannot be read.
    pub held: Option<Block>,
}

/// A limit that a service cannot lift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Actions within an hour.
    pub actions_per_hour: u32,
    /// Who says so, for people.
    pub set_by: String,
}

/// Whether decisions become actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Decide, report, act.
    Heal,
    /// Decide and report.
    Observe,
}

/// When a pod counts as unhealthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Time a container may take to become ready; more if its startup probe allows more.
    pub startup_grace: SignedDuration,
    /// Unready for this long counts.
    pub not_ready: SignedDuration,
    /// In a crash loop for this long counts, however few restarts fall into the window.
    pub crash_loop: SignedDuration,
    /// Restarts inside `restart_window` that count.
    pub restart_threshold: u32,
    /// The window of `restart_threshold`.
    pub restart_window: SignedDuration,
    /// Fewer ready pods than this is Unhealthy rather than Degraded.
    pub min_ready: MinReady,
    /// Pod conditions that count as unhealthy when they last.
    pub pod_conditions: Vec<PodConditionPolicy>,
    /// A pod that only its readiness gates keep from being ready is restarted like one whose probe fails.
    pub restart_at_closed_gates: bool,
    /// Restarts after these exit codes are not counted.
    pub ignore_exit_codes: Vec<i32>,
}

impl HealthPolicy {
    /// How long something must last before it is said. Well before anything is done about it, however short the patience: a
    /// storm is counted from the first signs, and must be seen before the first service acts.
    pub fn first_sign(&self) -> SignedDuration {
        WORTH_A_WORD.min(SignedDuration::from_secs(self.not_ready.as_secs() / 2))
    }
}

/// A number of pods, absolute or relative to the desired number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinReady {
    /// So many pods.
    Count(u32),
    /// So many per cent of the desired pods, rounded up.
    Percent(u32),
}

impl MinReady {
    /// The number of pods meant when `desired` are wanted; never more than those.
    pub fn of(self, desired: u32) -> u32 {
        match self {
            Self::Count(count) => count.min(desired),
            Self::Percent(percent) => {
                let share = (u64::from(desired) * u64::from(percent.min(100))).div_ceil(100);
                u32::try_from(share).unwrap_or(desired)
            }
        }
    }
}

/// A pod condition that counts as unhealthy once it has had `status` for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodConditionPolicy {
    /// The condition's type.
    pub kind: String,
    /// The status that counts: `True`, `False` or `Unknown`.
    pub status: String,
    /// How long it must last.
    pub duration: SignedDuration,
}

/// The rungs of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Evict the sick pod so that its controller replaces it.
    RestartPod,
    /// Create the workload again from its last known good definition.
    RecreateWorkload,
    /// Bring back the pod template that was last seen healthy.
    Rollback,
}

/// When `RecreateWorkload` may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recreate {
    /// Only for a workload that is gone.
    IfMissing,
    /// Also for one that restarts did not cure.
    OnFailure,
    /// Not at all.
    Never,
}

/// What may be done and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemediationPolicy {
    /// Rungs in the order in which they are tried.
    pub ladder: Vec<Rung>,
    /// When the recreate rung applies.
    pub recreate: Recreate,
    /// Whether an unready pod may be deleted although a disruption budget refuses.
    pub delete_when_unready: bool,
    /// First delay between two actions.
    pub backoff_initial: SignedDuration,
    /// Growth of the delay with every action.
    pub backoff_factor: u32,
    /// Longest delay.
    pub backoff_max: SignedDuration,
    /// An action must have proved itself by then.
    pub verify: SignedDuration,
    /// Ready without a restart for this long is the proof.
    pub stabilization: SignedDuration,
    /// Well for this long forgets earlier attempts.
    pub reset_after_healthy: SignedDuration,
    /// A missing workload that belongs to a GitOps tool is left to it for this long.
    pub gitops_grace: SignedDuration,
    /// Pods that ran while a dependency was down are restarted after it.
    pub restart_on_recovery: bool,
    /// Times at which acting is allowed; empty is always.
    pub windows: Vec<Window>,
}

/// A weekly recurring time span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Days on which the span begins, Monday first; empty is every day.
    pub days: Vec<jiff::civil::Weekday>,
    /// Local time at which it begins.
    pub start: jiff::civil::Time,
    /// Local time at which it ends; earlier than `start` means the next day.
    pub end: jiff::civil::Time,
    /// The zone of both.
    pub zone: jiff::tz::TimeZone,
}

/// When to stop trying, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Ineffective actions inside `window` that open the breaker.
    pub failure_threshold: u32,
    /// The window of `failure_threshold`.
    pub window: SignedDuration,
    /// Actions of any outcome inside `recurrence_window` that open it.
    pub recurrence_threshold: u32,
    /// The window of `recurrence_threshold`.
    pub recurrence_window: SignedDuration,
    /// How long the first opening lasts; each further one twice as long.
    pub open: SignedDuration,
    /// The longest opening.
    pub max_open: SignedDuration,
    /// After so many openings a person must close it; 0 is never.
    pub latch_after: u32,
    /// What happens to the workload meanwhile.
    pub on_open: OnOpen,
}

/// What happens while the breaker is open, besides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnOpen {
    /// Nothing.
    Hold,
    /// The workload is scaled to zero, and back.
    ScaleToZero,
    /// A Service shows a stand-in, and the workload again.
    Fallback {
        /// Name of the Service.
        service: String,
        /// Labels of the stand-in.
        selector: BTreeMap<String, String>,
    },
}

/// Limits shared by all services of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPolicy {
    /// Repairs in flight at once.
    pub max_in_flight: u32,
    /// Actions begun in any minute.
    pub max_actions_per_minute: u32,
    /// A storm needs more unhealthy services than this …
    pub storm_minimum: u32,
    /// … and more than this share of the services that count, in per cent, rounded up: of a namespace, or of all.
    pub storm_percent: u32,
    /// A namespace weighs at most so many per cent of what a storm of the cluster takes.
    pub storm_per_namespace: u32,
    /// The storm is over when it has been quiet for this long.
    pub storm_cooldown: SignedDuration,
    /// Reasons to hold the whole cluster still.
    pub paused: Vec<String>,
}

impl Default for ClusterPolicy {
    fn default() -> Self {
        Self {
            max_in_flight: 3,
            max_actions_per_minute: 10,
            storm_minimum: 2,
            storm_percent: 40,
            storm_per_namespace: 50,
            storm_cooldown: SignedDuration::from_secs(300),
            paused: Vec::new(),
        }
    }
}
