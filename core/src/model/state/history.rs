//! For people: what was done.

use jiff::Timestamp;

use super::attempts::Outcome;
use crate::model::{
    bounded::Bounded,
    moment::clamp,
    plan::{Plan, Step},
    text::{MAX_MESSAGE, MAX_NAME, cut, fits, is_word},
};

/// Entries kept.
pub const MAX_HISTORY: usize = 20;

/// What was done, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct History(pub Bounded<HistoryEntry, MAX_HISTORY>);

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    pub time: Timestamp,
    /// A step, or something done to the circuit.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub step: String,
    /// Name of the pod or workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub target: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub cause: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence for people, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

impl History {
    /// Nothing was done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds something that was done, of which no more is to be said.
    pub fn note(&mut self, step: &str, now: Timestamp) {
        self.0.push(HistoryEntry {
            time: now,
            step: step.to_owned(),
            target: None,
            cause: None,
            outcome: Outcome::Verified,
            message: None,
        });
    }

    /// Adds the answer to a person's request.
    pub fn answer(&mut self, request: &str, cause: &str, outcome: Outcome, now: Timestamp) {
        let (step, cause) = (request.to_owned(), Some(cause.to_owned()));
        self.0.push(HistoryEntry { time: now, step, target: None, cause, outcome, message: None });
    }

    /// Adds a step that begins now; how it ends is not known yet.
    pub fn begin(&mut self, plan: &Plan, message: Option<String>, now: Timestamp) {
        self.0.push(HistoryEntry {
            time: now,
            step: plan.action.step.as_str().to_owned(),
            target: Some(plan.action.target.clone()),
            cause: Some(plan.cause.as_str().to_owned()),
            outcome: Outcome::Pending,
            message,
        });
    }

    /// Gives the step that began then on that target its outcome.
    pub fn conclude(&mut self, began: Timestamp, target: &str, outcome: Outcome) {
        let is_it = |entry: &&mut HistoryEntry| {
            entry.outcome == Outcome::Pending && entry.time == began && entry.target.as_deref() == Some(target)
        };
        if let Some(entry) = self.0.iter_mut().rev().find(is_it) {
            entry.outcome = outcome;
        }
    }

    /// Gives the last step of that kind its outcome, unless it has had a better one.
    pub fn conclude_last(&mut self, step: Step, outcome: Outcome) {
        let entry = self.0.iter_mut().rev().find(|entry| entry.step == step.as_str());
        if let Some(entry) = entry.filter(|entry| matches!(entry.outcome, Outcome::Pending | Outcome::Failed)) {
            entry.outcome = outcome;
        }
    }

    pub(super) fn load(&mut self, now: Timestamp) {
        self.0
            .retain(|entry| is_word(&entry.step) && entry.target.as_ref().is_none_or(|target| fits(target, MAX_NAME)));
        for entry in &mut self.0 {
            entry.time = clamp(entry.time, now);
            entry.cause.take_if(|cause| !is_word(cause));
            entry.message = entry.message.take().map(|message| cut(&message, MAX_MESSAGE));
        }
    }
}

impl std::ops::Deref for History {
    type Target = [HistoryEntry];

    fn deref(&self) -> &[HistoryEntry] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a History {
    type Item = &'a HistoryEntry;
    type IntoIter = std::slice::Iter<'a, HistoryEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
