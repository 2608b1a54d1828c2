//! Watches: API server → caches → queue.
//!
//! Each resource has its own stream and its own back-off, so that a forbidden watch of one delays none of the others. After
//! any error a stream is listed afresh: only then is it certain what was missed. A relist delivers no deletions, so the keys
//! before and after are compared. What cannot be decoded is left out by itself.

use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{StreamExt, TryStreamExt, future::BoxFuture};
use kube::{
    Api, Client, Resource,
    runtime::{watcher, watcher::Event},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{ClusterHealingPolicy, HealedService, HealingPolicy},
    base::error_text::explain,
    controller::queue::Queue,
    ops::metrics::Metrics,
};
use crate::{
    base::{Key, key_of},
    cluster::{
        cache::Caches,
        decode::{Decode, Item, Outline},
        kind::{Kind, Object},
        node::NodeRecord,
        pdb::Budget,
        pod::PodRecord,
        pod_event::{self, PodEvent},
        revision::{Revision, revision_mark},
        workload::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    },
};

/// The server ends an idle watch after so many seconds; a connection that died silently is noticed soon after.
const WATCH_TIMEOUT_SECONDS: u32 = 80;
/// First wait after an error.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Longest wait after an error.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// The waits after errors in a row.
fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(FIRST_BACKOFF).with_max_delay(LAST_BACKOFF).without_max_times().build()
}

/// The caches, shared between the watches that fill them and the workers that read them.
#[derive(Debug)]
pub struct Shared {
    caches: Mutex<Caches>,
    streams: Mutex<BTreeMap<Kind, Stream>>,
    queue: Arc<Queue>,
    metrics: Metrics,
}

/// Where a stream stands.
#[derive(Debug, Clone)]
struct Stream {
    /// Its cache holds all there is.
    synced: bool,
    /// It does not, since then.
    behind_since: Instant,
    /// The last error.
    error: String,
}

impl Shared {
    /// Empty caches.
    pub fn new(queue: Arc<Queue>, metrics: Metrics) -> Self {
        let stream = Stream { synced: false, behind_since: Instant::now(), error: "not listed yet".to_owned() };
        let streams = Kind::ALL.into_iter().map(|kind| (kind, stream.clone())).collect();
        for kind in Kind::ALL {
            metrics.watch(kind.as_str(), false);
        }
        Self { caches: Mutex::default(), streams: Mutex::new(streams), queue, metrics }
    }

    /// The caches. Never hold this across an await.
    pub fn caches(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock()
    }

    /// The first stream that is needed and behind, for how long and why.
    pub fn behind(&self) -> Option<(Kind, Duration, String)> {
        let streams = self.streams.lock();
        let (kind, stream) = streams.iter().find(|(kind, stream)| kind.is_needed() && !stream.synced)?;
        Some((*kind, stream.behind_since.elapsed(), stream.error.clone()))
    }

    /// Takes in an object that this process just wrote, so that the next reconcile does not see the past, and wakes those whom
    /// it concerns: the watch will bring nothing new any more.
    pub fn wrote(&self, service: HealedService) {
        let object = Object::Service(Arc::new(service));
        let writer = object.key();
        let mut touched = self.caches().apply(object);
        touched.remove(&writer);
        self.wake(touched);
    }

    fn mark(&self, kind: Kind, error: Option<String>) {
        let mut streams = self.streams.lock();
        let Some(stream) = streams.get_mut(&kind) else { return };
        if stream.synced && error.is_some() {
            stream.behind_since = Instant::now();
        }
        stream.synced = error.is_none();
        stream.error = error.unwrap_or_default();
        self.metrics.watch(kind.as_str(), stream.synced);
    }

    /// Takes note that a kind is not to be had that can be done without. Healing goes on without; that is said.
    fn do_without(&self, kind: Kind, why: String) {
        let touched = self.caches().readable(kind, Some(why));
        self.mark(kind, None);
        self.wake(touched);
    }

    fn wake(&self, services: BTreeSet<Key>) {
        let now = Instant::now();
        for service in services {
            self.queue.add(service, now);
        }
    }
}

