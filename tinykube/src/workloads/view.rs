//! The objects as the controllers know them, with the indexes they ask for, kept up by one change at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::object;
use crate::resource::Resource;
use crate::storage::{Change, ChangeKind};

/// Names one object of one resource. Ordered, so that work is done in the same order every time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// [`crate::resource::Definition::storage`] of its resource.
    pub(crate) storage: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Key {
    pub(crate) fn of(resource: &Resource, namespace: &str, name: &str) -> Key {
        Key { storage: resource.storage.clone(), namespace: namespace.into(), name: name.into() }
    }
}

type Names = BTreeMap<Arc<str>, Arc<Value>>;
type Orphans = BTreeMap<(Arc<str>, Arc<str>), BTreeSet<Arc<str>>>;
type Namespaces = BTreeMap<Arc<str>, Names>;

/// Every object and who owns whom.
#[derive(Debug, Default)]
pub(crate) struct View {
    objects: BTreeMap<Arc<str>, Namespaces>,
    resources: BTreeMap<Arc<str>, Resource>,
    by_kind: BTreeMap<String, Arc<str>>,
    by_uid: BTreeMap<String, Key>,
    /// Objects by the UID of any of their owners.
    owned: BTreeMap<String, BTreeSet<Key>>,
    /// Objects that no controller owns, by resource and namespace.
    orphans: Orphans,
}

impl View {
    /// Takes in one change.
    pub(crate) fn apply(&mut self, change: &Change) {
        let key = key_of(change);
        self.resources.entry(key.storage.clone()).or_insert_with(|| change.resource.clone());
        self.by_kind.entry(change.resource.kind.clone()).or_insert_with(|| key.storage.clone());
        if let Some(previous) = self.get_key(&key) {
            self.unlink(&key, &previous);
        }
        let names = self.objects.entry(key.storage.clone()).or_default().entry(key.namespace.clone()).or_default();
        if change.kind == ChangeKind::Deleted {
            names.remove(&key.name);
        } else {
            names.insert(key.name.clone(), change.object.clone());
            self.link(key, &change.object);
        }
    }

    /// One object.
    pub(crate) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&resource.storage)?.get(namespace)?.get(name).cloned()
    }

    /// One object.
    pub(crate) fn get_key(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(&key.storage)?.get(&key.namespace)?.get(&key.name).cloned()
    }

    /// One object by kind rather than resource.
    pub(crate) fn get_kind(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let storage = self.by_kind.get(kind)?;
        self.objects.get(storage)?.get(namespace)?.get(name).cloned()
    }

    /// One object by its UID.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Key> {
        self.by_uid.get(uid)
    }

    /// The resource of a key that has been seen.
    pub(crate) fn resource(&self, key: &Key) -> Option<&Resource> {
        self.resources.get(&key.storage)
    }

    /// The resource of a kind that has been seen.
    pub(crate) fn resource_of_kind(&self, kind: &str) -> Option<&Resource> {
        self.resources.get(self.by_kind.get(kind)?)
    }

    /// Objects of a resource in one namespace, by name.
    pub(crate) fn in_namespace(&self, resource: &Resource, namespace: &str) -> impl Iterator<Item = &Arc<Value>> {
        self.objects.get(&resource.storage).and_then(|all| all.get(namespace)).into_iter().flat_map(Names::values)
    }

    /// Objects of a resource, by namespace and name.
    pub(crate) fn all(&self, resource: &Resource) -> impl Iterator<Item = &Arc<Value>> {
        self.objects.get(&resource.storage).into_iter().flat_map(BTreeMap::values).flat_map(Names::values)
    }

    /// Keys of everything in a namespace.
    pub(crate) fn contents(&self, namespace: &str) -> Vec<Key> {
        let mut keys = Vec::new();
        for (storage, namespaces) in &self.objects {
            let Some((namespace, names)) = namespaces.get_key_value(namespace) else { continue };
            keys.extend(names.keys().map(|name| Key {
                storage: storage.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            }));
        }
        keys
    }

    /// Keys of the objects that name `uid` as an owner.
    pub(crate) fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.owned.get(uid).into_iter().flatten()
    }

    /// Objects of a resource whose controller is `uid`.
    pub(crate) fn controlled_by(&self, uid: &str, resource: &Resource) -> Vec<Arc<Value>> {
        let keys = self.owned_by(uid).filter(|key| key.storage == resource.storage);
        let objects = keys.filter_map(|key| self.get_key(key));
        objects.filter(|object| object::controller_of(object).is_some_and(|owner| owner["uid"] == uid)).collect()
    }

    /// Objects of a resource in a namespace that no controller owns.
    pub(crate) fn orphans(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let names = self.orphans.get(&(resource.storage.clone(), namespace.into()));
        names.into_iter().flatten().filter_map(|name| self.get(resource, namespace, name)).collect()
    }

    /// Keys of the pods that no node has yet.
    pub(crate) fn orphaned_from_nodes(&self, pods: &Resource) -> Vec<Key> {
        let waiting = self.all(pods).filter(|pod| object::text(pod, "/spec/nodeName").is_empty());
        waiting.map(|pod| Key::of(pods, object::namespace(pod), object::name(pod))).collect()
    }

    fn link(&mut self, key: Key, object: &Value) {
        self.by_uid.insert(object::uid(object).to_owned(), key.clone());
        for owner in object::items(object, "/metadata/ownerReferences") {
            self.owned.entry(object::text(owner, "/uid").to_owned()).or_default().insert(key.clone());
        }
        if object::controller_of(object).is_none() {
            self.orphans.entry((key.storage, key.namespace)).or_default().insert(key.name);
        }
    }

    fn unlink(&mut self, key: &Key, object: &Value) {
        self.by_uid.remove(object::uid(object));
        for owner in object::items(object, "/metadata/ownerReferences") {
            let uid = object::text(owner, "/uid");
            if let Some(keys) = self.owned.get_mut(uid) {
                keys.remove(key);
                if keys.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
        if let Some(names) = self.orphans.get_mut(&(key.storage.clone(), key.namespace.clone())) {
            names.remove(&key.name);
        }
    }
}

/// The key of a changed object.
pub(crate) fn key_of(change: &Change) -> Key {
    Key { storage: change.resource.storage.clone(), namespace: change.namespace.clone(), name: change.name.clone() }
}
