//! The fleet: what all services of the cluster are, in sum.
//!
//! It is kept up to date service by service, so that what a decision asks of it does not grow with the number of services: it
//! searches sorted instants, and goes through those services only whose trouble has ended within the cool-down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    alert::Receiver,
    moment::{MINUTE, Moment, after, before},
    policy::ClusterPolicy,
    reason::{Block, Reason},
    state::Episode,
};

/// Namespace and name.
pub type ServiceKey = (String, String);

/// Others get well without telling us: a storm is asked about again after so long.
const STORM_CHECK: SignedDuration = SignedDuration::from_secs(30);

/// What is known of one service, from its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its current or last unhealthy time.
    pub episode: Option<Episode>,
    /// A dependency holds it: its trouble is not its own.
    pub held: bool,
    /// A repair is in flight.
    pub in_flight: bool,
    /// When its latest actions began.
    pub actions: Vec<Timestamp>,
    /// Its receivers of alerts.
    pub receivers: Arc<[Receiver]>,
    /// Destinations that it notifies of a storm that goes on.
    pub notifies_of_storm: Vec<String>,
    /// What its trouble lies in, and that of others may lie in too.
    pub shares: Vec<Shared>,
}

/// What services in trouble may have in common. What tells most comes first, and is said of several that equally many share: what
/// something was found about before what is only around it, and the part before the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// The one node, of several, on which all its pods are that something is wrong with.
    Node(String),
    /// A root cause that a rule named.
    Diagnosis(String),
    /// An image that cannot be had.
    Image(String),
    /// The registry of such an image.
    Registry(String),
    /// A service that it depends on, as namespace/name.
    Dependency(String),
    /// The one zone, of several, in which all its pods are that something is wrong with.
    Zone(String),
}

impl Shared {
    /// What is said of so many that share it.
    fn words(&self, count: usize) -> String {
        match self {
            Self::Node(name) => format!("what is wrong with {count} of them lies on node {name}"),
            Self::Diagnosis(name) => format!("{count} of them say {name}"),
            Self::Image(reference) => format!("{count} of them wait for image {reference}"),
            Self::Registry(host) => format!("{count} of them wait for images from registry {host}"),
            Self::Dependency(service) => format!("{count} of them depend on {service}"),
            Self::Zone(name) => format!("what is wrong with {count} of them lies in zone {name}"),
        }
    }
}

/// All services of the cluster, in sum, as one of them sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    sum: Arc<Sum>,
    /// This service, as its last status says: it is in the sum.
    me: Option<(ServiceKey, PeerStatus)>,
    /// Its unhealthy time as it is known to be now.
    now: Option<Episode>,
}

/// The sum, and what each service contributes to it.
#[derive(Debug, Clone, Default)]
pub struct FleetIndex {
    peers: BTreeMap<ServiceKey, PeerStatus>,
    sum: Arc<Sum>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Sum {
    services: usize,
    in_flight: usize,
    /// Begins and ends of unhealthy times that count towards a storm, each sorted. An end has a begin before it.
    begins: Vec<Timestamp>,
    ends: Vec<Timestamp>,
    /// How many actions began when.
    actions: BTreeMap<Timestamp, usize>,
    /// Services that are unhealthy now, held ones not counted.
    unhealthy: BTreeSet<ServiceKey>,
    /// By destination: who shares it and is unhealthy, and who notifies it of a storm.
    sharing: BTreeMap<String, BTreeSet<ServiceKey>>,
    notifying: BTreeMap<String, BTreeSet<ServiceKey>>,
    /// How many of those that are unhealthy share what.
    shared: BTreeMap<Shared, usize>,
}

impl FleetIndex {
    /// Takes in what a service's status says.
    pub fn set(&mut self, key: &ServiceKey, peer: PeerStatus) {
        let known = self.peers.get(key);
        if known == Some(&peer) {
            return;
        }
        let sum = Arc::make_mut(&mut self.sum);
        if let Some(known) = known {
            sum.subtract(key, known);
        }
        sum.add(key, &peer);
        self.peers.insert(key.clone(), peer);
    }

    /// Forgets a service.
    pub fn remove(&mut self, key: &ServiceKey) {
        if let Some(known) = self.peers.remove(key) {
            Arc::make_mut(&mut self.sum).subtract(key, &known);
        }
    }

