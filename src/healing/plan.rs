//! Plans: one step as data, ready to be executed by somebody else.

use super::{cause::Cause, policy::Rung};

/// What is done to what, as status and history name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The rung.
    pub step: Rung,
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
}

/// One step, ready to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is done to what.
    pub action: Action,
    /// How.
    pub effect: Effect,
    /// Why.
    pub cause: Cause,
}
