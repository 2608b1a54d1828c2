//! Plans: one step as data, ready to be executed by somebody else.

use super::{policy::Rung, reaction::Selector, reason::Reason};

/// What can be done: the rungs of the ladder, and what goes with the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    pub const ALL: [Self; 7] = [
        Self::RestartPod,
        Self::RecreateWorkload,
        Self::Rollback,
        Self::ScaleToZero,
        Self::RestoreReplicas,
        Self::UseFallback,
        Self::RestoreSelector,
    ];

    /// The step's name in status, Events, metrics and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RestartPod => "RestartPod",
            Self::RecreateWorkload => "RecreateWorkload",
            Self::Rollback => "Rollback",
            Self::ScaleToZero => "ScaleToZero",
            Self::RestoreReplicas => "RestoreReplicas",
            Self::UseFallback => "UseFallback",
            Self::RestoreSelector => "RestoreSelector",
        }
    }

    /// The step of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The step.
    pub step: Step,
    /// Name of the pod or workload.
    pub target: String,
    /// Its UID; empty for a workload that is gone.
    pub target_uid: String,
}

/// The same, with all that `execute` needs to do it safely.
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
    /// Whether something that lives is deleted to be made again: a last look at its surroundings is due.
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
    /// It is an attempt: it must prove itself, and it counts.
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