    /// The sum as this service sees it.
    pub fn seen_by(&self, key: &ServiceKey) -> Fleet {
        let me = self.peers.get_key_value(key).map(|(key, peer)| (key.clone(), peer.clone()));
        let now = me.as_ref().and_then(|(_, peer)| peer.episode);
        Fleet { sum: self.sum.clone(), me, now }
    }
}

impl Fleet {
    /// The fleet with this service's unhealthy time as it is now, and not as its last status said.
    #[must_use]
    pub fn with_own(&self, episode: Option<Episode>) -> Self {
        Self { now: episode, ..self.clone() }
    }

    /// Repairs in flight, this service's not counted.
    pub fn others_in_flight(&self) -> usize {
        let own = self.me.as_ref().is_some_and(|(_, peer)| peer.in_flight);
        self.sum.in_flight.saturating_sub(usize::from(own))
    }

    /// How many actions began in the last minute, and the earliest of them. One from the future is of a moment ago, as far as
    /// anybody knows.
    pub fn actions_lately(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let lately = || self.sum.actions.iter().rev().take_while(|(time, _)| **time > before(now, MINUTE));
        let count = lately().map(|(_, count)| count).sum();
        (count, lately().last().map(|(time, _)| (*time).min(now)))
    }

    /// Services that are unhealthy now, by their status; those that a dependency holds are not counted.
    pub fn unhealthy(&self) -> impl Iterator<Item = &ServiceKey> {
        self.sum.unhealthy.iter()
    }

    /// Whether this service notifies the receivers at a destination of a storm: nobody else does, and of those that are unhealthy
    /// and share the destination it comes first.
    pub fn is_first_at(&self, destination: &str) -> bool {
        let Some((me, _)) = &self.me else { return true };
        let nobody = BTreeSet::new();
        let of = |known: &BTreeMap<String, BTreeSet<ServiceKey>>| {
            known.get(destination).unwrap_or(&nobody).iter().find(|key| *key != me).cloned()
        };
        of(&self.sum.notifying).is_none() && of(&self.sum.sharing).is_none_or(|first| first > *me)
    }

    /// A storm: more services are unhealthy at once than one cause of their own explains. What each remembers of its last
    /// unhealthy time is enough to see a storm that has just passed, so nothing needs to remember the storm itself.
    pub fn storm(&self, policy: &ClusterPolicy, moment: &Moment) -> Option<Block> {
        let (total, now) = (self.sum.services, moment.now());
        let share = (total * policy.storm_percent as usize).div_ceil(100);
        let limit = share.max(policy.storm_minimum as usize);
        let current = self.unhealthy_at(now);
        if current > limit {
            let message = format!(
                "{current} of {total} services are unhealthy at once, more than {limit}: something they share is{}",
                self.sum.shared_by_most(current)
            );
            moment.wake_at(after(now, STORM_CHECK));
            return Some(Block::new(Reason::StormHold, message));
        }
        let ended = self.last_storm_end(limit, before(now, policy.storm_cooldown), now)?;
        let message = format!("many services were unhealthy at once until {ended:.0}; waiting for the cool-down");
        (!moment.reached(after(ended, policy.storm_cooldown))).then(|| Block::new(Reason::StormHold, message))
    }

    /// When the number of unhealthy services last fell to the limit, if that was since `begin`.
    fn last_storm_end(&self, limit: usize, begin: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let own = self.own_counted().and_then(|episode| episode.until);
        let of_peers = self.sum.ends.iter().rev().copied().take_while(|&end| end > begin);
        let mut ends: Vec<Timestamp> =
            of_peers.chain(own.filter(|&end| end > begin)).filter(|&end| end <= now).collect();
        if self.unhealthy_at(now) + ends.len() <= limit {
            // Not even all of them together were too many.
            return None;
        }
        ends.sort_unstable();
        let just_before = |end: Timestamp| before(end, SignedDuration::from_nanos(1));
        ends.into_iter()
            .rev()
            .find(|&end| self.unhealthy_at(end) <= limit && self.unhealthy_at(just_before(end)) > limit)
    }

