//! A node at work: takes in what its watches bring, gives its pods their turns, and writes what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use super::heartbeat::is_lost;
use super::kind::Kind;
use super::known::{Known, News};
use super::write::{Letter, PATIENCE, write};
use super::{NodeError, problem};
use crate::clock::Clock;
use crate::correlator::{Correlator, Source};
use crate::kubelet::{Around, Found, Pods, SCRIPT_ANNOTATION, Script, Turn, find_script, pods_below, report};
use crate::object;
use crate::resource::Resource;
use crate::storage::ChangeKind;
use crate::workloads::{Controller, Key, Queue, Work};

/// How long what is being written may take when the node ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What came of writing.
struct Written {
    key: Key,
    /// When the pod wants another turn if all went well.
    next: Option<Timestamp>,
    done: Result<Option<Value>, String>,
}

/// A node at work.
pub(super) struct Running {
    name: String,
    client: Client,
    clock: Clock,
    resource: Resource,
    source: Source,
    pods: Pods,
    told: Correlator,
    known: Known,
    queue: Queue,
    /// Pods that are being written, and whether they are to have a turn afterwards.
    busy: BTreeMap<Key, bool>,
    writing: FuturesUnordered<BoxFuture<'static, Written>>,
    /// Pods whose scripts name kinds that are not known yet.
    waiting: BTreeSet<Key>,
    lost: bool,
    own: watch::Sender<Option<Arc<Value>>>,
}

impl Running {
    pub(super) fn new(
        name: &str,
        client: &Client,
        clock: &Clock,
        pods: Pods,
        own: watch::Sender<Option<Arc<Value>>>,
    ) -> Running {
        Running {
            name: name.to_owned(),
            client: client.clone(),
            clock: clock.clone(),
            resource: Kind::pods().resource,
            source: Source::kubelet(name),
            pods,
            told: Correlator::default(),
            known: Known::default(),
            queue: Queue::default(),
            busy: BTreeMap::new(),
            writing: FuturesUnordered::new(),
            waiting: BTreeSet::new(),
            lost: false,
            own,
        }
    }

