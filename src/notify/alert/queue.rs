//! One receiver's queue, and the task that works on it.
//!
//! A notice about the same subject replaces the one before, so the queue is no longer than there are services; beyond its
//! bound the oldest gives way. What fails is tried again, ever more slowly. Nobody waits for a queue.

use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use crate::notify::alert::{AlertMessage, AlertRequest, AlertState, HttpSender, outgoing, secret, sender::Answer};
use crate::{
    api::{Receiver, ReceiverType},
    base::{Key, ReceiverHosts},
    ops::clock::Clock,
};
use kubeheal_core::model::alert::Subject;

/// Notices that wait at most.
const MAX_WAITING: usize = 512;
/// A queue without work ends after so long.
const IDLE: Duration = Duration::from_secs(3600);
/// What nobody has asked for during so long is not tried any more.
const GIVE_UP: Duration = Duration::from_secs(86_400);
/// Failures in a row before people are told: a receiver that restarts is no news.
const TRIES_BEFORE_WORD: u32 = 3;

/// How fast to send, try again and repeat.
#[derive(Debug, Clone, Copy)]
pub struct RetryConfig {
    /// How long a receiver may take to answer.
    pub patience: Duration,
    /// First wait after a failure; doubled with each one in a row.
    pub first_wait: Duration,
    /// Longest wait, whatever the receiver asks for; and the wait for a Secret that is missing.
    pub last_wait: Duration,
    /// Wait after a refusal, which only a person can end.
    pub refused_wait: Duration,
    /// How often a receiver that forgets is told what still fires.
    pub keep_alive: Duration,
    /// What nobody has asked for during so long is not kept alive any more.
    pub forget: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            first_wait: Duration::from_secs(2),
            last_wait: Duration::from_secs(300),
            refused_wait: Duration::from_secs(3600),
            keep_alive: Duration::from_secs(300),
            forget: Duration::from_secs(1800),
        }
    }
}

/// Whom a notice is about.
pub(super) type About = (Key, Subject);

/// What became of one attempt.
#[derive(Debug)]
pub(super) enum Report {
    /// The receiver knows; something that it did not know, or what it would have forgotten.
    Delivered { alert: Box<AlertMessage>, new: bool },
    /// It could not be told.
    Failed {
        /// A sentence.
        why: String,
        /// What only the log says.
        detail: Option<String>,
        /// It is time for people to know.
        worth_a_word: bool,
    },
    /// It is over before the receiver heard of it.
    TakenBack,
    /// The oldest notice gave way.
    Dropped,
}

/// Whether this process leads.
pub(super) type Leading = Box<dyn Fn() -> bool + Send + Sync>;

/// Takes what became of an attempt: about what, of which receiver by its name there, of which kind.
pub(super) type Reporting = Box<dyn Fn(&About, &str, ReceiverType, Report) + Send + Sync>;

/// What a queue needs from around it.
pub(super) struct Surroundings {
    pub(super) secrets: kube::Client,
    pub(super) sender: HttpSender,
    pub(super) clock: Clock,
    pub(super) retry: RetryConfig,
    /// Only who leads may tell.
    pub(super) leading: Leading,
    /// Takes what became of an attempt.
    pub(super) report: Reporting,
}

/// One receiver's queue.
#[derive(Debug)]
pub(super) struct ReceiverQueue {
    namespace: String,
    receiver: Receiver,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    items: BTreeMap<About, Item>,
    /// What arrived under which receiver's name and is not known to be written down: a reconcile that began before it arrived asks
    /// for it once more.
    told: BTreeMap<(About, String), String>,
    arrivals: u64,
    /// Failures in a row of this receiver.
    failures: u32,
    /// Nothing is sent before.
    closed_until: Option<Instant>,
}

/// A notice that waits, or one that is kept alive.
#[derive(Debug, Clone)]
struct Item {
    alert: AlertMessage,
    /// The receiver's name in the service's spec.
    name: String,
    /// Where the service may have receivers.
    hosts: ReceiverHosts,
    arrival: u64,
    not_before: Instant,
    asked: Instant,
    /// The receiver has not been told this.
    new: bool,
    /// An attempt was made that the receiver may have heard of.
    tried: bool,
}

impl ReceiverQueue {
    pub(super) fn new(namespace: String, receiver: Receiver) -> Self {
        Self { namespace, receiver, queue: Mutex::default(), changed: Notify::new() }
    }

