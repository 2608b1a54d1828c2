//! What was tried, how it ended, and what is under way.

use jiff::{SignedDuration, Timestamp};

use super::is_default;
use crate::model::{
    bounded::Bounded,
    moment::{HOUR, after, clamp, elapsed},
    plan::Action,
    policy::{Policy, RemediationPolicy, SPACING},
    reason::Reason,
    text::{MAX_MESSAGE, MAX_NAME, MAX_UID, cut, fits},
};

/// Actions remembered for the breaker: more than its highest threshold.
pub const MAX_ACTIONS: usize = 64;
/// Actions remembered for a ceiling: no ceiling is higher.
pub const MAX_RECENT: usize = 60;
/// Nodes remembered on which restarts of pods ended.
pub const MAX_NODES: usize = 16;
/// Rollbacks remembered.
pub const MAX_ROLLBACKS: usize = 8;

/// What was tried, how it ended, and what is under way.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    /// The repair whose effect is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    /// When the last repair was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concluded: Option<Timestamp>,
    /// No action before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Actions inside the breaker's windows.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub actions: Bounded<ActionRecord, MAX_ACTIONS>,
    /// When the actions of the last hour began, oldest first, whatever became of them: what a ceiling counts.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub recent: Bounded<Timestamp, MAX_RECENT>,
    /// The last restart of a pod, as long as what came instead was not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
    /// How restarts of pods ended, by the node of the pod that came instead.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub nodes: Bounded<NodeRecord, MAX_NODES>,
    /// Rollbacks, so that none is made the same way twice.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub rollbacks: Bounded<RollbackRecord, MAX_ROLLBACKS>,
    /// `ControllerRevision` with the last definition that was healthy for the stabilization time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub stable: Option<String>,
    /// Number of the last action, for ids.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(min = 0))]
    pub last_id: i64,
}

/// A time in which nothing is tried, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(from = "PauseForm", into = "PauseForm")]
pub enum Pause {
    /// The delay after an action.
    BackOff {
        /// Its end.
        until: Timestamp,
    },
    /// The API server refused an action. Nobody shortens that.
    Refused {
        /// Its end.
        until: Timestamp,
        /// What it said.
        why: String,
    },
}

/// How a pause is written.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PauseForm {
    /// Its end.
    until: Timestamp,
    /// What the API server said when it refused the last action. Absent where the pause is a back-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    refused: Option<String>,
}

impl From<PauseForm> for Pause {
    fn from(PauseForm { until, refused }: PauseForm) -> Self {
        match refused {
            Some(why) => Self::Refused { until, why },
            None => Self::BackOff { until },
        }
    }
}

impl From<Pause> for PauseForm {
    fn from(pause: Pause) -> Self {
        match pause {
            Pause::Refused { until, why } => Self { until, refused: Some(cut(&why, MAX_MESSAGE)) },
            Pause::BackOff { until } => Self { until, refused: None },
        }
    }
}

/// A repair whose effect is awaited.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// What was done.
    pub action: Action,
    /// Why.
    pub cause: Reason,
    /// When the intent was recorded.
    pub started: Timestamp,
    /// It counts as ineffective from then on.
    pub verify_by: Timestamp,
    /// Pods that were ready when it began, the target not counted. More of them, steadily, is success.
    pub ready_before: u32,
    /// When the youngest pod was created that was there when it began, by the API server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub youngest: Option<Timestamp>,
}

/// A restart of a pod after which no pod came that was ready.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unproven {
    /// Name of the pod that was restarted.
    #[schemars(length(max = 253))]
    pub target: String,
    /// Hash of the pod template then.
    #[schemars(length(max = 128))]
    pub template: String,
    /// What came instead is younger than this, by the API server's clock.
    pub youngest: Timestamp,
}

/// How restarts of pods ended on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// Name of the node.
    #[schemars(length(max = 253))]
    pub node: String,
    /// How many did not help.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ineffective: u32,
    /// How many helped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub verified: u32,
}

/// One action, as the breaker counts it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionRecord {
    /// When it began.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// One rollback.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackRecord {
    /// When it began.
    pub time: Timestamp,
    /// Hash of the pod template that was left.
    #[schemars(length(max = 128))]
    pub from: String,
    /// Hash of the pod template that was brought back.
    #[schemars(length(max = 128))]
    pub to: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an action ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::IntoStaticStr,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub enum Outcome {
    /// Not known yet.
    Pending,
    /// The workload got well and stayed so.
    Verified,
    /// It did not, or nobody can tell.
    Ineffective,
    /// The API server refused it.
    Failed,
    /// It was not needed any more, or never made; not charged.
    Dropped,
}

