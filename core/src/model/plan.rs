//! Plans: one step as data, ready to be executed by somebody else.

use std::collections::BTreeMap;

use super::{
    policy::Rung,
    reason::Reason,
    text::{MAX_NAME, MAX_UID, fits},
};

/// Labels by which a Service finds its pods.
pub type Selector = BTreeMap<String, String>;

/// What can be done: the rungs of the ladder, and what goes with the circuit.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
)]
pub enum Step {
    /// Evict the sick pod so that its controller replaces it.
    RestartPod,
    /// Create the workload again from its last known good definition.
    RecreateWorkload,
    /// Bring back the pod template that was last seen healthy.
    Rollback,
    /// Scale the workload to zero while its circuit is open.
    ScaleToZero,
    /// Scale it back.
    RestoreReplicas,
    /// Point a Service at a stand-in while the circuit is open.
    UseFallback,
    /// Point it back.
    RestoreSelector,
}

impl Step {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The step's name in status, Events, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<Rung> for Step {
    fn from(rung: Rung) -> Self {
        match rung {
            Rung::RestartPod => Self::RestartPod,
            Rung::RecreateWorkload => Self::RecreateWorkload,
            Rung::Rollback => Self::Rollback,
        }
    }
}

/// What is done to what, as status and history name it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The step.
    pub step: Step,
    /// Name of the pod or workload.
    #[schemars(length(max = 253))]
    pub target: String,
    /// Its UID; absent for a workload that is gone.
    #[serde(default, rename = "targetUID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub target_uid: Option<String>,
}

impl Action {
    /// Its UID as a precondition: one that nothing has for a workload that is gone.
    pub fn uid(&self) -> &str {
        self.target_uid.as_deref().unwrap_or_default()
    }

    /// The API would take it back.
    pub(super) fn is_fit(&self) -> bool {
        fits(&self.target, MAX_NAME) && self.target_uid.as_ref().is_none_or(|uid| fits(uid, MAX_UID))
    }
}

/// The same, with all that is needed to do it safely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Evict this pod, if it still has this UID.
    EvictPod {
        /// Delete it if a disruption budget refuses: it is unready and the policy says so.
        delete_if_refused: bool,
    },
    /// Create the workload from this revision; never touch one that exists.
    CreateWorkload {
        /// Name of the ControllerRevision.
        revision: String,
        /// Replicas to ask for; none where the kind has none.
        replicas: Option<u32>,
    },
    /// Delete the workload, if it still has this UID, and create it again.
    ReplaceWorkload {
        /// Name of the ControllerRevision.
        revision: String,
        /// Replicas to ask for.
        replicas: Option<u32>,
    },
    /// Give the Deployment, if it still has this UID, the pod template of this revision.
    Rollback {
        /// Name of the ControllerRevision.
        revision: String,
    },
    /// Scale the workload, if it still has this UID and so many replicas.
    Scale {
        /// Replicas that it has.
        from: u32,
        /// Replicas that it gets.
        to: u32,
    },
    /// Give the Service another selector, if it still has this UID and this one.
    Select {
        /// Selector that it has.
        from: Selector,
        /// Selector that it gets.
        to: Selector,
    },
}

impl Effect {
    /// Whether something that lives is deleted to be made again: its surroundings are asked about once more.
    pub fn replaces(&self) -> bool {
        match self {
            Self::ReplaceWorkload { .. } => true,
            Self::EvictPod { .. }
            | Self::CreateWorkload { .. }
            | Self::Rollback { .. }
            | Self::Scale { .. }
            | Self::Select { .. } => false,
        }
    }
}

/// What a step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// It is an attempt: it is verified, and it counts.
    Attempt,
    /// It follows from attempts that were counted.
    Nothing,
}

/// One step, ready to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is done to what.
    pub action: Action,
    /// How.
    pub effect: Effect,
    /// Why.
    pub cause: Reason,
    /// What it costs.
    pub charge: Charge,
}
