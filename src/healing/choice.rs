//! Choosing what to do next: what the open circuit asks for comes before what the ladder wants.
//!
//! Must not hold back; that is asked of every step alike, afterwards.

use jiff::Timestamp;

use super::{
    cause::Finding,
    health::{Health, Verdict},
    ladder,
    memory::Memory,
    on_open,
    plan::Plan,
    policy::Policy,
    reason::Block,
    recovery,
    snapshot::Snapshot,
    time::Wakeups,
};

/// What would be done next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The step, if there is one.
    pub proposal: Option<Plan>,
    /// Why this step must wait, or why there is none although something is wrong.
    pub blocked_by: Vec<Block>,
    /// Something else that was asked for and is not done. It does not hold the step back.
    pub aside: Option<Block>,
}

/// What is known about the service at this look.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What is wrong.
    pub findings: &'a [Finding],
    /// The sum of it.
    pub verdict: &'a Verdict,
    /// The workload is gone for certain.
    pub missing: bool,
    /// The workload is at zero because its circuit is open.
    pub down: bool,
    /// A person wants something done now.
    pub asked: bool,
}

/// Chooses.
pub fn choose(policy: &Policy, known: &Known<'_>, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> Choice {
    let Known { snapshot, findings, verdict, missing, down, asked } = *known;
    // What was removed on purpose is idle too, and it is said why it is not brought back.
    if verdict.health == Health::Idle && (!missing || policy.suspend) {
        return Choice::default();
    }
    let aside = match on_open::wish(policy, snapshot, verdict, memory, wakeups, now) {
        on_open::Wish::Step(plan) => return Choice { proposal: Some(plan), ..Choice::default() },
        on_open::Wish::Held(block) => Some(block),
        on_open::Wish::Nothing => None,
    };
    if down {
        return Choice { aside, ..Choice::default() };
    }
    // What is to be restarted after an outage comes before what is not trouble enough.
    let eager = asked && !recovery::goes_on(memory);
    let mut wish = ladder::wish(policy, snapshot, findings, missing, eager, memory, wakeups, now);
    if wish == ladder::Wish::Nothing {
        wish = recovery::wish(policy, snapshot, memory, wakeups, now);
    }
    let (proposal, blocked_by) = match wish {
        ladder::Wish::Nothing => (None, Vec::new()),
        ladder::Wish::NoStep(block) => (None, vec![block]),
        ladder::Wish::Step(plan, blocks) => (Some(plan), blocks),
    };
    Choice { proposal, blocked_by, aside }
}
