//! The circuit breaker's memory.

use jiff::Timestamp;

use super::{is_default, past};
use crate::model::{
    moment::{after, clamp},
    policy::BreakerPolicy,
    text::{MAX_MESSAGE, MAX_UID, cut, fits},
};

/// The circuit breaker's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(from = "CircuitForm", into = "CircuitForm")]
pub struct Circuit {
    /// What it does now.
    pub phase: CircuitPhase,
    /// Openings since the last reset: the exponent of the open time.
    pub openings: u32,
    /// When it last closed: older actions are not counted again.
    pub closed_at: Option<Timestamp>,
}

/// What the circuit does, with what has a meaning only then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CircuitPhase {
    /// Actions are allowed.
    #[default]
    Closed,
    /// It opened by itself: no action.
    Open {
        /// How it opened.
        opening: Opening,
        /// When one trial will be allowed.
        retry_at: Timestamp,
    },
    /// A person holds it open: no action, and no trial.
    HeldOpen {
        /// How it opened.
        opening: Opening,
        /// The value of `kubeheal.dev/force-open`.
        reason: String,
    },
    /// One trial.
    HalfOpen {
        /// How it opened; the template is the one that is tried.
        opening: Opening,
    },
}

/// How a circuit opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// When.
    pub at: Timestamp,
    /// On which pod template: a new one deserves a trial at once. None where the workload could not be read.
    pub template: Option<String>,
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
    /// The state's name, without what belongs to it.
    pub fn state(&self) -> CircuitState {
        match self.phase {
            CircuitPhase::Closed => CircuitState::Closed,
            CircuitPhase::Open { .. } | CircuitPhase::HeldOpen { .. } => CircuitState::Open,
            CircuitPhase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// How it opened, unless it is closed.
    pub fn opening(&self) -> Option<&Opening> {
        match &self.phase {
            CircuitPhase::Closed => None,
            CircuitPhase::Open { opening, .. }
            | CircuitPhase::HeldOpen { opening, .. }
            | CircuitPhase::HalfOpen { opening } => Some(opening),
        }
    }

    /// When it tries again, if it opened by itself.
    pub fn retry_at(&self) -> Option<Timestamp> {
        if let CircuitPhase::Open { retry_at, .. } = self.phase { Some(retry_at) } else { None }
    }

    /// Why a person holds it open.
    pub fn held_open(&self) -> Option<&str> {
        if let CircuitPhase::HeldOpen { reason, .. } = &self.phase { Some(reason) } else { None }
    }

    /// It opened so often that it makes no more trial by itself.
    pub fn is_latched(&self, policy: &BreakerPolicy) -> bool {
        policy.latch_after > 0 && self.openings >= policy.latch_after
    }

    pub(super) fn load(&mut self, policy: &BreakerPolicy, now: Timestamp) {
        past(&mut self.closed_at, now);
        match &mut self.phase {
            CircuitPhase::Closed => {}
            CircuitPhase::Open { opening, retry_at } => {
                opening.load(now);
                *retry_at = (*retry_at).min(after(now, policy.max_open));
            }
            CircuitPhase::HeldOpen { opening, reason } => {
                opening.load(now);
                *reason = cut(reason, MAX_MESSAGE);
            }
            CircuitPhase::HalfOpen { opening } => opening.load(now),
        }
    }
}

impl Opening {
    /// As it was written. A time that somebody removed makes nothing wait longer.
    pub fn written(at: Option<Timestamp>, retry_at: Option<Timestamp>, template: Option<String>) -> Self {
        Self { at: at.or(retry_at).unwrap_or(Timestamp::UNIX_EPOCH), template }
    }

    fn load(&mut self, now: Timestamp) {
        self.at = clamp(self.at, now);
        self.template.take_if(|template| !fits(template, MAX_UID));
    }
}

/// How a circuit is written.
#[derive(Debug, Clone, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CircuitForm {
    /// Its state.
    state: CircuitState,
    /// Openings since the last reset: the exponent of the open time.
    #[serde(default, skip_serializing_if = "is_default")]
    openings: u32,
    /// When it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened_at: Option<Timestamp>,
    /// When one trial will be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    /// When it last closed: older actions are not counted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<Timestamp>,
    /// Pod template on which it opened: a new one deserves a trial at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    template: Option<String>,
    /// The value of `kubeheal.dev/force-open` that holds it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    forced: Option<String>,
}

impl From<CircuitForm> for Circuit {
    fn from(form: CircuitForm) -> Self {
        let CircuitForm { state, openings, opened_at, retry_at, closed_at, template, forced } = form;
        let opening = Opening::written(opened_at, retry_at, template);
        let phase = match (forced, state) {
            (Some(reason), _) => CircuitPhase::HeldOpen { opening, reason },
            (None, CircuitState::Closed) => CircuitPhase::Closed,
            (None, CircuitState::Open) => CircuitPhase::Open { retry_at: retry_at.unwrap_or(opening.at), opening },
            (None, CircuitState::HalfOpen) => CircuitPhase::HalfOpen { opening },
        };
        Self { phase, openings, closed_at }
    }
}

impl From<Circuit> for CircuitForm {
    fn from(circuit: Circuit) -> Self {
        let (state, retry_at) = (circuit.state(), circuit.retry_at());
        let Circuit { phase, openings, closed_at } = circuit;
        let (opening, forced) = match phase {
            CircuitPhase::Closed => (None, None),
            CircuitPhase::Open { opening, .. } | CircuitPhase::HalfOpen { opening } => (Some(opening), None),
            CircuitPhase::HeldOpen { opening, reason } => (Some(opening), Some(reason)),
        };
        let opened_at = opening.as_ref().map(|opening| opening.at);
        Self { state, openings, opened_at, retry_at, closed_at, template: opening.and_then(|it| it.template), forced }
    }
}
