//! The dispatcher: takes what is to be told, gives it to the queues, and keeps what became of it until a reconcile has written it down.
//!
//! What it remembers is of use and never needed: whoever leads next requests the same from the status.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
};

use kube::Client;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::notify::alert::{
    AlertMessage, AlertState, HttpSender, RetryConfig,
    queue::{About, Leading, ReceiverQueue, Report, Surroundings},
};
use crate::{
    api::{Receiver, ReceiverType},
    base::{Key, ReceiverHosts},
    ops::{
        clock::Clock,
        metrics::{AlertResult, Metrics},
    },
};
use kubeheal_core::model::alert::{Delivered, Delivery, Subject};

/// Wakes a service whose status has something to write down.
pub(super) type Wake = Box<dyn Fn(Key) + Send + Sync>;

/// What became of notices about a service: by their subject and the receiver.
type News = BTreeMap<(Subject, String), Delivered>;

/// One receiver that is to know of one alert.
#[derive(Debug, Clone)]
pub struct AlertRequest {
    /// The receiver, as the spec has it.
    pub receiver: Receiver,
    /// Digest of where it is.
    pub destination: String,
    /// Where the service may have receivers.
    pub hosts: ReceiverHosts,
    /// The alert.
    pub alert: AlertMessage,
    /// It does not know yet, or is to be told again.
    pub due: bool,
}

/// What a dispatcher works with.
pub struct Environment {
    /// Reads Secrets.
    pub secrets: Client,
    /// Sends.
    pub sender: HttpSender,
    /// Tells the time.
    pub clock: Clock,
    /// How fast to send, try again and repeat.
    pub retry: RetryConfig,
    /// Where to count.
    pub metrics: Metrics,
    /// Whether this process leads: only then anything is sent.
    pub leading: Leading,
    /// Wakes a service whose status has something to write down.
    pub wake: Wake,
}

/// Takes alerts and sees that they arrive.
pub struct AlertDispatcher {
    queues: Mutex<BTreeMap<String, Arc<ReceiverQueue>>>,
    /// What was requested last, to end what nobody speaks of any more.
    requested: Mutex<BTreeMap<Key, Vec<AlertRequest>>>,
    news: Mutex<BTreeMap<Key, News>>,
    around: Surroundings,
    wake: Wake,
    metrics: Metrics,
    clock: Clock,
    stop: CancellationToken,
}

impl fmt::Debug for AlertDispatcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AlertDispatcher").field("queues", &self.queues.lock().len()).finish_non_exhaustive()
    }
}

impl AlertDispatcher {
    /// A dispatcher of alerts.
    pub fn new(environment: Environment) -> Arc<Self> {
        let Environment { secrets, sender, clock, retry, metrics, leading, wake } = environment;
        Arc::new_cyclic(|dispatcher: &Weak<Self>| {
            let dispatcher = dispatcher.clone();
            let report = move |about: &About, name: &str, kind: ReceiverType, report: Report| {
                if let Some(dispatcher) = dispatcher.upgrade() {
                    dispatcher.note(about, name, kind, report);
                }
            };
            let around =
                Surroundings { secrets, sender, clock: clock.clone(), retry, leading, report: Box::new(report) };
            Self {
                queues: Mutex::default(),
                requested: Mutex::default(),
                news: Mutex::default(),
                around,
                wake,
                metrics,
                clock,
                stop: CancellationToken::new(),
            }
        })
    }

    /// All that receivers are to know of one service now. What was told before and is not among it is over.
    pub fn request(self: &Arc<Self>, key: &Key, requests: Vec<AlertRequest>) {
        let before = self.requested.lock().insert(key.clone(), requests.clone()).unwrap_or_default();
        for old in before {
            let still =
                |new: &AlertRequest| new.destination == old.destination && new.alert.subject == old.alert.subject;
            if old.alert.state == AlertState::Firing && !requests.iter().any(still) {
                self.end(key, &old, "the HealedService names this receiver no more");
            }
        }
        for request in requests {
            self.pass_on(key, &request);
        }
        let mut requested = self.requested.lock();
        if requested.get(key).is_some_and(Vec::is_empty) {
            requested.remove(key);
        }
    }

