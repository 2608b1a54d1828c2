//! The sum over all services: by namespace, and over namespaces. What is added is subtracted exactly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::fleet::{
    peer::{PeerStatus, ServiceKey},
    trouble::{Trouble, changes, shift, take_one},
};

/// The services of one namespace, in sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Namespace {
    pub(super) trouble: Trouble,
    /// How many of its services are known.
    known: usize,
    /// How many repairs are in flight since when.
    pub(super) in_flight: BTreeMap<Timestamp, usize>,
    /// How many repairs were over when.
    pub(super) concluded: BTreeMap<Timestamp, usize>,
    /// How many actions began when.
    pub(super) actions: BTreeMap<Timestamp, usize>,
}

/// All services, in sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) whole: Trouble,
    pub(super) namespaces: BTreeMap<String, Namespace>,
    /// In how many namespaces services count.
    pub(super) counting: usize,
    /// In how many namespaces so many services are unhealthy.
    pub(super) hit: BTreeMap<usize, usize>,
    /// By how much the number of unhealthy services changed when and in which namespace.
    pub(super) changes: BTreeMap<(Timestamp, String), isize>,
    /// Namespaces with repairs in flight.
    pub(super) repairing: BTreeSet<String>,
    /// Namespaces by their latest action.
    pub(super) acted: BTreeSet<(Timestamp, String)>,
    /// Services that are unhealthy now, held ones left out; also those whose trouble counts for nobody.
    pub(super) unhealthy: BTreeSet<ServiceKey>,
    /// By destination: who shares it and is unhealthy, and who notifies it of a storm.
    pub(super) sharing: BTreeMap<String, BTreeSet<ServiceKey>>,
    pub(super) notifying: BTreeMap<String, BTreeSet<ServiceKey>>,
}

impl Sum {
    pub(super) fn add(&mut self, key: &ServiceKey, peer: &PeerStatus) {
        self.change(key, |namespace| {
            namespace.known += 1;
            if peer.counts {
                namespace.trouble.add(peer.counted(), &peer.shares);
            }
            for (times, counts) in namespace.times(peer) {
                for time in times {
                    *counts.entry(time).or_default() += 1;
                }
            }
        });
        if peer.counts {
            self.whole.add(peer.counted(), &peer.shares);
        }
        for (time, change) in peer.counted().iter().flat_map(changes) {
            shift(&mut self.changes, (time, key.0.clone()), change);
        }
        if peer.episode.is_some_and(|episode| episode.is_ongoing()) && !peer.held {
            self.unhealthy.insert(key.clone());
            for receiver in &*peer.receivers {
                self.sharing.entry(receiver.destination.clone()).or_default().insert(key.clone());
            }
        }
        for destination in &peer.notifies_of_storm {
            self.notifying.entry(destination.clone()).or_default().insert(key.clone());
        }
    }

    pub(super) fn subtract(&mut self, key: &ServiceKey, peer: &PeerStatus) {
        self.change(key, |namespace| {
            namespace.known -= 1;
            if peer.counts {
                namespace.trouble.subtract(peer.counted(), &peer.shares);
            }
            for (times, counts) in namespace.times(peer) {
                for time in times {
                    take_one(counts, &time);
                }
            }
        });
        if peer.counts {
            self.whole.subtract(peer.counted(), &peer.shares);
        }
        for (time, change) in peer.counted().iter().flat_map(changes) {
            shift(&mut self.changes, (time, key.0.clone()), -change);
        }
        self.unhealthy.remove(key);
        for destination in peer.receivers.iter().map(|one| &one.destination).chain(&peer.notifies_of_storm) {
            for known in [&mut self.sharing, &mut self.notifying] {
                if let Some(keys) = known.get_mut(destination) {
                    keys.remove(key);
                    if keys.is_empty() {
                        known.remove(destination);
                    }
                }
            }
        }
    }

    /// Changes a namespace, and what is known of namespaces by what they are.
    fn change(&mut self, (name, _): &ServiceKey, how: impl FnOnce(&mut Namespace)) {
        let mut namespace = self.namespaces.remove(name).unwrap_or_default();
        self.unlist(name, &namespace);
        how(&mut namespace);
        self.list(name, &namespace);
        if namespace.known > 0 {
            self.namespaces.insert(name.clone(), namespace);
        }
    }

    fn list(&mut self, name: &str, namespace: &Namespace) {
        self.counting += usize::from(namespace.trouble.services > 0);
        if namespace.trouble.ongoing > 0 {
            *self.hit.entry(namespace.trouble.ongoing).or_default() += 1;
        }
        if !namespace.in_flight.is_empty() {
            self.repairing.insert(name.to_owned());
        }
        if let Some((latest, _)) = namespace.actions.last_key_value() {
            self.acted.insert((*latest, name.to_owned()));
        }
    }

    fn unlist(&mut self, name: &str, namespace: &Namespace) {
        self.counting -= usize::from(namespace.trouble.services > 0);
        take_one(&mut self.hit, &namespace.trouble.ongoing);
        self.repairing.remove(name);
        if let Some((latest, _)) = namespace.actions.last_key_value() {
            self.acted.remove(&(*latest, name.to_owned()));
        }
    }
}

impl Namespace {
    /// The instants that a service tells, each with those of the namespace that it belongs to.
    fn times<'a>(&'a mut self, peer: &PeerStatus) -> [(Vec<Timestamp>, &'a mut BTreeMap<Timestamp, usize>); 3] {
        [
            (peer.in_flight.into_iter().collect(), &mut self.in_flight),
            (peer.concluded.into_iter().collect(), &mut self.concluded),
            (peer.actions.clone(), &mut self.actions),
        ]
    }
}
