//! The recorder: writes Events, in a task of its own, so that an API server that is slow to take them delays no healing.
//!
//! A service that changes all the time would fill etcd and everybody's screen: each has a budget, and what goes beyond it is
//! counted and not written.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kube::{Client, ResourceExt};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::notify::event::{EventDraft, publish};
use crate::{
    api::HealedService,
    base::{Key, error_text::is_namespace_ending},
    ops::metrics::Metrics,
};
use kubeheal_core::model::moment::elapsed;

/// Events of one service that may come at once.
const BURST: u32 = 25;
/// One more is allowed each time this many seconds have passed.
const REFILL_SECONDS: i64 = 300;
/// Events of all services that may wait.
const MAX_WAITING: usize = 1000;
/// A namespace that takes no Events because it ends is not asked again for so long.
const ENDING: Duration = Duration::from_secs(60);
/// Longest time for one Event.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes what is to be written.
#[derive(Debug)]
pub struct EventRecorder {
    queue: mpsc::Sender<PendingEvent>,
    services: Mutex<BTreeMap<Key, Account>>,
    metrics: Metrics,
}

/// What waits to be written.
#[derive(Debug)]
pub struct PendingEvent {
    service: Box<HealedService>,
    draft: EventDraft,
    now: Timestamp,
}

/// What a service has caused, and may still cause.
#[derive(Debug)]
struct Account {
    budget: Budget,
    /// Reasons that were told in the trouble that goes on, of those that are told once in one.
    told: BTreeSet<String>,
}

/// Events that a service may still cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    left: u32,
    counted: Timestamp,
}

impl EventRecorder {
    /// A recorder, and what its task works on.
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<PendingEvent>) {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        (Self { queue, services: Mutex::default(), metrics }, waiting)
    }

    /// Has an Event written, unless there are too many.
    pub fn tell(&self, key: &Key, service: &HealedService, draft: EventDraft, now: Timestamp) {
        let allowed = {
            let mut services = self.services.lock();
            let new = || Account { budget: Budget { left: BURST, counted: now }, told: BTreeSet::new() };
            let account = services.entry(key.clone()).or_insert_with(new);
            if !account.is_news(&draft) {
                return;
            }
            account.budget.take(now)
        };
        let message = PendingEvent { service: Box::new(service.clone()), draft, now };
        if !allowed || self.queue.try_send(message).is_err() {
            self.metrics.event_dropped();
        }
    }

    /// A service is well: what comes now is another trouble.
    pub fn well(&self, key: &Key) {
        let mut services = self.services.lock();
        if let Some(account) = services.get_mut(key) {
            account.told.clear();
        }
    }

    /// A service is gone.
    pub fn forget(&self, key: &Key) {
        self.services.lock().remove(key);
    }
}

impl Account {
    fn is_news(&mut self, draft: &EventDraft) -> bool {
        !draft.once || self.told.insert(draft.reason.clone())
    }
}

impl Budget {
    fn take(&mut self, now: Timestamp) -> bool {
        let refills = elapsed(self.counted, now).as_secs() / REFILL_SECONDS;
        if self.left >= BURST {
            self.counted = now;
        } else if refills > 0 {
            self.left = self.left.saturating_add(u32::try_from(refills).unwrap_or(BURST)).min(BURST);
            self.counted = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

/// Writes until there is nobody who could send anything.
pub async fn write(client: Client, mut waiting: mpsc::Receiver<PendingEvent>) {
    let mut ending: BTreeMap<String, Instant> = BTreeMap::new();
    while let Some(PendingEvent { service, draft, now }) = waiting.recv().await {
        ending.retain(|_, since| since.elapsed() < ENDING);
        let namespace = service.namespace().unwrap_or_default();
        if ending.contains_key(&namespace) {
            continue;
        }
        let why = match timeout(PATIENCE, publish(&client, &service, &draft, now)).await {
            Ok(Ok(())) => continue,
            // Nothing new gets in there any more, and nobody will read it.
            Ok(Err(error)) if is_namespace_ending(&error) => {
                ending.insert(namespace, Instant::now());
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(reason = draft.reason, "an Event could not be written: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_noisy_service_is_cut_and_counted_and_takes_nothing_from_another() {
        let metrics = Metrics::new(at(0));
        let (recorder, mut waiting) = EventRecorder::new(metrics.clone());
        let draft = || EventDraft {
            warning: true,
            reason: "A".to_owned(),
            action: "B".to_owned(),
            note: String::new(),
            once: false,
        };
        let spec = serde_json::json!({"workloadRef": {"kind": "Deployment", "name": "any"}});
        let service = HealedService::new("any", serde_json::from_value(spec).unwrap());
        let tell = |name: &str| recorder.tell(&("shop".to_owned(), name.to_owned()), &service, draft(), at(0));
        (0..100).for_each(|_| tell("noisy"));
        tell("quiet");
        let written = std::iter::from_fn(|| waiting.try_recv().ok()).count();
        assert_eq!(written, 26);
        let text = metrics.encode();
        assert!(text.contains("kubeheal_events_dropped_total 75"), "{text}");
    }

    #[test]
    fn what_is_told_once_in_one_trouble_costs_nothing_when_it_comes_again() {
        let (recorder, mut waiting) = EventRecorder::new(Metrics::new(at(0)));
        let spec = serde_json::json!({"workloadRef": {"kind": "Deployment", "name": "any"}});
        let service = HealedService::new("any", serde_json::from_value(spec).unwrap());
        let key = ("shop".to_owned(), "any".to_owned());
        for trouble in 1..=3 {
            for reason in ["StormHold", "DisruptionBudget"] {
                for turn in 0..100 {
                    let (reason, note) = (reason.to_owned(), format!("turn {turn}"));
                    let draft = EventDraft { warning: false, reason, action: "Held".to_owned(), note, once: true };
                    recorder.tell(&key, &service, draft, at(trouble));
                }
            }
            recorder.well(&key);
        }
        assert_eq!(std::iter::from_fn(|| waiting.try_recv().ok()).count(), 6);
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_each_five_minutes() {
        let mut budget = Budget { left: BURST, counted: at(0) };
        let allowed = (0..100).filter(|second| budget.take(at(*second))).count();
        assert_eq!(allowed, 25);
        assert!(!budget.take(at(298)));
        let later: Vec<i64> = (300..1600).filter(|second| budget.take(at(*second))).collect();
        assert_eq!(later.len(), 5, "{later:?}");
        assert!((0..25).all(|_| budget.take(at(100_000))), "a long pause fills it");
        assert!(!budget.take(at(100_000)));
        assert!(!budget.take(at(50)), "a clock that jumps back gives nothing");
    }
}