/// All watches of one namespace, or of all. Ends when told to stop.
pub async fn watch(client: Client, namespace: Option<&str>, shared: Arc<Shared>, stop: CancellationToken) {
    let all = watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS);
    let of_pods = all.clone().fields(pod_event::SELECTED);
    let kept = all.clone().labels(revision_mark::LABEL);
    let source = Source { client, namespace: namespace.map(str::to_owned), shared };
    let streams: Vec<BoxFuture<'_, ()>> = vec![
        Box::pin(source.follow(Kind::Service, &all, |object: HealedService| Object::Service(Arc::new(object)))),
        Box::pin(source.follow::<Deployment>(Kind::Deployment, &all, Object::Deployment)),
        Box::pin(source.follow::<StatefulSet>(Kind::StatefulSet, &all, Object::StatefulSet)),
        Box::pin(source.follow::<DaemonSet>(Kind::DaemonSet, &all, Object::DaemonSet)),
        Box::pin(source.follow::<ReplicaSet>(Kind::ReplicaSet, &all, Object::ReplicaSet)),
        Box::pin(source.follow(Kind::Pod, &all, |object: PodRecord| Object::Pod(Box::new(object)))),
        Box::pin(source.follow_in(Watched {
            kind: Kind::Node,
            api: Api::all(source.client.clone()),
            config: all.clone(),
            wrap: Object::Node as fn(NodeRecord) -> Object,
        })),
        Box::pin(source.follow::<Budget>(Kind::Budget, &all, Object::Budget)),
        Box::pin(source.follow::<PodEvent>(Kind::Event, &of_pods, Object::Event)),
        Box::pin(source.follow::<Revision>(Kind::Revision, &kept, Object::Revision)),
        Box::pin(
            source.follow(Kind::HealingPolicy, &all, |object: HealingPolicy| Object::HealingPolicy(Arc::new(object))),
        ),
        Box::pin(source.follow_in(Watched {
            kind: Kind::ClusterHealingPolicy,
            api: Api::all(source.client.clone()),
            config: all.clone(),
            wrap: |object: ClusterHealingPolicy| Object::ClusterHealingPolicy(Arc::new(object)),
        })),
    ];
    let _stopped = stop.run_until_cancelled(futures::future::join_all(streams)).await;
}

/// Why a stream ended.
struct Failure {
    error: String,
    unavailable: Option<Unavailable>,
}

/// How a kind is not to be had, as a clear answer of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unavailable {
    /// There is no such kind.
    Unknown,
    /// We may not read it.
    Forbidden,
}

impl Failure {
    fn of(kind: Kind, error: &watcher::Error) -> Self {
        let (code, error) = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status) => {
                let doing = format!("listing {}", kind.as_str());
                (status.code, explain(&doing, &kube::Error::Api(status.clone())))
            }
            watcher::Error::InitialListFailed(_)
            | watcher::Error::WatchStartFailed(_)
            | watcher::Error::WatchFailed(_)
            | watcher::Error::NoResourceVersion => (0, error.to_string()),
        };
        let unavailable = match code {
            404 => Some(Unavailable::Unknown),
            403 => Some(Unavailable::Forbidden),
            _ => None,
        };
        Self { error, unavailable }
    }
}

/// What is watched, and what its objects become in the caches.
struct Watched<K> {
    kind: Kind,
    api: Api<Item<K>>,
    config: watcher::Config,
    wrap: fn(K) -> Object,
}

struct Source {
    client: Client,
    namespace: Option<String>,
    shared: Arc<Shared>,
}

impl Source {
    async fn follow<K>(&self, kind: Kind, config: &watcher::Config, wrap: fn(K) -> Object)
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Decode
            + Clone
            + Debug
            + Send
            + 'static,
    {
        let api: Api<Item<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        self.follow_in(Watched { kind, api, config: config.clone(), wrap }).await;
    }

