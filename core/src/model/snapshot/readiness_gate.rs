//! Readiness gates: conditions that others than the kubelet must set before a pod may be ready.

/// A readiness gate of a pod that is not True, and so keeps it from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGate {
    /// Type of the condition that `spec.readinessGates` asks for, bounded and plain.
    pub condition: String,
    /// Its status; none where nobody ever wrote the condition.
    pub status: Option<String>,
    /// Reason and message of whoever wrote it, bounded and plain; empty where there are none.
    pub said: String,
}

impl std::fmt::Display for ClosedGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.status, self.said.as_str()) {
            (None, _) => write!(f, "{} was never set", self.condition),
            (Some(status), "") => write!(f, "{} is {status}", self.condition),
            (Some(status), said) => write!(f, "{} is {status} ({said})", self.condition),
        }
    }
}
