//! Proposing: the smallest step that could help, and the reasons that belong to it alone.
//!
//! What an open circuit asks for comes before what the ladder wants. Only reads; what holds every step alike is asked by `gate`.

mod dependency_restart;
mod ladder;
mod mitigation;
mod recreate;
mod rollback;

use crate::model::{
    finding::Finding,
    inputs::Inputs,
    plan::Plan,
    reason::{Block, Reason},
    state::State,
    verdict::{Health, Verdict},
};
use crate::observe::Observed;

/// What could be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// All is well, or it is nobody's business.
    Nothing,
    /// This would be the step, unless one of the reasons holds it back.
    Step(Plan, Vec<Block>),
    /// Something is wrong and no step could help.
    NoStep(Block),
}

/// What is known about the service when a step is proposed.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Policy, snapshot and moment.
    pub inputs: &'a Inputs<'a>,
    /// What is known of the world.
    pub observed: &'a Observed,
    /// What is wrong.
    pub findings: &'a [Finding],
    /// The sum of it.
    pub verdict: &'a Verdict,
    /// A person wants something done now.
    pub requested: bool,
}

impl Situation<'_> {
    /// Nothing is wanted. What was removed on purpose is idle too, and it is said why it is not brought back.
    fn is_idle(&self) -> bool {
        self.verdict.health == Health::Idle && (!self.observed.missing || self.inputs.policy.suspend)
    }

    /// What an open circuit asks for, or what is left of one.
    pub fn mitigation(&self, state: &State) -> Proposal {
        if self.is_idle() { Proposal::Nothing } else { mitigation::propose(self, state) }
    }

    /// What the ladder wants; if nothing, what an outage of a dependency left to do.
    pub fn repair(&self, state: &State) -> Proposal {
        if self.is_idle() || self.observed.scaled_down_from.is_some() {
            return Proposal::Nothing;
        }
        match ladder::propose(self, state) {
            Proposal::Nothing => dependency_restart::propose(self, state),
            proposal => proposal,
        }
    }
}

/// What comes and goes with every crash is worth saying only when nothing else is in the way.
pub fn leave_out_the_passing(blocked_by: &mut Vec<Block>) {
    if blocked_by.len() > 1 {
        blocked_by.retain(|block| block.reason != Reason::NotYet);
    }
}
