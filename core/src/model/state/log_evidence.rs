//! What logs told: remembered, so that each is read once.
//!
//! Must not decide anything: a log informs, through the diagnosis of a container that ended.

use crate::model::text::{MAX_LABEL, MAX_MESSAGE, MAX_UID, cut, fits, is_word};

/// Terminations remembered at most, the latest last.
pub const MAX_LOGS: usize = 32;

/// What the log told of one termination of a container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(from = "LogForm", into = "LogForm")]
pub struct LogRead {
    /// UID of the pod.
    pub uid: String,
    /// Name of the container.
    pub container: String,
    /// The how many-th termination of the container it was.
    pub termination: u32,
    /// What the log told.
    pub evidence: LogEvidence,
}

/// What a log told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvidence {
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

/// How it is written.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LogForm {
    /// UID of the pod.
    #[schemars(length(max = 128))]
    uid: String,
    /// Name of the container.
    #[schemars(length(max = 63))]
    container: String,
    /// The how many-th termination of the container it was.
    termination: u32,
    /// Root cause, if a diagnosis rule named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    diagnosis: Option<String>,
    /// The line that told it, without secrets. Nothing else of the log is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    line: Option<String>,
    /// Why the log could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    problem: Option<String>,
}

impl From<LogForm> for LogRead {
    fn from(form: LogForm) -> Self {
        let LogForm { uid, container, termination, diagnosis, line, problem } = form;
        let evidence = match (problem, diagnosis) {
            (Some(why), _) => LogEvidence::Unreadable(why),
            (None, Some(name)) => LogEvidence::Line { name, line: line.unwrap_or_default() },
            (None, None) => LogEvidence::Nothing,
        };
        Self { uid, container, termination, evidence }
    }
}

impl From<LogRead> for LogForm {
    fn from(read: LogRead) -> Self {
        let LogRead { uid, container, termination, evidence } = read;
        let (diagnosis, line, problem) = match evidence {
            LogEvidence::Nothing => (None, None, None),
            LogEvidence::Line { name, line } => (Some(name), Some(cut(&line, MAX_MESSAGE)), None),
            LogEvidence::Unreadable(why) => (None, None, Some(cut(&why, MAX_MESSAGE))),
        };
        Self { uid, container, termination, diagnosis, line, problem }
    }
}

impl LogRead {
    pub(super) fn is_fit(&self) -> bool {
        let named = match &self.evidence {
            LogEvidence::Line { name, .. } => is_word(name),
            LogEvidence::Nothing | LogEvidence::Unreadable(_) => true,
        };
        named && fits(&self.uid, MAX_UID) && fits(&self.container, MAX_LABEL)
    }
}
