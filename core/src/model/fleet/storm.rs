//! Storms: more services are unhealthy at once than causes of their own explain, in one namespace or in the whole cluster.
//!
//! No namespace makes a storm for others, whatever its services claim: it weighs at most a share of what a storm of the cluster
//! takes, and less than all of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    fleet::{
        level::{Level, Limits},
        peer::{PeerStatus, ServiceKey},
        trouble::changes,
        view::Fleet,
    },
    moment::{Moment, after, before},
    policy::ClusterPolicy,
    reason::{Block, Reason},
    state::Episode,
};

/// Others get well without telling us: a storm is asked about again after so long.
const STORM_CHECK: SignedDuration = SignedDuration::from_secs(30);

/// Whom a storm concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The services of one namespace.
    Namespace,
    /// All.
    Cluster,
}

/// The number of unhealthy services of a namespace changed, by so many.
type ChangeIn<'a> = (Timestamp, &'a str, isize);

impl Fleet {
    /// The storm that holds this service: of the whole cluster, or of its namespace. What each remembers of its last time of
    /// trouble is enough to see a storm that has just passed, so nothing needs to remember the storm itself.
    pub fn storm(&self, policy: &ClusterPolicy, moment: &Moment) -> Option<Block> {
        self.storm_in(Scope::Cluster, policy, moment).or_else(|| self.storm_in(Scope::Namespace, policy, moment))
    }

    /// Whom the storm concerns that holds this service, or would.
    pub fn scope(&self, policy: &ClusterPolicy, moment: &Moment) -> Scope {
        let storm = self.storm_in(Scope::Cluster, policy, moment);
        if storm.is_some() { Scope::Cluster } else { Scope::Namespace }
    }

    /// Services of a scope that are unhealthy now, by their status; those that a dependency holds are left out.
    pub fn unhealthy(&self, scope: Scope) -> impl Iterator<Item = &ServiceKey> {
        let first = match scope {
            Scope::Namespace => (self.namespace.clone(), String::new()),
            Scope::Cluster => ServiceKey::default(),
        };
        self.sum.unhealthy.range(first..).take_while(move |(namespace, _)| self.is_in(scope, namespace))
    }

    /// Whether this service notifies the receivers at a destination of a storm: nobody else of its scope does, and of those that
    /// are unhealthy and share the destination it comes first.
    pub fn is_first_at(&self, destination: &str, scope: Scope) -> bool {
        let Some((me, _)) = &self.me else { return true };
        let nobody = BTreeSet::new();
        let of = |known: &BTreeMap<String, BTreeSet<ServiceKey>>| {
            let mut all = known.get(destination).unwrap_or(&nobody).iter();
            all.find(|key| *key != me && self.is_in(scope, &key.0)).cloned()
        };
        of(&self.sum.notifying).is_none() && of(&self.sum.sharing).is_none_or(|first| first > *me)
    }

    fn is_in(&self, scope: Scope, namespace: &str) -> bool {
        scope == Scope::Cluster || namespace == self.namespace
    }

