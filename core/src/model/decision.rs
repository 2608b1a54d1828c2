//! The decision: what comes out.

use jiff::Timestamp;

use super::{
    alert::Notice,
    condition::{Condition, ConditionType, Truth},
    dependency::Dependencies,
    finding::Finding,
    plan::Plan,
    reason::{Block, Reason},
    state::State,
    verdict::{Escalation, Verdict},
};

/// What was seen, what is to be done, and why not more.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// How the service is.
    pub verdict: Verdict,
    /// What is wrong with which container.
    pub findings: Vec<Finding>,
    /// What is to be done.
    pub intent: Intent,
    /// The dependencies, judged.
    pub dependencies: Dependencies,
    /// Restarts inside the window, over all containers.
    pub restarts_in_window: u32,
    /// What people read about the circuit.
    pub circuit: CircuitSummary,
    /// The workload is as it should be and its definition is new: keep it as last known good.
    pub record_good: bool,
    /// Why a person is needed, if one is.
    pub escalation: Option<Escalation>,
    /// What receivers of alerts are to know.
    pub notices: Vec<Notice>,
    /// Conditions for the status.
    pub conditions: Vec<Condition>,
    /// To be written to the status before the plan is executed.
    pub state: State,
    /// When the decision could change although nothing else does.
    pub next_check: Option<Timestamp>,
}

/// What people read about the circuit beside its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitSummary {
    /// Actions that did not help and count towards opening it.
    pub ineffective: u32,
    /// When it tries again by itself. None unless it is open, and if only a person may close it.
    pub retry_at: Option<Timestamp>,
}

/// What is to be done, or why nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Nothing, and nothing is wanted.
    None,
    /// Nothing, although something is wanted.
    Held {
        /// The step that would be taken if nothing held it back; `None` if no step could help.
        proposal: Option<Plan>,
        /// Why not; never empty.
        blocked_by: Vec<Block>,
    },
    /// This would be done if the mode were `Heal`.
    WouldDo {
        /// The step.
        plan: Plan,
        /// Something else that was asked for and is not done either.
        note: Option<Block>,
    },
    /// This, now. Its intent is already in the state.
    Do(Plan),
}

impl Intent {
    /// The step to be taken now.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Do(plan) => Some(plan),
            Self::None | Self::Held { .. } | Self::WouldDo { .. } => None,
        }
    }

    /// The step that is taken, or would be if nothing held it back.
    pub fn proposal(&self) -> Option<&Plan> {
        match self {
            Self::Do(plan) | Self::WouldDo { plan, .. } => Some(plan),
            Self::Held { proposal, .. } => proposal.as_ref(),
            Self::None => None,
        }
    }

    /// Why nothing happens, when something should.
    pub fn blocked_by(&self) -> &[Block] {
        match self {
            Self::Held { blocked_by, .. } => blocked_by,
            Self::WouldDo { note, .. } => note.as_slice(),
            Self::None | Self::Do(_) => &[],
        }
    }
}

impl Decision {
    /// The step to be taken now.
    pub fn plan(&self) -> Option<&Plan> {
        self.intent.plan()
    }

    /// The step that is taken, or would be if nothing held it back.
    pub fn proposal(&self) -> Option<&Plan> {
        self.intent.proposal()
    }

    /// Why nothing happens, when something should.
    pub fn blocked_by(&self) -> &[Block] {
        self.intent.blocked_by()
    }

    /// A person is needed before a definition can be kept or used.
    pub fn waits_for_key(&self) -> bool {
        let waits = |one: &Condition| one.kind == ConditionType::Stalled && one.reason == Reason::SigningKeyMissing;
        self.conditions.iter().any(waits)
    }

    /// A person is needed for what came up while it was recorded. Where one is needed already, that stands.
    pub fn stall(&mut self, why: &Block) {
        let is_free = |one: &&mut Condition| one.kind == ConditionType::Stalled && one.status != Truth::True;
        if let Some(stalled) = self.conditions.iter_mut().find(is_free) {
            (stalled.status, stalled.reason) = (Truth::True, why.reason);
            stalled.message.clone_from(&why.message);
        }
    }
}
