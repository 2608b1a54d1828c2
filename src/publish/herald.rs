//! The herald: writes Events, in a task of its own, so that an API server that is slow to take them delays no healing.
//!
//! A service that changes all the time would fill etcd and everybody's screen: each has a budget, and what goes beyond it is
//! counted and not written.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use tokio::{sync::mpsc, time::timeout};

use super::event::{Notice, publish};
use crate::{api::HealedService, healing::time::elapsed, metrics::Metrics, observe::record::Key};

/// Events of one service that may come at once.
const BURST: u32 = 25;
/// One more is allowed each time this many seconds have passed.
const REFILL_SECONDS: i64 = 300;
/// Events of all services that may wait.
const MAX_WAITING: usize = 1000;
/// Longest time for one Event.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes what is to be written.
#[derive(Debug)]
pub struct Herald {
    queue: mpsc::Sender<Message>,
    budgets: Mutex<BTreeMap<Key, Budget>>,
    metrics: Metrics,
}

/// What waits to be written.
#[derive(Debug)]
pub struct Message {
    service: Box<HealedService>,
    notice: Notice,
    now: Timestamp,
}

/// Events that a service may still cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    left: u32,
    counted: Timestamp,
}

impl Herald {
    /// A herald, and what its task works on.
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Message>) {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        (Self { queue, budgets: Mutex::default(), metrics }, waiting)
    }

    /// Has an Event written, unless there are too many.
    pub fn tell(&self, key: &Key, service: &HealedService, notice: Notice, now: Timestamp) {
        let allowed = {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            budgets.entry(key.clone()).or_insert(Budget { left: BURST, counted: now }).take(now)
        };
        let message = Message { service: Box::new(service.clone()), notice, now };
        if !allowed || self.queue.try_send(message).is_err() {
            self.metrics.event_dropped();
        }
    }

    /// A service is gone.
    pub fn forget(&self, key: &Key) {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
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
pub async fn write(client: Client, mut waiting: mpsc::Receiver<Message>) {
    while let Some(Message { service, notice, now }) = waiting.recv().await {
        let why = match timeout(PATIENCE, publish(&client, &service, &notice, now)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(reason = notice.reason, "an Event could not be written: {why}");
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
        let (herald, mut waiting) = Herald::new(metrics.clone());
        let notice = || Notice { warning: true, reason: "A".to_owned(), action: "B".to_owned(), note: String::new() };
        let spec = serde_json::json!({"workloadRef": {"kind": "Deployment", "name": "any"}});
        let service = HealedService::new("any", serde_json::from_value(spec).unwrap());
        let tell = |name: &str| herald.tell(&("shop".to_owned(), name.to_owned()), &service, notice(), at(0));
        (0..100).for_each(|_| tell("noisy"));
        tell("quiet");
        let written = std::iter::from_fn(|| waiting.try_recv().ok()).count();
        assert_eq!(written, 26);
        let text = metrics.encode(crate::metrics::Format::OpenMetrics);
        assert!(text.contains("kubeheal_events_dropped_total 75"), "{text}");
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_each_five_minutes() {
        let mut budget = Budget { left: BURST, counted: at(0) };
        let allowed = (0..100).filter(|second| budget.take(at(*second))).count();
        assert_eq!(allowed, 25);
        assert!(!budget.take(at(298)));
        let later: Vec<i64> = (300..1600).filter(|second| budget.take(at(*second))).collect();
        assert_eq!(later.len(), 5, "{later:?}");
        assert!((0..25).all(|_| budget.take(at(100_000))), "a long calm fills it");
        assert!(!budget.take(at(100_000)));
        assert!(!budget.take(at(50)), "a clock that jumps back gives nothing");
    }
}