    /// Works until cancelled.
    pub(super) async fn run(mut self, cancelled: CancellationToken) -> Result<(), NodeError> {
        let mut feed = Feed::new(&self.client, &self.name);
        let mut jumps = self.clock.jumps();
        loop {
            if feed.is_complete() {
                self.settle(&mut feed);
            }
            let next = if feed.is_complete() { self.queue.next_timer() } else { Timestamp::MAX };
            let sleep = Duration::try_from(next.duration_since(self.clock.now())).unwrap_or_default();
            tokio::select! {
                biased;
                () = cancelled.cancelled() => break,
                news = feed.next(&mut self.known) => {
                    for news in news? {
                        self.route(&news);
                    }
                    let waiting = std::mem::take(&mut self.waiting);
                    self.ask(waiting);
                }
                Some(written) = self.writing.next() => self.take_in(written),
                _ = jumps.changed() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
        let _ = timeout(LAST_WORDS, async { while self.writing.next().await.is_some() {} }).await;
        Ok(())
    }

    /// Gives turns until nothing is left to do now.
    fn settle(&mut self, feed: &mut Feed) {
        loop {
            let now = self.clock.now();
            let round = self.queue.take(now);
            if round.is_empty() || self.lost {
                return;
            }
            for work in round {
                self.turn(work.key, feed, now);
            }
        }
    }

    fn turn(&mut self, key: Key, feed: &mut Feed, now: Timestamp) {
        if let Some(again) = self.busy.get_mut(&key) {
            *again = true;
            return;
        }
        let Some(stored) = self.known.view.get_key(&key).filter(|pod| self.is_own(pod)) else {
            self.pods.forget(&key);
            return;
        };
        if !self.knows_needs(&stored, feed) {
            self.waiting.insert(key);
            return;
        }
        let heard_from = self.told.heard_from(&self.source, object::uid(&stored), now);
        let turn = self.pods.turn(&key, &stored, &Around { view: &self.known.view, heard_from, now });
        let next = turn.next;
        let letter = self.letter(&stored, turn, now);
        if letter.is_empty() {
            self.schedule(key, next);
            return;
        }
        self.busy.insert(key.clone(), false);
        let client = self.client.clone();
        let writing = async move {
            let done = match timeout(PATIENCE, write(client, &letter)).await {
                Ok(done) => done.map_err(|error| problem(&error)),
                Err(_) => Err("the API server does not answer".to_owned()),
            };
            Written { key, next, done }
        };
        self.writing.push(writing.boxed());
    }

    /// What is to be written after a turn.
    fn letter(&mut self, stored: &Value, turn: Turn, now: Timestamp) -> Letter {
        let about = (&self.resource, stored);
        let tellings = turn.notes.iter().filter_map(|note| self.told.tell(&self.source, about, note, now)).collect();
        Letter {
            namespace: object::namespace(stored).to_owned(),
            name: object::name(stored).to_owned(),
            uid: object::uid(stored).to_owned(),
            tellings,
            status: turn.status.and_then(|status| report::patch(stored, &status)),
            remove: turn.remove,
        }
    }

    /// Whether it is known what there is of all that the pod's script names; asks for it otherwise.
    fn knows_needs(&self, stored: &Arc<Value>, feed: &mut Feed) -> bool {
        let Found::Script(Some(text)) = find_script(&self.known.view, stored) else { return true };
        if !text.contains("whileDown") {
            return true;
        }
        let Ok(script) = Script::parse(&text) else { return true };
        let kinds: BTreeSet<&str> = script.dependencies().map(|dependency| dependency.kind.as_str()).collect();
        let unknown: Vec<&str> = kinds.into_iter().filter(|kind| !feed.knows(kind)).collect();
        unknown.is_empty()
    }

    fn take_in(&mut self, written: Written) {
        let Written { key, next, done } = written;
        let again = self.busy.remove(&key).unwrap_or(false);
        let work = Work::new(Controller::Pod, key.clone());
        match done {
            Ok(pod) => {
                self.schedule(key, next);
                if let Some(news) = pod.and_then(|pod| self.known.put(&self.resource, pod)) {
                    self.route(&news);
                }
            }
            Err(problem) => {
                tracing::debug!(?work, problem, "to be tried again");
                self.queue.retry(self.clock.now(), work.clone());
            }
        }
        if again {
            self.queue.add(work);
        }
    }

    fn schedule(&mut self, key: Key, next: Option<Timestamp>) {
        let work = Work::new(Controller::Pod, key);
        match next {
            Some(next) => self.queue.at(next, work),
            None => self.queue.no_timer(&work),
        }
    }

    /// Who has to look at what after a change.
    fn route(&mut self, news: &News) {
        let gone = news.change.kind == ChangeKind::Deleted;
        match news.change.resource.kind.as_str() {
            "Pod" if self.is_own(&news.object) => {
                if gone {
                    self.told.forget(object::uid(&news.object));
                }
                let key = Key::of(&self.resource, object::namespace(&news.object), object::name(&news.object));
                self.ask([key]);
            }
            "Node" if object::name(&news.object) == self.name => {
                self.own.send_replace((!gone).then(|| news.object.clone()));
                let lost = !gone && is_lost(&news.object);
                let reboots = !gone && !lost && self.pods.reboots(&news.object, self.clock.now());
                self.set_lost(lost, reboots);
            }
            _ => {
                let script = |object: &Arc<Value>| object::annotation(object, SCRIPT_ANNOTATION).map(str::to_owned);
                let before = news.previous.as_ref().map(script);
                if gone || before != Some(script(&news.object)) {
                    // A workload may come to be known after its pods.
                    self.ask(pods_below(&self.known.view, &news.object));
                }
            }
        }
        let dependents = self.pods.dependents(&news.change, &self.known.view, self.clock.now());
        self.ask(dependents);
    }

    /// A lost kubelet is silent while its containers go on; when it is back it knows no probe results. After a reboot nothing runs.
    fn set_lost(&mut self, lost: bool, reboots: bool) {
        let is_back = std::mem::replace(&mut self.lost, lost) && !lost;
        if is_back {
            self.pods.forget_probe_results(self.clock.now());
        }
        if !is_back && !reboots {
            return;
        }
        let pods: Vec<Key> = self
            .known
            .view
            .all(&self.resource)
            .filter(|pod| self.is_own(pod))
            .map(|pod| Key::of(&self.resource, object::namespace(&pod), object::name(&pod)))
            .collect();
        self.ask(pods);
    }

    fn ask(&mut self, pods: impl IntoIterator<Item = Key>) {
        for key in pods {
            self.queue.add(Work::new(Controller::Pod, key));
        }
    }

    fn is_own(&self, pod: &Value) -> bool {
        object::text(pod, "/spec/nodeName") == self.name
    }
}
