//! The verdict: how a service is, and whether a person is needed.

use super::{alert::Severity, condition::Truth, reason::Reason, state::Shortage};

/// How the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Health {
    /// All wanted pods are ready.
    Healthy,
    /// Fewer than wanted, but enough.
    Degraded,
    /// Fewer than enough, and not for lack of time.
    Unhealthy,
    /// Still within its time to start.
    Starting,
    /// Nothing is wanted: suspended, scaled to zero, completed, removed on purpose.
    Idle,
    /// It cannot be seen.
    Unknown,
}

impl Health {
    /// The health's name in status, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Pods by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Wanted.
    pub desired: u32,
    /// How many of them must be ready: `health.minReady`.
    pub needed: u32,
    /// Ready.
    pub ready: u32,
    /// Within their time to start.
    pub starting: u32,
    /// With a finding over its threshold.
    pub unhealthy: u32,
    /// On a node that does not answer.
    pub lost: u32,
    /// Not ready, not starting, and not for long enough to count.
    pub unready: u32,
}

/// The sum and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How the service is.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// Pods by what they are.
    pub pods: PodCounts,
    /// Too few pods are ready, and since when.
    pub short: Option<Shortage>,
    /// Whether enough pods are ready to serve, whatever else is wrong.
    pub available: Truth,
    /// Too few pods are ready and something is wrong with them, though it may not have lasted yet: what a storm counts.
    pub counts_as_unhealthy: bool,
}

/// Why a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Which rule.
    pub reason: Reason,
    /// How grave it is.
    pub severity: Severity,
    /// What to know, as a sentence.
    pub message: String,
}

impl Escalation {
    /// One for which a person should look.
    pub fn critical(reason: Reason, message: String) -> Self {
        Self { reason, severity: Severity::Critical, message }
    }
}
