//! What became of carrying out a plan.

/// What the API server made of an action, as who carried it out reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    /// Accepted. Whether it helped will be seen.
    Done,
    /// Not now: a disruption budget, a conflict, a server that is busy. Not charged.
    Refused(String),
    /// The target was gone or another one already. Nothing was done, nothing is charged.
    Vanished,
    /// Refused for good. Charged: trying the same again will not help either.
    Failed(String),
}
