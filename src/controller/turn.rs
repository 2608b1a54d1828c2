//! One turn of a service: what is in the caches and was read live → what is decided. Pure: the controller, replays and tests
//! all decide by it.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use jiff::Timestamp;
use kubeheal_core::{
    decide,
    model::{
        alert::Delivery,
        decision::Decision,
        policy::{Mode, Policy},
        reason::{Block, Reason},
        snapshot::{Live, Snapshot, Workload, WorkloadLease},
        state::LogEvidence,
    },
};

use crate::{
    api::HealedService,
    base::Key,
    cluster::{
        cache::Caches,
        execute::Stay,
        kept::Signing,
        log::{self, Termination, Wanted},
        snapshot::{Presence, snapshot},
    },
    policy::Effective,
};

/// What was read live, and what else no cache knows. The default: nothing was asked, and nothing is in the way.
#[derive(Debug, Clone, Default)]
pub struct LiveReads {
    /// Whether the workload exists.
    pub presence: Presence,
    /// Whether the namespace stays.
    pub namespace: Stay,
    /// The key that kept definitions are signed with.
    pub signing: Signing,
    /// The field that an open circuit changed or is about to change.
    pub field: Live,
    /// What became of notices to receivers.
    pub deliveries: Vec<Delivery>,
    /// What logs told, and no status says yet.
    pub logs: BTreeMap<Termination, LogEvidence>,
    /// Why the caches cannot be relied on.
    pub behind: Option<String>,
    /// The clock has jumped, and nothing may seem to last for that alone.
    pub clock_jumped: bool,
    /// Nothing is carried out, whatever the service's mode.
    pub observe_only: bool,
}

/// What was seen of a service at one moment.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The object that was judged. Its resourceVersion vouches for the state in the snapshot.
    pub service: Arc<HealedService>,
    /// What applies to it.
    pub effective: Arc<Effective>,
    /// The same as plain values, with what holds at this moment.
    pub policy: Policy,
    /// What was seen.
    pub snapshot: Snapshot,
    /// When.
    pub now: Timestamp,
    /// Logs that are to be read.
    pub wanted_logs: Vec<Wanted>,
    /// Nothing new gets into the namespace any more.
    pub namespace_ends: bool,
}

/// One turn of a service.
#[derive(Debug, Clone)]
pub struct Turn {
    /// What was seen.
    pub seen: Observation,
    /// What follows from it.
    pub decision: Decision,
}

impl Deref for Turn {
    type Target = Observation;

    fn deref(&self) -> &Observation {
        &self.seen
    }
}

/// Decides about one service. `None` if there is no such service.
pub fn turn(caches: &Caches, key: &Key, live: &LiveReads, now: Timestamp) -> Option<Turn> {
    observe(caches, key, live, now).map(Observation::decide)
}

/// Takes from the caches, and from what was read live, all that a decision is about.
pub fn observe(caches: &Caches, key: &Key, live: &LiveReads, now: Timestamp) -> Option<Observation> {
    let (service, effective) = (caches.service(key)?, caches.effective(key)?);
    let mut seen = snapshot(caches, key, &live.presence, &live.signing)?;
    seen.receivers.deliveries.clone_from(&live.deliveries);
    seen.live = live.field.clone();
    if let Some(why) = &live.behind {
        seen.workload = Workload::Unknown(why.clone());
    }
    leave_alone(&mut seen, live);
    let wanted_logs = log::complete(&mut seen, &effective, &live.logs, now);
    let policy = policy_now(&effective, live);
    let namespace_ends = live.namespace == Stay::Ends;
    Some(Observation { service, effective, policy, snapshot: seen, now, wanted_logs, namespace_ends })
}

impl Observation {
    /// What follows from it.
    pub fn decide(self) -> Turn {
        let decision = decide(&self.policy, &self.snapshot, self.now);
        Turn { seen: self, decision }
    }

    /// What was asked right before acting becomes part of it: what was seen stands, and only nothing is done.
    #[must_use]
    pub fn confirmed(mut self, stay: Stay, lease: WorkloadLease) -> Self {
        self.snapshot.service.deleting |= stay != Stay::Stays;
        self.namespace_ends |= stay == Stay::Ends;
        self.snapshot.ownership.lease = lease;
        self
    }
}

/// All that goes wrong in a namespace that is being deleted is meant to. One that cannot be read counts as being deleted:
/// nothing is brought back on a guess.
fn leave_alone(seen: &mut Snapshot, live: &LiveReads) {
    seen.service.deleting |= live.namespace != Stay::Stays;
    if live.namespace == Stay::Ends && matches!(seen.workload, Workload::Present(_)) {
        seen.workload = Workload::Unknown("the namespace is being deleted".to_owned());
    }
}

fn policy_now(effective: &Effective, live: &LiveReads) -> Policy {
    let mut policy = effective.policy.clone();
    if live.observe_only {
        policy.mode = Mode::Observe;
    }
    if live.clock_jumped {
        let message = "the clock jumped: nothing is done until what is wrong has lasted by its new time";
        policy.held.get_or_insert_with(|| Block::new(Reason::ClockJumped, message));
    }
    policy
}
