//! Conditions as the status shows them: type, status, reason and message.

use super::reason::Reason;

/// The condition types, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
pub enum ConditionType {
    /// All that is wanted is ready.
    Ready,
    /// Enough is ready to serve.
    Available,
    /// A repair is in flight.
    Reconciling,
    /// A person is needed.
    Stalled,
    /// Less than wanted.
    Degraded,
    /// The breaker lets nothing through.
    CircuitOpen,
    /// Everything this depends on is available, and for long enough.
    DependenciesReady,
    /// Nothing holds a repair back.
    RemediationAllowed,
}

impl ConditionType {
    /// The type's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Truth {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl Truth {
    /// The status' name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}
