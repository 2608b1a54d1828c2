//! What logs told: carried in the memory, so that each is read once.
//!
//! Must not decide anything: a log informs, through the diagnosis of a container that ended.

/// Ends remembered at most, the latest first.
pub const MAX_LOGS: usize = 32;

/// What the log told of one end of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRead {
    /// UID of the pod.
    pub uid: String,
    /// Name of the container.
    pub container: String,
    /// The how many-th end of the container it was.
    pub end: u32,
    /// What the log told.
    pub told: Answer,
}

/// What a log told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// No rule matched.
    Nothing,
    /// A rule matched a line.
    Line {
        /// Name of the rule.
        name: String,
        /// The line, plain, bounded and without secrets.
        line: String,
    },
    /// It could not be read, and why.
    Unreadable(String),
}
