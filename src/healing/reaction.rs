//! What an open circuit changed: remembered before it is done, compared with what is there, forgotten when it is taken back.
//!
//! Somebody else's change of the same field wins, whatever was remembered. Must not choose what is done.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    memory::{CircuitState, Memory, Outcome},
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{OnOpen, Policy, RemediationPolicy},
    reason::Reason,
    snapshot::{Live, Snapshot, Workload},
    time::after,
    verify::Execution,
};

/// Labels by which a Service finds its pods.
pub type Selector = BTreeMap<String, String>;

/// What was changed because the circuit opened. Recorded before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// What.
    pub change: Change,
    /// Name of the workload or Service.
    pub target: String,
    /// Its UID.
    pub uid: String,
    /// Where it stands.
    pub phase: Phase,
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

/// Where a reaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// About to be done; not seen yet.
    Intended,
    /// Done.
    InForce,
    /// About to be taken back; not seen yet.
    Undoing,
    /// Somebody else changed the same field: theirs stays, until the circuit closes nothing more is done.
    Overruled,
}

impl Phase {
    /// The phase's name in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "Intended",
            Self::InForce => "InForce",
            Self::Undoing => "Undoing",
            Self::Overruled => "Overruled",
        }
    }

    /// The phase of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Intended, Self::InForce, Self::Undoing, Self::Overruled].into_iter().find(|phase| phase.as_str() == name)
    }
}

/// How the changed field looks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    AsBefore,
    AsChanged,
    Otherwise,
    Gone,
    Unknown,
}

/// Compares what was remembered with what is there. Somebody else's change wins.
pub fn follow(snapshot: &Snapshot, memory: &mut Memory, now: Timestamp) {
    let Some(mut reaction) = memory.reaction.take() else { return };
    let (forth, back) = (reaction.change.forth(), reaction.change.back());
    match (reaction.phase, look(&reaction, &snapshot.live)) {
        (Phase::Intended, Seen::AsBefore | Seen::Unknown)
        | (Phase::InForce, Seen::AsChanged | Seen::Unknown)
        | (Phase::Undoing, Seen::Unknown)
        | (Phase::Overruled, Seen::AsBefore | Seen::AsChanged | Seen::Otherwise | Seen::Unknown) => {}
        (Phase::Intended, Seen::AsChanged) => {
            reach(&mut reaction, Phase::InForce, memory, forth, Outcome::Verified, now);
        }
        (Phase::Intended, Seen::Otherwise) => {
            reach(&mut reaction, Phase::Overruled, memory, forth, Outcome::Dropped, now);
        }
        (Phase::InForce, Seen::AsBefore | Seen::Otherwise) => {
            reaction.enter(Phase::Overruled, now);
        }
        // The intent was recorded and nothing came of it.
        (Phase::Undoing, Seen::AsChanged) if reaction.is_due(now) && !is_on_trial(memory) => {
            reach(&mut reaction, Phase::InForce, memory, back, Outcome::Dropped, now);
        }
        (Phase::Undoing, Seen::AsChanged) => {}
        (Phase::Undoing, Seen::AsBefore | Seen::Otherwise) if !is_seen_up(&reaction, snapshot) => {}
        (Phase::Undoing, Seen::AsBefore) => return ended(memory, back, Outcome::Verified),
        (Phase::Undoing, Seen::Otherwise) => return ended(memory, back, Outcome::Dropped),
        (Phase::Intended | Phase::InForce | Phase::Undoing | Phase::Overruled, Seen::Gone) => return,
    }
    memory.reaction = Some(reaction);
}

fn reach(reaction: &mut Reaction, phase: Phase, memory: &mut Memory, step: Step, outcome: Outcome, now: Timestamp) {
    reaction.enter(phase, now);
    ended(memory, step, outcome);
}

/// From a live read: a cache that is behind would take our own change for somebody else's.
pub(super) fn look(reaction: &Reaction, live: &Live) -> Seen {
    match (&reaction.change, live) {
        (_, Live::NotAsked | Live::Unreadable(_)) => Seen::Unknown,
        (Change::ToZero { .. }, Live::Replicas { uid, .. }) if *uid != reaction.uid => Seen::Gone,
        (Change::ToZero { .. }, Live::Replicas { replicas: 0, .. }) => Seen::AsChanged,
        (Change::ToZero { replicas }, Live::Replicas { replicas: found, .. }) if found == replicas => Seen::AsBefore,
        (Change::ToZero { .. }, Live::Replicas { .. }) => Seen::Otherwise,
        // What is gone for good comes back as another.
        (Change::ToZero { .. }, Live::Missing | Live::Service { .. }) => Seen::Unknown,
        (Change::Diverted { .. }, Live::Service { uid, .. }) if *uid != reaction.uid => Seen::Gone,
        (Change::Diverted { stand_in, .. }, Live::Service { selector, .. }) if selector == stand_in => Seen::AsChanged,
        (Change::Diverted { selector: before, .. }, Live::Service { selector, .. }) if selector == before => {
            Seen::AsBefore
        }
        (Change::Diverted { .. }, Live::Service { .. }) => Seen::Otherwise,
        (Change::Diverted { .. }, Live::Missing) => Seen::Gone,
        (Change::Diverted { .. }, Live::Replicas { .. }) => Seen::Unknown,
    }
}