    /// A receiver that ends an alert by itself when nobody repeats it.
    fn forgets(&self) -> bool {
        self.receiver.type_ == ReceiverType::Alertmanager
    }

    /// Takes a notice. One that the receiver knows already is of use only if the receiver forgets.
    pub(super) fn request(&self, about: About, request: &AlertRequest, around: &Surroundings) {
        let AlertRequest { receiver, destination: _, hosts, alert, due } = request;
        let (name, due, now) = (&receiver.name, *due, Instant::now());
        if matches!(alert.state, AlertState::Resolved(_)) && self.take_back(&about, name, alert) {
            // Nobody has heard of it, so nobody needs to hear that it is over.
            (around.report)(&about, name, self.receiver.type_, Report::TakenBack);
            return;
        }
        let mut queue = self.queue.lock();
        let asks_twice = queue.was_told(&about, name, alert, due);
        if let Some(known) = queue.items.get_mut(&about) {
            if known.alert.id() != alert.id() {
                (known.new, known.not_before) = (true, now);
            }
            known.asked = now;
            known.alert = alert.clone();
            known.name.clone_from(name);
            known.hosts.clone_from(hosts);
            drop(queue);
            self.changed.notify_one();
            return;
        }
        if asks_twice || !due && !self.forgets() {
            return;
        }
        queue.arrivals += 1;
        let arrival = queue.arrivals;
        let (alert, name) = (alert.clone(), name.clone());
        let hosts = hosts.clone();
        let item = Item { alert, name, hosts, arrival, not_before: now, asked: now, new: due, tried: false };
        queue.items.insert(about, item);
        let dropped = queue.drop_oldest();
        drop(queue);
        self.changed.notify_one();
        if let Some((about, item)) = dropped {
            (around.report)(&about, &item.name, self.receiver.type_, Report::Dropped);
        }
    }

    /// Takes back a notice that the receiver cannot have heard of, if it knows nothing else of it. Otherwise it must hear the
    /// end: an attempt that failed here may have arrived there.
    fn take_back(&self, about: &About, name: &str, over: &AlertMessage) -> bool {
        let mut queue = self.queue.lock();
        let unheard = queue.items.get(about).is_some_and(|item| !item.tried && item.alert.state == AlertState::Firing);
        let taken = unheard && over.knows.is_none();
        if taken {
            queue.items.remove(about);
            queue.told.insert((about.clone(), name.to_owned()), over.id());
        }
        taken
    }

    /// Drops what waits about a service, unsaid.
    pub(super) fn forget(&self, key: &Key) {
        let mut queue = self.queue.lock();
        queue.items.retain(|(about, _), _| about != key);
        queue.told.retain(|((about, _), _), _| about != key);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.lock().items.is_empty()
    }

    /// Works until there has been nothing to do for long.
    pub(super) async fn work(&self, around: &Surroundings) {
        while let Some((about, item)) = self.next(around).await {
            let answer = self.tell(around, &item).await;
            self.conclude(around, &about, &item, answer);
        }
    }

    /// Waits for the next notice that is due, but not for ever.
    async fn next(&self, around: &Surroundings) -> Option<(About, Item)> {
        loop {
            let changed = self.changed.notified();
            let due = self.queue.lock().next(around.retry.forget);
            match due {
                Some((at, about, item)) if at <= Instant::now() => {
                    if (around.leading)() {
                        self.queue.lock().try_now(&about);
                        return Some((about, item));
                    }
                    // Whoever leads knows what fires and tells.
                    self.queue.lock().items.clear();
                }
                Some((at, _, _)) => tokio::select! { biased; () = changed => {}, () = sleep_until(at) => {} },
                None => timeout(IDLE, changed).await.ok()?,
            }
        }
    }

    async fn tell(&self, around: &Surroundings, item: &Item) -> Answer {
        let resolving = secret::resolve(&around.secrets, &self.namespace, &self.receiver);
        let target = match timeout(around.retry.patience, resolving).await {
            Ok(Ok(target)) => target,
            Ok(Err(answer)) => return answer,
            Err(_) => {
                return Answer::later("the API server does not answer when asked for its Secret");
            }
        };
        match outgoing::request(self.receiver.type_, &item.alert, &target, around.clock.now()) {
            Ok(request) => around.sender.post(request, &item.hosts, around.retry.patience).await,
            Err(why) => Answer::Refused(why),
        }
    }

