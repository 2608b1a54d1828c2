//! What of the cluster's budgets is used, and by whom. No namespace uses more than its share while others have services that
//! count, and none is believed to.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    fleet::{sum::Namespace, view::Fleet},
    moment::before,
};

/// A repair takes others' place no longer than this: how long it takes to prove itself is its service's own affair.
pub const LONGEST_PLACE: SignedDuration = SignedDuration::from_mins(30);

/// How much of a budget is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// By the service's own namespace.
    pub own: usize,
    /// By the others, each within its share; not counted on beyond the limit.
    pub others: usize,
    /// When the earliest began that is counted.
    pub earliest: Option<Timestamp>,
}

impl Usage {
    /// By all.
    pub fn all(&self) -> usize {
        self.own + self.others
    }

    fn add(&mut self, times: &[Timestamp]) {
        self.others += times.len();
        self.earliest = times.last().copied().into_iter().chain(self.earliest).min();
    }
}

/// What one namespace may use of a budget while others have services that count: more than half is nobody's.
pub fn share(limit: usize) -> usize {
    limit.div_ceil(2).max(1)
}

impl Fleet {
    /// Whether no other namespace has services that count: then there is nobody to share with.
    pub fn is_alone(&self) -> bool {
        let own = self.of(&self.namespace).is_some_and(|namespace| namespace.trouble.services > 0);
        self.sum.counting <= usize::from(own)
    }

    /// Whether services of other namespaces are unhealthy, and may want to use what is left.
    pub fn others_are_in_trouble(&self) -> bool {
        let own = self.of(&self.namespace).map_or(0, |namespace| namespace.trouble.ongoing);
        self.sum.whole.ongoing > own
    }

    /// Repairs in flight, this service's not counted.
    pub fn in_flight(&self, limit: usize, now: Timestamp) -> Usage {
        let mine = self.me.as_ref().is_some_and(|(_, peer)| peer.in_flight.is_some());
        let own: usize = self.of(&self.namespace).map_or(0, |namespace| namespace.in_flight.values().sum());
        let mut usage = Usage { own: own.saturating_sub(usize::from(mine)), ..Usage::default() };
        let begin = before(now, LONGEST_PLACE);
        let namespaces = self.sum.repairing.iter().filter(|name| **name != self.namespace);
        for namespace in namespaces.filter_map(|name| self.of(name)) {
            usage.add(&latest(&namespace.in_flight, begin, share(limit)));
            if usage.others >= limit {
                break;
            }
        }
        usage
    }

    /// When the last repair of this namespace was over, if that was before now.
    pub fn last_concluded(&self, now: Timestamp) -> Option<Timestamp> {
        let all = &self.of(&self.namespace)?.concluded;
        all.range(..=now).next_back().map(|(time, _)| *time)
    }

    /// Actions that began within the last so long. One from the future is of a moment ago, as far as anybody knows.
    pub fn actions_within(&self, length: SignedDuration, limit: usize, now: Timestamp) -> Usage {
        let begin = before(now, length);
        let of = |namespace: &Namespace, most: usize| latest(&namespace.actions, begin, most);
        let mine = self.of(&self.namespace).map(|namespace| of(namespace, limit)).unwrap_or_default();
        let mut usage = Usage { own: mine.len(), others: 0, earliest: mine.last().copied() };
        let lately = self.sum.acted.iter().rev().take_while(|(time, _)| *time > begin);
        for (_, name) in lately.filter(|(_, name)| *name != self.namespace) {
            let Some(namespace) = self.of(name) else { continue };
            usage.add(&of(namespace, share(limit)));
            if usage.others >= limit {
                break;
            }
        }
        usage.earliest = usage.earliest.map(|time| time.min(now));
        usage
    }

    /// The instant after which this namespace has used less than so many of the actions that it began.
    pub fn own_action(&self, latest_but: usize) -> Option<Timestamp> {
        let actions = &self.of(&self.namespace)?.actions;
        latest(actions, Timestamp::MIN, latest_but).last().copied()
    }
}

/// The latest instants after `begin`, at most so many, the latest first.
fn latest(counts: &std::collections::BTreeMap<Timestamp, usize>, begin: Timestamp, most: usize) -> Vec<Timestamp> {
    let lately = counts.iter().rev().take_while(|(time, _)| **time > begin);
    lately.flat_map(|(time, count)| std::iter::repeat_n(*time, *count)).take(most).collect()
}