    /// A service is gone: what its receivers know is over. This is lost with the process, since nothing is left to write on.
    pub fn forget(self: &Arc<Self>, key: &Key) {
        self.news.lock().remove(key);
        for old in self.requested.lock().remove(key).unwrap_or_default() {
            if old.alert.state == AlertState::Firing && old.alert.subject == Subject::Service {
                self.end(key, &old, "the HealedService was deleted");
            }
        }
    }

    /// Somebody else leads, and tells: all that is known of a service may be outdated when we lead again.
    pub fn leave(&self, key: &Key) {
        self.news.lock().remove(key);
        self.requested.lock().remove(key);
        for queue in self.queues.lock().values() {
            queue.forget(key);
        }
    }

    /// What became of notices about a service since it was last written down.
    pub fn deliveries(&self, key: &Key) -> Vec<Delivery> {
        let news = self.news.lock();
        let deliveries = news.get(key).into_iter().flatten();
        deliveries
            .map(|((subject, receiver), result)| Delivery {
                subject: *subject,
                receiver: receiver.clone(),
                result: result.clone(),
            })
            .collect()
    }

    /// These have been written down.
    pub fn written(&self, key: &Key, deliveries: &[Delivery]) {
        let mut news = self.news.lock();
        let Some(of_service) = news.get_mut(key) else { return };
        for Delivery { subject, receiver, result } in deliveries {
            let about = (*subject, receiver.clone());
            if of_service.get(&about) == Some(result) {
                of_service.remove(&about);
            }
        }
        if of_service.is_empty() {
            news.remove(key);
        }
    }

    /// Ends all queues when it is dropped. What was not sent is sent by whoever leads next.
    pub fn ends(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    fn end(self: &Arc<Self>, key: &Key, old: &AlertRequest, why: &str) {
        let alert = old.alert.over(self.clock.now(), why);
        self.pass_on(key, &AlertRequest { alert, due: true, ..old.clone() });
    }

    fn pass_on(self: &Arc<Self>, key: &Key, request: &AlertRequest) {
        let about = (key.clone(), request.alert.subject);
        let mut queues = self.queues.lock();
        let queue = queues.entry(request.destination.clone()).or_insert_with(|| {
            let queue = Arc::new(ReceiverQueue::new(key.0.clone(), request.receiver.clone()));
            self.open(queue.clone(), request.destination.clone());
            queue
        });
        queue.request(about, request, &self.around);
    }

    /// Gives a queue its task, for as long as it has work.
    fn open(self: &Arc<Self>, queue: Arc<ReceiverQueue>, destination: String) {
        let (dispatcher, stop) = (self.clone(), self.stop.clone());
        let work = async move {
            loop {
                queue.work(&dispatcher.around).await;
                let mut queues = dispatcher.queues.lock();
                if queue.is_idle() {
                    queues.remove(&destination);
                    return;
                }
            }
        };
        tokio::spawn(stop.run_until_cancelled_owned(work));
    }

    fn note(&self, (key, subject): &About, name: &str, kind: ReceiverType, report: Report) {
        let (result, news) = match report {
            Report::Delivered { alert, new } => (Some(AlertResult::Sent), new.then(|| self.delivered(&alert))),
            Report::TakenBack => (None, Some(Delivered::Resolved)),
            Report::Failed { why, detail, worth_a_word } => {
                let (namespace, service) = (&key.0, &key.1);
                tracing::warn!(namespace, service, receiver = name, detail, "an alert was not sent: {why}");
                (Some(AlertResult::Failed), worth_a_word.then_some(Delivered::Problem(why)))
            }
            Report::Dropped => (Some(AlertResult::Dropped), None),
        };
        if let Some(result) = result {
            self.metrics.alerted(kind, result);
        }
        let Some(news) = news else { return };
        self.news.lock().entry(key.clone()).or_default().insert((*subject, name.to_owned()), news);
        (self.wake)(key.clone());
    }

    fn delivered(&self, alert: &AlertMessage) -> Delivered {
        match alert.state {
            AlertState::Firing => Delivered::Firing(self.clock.now(), alert.severity),
            AlertState::Resolved(_) => Delivered::Resolved,
        }
    }
}
