//! What was changed because the circuit opened. Recorded before it is done.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::attempts::longest_pause;
use crate::model::{
    moment::{after, clamp},
    plan::{Action, Charge, Effect, Plan, Selector, Step},
    policy::{OnOpen, Policy},
    reason::Reason,
    text::{MAX_MESSAGE, MAX_NAME, MAX_UID, cut, fits},
};

/// What was changed because the circuit opened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(into = "MitigationForm")]
pub struct Mitigation {
    /// What.
    pub change: Change,
    /// Name of the workload or Service.
    pub target: String,
    /// Its UID: what comes after it under the same name is left alone.
    pub uid: String,
    /// Where it stands.
    pub phase: MitigationPhase,
    /// Since when.
    pub since: Timestamp,
    /// Not tried again before this.
    pub retry_at: Option<Timestamp>,
    /// What the API server said when it refused.
    pub refused: Option<String>,
}

/// A change and how to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The workload was scaled to zero.
    ToZero {
        /// From so many replicas.
        replicas: u32,
    },
    /// The Service was pointed at a stand-in.
    Diverted {
        /// The selector it had.
        selector: Selector,
        /// The selector it was given.
        stand_in: Selector,
    },
}

/// Where a mitigation stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
pub enum MitigationPhase {
    /// About to be done; not seen yet.
    Intended,
    /// Done.
    Effective,
    /// About to be taken back; not seen yet.
    Undoing,
    /// Somebody else changed the same field: theirs stays, until the circuit closes nothing more is done.
    Overruled,
}

impl MitigationPhase {
    /// The phase's name in the status.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Change {
    /// The step that makes it.
    pub fn forth(&self) -> Step {
        match self {
            Self::ToZero { .. } => Step::ScaleToZero,
            Self::Diverted { .. } => Step::UseFallback,
        }
    }

    /// The step that takes it back.
    pub fn back(&self) -> Step {
        match self {
            Self::ToZero { .. } => Step::RestoreReplicas,
            Self::Diverted { .. } => Step::RestoreSelector,
        }
    }
}

impl Mitigation {
    /// Goes to a phase, with nothing known against it.
    pub fn enter(&mut self, phase: MitigationPhase, now: Timestamp) {
        (self.phase, self.since, self.retry_at, self.refused) = (phase, now, None, None);
    }

    /// The next try is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.retry_at.is_none_or(|due| now >= due)
    }

    /// The policy still wants exactly this.
    pub fn is_asked_for(&self, policy: &Policy) -> bool {
        match (&policy.breaker.on_open, &self.change) {
            (OnOpen::ScaleToZero, Change::ToZero { .. }) => true,
            (OnOpen::Fallback { service, selector }, Change::Diverted { stand_in, .. }) => {
                *service == self.target && selector == stand_in
            }
            (OnOpen::Hold | OnOpen::ScaleToZero | OnOpen::Fallback { .. }, _) => false,
        }
    }

    /// The plan that takes it back.
    pub fn undo(&self, cause: Reason, charge: Charge) -> Plan {
        let effect = match &self.change {
            Change::ToZero { replicas } => Effect::Scale { from: 0, to: *replicas },
            Change::Diverted { selector, stand_in } => Effect::Select { from: stand_in.clone(), to: selector.clone() },
        };
        let action =
            Action { step: self.change.back(), target: self.target.clone(), target_uid: Some(self.uid.clone()) };
        Plan { action, effect, cause, charge }
    }

    /// The API would take it back.
    pub(super) fn is_fit(&self) -> bool {
        fits(&self.target, MAX_NAME) && fits(&self.uid, MAX_UID)
    }

    pub(super) fn load(&mut self, policy: &Policy, now: Timestamp) {
        self.since = clamp(self.since, now);
        let latest = after(now, longest_pause(&policy.remediation));
        self.retry_at = self.retry_at.map(|until| until.min(latest));
    }
}

/// How it is written: what has to be taken back by hand if the service is deleted before.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MitigationForm {
    /// Whether it is about to be done, done, about to be taken back, or somebody else changed the same field, which stays as they
    /// left it.
    phase: MitigationPhase,
    /// Name of the workload, or of the Service.
    #[schemars(length(max = 253))]
    target: String,
    /// Its UID: what comes after it under the same name is left alone.
    #[serde(rename = "targetUID")]
    #[schemars(length(max = 128))]
    target_uid: String,
    /// Since when it is in this phase.
    since: Timestamp,
    /// Replicas that the workload had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    /// Selector that the Service had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    selector: Option<Selector>,
    /// Selector that the Service was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    stand_in: Option<Selector>,
    /// Not tried again before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    /// What the API server said when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    refused: Option<String>,
}

impl JsonSchema for Mitigation {
    fn schema_name() -> Cow<'static, str> {
        "Mitigation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        MitigationForm::json_schema(generator)
    }
}

/// Labels as somebody else wrote them: bounded, and nothing else.
fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "x-kubernetes-map-type": "atomic",
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Half of a change cannot be taken back: then it is as if somebody else had made it.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mitigation>, D::Error> {
    Ok(Option::<MitigationForm>::deserialize(deserializer)?.and_then(MitigationForm::whole))
}

impl MitigationForm {
    fn whole(self) -> Option<Mitigation> {
        let Self { phase, target, target_uid: uid, since, replicas, selector, stand_in, retry_at, refused } = self;
        let change = match (replicas, selector.zip(stand_in)) {
            (Some(replicas), _) => Change::ToZero { replicas },
            (None, Some((selector, stand_in))) => Change::Diverted { selector, stand_in },
            (None, None) => return None,
        };
        Some(Mitigation { change, target, uid, phase, since, retry_at, refused })
    }
}

impl From<Mitigation> for MitigationForm {
    fn from(mitigation: Mitigation) -> Self {
        let Mitigation { change, target, uid: target_uid, phase, since, retry_at, refused } = mitigation;
        let (replicas, selectors) = match change {
            Change::ToZero { replicas } => (Some(replicas), None),
            Change::Diverted { selector, stand_in } => (None, Some((selector, stand_in))),
        };
        let (selector, stand_in) = selectors.unzip();
        let refused = refused.map(|why| cut(&why, MAX_MESSAGE));
        Self { phase, target, target_uid, since, replicas, selector, stand_in, retry_at, refused }
    }
}
