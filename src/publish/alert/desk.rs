//! The desk: takes what is to be told, gives it to the lanes, and keeps what became of it until a look has written it down.
//!
//! What it remembers is of use and never needed: whoever leads next offers the same from the status.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use kube::Client;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Alert, Courier, Pace, State,
    lane::{About, Lane, Report, Surroundings},
};
use crate::{
    api::{Sink, SinkType},
    clock::Clock,
    healing::alarm::{Delivered, Delivery, Subject},
    metrics::{AlertResult, Metrics},
    observe::record::Key,
};

/// Whether this process leads.
pub type Leading = Box<dyn Fn() -> bool + Send + Sync>;

/// Wakes a service whose status has something to write down.
type Wake = Box<dyn Fn(Key) + Send + Sync>;

/// What became of notices about a service: by their subject and the receiver.
type News = BTreeMap<(Subject, String), Delivered>;

/// One receiver that is to know of one alert.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The receiver, as the spec has it.
    pub sink: Sink,
    /// Digest of where it is.
    pub destination: String,
    /// The alert.
    pub alert: Alert,
    /// It does not know yet, or is to be told again.
    pub due: bool,
}

/// Takes alerts and sees that they arrive.
pub struct Desk {
    lanes: Mutex<BTreeMap<String, Arc<Lane>>>,
    /// What was offered last, to end what nobody speaks of any more.
    offered: Mutex<BTreeMap<Key, Vec<Offer>>>,
    news: Mutex<BTreeMap<Key, News>>,
    around: Surroundings,
    wake: Wake,
    metrics: Metrics,
    clock: Clock,
    stop: CancellationToken,
}

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Desk").field("lanes", &lock(&self.lanes).len()).finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk that reads Secrets with `secrets`, sends with `courier` while `leading`, and says by `wake` whose status has
    /// something to write down.
    pub fn new(
        secrets: Client,
        courier: Courier,
        clock: Clock,
        pace: Pace,
        metrics: Metrics,
        leading: Leading,
        wake: impl Fn(Key) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|desk: &Weak<Self>| {
            let desk = desk.clone();
            let report = move |about: &About, name: &str, kind: SinkType, report: Report| {
                if let Some(desk) = desk.upgrade() {
                    desk.note(about, name, kind, report);
                }
            };
            let around =
                Surroundings { secrets, courier, clock: clock.clone(), pace, leading, report: Box::new(report) };
            Self {
                lanes: Mutex::default(),
                offered: Mutex::default(),
                news: Mutex::default(),
                around,
                wake: Box::new(wake),
                metrics,
                clock,
                stop: CancellationToken::new(),
            }
        })
    }

    /// All that receivers are to know of one service now. What was told before and is not among it is over.
    pub fn offer(self: &Arc<Self>, key: &Key, offers: Vec<Offer>) {
        let before = lock(&self.offered).insert(key.clone(), offers.clone()).unwrap_or_default();
        for old in before {
            let still = |new: &Offer| new.destination == old.destination && new.alert.subject == old.alert.subject;
            if old.alert.state == State::Firing && !offers.iter().any(still) {
                self.end(key, &old, "the HealedService names this receiver no more");
            }
        }
        for offer in offers {
            self.pass_on(key, &offer);
        }
        let mut offered = lock(&self.offered);
        if offered.get(key).is_some_and(Vec::is_empty) {
            offered.remove(key);
        }
    }

    /// A service is gone: what its receivers know is over. This is lost with the process, since nothing is left to write on.
    pub fn forget(self: &Arc<Self>, key: &Key) {
        lock(&self.news).remove(key);
        for old in lock(&self.offered).remove(key).unwrap_or_default() {
            if old.alert.state == State::Firing && old.alert.subject == Subject::Service {
                self.end(key, &old, "the HealedService was deleted");
            }
        }
    }

    /// Somebody else leads, and tells: all that is known of a service may be outdated when we lead again.
    pub fn leave(&self, key: &Key) {
        lock(&self.news).remove(key);
        lock(&self.offered).remove(key);
        for lane in lock(&self.lanes).values() {
            lane.forget(key);
        }
    }

    /// What became of notices about a service since it was last written down.
    pub fn news(&self, key: &Key) -> Vec<Delivery> {
        let news = lock(&self.news);
        let deliveries = news.get(key).into_iter().flatten();
        deliveries
            .map(|((subject, sink), result)| Delivery { subject: *subject, sink: sink.clone(), result: result.clone() })
            .collect()
    }

    /// These have been written down.
    pub fn written(&self, key: &Key, deliveries: &[Delivery]) {
        let mut news = lock(&self.news);
        let Some(of_service) = news.get_mut(key) else { return };
        for Delivery { subject, sink, result } in deliveries {
            let about = (*subject, sink.clone());
            if of_service.get(&about) == Some(result) {
                of_service.remove(&about);
            }
        }
        if of_service.is_empty() {
            news.remove(key);
        }
    }

    /// Ends all lanes when it is dropped. What was not sent is sent by whoever leads next.
    pub fn ends(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    fn end(self: &Arc<Self>, key: &Key, old: &Offer, why: &str) {
        let alert = old.alert.over(self.clock.now(), why);
        self.pass_on(key, &Offer { alert, due: true, ..old.clone() });
    }

    fn pass_on(self: &Arc<Self>, key: &Key, offer: &Offer) {
        let about = (key.clone(), offer.alert.subject);
        let mut lanes = lock(&self.lanes);
        let lane = lanes.entry(offer.destination.clone()).or_insert_with(|| {
            let lane = Arc::new(Lane::new(key.0.clone(), offer.sink.clone()));
            self.open(lane.clone(), offer.destination.clone());
            lane
        });
        lane.offer(about, offer, &self.around);
    }

    /// Gives a lane its task, for as long as it has work.
    fn open(self: &Arc<Self>, lane: Arc<Lane>, destination: String) {
        let (desk, stop) = (self.clone(), self.stop.clone());
        let work = async move {
            loop {
                lane.work(&desk.around).await;
                let mut lanes = lock(&desk.lanes);
                if lane.is_idle() {
                    lanes.remove(&destination);
                    return;
                }
            }
        };
        tokio::spawn(stop.run_until_cancelled_owned(work));
    }

    fn note(&self, (key, subject): &About, name: &str, kind: SinkType, report: Report) {
        let (result, news) = match report {
            Report::Told { alert, new } => (Some(AlertResult::Sent), new.then(|| self.delivered(&alert))),
            Report::TakenBack => (None, Some(Delivered::Resolved)),
            Report::Failed { why, worth_a_word } => {
                tracing::warn!(namespace = key.0, service = key.1, sink = name, "an alert was not sent: {why}");
                (Some(AlertResult::Failed), worth_a_word.then_some(Delivered::Problem(why)))
            }
            Report::Dropped => (Some(AlertResult::Dropped), None),
        };
        if let Some(result) = result {
            self.metrics.alerted(kind, result);
        }
        let Some(news) = news else { return };
        lock(&self.news).entry(key.clone()).or_default().insert((*subject, name.to_owned()), news);
        (self.wake)(key.clone());
    }

    fn delivered(&self, alert: &Alert) -> Delivered {
        match alert.state {
            State::Firing => Delivered::Firing(self.clock.now(), alert.severity),
            State::Resolved(_) => Delivered::Resolved,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
