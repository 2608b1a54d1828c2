//! Requests by annotation: each is answered once, whatever comes of it.

use jiff::Timestamp;

use super::Weighed;
use crate::model::{
    reason::Reason,
    snapshot::Snapshot,
    state::{Outcome, State},
};

/// Whether a person wants something done now. A request that was there before the service was first observed is not ours to
/// answer: it came with a backup, or was answered in a status that somebody wiped.
pub fn is_requested(snapshot: &Snapshot, state: &State) -> bool {
    is_new(snapshot, state) && snapshot.state.observed.since.is_some()
}

/// Remembers the request as answered, and tells what came of it.
pub fn answer(snapshot: &Snapshot, requested: bool, weighed: &Weighed, state: &mut State, now: Timestamp) {
    let is_new = is_new(snapshot, state);
    state.requests.heal_now.clone_from(&snapshot.service.heal_now);
    if !is_new {
        return;
    }
    let (cause, outcome) = match (weighed.blocked_by.first(), &weighed.proposal) {
        _ if !requested => (Reason::NotYet, Outcome::Dropped),
        (Some(block), _) => (block.reason, Outcome::Dropped),
        (None, Some(_)) => (Reason::Allowed, Outcome::Verified),
        (None, None) => (Reason::NotNeeded, Outcome::Dropped),
    };
    state.history.answer("HealNow", cause.as_str(), outcome, now);
}

fn is_new(snapshot: &Snapshot, state: &State) -> bool {
    snapshot.service.heal_now.is_some() && snapshot.service.heal_now != state.requests.heal_now
}
