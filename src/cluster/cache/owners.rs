//! Which services name a workload, the oldest first: it acts, and is the only one that what happens to the workload concerns.
//!
//! However many there are, what happens to a workload wakes one, and a change of who is first wakes few.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kubeheal_core::model::snapshot::WorkloadKind;

use crate::{
    api::HealedService,
    base::{Key, key_of, target_of},
};

/// So many of those that wait are woken when another one is first. The others learn it when they are reconciled anyway.
const WOKEN_AT_ONCE: usize = 8;

type Target = (WorkloadKind, Key);

/// Where a service stands among those that name its workload: those that are being deleted last, then by age, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    leaves: bool,
    created: Option<Timestamp>,
    key: Key,
}

impl Rank {
    fn of(service: &HealedService) -> Self {
        let created = service.metadata.creation_timestamp.as_ref().map(|time| time.0);
        Self { leaves: service.metadata.deletion_timestamp.is_some(), created, key: key_of(&service.metadata) }
    }
}

/// Services by the workload that they name.
#[derive(Debug, Default)]
pub(super) struct Owners {
    of_target: BTreeMap<Target, BTreeSet<Rank>>,
    known: BTreeMap<Key, (Target, Rank)>,
}

impl Owners {
    /// Takes in a new or changed service. Returns those for whom another one is first now.
    pub(super) fn put(&mut self, service: &HealedService) -> BTreeSet<Key> {
        let (target, rank) = (target_of(service), Rank::of(service));
        if self.known.get(&rank.key).is_some_and(|(known, as_before)| *known == target && *as_before == rank) {
            return BTreeSet::new();
        }
        let mut touched = self.remove(&rank.key);
        let ranks = self.of_target.entry(target.clone()).or_default();
        let before = ranks.first().cloned();
        ranks.insert(rank.clone());
        if ranks.first() != before.as_ref() {
            touched.extend(first_few(ranks));
        }
        self.known.insert(rank.key.clone(), (target, rank));
        touched
    }

    /// Forgets a service. Returns those for whom another one is first now.
    pub(super) fn remove(&mut self, key: &Key) -> BTreeSet<Key> {
        let Some((target, rank)) = self.known.remove(key) else { return BTreeSet::new() };
        let Some(ranks) = self.of_target.get_mut(&target) else { return BTreeSet::new() };
        let was_first = ranks.first() == Some(&rank);
        ranks.remove(&rank);
        let touched = if was_first { first_few(ranks) } else { BTreeSet::new() };
        if ranks.is_empty() {
            self.of_target.remove(&target);
        }
        touched
    }

    /// The first of those that name a workload.
    pub(super) fn of(&self, target: &Target) -> Option<&Key> {
        self.of_target.get(target)?.first().map(|rank| &rank.key)
    }

    /// The first for each workload of a namespace.
    pub(super) fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Key> {
        WorkloadKind::ALL.into_iter().flat_map(move |kind| {
            let all = self.of_target.range((kind, (namespace.to_owned(), String::new()))..);
            let here = all.take_while(move |((of, key), _)| *of == kind && key.0 == namespace);
            here.filter_map(|(_, ranks)| ranks.first()).map(|rank| &rank.key)
        })
    }

    /// The other one that is first, if it stays and this one is not.
    pub(super) fn before(&self, key: &Key) -> Option<&Key> {
        let (target, rank) = self.known.get(key)?;
        let first = self.of_target.get(target)?.first()?;
        (first < rank && !first.leaves).then_some(&first.key)
    }
}

fn first_few(ranks: &BTreeSet<Rank>) -> BTreeSet<Key> {
    ranks.iter().take(WOKEN_AT_ONCE).map(|rank| rank.key.clone()).collect()
}
