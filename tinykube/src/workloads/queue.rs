//! What is to be done, and when. Work is ordered by controller, then by object, so every run does it in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::view::Key;
use crate::kubelet::after;

/// Who does a piece of work, in the order in which they take their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Namespace,
    Gc,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    Scheduler,
    Node,
    Pod,
    Disruption,
    Endpoints,
    EventTtl,
    Quota,
    Token,
}

/// One object one controller is to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Work {
    pub(crate) controller: Controller,
    pub(crate) key: Key,
}

impl Work {
    pub(crate) fn new(controller: Controller, key: Key) -> Work {
        Work { controller, key }
    }
}

/// Work to do now and later. Each piece of work has at most one timer, the latest one asked for.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    now: BTreeSet<Work>,
    timers: BTreeSet<(Timestamp, Work)>,
    due: BTreeMap<Work, Timestamp>,
    failures: BTreeMap<Work, u32>,
}

impl Queue {
    /// To be done now.
    pub(crate) fn add(&mut self, work: Work) {
        self.now.insert(work);
    }

    /// To be done at `at`; replaces the work's timer.
    pub(crate) fn at(&mut self, at: Timestamp, work: Work) {
        self.no_timer(&work);
        if at < Timestamp::MAX {
            self.due.insert(work.clone(), at);
            self.timers.insert((at, work));
        }
    }

    /// The work wants no further turn by itself; it went well.
    pub(crate) fn no_timer(&mut self, work: &Work) {
        self.failures.remove(work);
        if let Some(at) = self.due.remove(work) {
            self.timers.remove(&(at, work.clone()));
        }
    }

    /// The work failed: again after 5 ms, doubled each time up to 16 minutes, like client-go's rate limiter.
    pub(crate) fn retry(&mut self, now: Timestamp, work: Work) {
        let failures = self.failures.get(&work).copied().unwrap_or(0);
        let delay = Duration::from_millis(5) * (1 << failures.min(17));
        self.at(after(now, delay), work.clone());
        self.failures.insert(work, failures + 1);
    }

    /// Everything that is to be done at `now`, in order.
    pub(crate) fn take(&mut self, now: Timestamp) -> BTreeSet<Work> {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            if let Some((_, work)) = self.timers.pop_first() {
                self.due.remove(&work);
                self.now.insert(work);
            }
        }
        std::mem::take(&mut self.now)
    }

    /// When the earliest timer is due.
    pub(crate) fn next_timer(&self) -> Timestamp {
        self.timers.first().map_or(Timestamp::MAX, |(at, _)| *at)
    }
}
