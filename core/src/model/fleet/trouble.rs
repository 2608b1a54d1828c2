//! When how many services were unhealthy: counts, and the instants at which they changed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{fleet::peer::Shared, state::Episode};

/// A change of the number of unhealthy services at an instant: one more, or one less.
pub(super) type Change = (Timestamp, isize);

/// The services of one scope that count towards a storm.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Trouble {
    /// How many count at all.
    pub(super) services: usize,
    /// How many are unhealthy.
    pub(super) ongoing: usize,
    /// By how much that number changed when.
    changes: BTreeMap<Timestamp, isize>,
    /// How many of those that are unhealthy share what.
    shared: BTreeMap<Shared, usize>,
}

impl Trouble {
    /// Takes in one that counts, with its time of trouble.
    pub(super) fn add(&mut self, episode: Option<Episode>, shares: &[Shared]) {
        self.services += 1;
        let Some(episode) = episode else { return };
        for (time, change) in changes(&episode) {
            shift(&mut self.changes, time, change);
        }
        if episode.is_ongoing() {
            self.ongoing += 1;
            for shared in shares {
                *self.shared.entry(shared.clone()).or_default() += 1;
            }
        }
    }

    /// Takes it out again.
    pub(super) fn subtract(&mut self, episode: Option<Episode>, shares: &[Shared]) {
        self.services -= 1;
        let Some(episode) = episode else { return };
        for (time, change) in changes(&episode) {
            shift(&mut self.changes, time, -change);
        }
        if episode.is_ongoing() {
            self.ongoing -= 1;
            for shared in shares {
                take_one(&mut self.shared, shared);
            }
        }
    }

    /// What changed since `begin`.
    pub(super) fn changes_since(&self, begin: Timestamp) -> impl Iterator<Item = Change> {
        self.changes.iter().rev().map(|(time, change)| (*time, *change)).take_while(move |(time, _)| *time > begin)
    }

    /// What most of those that are unhealthy share, to be said after that they share something.
    pub(super) fn shared_by_most(&self, unhealthy: usize) -> String {
        // Of several that tell the same, the first.
        let most = self.shared.iter().rev().max_by_key(|(_, count)| **count);
        let most = most.filter(|(_, count)| **count > 1 && **count * 2 > unhealthy);
        most.map(|(shared, count)| format!("; {}", shared.words(*count))).unwrap_or_default()
    }
}

/// What a time of trouble changes.
pub(super) fn changes(episode: &Episode) -> impl Iterator<Item = Change> + use<> {
    std::iter::once((episode.since, 1)).chain(episode.until.map(|end| (end, -1)))
}

/// Adds to what is known of a key. What comes to nothing is forgotten.
pub(super) fn shift<K: Ord>(changes: &mut BTreeMap<K, isize>, key: K, change: isize) {
    let entry = changes.entry(key);
    if let std::collections::btree_map::Entry::Occupied(known) = &entry
        && *known.get() + change == 0
    {
        if let std::collections::btree_map::Entry::Occupied(known) = entry {
            known.remove();
        }
        return;
    }
    *entry.or_default() += change;
}

/// One less of a key.
pub(super) fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
