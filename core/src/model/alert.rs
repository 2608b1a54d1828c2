//! Alerts: what fires, who is notified of it, and what each receiver knows.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    bounded::Bounded,
    moment::clamp,
    text::{MAX_LABEL, MAX_MESSAGE, cut, fits, is_word},
};

/// Alerts of one service: one of each subject.
pub const MAX_ALERTS: usize = 4;
/// Receivers of one service.
pub const MAX_RECEIVERS: usize = 16;

/// How grave it is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; healing may well end it.
    Warning,
    /// A person should look.
    Critical,
}

impl Severity {
    /// The severity's name in status, alerts and logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What an alert is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub enum Subject {
    /// This service.
    Service,
    /// Many services at once; this one tells for all.
    Storm,
}

impl Subject {
    /// Its name in status.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name in the spec.
    pub name: String,
    /// Digest of where it is: two services with the same one reach the same receiver.
    pub destination: String,
    /// It is notified again by itself as often as it needs; `repeat` is not for it.
    pub kept_alive: bool,
}

/// Who is notified, how often, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// An alert that goes on is repeated after so long.
    pub repeat: SignedDuration,
    /// The receivers.
    pub list: Arc<[Receiver]>,
    /// What became of notices since the status was last written.
    pub deliveries: Vec<Delivery>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What it is about.
    pub subject: Subject,
    /// How loud.
    pub severity: Severity,
    /// Why it fired, or grew louder.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Timestamp>,
    /// What each receiver knows.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub receivers: Bounded<ReceiverState, MAX_RECEIVERS>,
}

/// Alerts as a decision may rely on them: one of each subject, there is no more to know, and no instant that claims to lie in the
/// future: else a clock that jumped silences the repetition.
pub(super) fn load_alerts(alerts: &mut Bounded<Alert, MAX_ALERTS>, now: Timestamp) {
    let mut subjects = BTreeSet::new();
    alerts.retain(|alert| is_word(&alert.reason) && subjects.insert(alert.subject));
    for alert in alerts {
        alert.since = clamp(alert.since, now);
        alert.resolved = alert.resolved.map(|time| clamp(time, now));
        let mut names = BTreeSet::new();
        alert.receivers.retain(|known| fits(&known.receiver, MAX_LABEL) && names.insert(known.receiver.clone()));
        for known in &mut alert.receivers {
            known.notified = known.notified.map(|one| Notified { at: clamp(one.at, now), ..one });
            known.problem = known.problem.take().map(|problem| cut(&problem, MAX_MESSAGE));
        }
    }
}

/// What a receiver knows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverState {
    /// Its name.
    #[serde(rename = "name")]
    #[schemars(length(min = 1, max = 63))]
    pub receiver: String,
    /// When it was last notified, and how loud; absent if it is not known to have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<Notified>,
    /// Why it could not be notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
}

/// When a receiver was last notified, and how loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notified {
    /// When.
    pub at: Timestamp,
    /// How loud.
    pub severity: Severity,
}

/// What became of notifying a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// About what.
    pub subject: Subject,
    /// To whom.
    pub receiver: String,
    /// What happened.
    pub result: Delivered,
}

/// What became of notifying a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It knows that it fires, this loud, since then.
    Firing(Timestamp, Severity),
    /// It knows that it is over.
    Resolved,
    /// It could not be notified; a sentence says why and what to do.
    Problem(String),
}

/// What a receiver is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// About what.
    pub subject: Subject,
    /// To whom.
    pub receiver: String,
    /// How loud.
    pub severity: Severity,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// It does not know yet, or is to be notified again.
    pub due: bool,
    /// How loud it was last notified of this alert; absent if it is not known to have been.
    pub knows: Option<Severity>,
}

/// Receivers that cannot be notified of something.
pub fn undelivered(alerts: &[Alert]) -> usize {
    let failed = alerts.iter().flat_map(|alert| &alert.receivers).filter(|state| state.problem.is_some());
    failed.map(|state| state.receiver.as_str()).collect::<BTreeSet<_>>().len()
}