/// Everything else is decided on caches: a workload that still looks scaled to zero there would be taken for idle.
fn is_seen_up(reaction: &Reaction, snapshot: &Snapshot) -> bool {
    match (&reaction.change, &snapshot.workload) {
        (Change::ToZero { .. }, Workload::Present(state)) => state.uid != reaction.uid || state.desired > 0,
        (Change::ToZero { .. }, Workload::Missing { .. } | Workload::Unknown(_)) => false,
        (Change::Diverted { .. }, _) => true,
    }
}

/// Forgets what has no meaning any more once the circuit's state is known.
pub fn tidy(policy: &Policy, snapshot: &Snapshot, memory: &mut Memory) {
    let state = memory.circuit.state;
    memory.reaction.take_if(|reaction| match reaction.phase {
        Phase::Overruled => state == CircuitState::Closed || !reaction.is_asked_for(policy),
        Phase::Intended => {
            let wanted = state == CircuitState::Open && reaction.is_asked_for(policy);
            !wanted && look(reaction, &snapshot.live) == Seen::AsBefore
        }
        Phase::InForce | Phase::Undoing => false,
    });
}

/// Replicas that the workload is meant to have, while it is at zero because we scaled it.
pub fn down(snapshot: &Snapshot, memory: &Memory) -> Option<u32> {
    let reaction = memory.reaction.as_ref().filter(|reaction| reaction.phase != Phase::Overruled)?;
    let Workload::Present(state) = &snapshot.workload else { return None };
    let is_zero = state.desired == 0 || look(reaction, &snapshot.live) == Seen::AsChanged;
    match reaction.change {
        Change::ToZero { replicas } if state.uid == reaction.uid && is_zero => Some(replicas),
        Change::ToZero { .. } | Change::Diverted { .. } => None,
    }
}

/// Takes note of what the API server answered.
pub fn settle(policy: &RemediationPolicy, plan: &Plan, memory: &mut Memory, execution: &Execution, now: Timestamp) {
    let step = plan.action.step;
    let forth = match step {
        Step::ScaleToZero | Step::UseFallback => true,
        Step::RestoreReplicas | Step::RestoreSelector => false,
        Step::RestartPod | Step::RecreateWorkload | Step::Rollback => return,
    };
    let Some(mut reaction) = memory.reaction.take() else { return };
    match execution {
        Execution::Done if forth => reach(&mut reaction, Phase::InForce, memory, step, Outcome::Verified, now),
        // Over when it is seen.
        Execution::Done => {}
        // Somebody was quicker: the next look tells who.
        Execution::Vanished if forth => {}
        Execution::Vanished => reaction.enter(Phase::InForce, now),
        Execution::Refused(why) => reaction.refuse(forth, why, after(now, policy.backoff_initial), now),
        Execution::Failed(why) => {
            reaction.refuse(forth, why, after(now, policy.backoff_max), now);
            ended(memory, step, Outcome::Failed);
        }
    }
    memory.reaction = Some(reaction);
}

/// Gives the step its outcome in the history, unless it is a trial, which must prove itself.
fn ended(memory: &mut Memory, step: Step, outcome: Outcome) {
    if is_on_trial(memory) && step == Step::RestoreReplicas {
        return;
    }
    let entry = memory.history.iter_mut().rev().find(|entry| entry.step == step.as_str());
    if let Some(entry) = entry.filter(|entry| matches!(entry.outcome, Outcome::Pending | Outcome::Failed)) {
        entry.outcome = outcome;
    }
}

fn is_on_trial(memory: &Memory) -> bool {
    memory.in_flight.as_ref().is_some_and(|in_flight| in_flight.action.step == Step::RestoreReplicas)
}

impl Change {
    fn forth(&self) -> Step {
        match self {
            Self::ToZero { .. } => Step::ScaleToZero,
            Self::Diverted { .. } => Step::UseFallback,
        }
    }

    fn back(&self) -> Step {
        match self {
            Self::ToZero { .. } => Step::RestoreReplicas,
            Self::Diverted { .. } => Step::RestoreSelector,
        }
    }
}

impl Reaction {
    pub(super) fn enter(&mut self, phase: Phase, now: Timestamp) {
        (self.phase, self.since, self.retry_at, self.refused) = (phase, now, None, None);
    }

    fn refuse(&mut self, forth: bool, why: &str, again: Timestamp, now: Timestamp) {
        self.enter(if forth { Phase::Intended } else { Phase::InForce }, now);
        (self.retry_at, self.refused) = (Some(again), Some(why.to_owned()));
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.retry_at.is_none_or(|due| now >= due)
    }

    /// The policy still wants exactly this.
    pub(super) fn is_asked_for(&self, policy: &Policy) -> bool {
        match (&policy.breaker.on_open, &self.change) {
            (OnOpen::ScaleToZero, Change::ToZero { .. }) => true,
            (OnOpen::Fallback { service, selector }, Change::Diverted { stand_in, .. }) => {
                *service == self.target && selector == stand_in
            }
            (OnOpen::Hold | OnOpen::ScaleToZero | OnOpen::Fallback { .. }, _) => false,
        }
    }

    pub(super) fn undo(&self, cause: Reason, charge: Charge) -> Plan {
        let effect = match &self.change {
            Change::ToZero { replicas } => Effect::Scale { from: 0, to: *replicas },
            Change::Diverted { selector, stand_in } => Effect::Select { from: stand_in.clone(), to: selector.clone() },
        };
        let action = Action { step: self.change.back(), target: self.target.clone(), target_uid: self.uid.clone() };
        Plan { action, effect, cause, charge }
    }
}