    fn storm_in(&self, scope: Scope, policy: &ClusterPolicy, moment: &Moment) -> Option<Block> {
        let of_namespace = self.of(&self.namespace).map(|namespace| &namespace.trouble);
        let trouble = match scope {
            Scope::Namespace => of_namespace?,
            Scope::Cluster => &self.sum.whole,
        };
        let now = moment.now();
        let limits = match scope {
            Scope::Namespace => Limits::of_namespace(policy, trouble.services),
            Scope::Cluster => Limits::of_cluster(policy, trouble.services),
        };
        let level = self.level(scope, limits);
        if level.is_storm() {
            let current = level.all();
            let place = match scope {
                Scope::Namespace => format!("in namespace {}", self.namespace),
                Scope::Cluster => "in several namespaces".to_owned(),
            };
            let message = format!(
                "{current} of {} services are unhealthy at once {place}, more than {}: something they share is{}",
                trouble.services,
                limits.limit,
                trouble.shared_by_most(current)
            );
            moment.wake_at(after(now, STORM_CHECK));
            return Some(Block::new(Reason::StormHold, message));
        }
        let begin = before(now, policy.storm_cooldown);
        let changes: Vec<ChangeIn<'_>> = match scope {
            Scope::Namespace => {
                trouble.changes_since(begin).map(|(time, change)| (time, &*self.namespace, change)).collect()
            }
            Scope::Cluster => {
                let all = self.sum.changes.iter().rev().take_while(|((time, _), _)| *time > begin);
                all.map(|((time, namespace), change)| (*time, namespace.as_str(), *change)).collect()
            }
        };
        let ended = self.last_end(level, &self.with_own_changes(changes, begin, now))?;
        let message = format!("many services were unhealthy at once until {ended:.0}; waiting for the cool-down");
        (!moment.reached(after(ended, policy.storm_cooldown))).then(|| Block::new(Reason::StormHold, message))
    }

    /// How many services of a scope are unhealthy now.
    fn level(&self, scope: Scope, limits: Limits) -> Level {
        let mut level = Level::new(limits);
        let own = self.of(&self.namespace).map_or(0, |namespace| namespace.trouble.ongoing);
        match scope {
            Scope::Namespace => level.add(own, 1),
            Scope::Cluster => {
                for (unhealthy, namespaces) in &self.sum.hit {
                    level.add(*unhealthy, *namespaces);
                }
            }
        }
        level.change(own, self.ongoing(&self.namespace));
        level
    }

    /// How many services of a namespace are unhealthy, this one as it is now.
    fn ongoing(&self, namespace: &str) -> usize {
        let known = self.of(namespace).map_or(0, |namespace| namespace.trouble.ongoing);
        if namespace == self.namespace { known.saturating_add_signed(self.own_difference()) } else { known }
    }

    /// By how much the sum is wrong about this service.
    fn own_difference(&self) -> isize {
        let is_ongoing = |episode: Option<Episode>| isize::from(episode.is_some_and(|episode| episode.is_ongoing()));
        is_ongoing(self.own_now()) - is_ongoing(self.own_stored())
    }

    fn own_stored(&self) -> Option<Episode> {
        self.me.as_ref().and_then(|(_, peer)| peer.counted())
    }

    fn own_now(&self) -> Option<Episode> {
        let (_, peer) = self.me.as_ref()?;
        PeerStatus { episode: self.now, counts: peer.counts, held: peer.held, ..PeerStatus::default() }.counted()
    }

    /// What changed since `begin`, this service as it is now; the latest first. What claims to be still to come is of this
    /// moment, as far as anybody knows.
    fn with_own_changes<'a>(
        &'a self,
        mut all: Vec<ChangeIn<'a>>,
        begin: Timestamp,
        now: Timestamp,
    ) -> Vec<ChangeIn<'a>> {
        let namespace = self.namespace.as_str();
        let stored = self.own_stored().into_iter().flat_map(|episode| changes(&episode));
        let current = self.own_now().into_iter().flat_map(|episode| changes(&episode));
        let own = stored.map(|(time, change)| (time, -change)).chain(current);
        all.extend(own.filter(|(time, _)| *time > begin).map(|(time, change)| (time, namespace, change)));
        for change in &mut all {
            change.0 = change.0.min(now);
        }
        all.sort_unstable_by_key(|(time, _, _)| std::cmp::Reverse(*time));
        all
    }

    /// When what is a storm no more last was one, told by going back from now.
    fn last_end(&self, mut level: Level, changes: &[ChangeIn<'_>]) -> Option<Timestamp> {
        let mut counts: BTreeMap<&str, isize> = BTreeMap::new();
        for at_once in changes.chunk_by(|one, next| one.0 == next.0) {
            let is_later = level.is_storm();
            for (_, namespace, change) in at_once {
                let now = || isize::try_from(self.ongoing(namespace)).unwrap_or(isize::MAX);
                let count = counts.entry(namespace).or_insert_with(now);
                let before = *count - change;
                let of = |count: isize| usize::try_from(count).unwrap_or(0);
                level.change(of(*count), of(before));
                *count = before;
            }
            if !is_later && level.is_storm() {
                return at_once.first().map(|(time, _, _)| *time);
            }
        }
        None
    }
}
