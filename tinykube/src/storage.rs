//! The objects, one counter of resource versions and a bounded history of every change.
//!
//! Knows nothing of kinds or validation: what it is given it puts in order and keeps as text, shared and never copied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::order;
use crate::resource::{ObjectRef, Resource};
use crate::stored::{Recent, Stored};

/// How much text the history refers to at most.
const HISTORY_BYTES: usize = 32 << 20;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was written anew.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change, in the order of `rv`.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource version the change got.
    pub rv: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// The resource under which it was written.
    pub resource: Resource,
    /// The object afterwards; for a deletion its last state, with the deletion's resource version.
    pub object: Stored,
    /// The object before, if there was one.
    pub previous: Option<Stored>,
}

/// The asked changes are no longer in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct Compacted {
    /// The resource version asked for.
    pub asked: u64,
    /// The oldest resource version from which changes are still known.
    pub oldest: u64,
}

type Objects = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Stored>>;

#[derive(Debug)]
struct State {
    rv: u64,
    objects: BTreeMap<Arc<str>, Objects>,
    history: VecDeque<Change>,
    history_bytes: usize,
    /// Changes up to and including this resource version are forgotten.
    compacted: u64,
    capacity: usize,
    topics: BTreeMap<Arc<str>, watch::Sender<u64>>,
}

/// The store. Clones share the objects.
#[derive(Clone, Debug)]
pub struct Store {
    state: Arc<Mutex<State>>,
    latest: Arc<watch::Sender<u64>>,
    recent: Arc<Recent>,
}

/// A list of objects as of one resource version.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The resource version at which the list is true.
    pub rv: u64,
    /// Objects ordered by namespace and name.
    pub objects: Vec<Stored>,
}

