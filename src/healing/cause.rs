//! Causes: what can be wrong, and whether a restart could help; and the finding that names one in a place.

use jiff::Timestamp;

use super::reason::Reason;

/// What is wrong. Section 3 of the semantics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Restarts again and again.
    CrashLoop,
    /// Its liveness probe had it killed.
    LivenessFailed,
    /// It never passed its startup probe.
    StartupFailed,
    /// Runs but is not ready.
    ReadinessFailed,
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
    /// No node can take it.
    Unschedulable,
    /// A quota forbids it.
    QuotaExceeded,
    /// An init container does not succeed.
    InitFailed,
    /// Its node does not answer.
    NodeLost,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::CrashLoop,
        Self::LivenessFailed,
        Self::StartupFailed,
        Self::ReadinessFailed,
        Self::OOMKilled,
        Self::Deadlocked,
        Self::PodCondition,
        Self::WorkloadMissing,
        Self::ImagePull,
        Self::ConfigError,
        Self::Unschedulable,
        Self::QuotaExceeded,
        Self::InitFailed,
        Self::NodeLost,
    ];

    /// Whether replacing the pod (or the workload) could help at all.
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
            | Self::Unschedulable
            | Self::QuotaExceeded
            | Self::InitFailed
            | Self::NodeLost => false,
        }
    }

    /// The cause in the one vocabulary.
    pub fn reason(self) -> Reason {
        match self {
            Self::CrashLoop => Reason::CrashLoop,
            Self::LivenessFailed => Reason::LivenessFailed,
            Self::StartupFailed => Reason::StartupFailed,
            Self::ReadinessFailed => Reason::ReadinessFailed,
            Self::OOMKilled => Reason::OOMKilled,
            Self::Deadlocked => Reason::Deadlocked,
            Self::PodCondition => Reason::PodCondition,
            Self::WorkloadMissing => Reason::WorkloadMissing,
            Self::ImagePull => Reason::ImagePull,
            Self::ConfigError => Reason::ConfigError,
            Self::Unschedulable => Reason::Unschedulable,
            Self::QuotaExceeded => Reason::QuotaExceeded,
            Self::InitFailed => Reason::InitFailed,
            Self::NodeLost => Reason::NodeLost,
        }
    }

    /// The cause's name in findings and history.
    pub fn as_str(self) -> &'static str {
        self.reason().as_str()
    }

    /// The cause of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// The three probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

/// One thing wrong with one container (or pod, or the workload).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Pod name; the workload's where the workload itself is meant.
    pub pod: String,
    /// Pod UID; empty for the workload.
    pub uid: String,
    /// Container name; empty for the pod as a whole.
    pub container: String,
    /// The probe that told.
    pub probe: Option<Probe>,
    /// What is wrong.
    pub cause: Cause,
    /// Named root cause, where a rule matched.
    pub diagnosis: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// It crossed its threshold: it counts as unwell and may be acted on.
    pub lasting: bool,
    /// It is so right now. A container between two crashes looks well and may be: nobody acts on it then.
    pub acute: bool,
    /// One sentence for people.
    pub message: String,
}

impl Finding {
    /// Whether both speak of the same trouble in the same place.
    pub fn same_as(&self, other: &Self) -> bool {
        self.uid == other.uid && self.container == other.container && self.cause == other.cause
    }
}
