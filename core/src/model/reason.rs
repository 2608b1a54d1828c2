//! The one vocabulary: a `Reason` is the condition reason, the Event reason and the metric label.

/// Why something is as it is, or why something is done or not. Bounded on purpose: it becomes a metric label.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[allow(missing_docs, reason = "each name says itself what it means, in status and in metrics")]
pub enum Reason {
    // States.
    Healthy,
    Starting,
    Suspended,
    ScaledToZero,
    Completed,
    // Causes.
    CrashLoop,
    LivenessFailed,
    StartupFailed,
    ReadinessFailed,
    ReadinessGate,
    OOMKilled,
    Deadlocked,
    PodCondition,
    WorkloadMissing,
    ImagePull,
    ConfigError,
    RuntimeError,
    Unschedulable,
    SchedulingGated,
    QuotaExceeded,
    InitFailed,
    NodeLost,
    NodeDraining,
    NodeRestarted,
    StuckTerminating,
    PodsRejected,
    ContainerEnded,
    TooFewReady,
    RolloutInProgress,
    RolloutStuck,
    RolloutPaused,
    DependencyDown,
    DependencyRecovered,
    // Why nothing is done.
    Observing,
    PolicyNotFound,
    PolicyInvalid,
    PolicyUnknown,
    ClockJumped,
    ServiceDeleting,
    WorkloadDeleting,
    WorkloadNotFound,
    WorkloadUnknown,
    NoLastKnownGood,
    LastKnownGoodRefused,
    SigningKeyMissing,
    RecreateNotAllowed,
    IntentionalDelete,
    ControlledByOwner,
    GitOpsGrace,
    GitOpsOwned,
    ClaimsAtRisk,
    RollbackNotPossible,
    RolledBackBefore,
    NotYet,
    BackOff,
    Refused,
    ActionInFlight,
    TargetLocked,
    DisruptionBudget,
    OutsideWindow,
    StormHold,
    ClusterBudget,
    ActionCeiling,
    ClusterPaused,
    BreakerOpen,
    BreakerLatched,
    ForcedOpen,
    OnOpenHeld,
    SpecChanged,
    NoStepLeft,
    RestartCannotHelp,
    ReplacementUncertain,
    // Dependencies.
    AllReady,
    NoDependencies,
    DependencyUnknown,
    DependencyCycle,
    NotGranted,
    // Conditions in order.
    AsExpected,
    Verifying,
    BreakerClosed,
    HalfOpen,
    Allowed,
    NotNeeded,
    Escalated,
    LadderExhausted,
    RestartRate,
}

impl Reason {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The reason as it is written into status, Events and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether no Event of its own tells that it holds a repair back: each repair waits for such a thing, or the Event of a
    /// condition tells of it.
    pub fn holds_quietly(self) -> bool {
        let passing = matches!(self, Self::NotYet | Self::BackOff | Self::ActionInFlight | Self::ServiceDeleting);
        let breaker = matches!(self, Self::BreakerOpen | Self::BreakerLatched | Self::ForcedOpen);
        let dependencies =
            matches!(self, Self::DependencyDown | Self::DependencyUnknown | Self::DependencyCycle | Self::NotGranted);
        let stalled =
            matches!(self, Self::PolicyNotFound | Self::PolicyInvalid | Self::WorkloadNotFound | Self::NoLastKnownGood);
        let unsigned = matches!(self, Self::LastKnownGoodRefused | Self::SigningKeyMissing);
        passing || breaker || dependencies || stalled || unsigned
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason why nothing happens, with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The reason.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

impl Block {
    /// A block with its sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