impl Store {
    /// An empty store that remembers the last `history` changes, or fewer when their objects take more than 32 MiB.
    pub fn new(history: usize) -> Store {
        let state = State {
            rv: 1,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            history_bytes: 0,
            compacted: 1,
            capacity: history,
            topics: BTreeMap::new(),
        };
        Store { state: Arc::new(Mutex::new(state)), latest: Arc::new(watch::Sender::new(1)), recent: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest resource version given out.
    pub fn rv(&self) -> u64 {
        self.lock().rv
    }

    /// One object; `namespace` is empty for cluster-scoped ones.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Stored> {
        let state = self.lock();
        state.objects.get(&resource.storage)?.get(namespace)?.get(name).cloned()
    }

    /// Objects of a namespace, or of all if it is empty, ordered by namespace and name.
    pub fn list(&self, resource: &Resource, namespace: &str) -> Vec<Stored> {
        self.lock().list(resource, namespace)
    }

    /// As [`Store::list`], with the resource version at which it is true.
    pub fn listing(&self, resource: &Resource, namespace: &str) -> Listing {
        let state = self.lock();
        Listing { rv: state.rv, objects: state.list(resource, namespace) }
    }

    /// The list as it was at `rv`.
    ///
    /// # Errors
    /// [`Compacted`] if the changes since then are forgotten.
    pub fn listing_at(&self, resource: &Resource, namespace: &str, rv: u64) -> Result<Listing, Compacted> {
        let state = self.lock();
        let changes = state.since(rv)?;
        let mut objects: BTreeMap<(Arc<str>, Arc<str>), Stored> = BTreeMap::new();
        for (ns, names) in state.objects.get(&resource.storage).into_iter().flatten() {
            if namespace.is_empty() || **ns == *namespace {
                objects.extend(names.iter().map(|(name, object)| ((ns.clone(), name.clone()), object.clone())));
            }
        }
        for change in changes.rev() {
            let wanted = change.resource.storage == resource.storage
                && (namespace.is_empty() || **change.object.namespace() == *namespace);
            if !wanted {
                continue;
            }
            let key = (change.object.namespace().clone(), change.object.name().clone());
            match &change.previous {
                Some(previous) => objects.insert(key, previous.clone()),
                None => objects.remove(&key),
            };
        }
        Ok(Listing { rv, objects: objects.into_values().collect() })
    }

    /// Every change after `rv`, oldest first.
    ///
    /// # Errors
    /// [`Compacted`] if some of them are forgotten.
    pub fn changes_since(&self, rv: u64) -> Result<Vec<Change>, Compacted> {
        Ok(self.lock().since(rv)?.cloned().collect())
    }

    /// Every change after `rv` to objects stored with `resource`, and the latest resource version.
    ///
    /// # Errors
    /// [`Compacted`] if some of them are forgotten.
    pub fn changes_of(&self, resource: &Resource, rv: u64) -> Result<(Vec<Change>, u64), Compacted> {
        let state = self.lock();
        let changes = state.since(rv)?.filter(|change| change.resource.storage == resource.storage);
        Ok((changes.cloned().collect(), state.rv))
    }

    /// The latest resource version, marked changed with every change of any object.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// The latest resource version of this resource, marked changed with every change of its objects.
    pub fn subscribe_to(&self, resource: &Resource) -> watch::Receiver<u64> {
        let mut state = self.lock();
        let rv = state.rv;
        let topic = state.topics.entry(resource.storage.clone());
        topic.or_insert_with(|| watch::Sender::new(rv)).subscribe()
    }

    /// Forgets every change up to and including `rv`, as compaction of etcd does.
    pub fn compact(&self, rv: u64) {
        let mut state = self.lock();
        let rv = rv.min(state.rv);
        while state.history.front().is_some_and(|change| change.rv <= rv) {
            state.forget_oldest();
        }
        state.compacted = state.compacted.max(rv);
    }

    /// Writes or, without an object, removes; stamps the resource version. The caller holds the write lock of the API.
    pub(crate) fn write(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        self.commit(resource.named(namespace, name), object, false)
    }

    /// Removes an object whose last state is `object`; stamps the deletion's resource version into it.
    pub(crate) fn remove(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        self.commit(resource.named(namespace, name), object, true)
    }

    fn commit(&self, target: ObjectRef<'_>, mut object: Value, gone: bool) -> Arc<Value> {
        let ObjectRef { resource, namespace, name } = target;
        let mut state = self.lock();
        state.rv += 1;
        let rv = state.rv;
        object["metadata"]["resourceVersion"] = Value::String(rv.to_string());
        order::arrange(resource, &mut object);
        let tree = Arc::new(object);
        let namespaces = state.objects.entry(resource.storage.clone()).or_default();
        // Every version shares the names of the first.
        let namespace =
            namespaces.get_key_value(namespace).map_or_else(|| namespace.into(), |(known, _)| known.clone());
        let names = namespaces.entry(namespace.clone()).or_default();
        let name = names.get_key_value(name).map_or_else(|| name.into(), |(known, _)| known.clone());
        let object = Stored::new(&self.recent, namespace, name.clone(), rv, &tree);
        let previous = if gone { names.remove(&name) } else { names.insert(name, object.clone()) };
        let kind = match (&previous, gone) {
            (_, true) => ChangeKind::Deleted,
            (Some(_), false) => ChangeKind::Modified,
            (None, false) => ChangeKind::Added,
        };
        let resource = resource.clone();
        if let Some(topic) = state.topics.get(&resource.storage) {
            topic.send_replace(rv);
        }
        let change = Change { rv, kind, resource, object, previous };
        state.record(change);
        drop(state);
        self.latest.send_replace(rv);
        tree
    }
}

impl State {
    fn list(&self, resource: &Resource, namespace: &str) -> Vec<Stored> {
        let Some(namespaces) = self.objects.get(&resource.storage) else {
            return Vec::new();
        };
        if namespace.is_empty() {
            return namespaces.values().flat_map(BTreeMap::values).cloned().collect();
        }
        namespaces.get(namespace).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn since(&self, rv: u64) -> Result<impl DoubleEndedIterator<Item = &Change>, Compacted> {
        if rv < self.compacted {
            return Err(Compacted { asked: rv, oldest: self.compacted });
        }
        // Every resource version is one change, so the position follows from the number.
        let skip = usize::try_from(rv - self.compacted).unwrap_or(usize::MAX).min(self.history.len());
        Ok(self.history.range(skip..))
    }

    fn record(&mut self, change: Change) {
        self.history_bytes += change.object.json().len();
        self.history.push_back(change);
        while self.history.len() > self.capacity || self.history_bytes > HISTORY_BYTES {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.history.pop_front() {
            self.history_bytes -= oldest.object.json().len();
            self.compacted = oldest.rv;
        }
    }
}
