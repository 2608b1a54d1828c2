//! Causes: what can be wrong, and whether a restart could help.

use super::reason::Reason;

/// What is wrong.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    strum::VariantArray,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub enum Cause {
    /// Restarts again and again.
    CrashLoop,
    /// Its liveness probe had it killed.
    LivenessFailed,
    /// It never passed its startup probe.
    StartupFailed,
    /// Runs but is not ready.
    ReadinessFailed,
    /// All its containers are ready, and a readiness gate that another controller sets is not.
    ReadinessGate,
    /// Killed for using too much memory.
    OOMKilled,
    /// Will not move again by itself: failed or evicted bare pod, old StatefulSet revision.
    Deadlocked,
    /// A pod condition named in the policy.
    PodCondition,
    /// The workload is gone.
    WorkloadMissing,
    /// The image cannot be had.
    ImagePull,
    /// A reference or the command is wrong.
    ConfigError,
    /// The node's container runtime does not do what it is told.
    RuntimeError,
    /// No node can take it.
    Unschedulable,
    /// Somebody holds it back from being scheduled, on purpose.
    SchedulingGated,
    /// A quota forbids it.
    QuotaExceeded,
    /// An init container does not succeed.
    InitFailed,
    /// Its node does not answer, is not ready or is gone.
    NodeLost,
    /// Its node gives its pods away: drained, being deleted, or short of disk, memory or process IDs.
    NodeDraining,
    /// Its node restarted, and its containers are coming back.
    NodeRestarted,
    /// A pod that is being deleted does not go.
    StuckTerminating,
    /// Pods are turned away before they run.
    PodsRejected,
    /// A container has ended, and its restart policy does not start it again.
    ContainerEnded,
}

/// What a cause is a name of: the same trouble may be named anew each time that somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It does not come to run.
    Start,
    /// It gets no node.
    Scheduling,
    /// It does not go on running.
    Run,
    /// It runs and does not serve.
    Readiness,
    /// A condition that the policy names.
    Condition,
    /// It will not move again by itself.
    Standstill,
    /// Its node.
    Node,
    /// It does not go.
    Deletion,
    /// It is turned away.
    Rejection,
}

impl Cause {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Whether replacing the pod (or the workload) could help at all; a policy may think otherwise of a
    /// [`ReadinessGate`](Self::ReadinessGate).
    pub fn restart_helps(self) -> bool {
        match self {
            Self::CrashLoop
            | Self::LivenessFailed
            | Self::StartupFailed
            | Self::ReadinessFailed
            | Self::OOMKilled
            | Self::Deadlocked
            | Self::PodCondition
            | Self::WorkloadMissing => true,
            Self::ImagePull
            | Self::ConfigError
            | Self::RuntimeError
            | Self::Unschedulable
            | Self::SchedulingGated
            | Self::QuotaExceeded
            | Self::InitFailed
            | Self::NodeLost
            | Self::NodeDraining
            | Self::NodeRestarted
            | Self::StuckTerminating
            | Self::PodsRejected
            | Self::ContainerEnded
            | Self::ReadinessGate => false,
        }
    }

    /// The trouble that it is a name of.
    pub fn trouble(self) -> Trouble {
        match self {
            Self::ImagePull | Self::ConfigError | Self::RuntimeError | Self::QuotaExceeded | Self::InitFailed => {
                Trouble::Start
            }
            Self::Unschedulable | Self::SchedulingGated => Trouble::Scheduling,
            Self::CrashLoop | Self::LivenessFailed | Self::StartupFailed | Self::OOMKilled => Trouble::Run,
            Self::ReadinessFailed | Self::ReadinessGate => Trouble::Readiness,
            Self::PodCondition => Trouble::Condition,
            Self::Deadlocked | Self::WorkloadMissing | Self::ContainerEnded | Self::NodeDraining => Trouble::Standstill,
            Self::NodeLost | Self::NodeRestarted => Trouble::Node,
            Self::StuckTerminating => Trouble::Deletion,
            Self::PodsRejected => Trouble::Rejection,
        }
    }

    /// The cause in the one vocabulary.
    pub fn reason(self) -> Reason {
        match self {
            Self::CrashLoop => Reason::CrashLoop,
            Self::LivenessFailed => Reason::LivenessFailed,
            Self::StartupFailed => Reason::StartupFailed,
            Self::ReadinessFailed => Reason::ReadinessFailed,
            Self::ReadinessGate => Reason::ReadinessGate,
            Self::OOMKilled => Reason::OOMKilled,
            Self::Deadlocked => Reason::Deadlocked,
            Self::PodCondition => Reason::PodCondition,
            Self::WorkloadMissing => Reason::WorkloadMissing,
            Self::ImagePull => Reason::ImagePull,
            Self::ConfigError => Reason::ConfigError,
            Self::RuntimeError => Reason::RuntimeError,
            Self::Unschedulable => Reason::Unschedulable,
            Self::SchedulingGated => Reason::SchedulingGated,
            Self::QuotaExceeded => Reason::QuotaExceeded,
            Self::InitFailed => Reason::InitFailed,
            Self::NodeLost => Reason::NodeLost,
            Self::NodeDraining => Reason::NodeDraining,
            Self::NodeRestarted => Reason::NodeRestarted,
            Self::StuckTerminating => Reason::StuckTerminating,
            Self::PodsRejected => Reason::PodsRejected,
            Self::ContainerEnded => Reason::ContainerEnded,
        }
    }

    /// The cause's name in findings and history.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The three probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
pub enum Probe {
    /// `startupProbe`.
    Startup,
    /// `readinessProbe`.
    Readiness,
    /// `livenessProbe`.
    Liveness,
}

impl Probe {
    /// The probe's name in findings.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