    fn conclude(&self, around: &Surroundings, about: &About, sent: &Item, answer: Answer) {
        let now = Instant::now();
        let mut queue = self.queue.lock();
        let report = match answer {
            Answer::Delivered => {
                (queue.failures, queue.closed_until) = (0, None);
                queue.told.insert((about.clone(), sent.name.clone()), sent.alert.id());
                let keep = self.forgets() && sent.alert.state == AlertState::Firing;
                queue.settle(about, sent, keep.then(|| now + around.retry.keep_alive));
                Report::Delivered { alert: Box::new(sent.alert.clone()), new: sent.new }
            }
            Answer::Later { why, wait, detail } => {
                queue.failures = queue.failures.saturating_add(1);
                let wait = wait.unwrap_or_else(|| self.wait(&around.retry, queue.failures)).min(around.retry.last_wait);
                queue.closed_until = Some(now + wait);
                Report::Failed { why, detail, worth_a_word: queue.failures >= TRIES_BEFORE_WORD }
            }
            // A person must do something first.
            Answer::Unprepared(why) => {
                queue.closed_until = Some(now + around.retry.last_wait);
                queue.put_off(about, sent, now);
                Report::Failed { why, detail: None, worth_a_word: true }
            }
            // Others in the queue may fare better.
            Answer::Refused(why) => {
                queue.failures = 0;
                queue.put_off(about, sent, now + around.retry.refused_wait);
                Report::Failed { why, detail: None, worth_a_word: true }
            }
        };
        drop(queue);
        (around.report)(about, &sent.name, self.receiver.type_, report);
    }

    /// Doubled with each failure, with up to a quarter more that depends on the receiver alone: tests repeat, and receivers
    /// are not called all at the same moment.
    fn wait(&self, retry: &RetryConfig, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let wait = retry.first_wait.saturating_mul(1 << doublings).min(retry.last_wait);
        let bytes = self.receiver.name.bytes().chain(self.namespace.bytes());
        let seed = bytes.fold(failures, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        wait + wait * (seed % 64) / 256
    }
}

impl Queue {
    /// The notice that is due first, and when; of those that are due already, the one that came first.
    fn next(&mut self, forget: Duration) -> Option<(Instant, About, Item)> {
        let now = Instant::now();
        self.items.retain(|_, item| {
            let asked = now.saturating_duration_since(item.asked);
            asked < if item.new { GIVE_UP } else { forget }
        });
        let open = self.closed_until.unwrap_or(now);
        let at = |item: &Item| item.not_before.max(open);
        let first = self.items.iter().min_by_key(|(_, item)| (at(item).max(now), item.arrival));
        first.map(|(about, item)| (at(item), about.clone(), item.clone()))
    }

    /// Whether this was told already and who asks does not know yet. Once it is not due, who asks knows.
    fn was_told(&mut self, about: &About, name: &str, alert: &AlertMessage, due: bool) -> bool {
        let place = (about.clone(), name.to_owned());
        if !due {
            self.told.remove(&place);
        }
        self.told.get(&place).is_some_and(|told| *told == alert.id())
    }

    /// What was sent is settled, unless something new came meanwhile; it comes up again if it is to be kept alive.
    fn settle(&mut self, about: &About, sent: &Item, again: Option<Instant>) {
        let Some(item) = self.items.get_mut(about).filter(|item| item.alert.id() == sent.alert.id()) else { return };
        match again {
            Some(at) => (item.new, item.not_before) = (false, at),
            None => drop(self.items.remove(about)),
        }
    }

    fn try_now(&mut self, about: &About) {
        if let Some(item) = self.items.get_mut(about) {
            item.tried = true;
        }
    }

    /// This attempt cannot have told the receiver anything. The same is not tried before `until`.
    fn put_off(&mut self, about: &About, sent: &Item, until: Instant) {
        let Some(item) = self.items.get_mut(about) else { return };
        item.tried = sent.tried;
        if item.alert.id() == sent.alert.id() {
            item.not_before = until;
        }
    }

    fn drop_oldest(&mut self) -> Option<(About, Item)> {
        if self.items.len() <= MAX_WAITING {
            return None;
        }
        let oldest = self.items.iter().min_by_key(|(_, item)| item.arrival)?.0.clone();
        self.items.remove_entry(&oldest)
    }
}