    /// Services that were unhealthy at an instant.
    fn unhealthy_at(&self, time: Timestamp) -> usize {
        let count = |sorted: &[Timestamp]| sorted.partition_point(|&known| known <= time);
        let all = count(&self.sum.begins).saturating_sub(count(&self.sum.ends));
        let covers = |episode: Option<Episode>| episode.is_some_and(|episode| covers(&episode, time));
        let stored = self.me.as_ref().is_some_and(|(_, peer)| covers(counted(peer)));
        (all + usize::from(covers(self.own_counted()))).saturating_sub(usize::from(stored))
    }

    /// This service's unhealthy time, if it counts.
    fn own_counted(&self) -> Option<Episode> {
        let (_, peer) = self.me.as_ref()?;
        self.now.filter(|_| !peer.held).map(plausible)
    }
}

impl FromIterator<(ServiceKey, PeerStatus)> for FleetIndex {
    fn from_iter<I: IntoIterator<Item = (ServiceKey, PeerStatus)>>(peers: I) -> Self {
        let mut index = Self::default();
        for (key, peer) in peers {
            index.set(&key, peer);
        }
        index
    }
}

/// The unhealthy time that counts towards a storm.
fn counted(peer: &PeerStatus) -> Option<Episode> {
    peer.episode.filter(|_| !peer.held).map(plausible)
}

/// An end before its begin is none.
fn plausible(episode: Episode) -> Episode {
    Episode { until: episode.until.filter(|&end| end >= episode.since), ..episode }
}

fn covers(episode: &Episode, time: Timestamp) -> bool {
    episode.since <= time && episode.until.is_none_or(|end| time < end)
}

impl Sum {
    /// What most of those that are unhealthy share, to be said after that they share something.
    fn shared_by_most(&self, unhealthy: usize) -> String {
        // Of several that tell the same, the first.
        let most = self.shared.iter().rev().max_by_key(|(_, count)| **count);
        let most = most.filter(|(_, count)| **count > 1 && **count * 2 > unhealthy);
        most.map(|(shared, count)| format!("; {}", shared.words(*count))).unwrap_or_default()
    }

    fn add(&mut self, key: &ServiceKey, peer: &PeerStatus) {
        self.services += 1;
        self.in_flight += usize::from(peer.in_flight);
        if let Some(Episode { since, until }) = counted(peer) {
            insert(&mut self.begins, since);
            if let Some(end) = until {
                insert(&mut self.ends, end);
            }
        }
        for time in &peer.actions {
            *self.actions.entry(*time).or_default() += 1;
        }
        if peer.episode.is_some_and(|episode| episode.is_ongoing()) && !peer.held {
            self.unhealthy.insert(key.clone());
            for shared in &peer.shares {
                *self.shared.entry(shared.clone()).or_default() += 1;
            }
            for receiver in &*peer.receivers {
                self.sharing.entry(receiver.destination.clone()).or_default().insert(key.clone());
            }
        }
        for destination in &peer.notifies_of_storm {
            self.notifying.entry(destination.clone()).or_default().insert(key.clone());
        }
    }

    fn subtract(&mut self, key: &ServiceKey, peer: &PeerStatus) {
        self.services -= 1;
        self.in_flight -= usize::from(peer.in_flight);
        if let Some(Episode { since, until }) = counted(peer) {
            take(&mut self.begins, since);
            if let Some(end) = until {
                take(&mut self.ends, end);
            }
        }
        for time in &peer.actions {
            if let Some(count) = self.actions.get_mut(time) {
                *count -= 1;
                if *count == 0 {
                    self.actions.remove(time);
                }
            }
        }
        if self.unhealthy.remove(key) {
            for shared in &peer.shares {
                if let Some(count) = self.shared.get_mut(shared) {
                    *count -= 1;
                    if *count == 0 {
                        self.shared.remove(shared);
                    }
                }
            }
        }
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
}

fn insert(sorted: &mut Vec<Timestamp>, time: Timestamp) {
    let place = sorted.partition_point(|&known| known <= time);
    sorted.insert(place, time);
}

fn take(sorted: &mut Vec<Timestamp>, time: Timestamp) {
    if let Ok(place) = sorted.binary_search(&time) {
        sorted.remove(place);
    }
}
