//! The circuit breaker's memory.

use jiff::Timestamp;

use super::{is_zero, past};
use crate::model::{
    moment::after,
    policy::BreakerPolicy,
    text::{MAX_MESSAGE, MAX_UID, cut, fits},
};

/// The circuit breaker's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Circuit {
    /// Its state.
    pub state: CircuitState,
    /// Openings since the last reset: the exponent of the open time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub openings: u32,
    /// When it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When one trial will be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When it last closed: older actions are not counted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Pod template on which it opened: a new one deserves a trial at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub template: Option<String>,
    /// The value of `kubeheal.dev/force-open` that holds it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub forced: Option<String>,
}

/// Closed lets actions through, Open none, HalfOpen one.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub enum CircuitState {
    /// Actions are allowed.
    #[default]
    Closed,
    /// No action.
    Open,
    /// One trial.
    HalfOpen,
}

impl CircuitState {
    /// The state's name in status, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Circuit {
    /// It opened by itself: not by a person, who may want nothing to be touched.
    pub fn is_open_by_itself(&self) -> bool {
        self.state == CircuitState::Open && self.forced.is_none()
    }

    /// It opened so often that a person must close it.
    pub fn is_latched(&self, policy: &BreakerPolicy) -> bool {
        policy.latch_after > 0 && self.openings >= policy.latch_after
    }

    pub(super) fn load(&mut self, policy: &BreakerPolicy, now: Timestamp) {
        past(&mut self.opened_at, now);
        past(&mut self.closed_at, now);
        self.template.take_if(|template| !fits(template, MAX_UID));
        self.forced = self.forced.take().map(|reason| cut(&reason, MAX_MESSAGE));
        self.retry_at = self.retry_at.map(|until| until.min(after(now, policy.max_open)));
    }
}
