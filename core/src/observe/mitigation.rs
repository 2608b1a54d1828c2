//! Where a mitigation stands: what was remembered is compared with what is there. Somebody else's change of the same field wins,
//! whatever was remembered.

use jiff::Timestamp;

use crate::model::{
    plan::Step,
    snapshot::{Live, Snapshot, Workload},
    state::{Attempts, Change, Mitigation, MitigationPhase, Outcome, State},
};

/// How the changed field looks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// As it was before.
    AsBefore,
    /// As we changed it.
    AsChanged,
    /// As somebody else changed it.
    Otherwise,
    /// Its object is gone.
    Gone,
    /// It could not be read, or nobody asked.
    Unknown,
}

/// Compares what was remembered with what is there. Somebody else's change wins.
pub(super) fn track(snapshot: &Snapshot, state: &mut State, now: Timestamp) {
    let Some(mut mitigation) = state.mitigation.take() else { return };
    correct(&mut mitigation, &snapshot.live);
    let (forth, back) = (mitigation.change.forth(), mitigation.change.back());
    match (mitigation.phase, seen(&mitigation, &snapshot.live)) {
        (MitigationPhase::Intended, Seen::AsBefore | Seen::Unknown)
        | (MitigationPhase::Effective, Seen::AsChanged | Seen::Unknown)
        | (MitigationPhase::Undoing, Seen::Unknown)
        | (MitigationPhase::Overruled, Seen::AsBefore | Seen::AsChanged | Seen::Otherwise | Seen::Unknown) => {}
        (MitigationPhase::Intended, Seen::AsChanged) => {
            mitigation.enter(MitigationPhase::Effective, now);
            conclude(state, forth, Outcome::Verified);
        }
        (MitigationPhase::Intended, Seen::Otherwise) => {
            mitigation.enter(MitigationPhase::Overruled, now);
            conclude(state, forth, Outcome::Dropped);
        }
        (MitigationPhase::Effective, Seen::AsBefore | Seen::Otherwise) => {
            mitigation.enter(MitigationPhase::Overruled, now);
        }
        // The intent was recorded and nothing came of it.
        (MitigationPhase::Undoing, Seen::AsChanged) if mitigation.is_due(now) && !is_on_trial(&state.attempts) => {
            mitigation.enter(MitigationPhase::Effective, now);
            conclude(state, back, Outcome::Dropped);
        }
        (MitigationPhase::Undoing, Seen::AsChanged) => {}
        (MitigationPhase::Undoing, Seen::AsBefore | Seen::Otherwise) if !is_seen_up(&mitigation, snapshot) => {}
        (MitigationPhase::Undoing, Seen::AsBefore) => return conclude(state, back, Outcome::Verified),
        (MitigationPhase::Undoing, Seen::Otherwise) => return conclude(state, back, Outcome::Dropped),
        (
            MitigationPhase::Intended
            | MitigationPhase::Effective
            | MitigationPhase::Undoing
            | MitigationPhase::Overruled,
            Seen::Gone,
        ) => return,
    }
    state.mitigation = Some(mitigation);
}

/// So many replicas as the object says it had, whatever the status says: more people may write that.
fn correct(mitigation: &mut Mitigation, live: &Live) {
    if let (Change::ToZero { replicas }, Live::Replicas { uid, replicas: 0, scaled_from: Some(before) }) =
        (&mut mitigation.change, live)
        && *uid == mitigation.uid
    {
        *replicas = *before;
    }
}

/// From a live read: a cache that is behind would take our own change for somebody else's. What only the status says was done,
/// and the object itself does not, was done by somebody else.
pub fn seen(mitigation: &Mitigation, live: &Live) -> Seen {
    match (&mitigation.change, live) {
        (_, Live::NotAsked | Live::Unreadable(_)) => Seen::Unknown,
        (Change::ToZero { .. }, Live::Replicas { uid, .. }) if *uid != mitigation.uid => Seen::Gone,
        (Change::ToZero { replicas }, Live::Replicas { replicas: 0, scaled_from: Some(before), .. })
            if before == replicas =>
        {
            Seen::AsChanged
        }
        (Change::ToZero { replicas }, Live::Replicas { replicas: found, .. }) if found == replicas => Seen::AsBefore,
        (Change::ToZero { .. }, Live::Replicas { .. }) => Seen::Otherwise,
        // What is gone for good comes back as another.
        (Change::ToZero { .. }, Live::Missing | Live::Service { .. }) => Seen::Unknown,
        (Change::Diverted { .. }, Live::Service { uid, .. }) if *uid != mitigation.uid => Seen::Gone,
        (Change::Diverted { selector: before, stand_in }, Live::Service { selector, diverted: Some(done), .. })
            if selector == stand_in && done.stand_in == *stand_in && done.selector == *before =>
        {
            Seen::AsChanged
        }
        (Change::Diverted { selector: before, .. }, Live::Service { selector, .. }) if selector == before => {
            Seen::AsBefore
        }
        (Change::Diverted { .. }, Live::Service { .. }) => Seen::Otherwise,
        (Change::Diverted { .. }, Live::Missing) => Seen::Gone,
        (Change::Diverted { .. }, Live::Replicas { .. }) => Seen::Unknown,
    }
}

/// Everything else is decided on caches: a workload that still looks scaled to zero there would be taken for idle.
fn is_seen_up(mitigation: &Mitigation, snapshot: &Snapshot) -> bool {
    match (&mitigation.change, &snapshot.workload) {
        (Change::ToZero { .. }, Workload::Present(state)) => state.uid != mitigation.uid || state.desired > 0,
        (Change::ToZero { .. }, Workload::Missing { .. } | Workload::Unknown(_)) => false,
        (Change::Diverted { .. }, _) => true,
    }
}

/// Replicas that the workload is meant to have, while it is at zero because we scaled it.
pub(super) fn scaled_down_from(snapshot: &Snapshot, mitigation: Option<&Mitigation>) -> Option<u32> {
    let mitigation = mitigation.filter(|known| known.phase != MitigationPhase::Overruled)?;
    let Workload::Present(state) = &snapshot.workload else { return None };
    let is_zero = state.desired == 0 || seen(mitigation, &snapshot.live) == Seen::AsChanged;
    match mitigation.change {
        Change::ToZero { replicas } if state.uid == mitigation.uid && is_zero => Some(replicas),
        Change::ToZero { .. } | Change::Diverted { .. } => None,
    }
}

/// Gives the step its outcome in the history, unless it is a trial, which is verified.
pub fn conclude(state: &mut State, step: Step, outcome: Outcome) {
    if step != Step::RestoreReplicas || !is_on_trial(&state.attempts) {
        state.history.conclude_last(step, outcome);
    }
}

fn is_on_trial(attempts: &Attempts) -> bool {
    attempts.in_flight.as_ref().is_some_and(|in_flight| in_flight.action.step == Step::RestoreReplicas)
}