impl Outcome {
    /// The outcome's name in status and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// It was made and did not help.
    pub fn is_ineffective(self) -> bool {
        matches!(self, Self::Ineffective | Self::Failed)
    }
}

impl Pause {
    /// Its end.
    pub fn until(&self) -> Timestamp {
        match self {
            Self::BackOff { until } | Self::Refused { until, .. } => *until,
        }
    }

    fn end(&mut self) -> &mut Timestamp {
        match self {
            Self::BackOff { until } | Self::Refused { until, .. } => until,
        }
    }
}

impl Attempts {
    /// Forgets what is over: a pause that has ended, and actions that no ceiling counts any more.
    pub fn expire(&mut self, now: Timestamp) {
        self.pause.take_if(|pause| pause.until() <= now);
        self.recent.retain(|time| elapsed(*time, now) < HOUR);
    }

    /// Ends a back-off. What the API server refused is not tried sooner for that.
    pub fn end_back_off(&mut self) {
        self.pause.take_if(|pause| matches!(pause, Pause::BackOff { .. }));
    }

    /// Actions inside the window and after the last closing of the circuit: what was forgiven is not counted again.
    pub fn counted(
        &self,
        window: SignedDuration,
        closed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Iterator<Item = &ActionRecord> {
        self.actions.iter().filter(move |action| {
            elapsed(action.time, now) < window && closed_at.is_none_or(|closed| action.time >= closed)
        })
    }

    /// Attempts since the last success: each one that did not help goes up a rung.
    pub fn failed_in_a_row(&self, closed_at: Option<Timestamp>) -> usize {
        let counted = self.actions.iter().rev().filter(|one| closed_at.is_none_or(|closed| one.time >= closed));
        counted.take_while(|action| action.outcome.is_ineffective()).count()
    }

    /// The one node on which restarts of pods do not help while they help on others.
    pub fn failing_node(&self) -> Option<&str> {
        let fails = |record: &&NodeRecord| record.ineffective > 0 && record.verified == 0;
        let mut failing = self.nodes.iter().filter(fails);
        let only = failing.next().filter(|_| failing.next().is_none())?;
        self.nodes.iter().any(|record| record.verified > 0).then_some(&only.node)
    }

    pub(super) fn load(&mut self, policy: &Policy, now: Timestamp) {
        let latest = after(now, longest_pause(&policy.remediation));
        if let Some(pause) = &mut self.pause {
            *pause.end() = pause.until().min(latest);
        }
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.started = clamp(in_flight.started, now);
            in_flight.verify_by = in_flight.verify_by.min(after(now, policy.remediation.verify));
            in_flight.youngest = in_flight.youngest.map(|youngest| clamp(youngest, now));
        }
        self.concluded = self.concluded.map(|concluded| clamp(concluded, now));
        self.actions.iter_mut().for_each(|action| action.time = clamp(action.time, now));
        self.recent.iter_mut().for_each(|time| *time = clamp(*time, now));
        self.in_flight.take_if(|in_flight| !in_flight.action.is_fit());
        self.unproven.take_if(|unproven| !fits(&unproven.target, MAX_NAME) || !fits(&unproven.template, MAX_UID));
        if let Some(unproven) = &mut self.unproven {
            unproven.youngest = clamp(unproven.youngest, now);
        }
        self.nodes.retain(|record| fits(&record.node, MAX_NAME));
        self.rollbacks.retain(|rollback| fits(&rollback.from, MAX_UID) && fits(&rollback.to, MAX_UID));
        self.last_id = self.last_id.max(0);
        self.stable.take_if(|revision| !fits(revision, MAX_NAME));
        if let Some(Pause::Refused { why, .. }) = &mut self.pause {
            *why = cut(why, MAX_MESSAGE);
        }
        self.rollbacks.iter_mut().for_each(|rollback| rollback.time = clamp(rollback.time, now));
    }
}

/// The longest pause that this policy sets.
pub(super) fn longest_pause(policy: &RemediationPolicy) -> SignedDuration {
    policy.backoff_max.max(policy.backoff_initial).max(SPACING)
}