    async fn follow_in<K>(&self, watched: Watched<K>)
    where
        K: Resource<DynamicType = ()> + Decode + Clone + Debug + Send + 'static,
    {
        let kind = watched.kind;
        let mut known = BTreeSet::new();
        let mut waits = waits();
        let mut told = String::new();
        loop {
            let failure = self.follow_once(&watched, &mut known, &mut waits).await;
            let wait = waits.next().unwrap_or(LAST_BACKOFF);
            let Failure { error, unavailable } = failure;
            if error != told {
                let resource = kind.as_str();
                if unavailable.is_some() && kind.is_dispensable() {
                    tracing::warn!(resource, error, retry_in = ?wait, "not to be had: healing goes on without, listing again");
                } else {
                    tracing::warn!(resource, error, retry_in = ?wait, "watch failed, listing again");
                }
                told.clone_from(&error);
            }
            self.shared.metrics.watch_failed(kind.as_str());
            match unavailable.filter(|_| kind.is_dispensable()) {
                Some(how) => {
                    if how == Unavailable::Unknown {
                        // Without the kind there are no objects of it.
                        for gone in std::mem::take(&mut known) {
                            self.remove(kind, &gone);
                        }
                    }
                    self.shared.do_without(kind, error);
                }
                None => self.shared.mark(kind, Some(error)),
            }
            sleep(wait).await;
        }
    }

    /// Lists and watches until something goes wrong; tells what.
    async fn follow_once<K>(
        &self,
        watched: &Watched<K>,
        known: &mut BTreeSet<Key>,
        waits: &mut ExponentialBackoff,
    ) -> Failure
    where
        K: Resource<DynamicType = ()> + Decode + Clone + Debug + Send + 'static,
    {
        let Watched { kind, api, config, wrap } = watched;
        let (kind, wrap) = (*kind, *wrap);
        let mut stream = watcher(api.clone(), config.clone()).boxed();
        let mut listed = BTreeSet::new();
        loop {
            match stream.try_next().await {
                Ok(Some(Event::Init)) => listed.clear(),
                Ok(Some(Event::InitApply(object))) => {
                    listed.insert(key_of(object.meta()));
                    self.take_in(kind, object, wrap);
                }
                Ok(Some(Event::InitDone)) => {
                    for gone in known.difference(&listed) {
                        self.remove(kind, gone);
                    }
                    *known = std::mem::take(&mut listed);
                    *waits = self::waits();
                    let touched = self.shared.caches().readable(kind, None);
                    self.shared.wake(touched);
                    self.shared.mark(kind, None);
                }
                Ok(Some(Event::Apply(object))) => {
                    known.insert(key_of(object.meta()));
                    self.take_in(kind, object, wrap);
                }
                Ok(Some(Event::Delete(object))) => {
                    known.remove(&key_of(object.meta()));
                    self.remove(kind, &key_of(object.meta()));
                }
                Ok(None) => return Failure { error: "the stream ended".to_owned(), unavailable: None },
                Err(error) => return Failure::of(kind, &error),
            }
        }
    }

    fn take_in<K>(&self, kind: Kind, item: Item<K>, wrap: fn(K) -> Object) {
        let touched = match item.content {
            Ok(object) => self.shared.caches().apply(wrap(object)),
            Err(why) => self.leave_out(kind, &item.outline, &why),
        };
        self.count_undecoded(kind);
        self.shared.wake(touched);
    }

    /// Says so once: it comes again with each of its changes and each list.
    fn leave_out(&self, kind: Kind, outline: &Outline, why: &str) -> BTreeSet<Key> {
        let key = key_of(&outline.meta);
        let mut caches = self.shared.caches();
        if !caches.knows_undecoded(kind, &key, why) {
            let (namespace, name) = &key;
            tracing::warn!(resource = kind.as_str(), namespace, name, why, "an object cannot be read and is left out");
        }
        caches.apply_undecoded(kind, outline, why)
    }

    fn count_undecoded(&self, kind: Kind) {
        let count = self.shared.caches().undecoded(kind);
        self.shared.metrics.undecoded(kind.as_str(), count);
    }

    fn remove(&self, kind: Kind, key: &Key) {
        let touched = self.shared.caches().remove(kind, key);
        self.count_undecoded(kind);
        self.shared.wake(touched);
    }
}
