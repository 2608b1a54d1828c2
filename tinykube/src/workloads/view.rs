//! The objects as the controllers know them, with the indexes they ask for, kept up by one change at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::object;
use crate::resource::Resource;
use crate::storage::{Change, ChangeKind};
use crate::stored::Stored;

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

/// An object and what it is indexed by.
#[derive(Debug)]
struct Known {
    object: Stored,
    links: Links,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Links {
    uid: Arc<str>,
    /// The UIDs of its owners.
    owners: Box<[Arc<str>]>,
    /// One of the owners is its controller.
    controlled: bool,
}

impl Known {
    fn new(object: &Stored) -> Known {
        let tree = object.metadata();
        let owners = object::items(&tree, "/metadata/ownerReferences").iter();
        let links = Links {
            uid: object::uid(&tree).into(),
            owners: owners.map(|owner| object::text(owner, "/uid").into()).collect(),
            controlled: object::controller_of(&tree).is_some(),
        };
        Known { object: object.clone(), links }
    }
}

type Names = BTreeMap<Arc<str>, Known>;
type Orphans = BTreeMap<(Arc<str>, Arc<str>), BTreeSet<Arc<str>>>;
type Namespaces = BTreeMap<Arc<str>, Names>;

/// Every object and who owns whom.
#[derive(Debug, Default)]
pub(crate) struct View {
    objects: BTreeMap<Arc<str>, Namespaces>,
    resources: BTreeMap<Arc<str>, Resource>,
    by_kind: BTreeMap<String, Arc<str>>,
    by_uid: BTreeMap<Arc<str>, Key>,
    /// Objects by the UID of any of their owners.
    owned: BTreeMap<Arc<str>, BTreeSet<Key>>,
    /// Objects that no controller owns, by resource and namespace.
    orphans: Orphans,
}

impl View {
    /// Takes in one change.
    pub(crate) fn apply(&mut self, change: &Change) {
        let key = key_of(change);
        self.resources.entry(key.storage.clone()).or_insert_with(|| change.resource.clone());
        self.by_kind.entry(change.resource.kind.clone()).or_insert_with(|| key.storage.clone());
        let before = self.names(&key).remove(&key.name);
        let now = (change.kind != ChangeKind::Deleted).then(|| Known::new(&change.object));
        let same = before.as_ref().map(|before| &before.links) == now.as_ref().map(|now| &now.links);
        if let Some(before) = before.as_ref().filter(|_| !same) {
            self.unlink(&key, &before.links);
        }
        let Some(now) = now else { return };
        if !same {
            self.link(&key, &now.links);
        }
        // What is the same is shared with the indexes.
        let links = before.filter(|_| same).map_or(now.links, |before| before.links);
        let name = key.name.clone();
        self.names(&key).insert(name, Known { object: now.object, links });
    }

    fn names(&mut self, key: &Key) -> &mut Names {
        self.objects.entry(key.storage.clone()).or_default().entry(key.namespace.clone()).or_default()
    }

    fn known(&self, storage: &str, namespace: &str, name: &str) -> Option<&Known> {
        self.objects.get(storage)?.get(namespace)?.get(name)
    }

    /// One object.
    pub(crate) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        Some(self.known(&resource.storage, namespace, name)?.object.value())
    }

    /// One object.
    pub(crate) fn get_key(&self, key: &Key) -> Option<Arc<Value>> {
        Some(self.known(&key.storage, &key.namespace, &key.name)?.object.value())
    }

    /// One object by kind rather than resource.
    pub(crate) fn get_kind(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        Some(self.known(self.by_kind.get(kind)?, namespace, name)?.object.value())
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
    pub(crate) fn in_namespace(&self, resource: &Resource, namespace: &str) -> impl Iterator<Item = Arc<Value>> {
        let names = self.objects.get(&resource.storage).and_then(|all| all.get(namespace));
        names.into_iter().flat_map(Names::values).map(|known| known.object.value())
    }

    /// Objects of a resource, by namespace and name.
    pub(crate) fn all(&self, resource: &Resource) -> impl Iterator<Item = Arc<Value>> {
        let names = self.objects.get(&resource.storage).into_iter().flat_map(BTreeMap::values);
        names.flat_map(Names::values).map(|known| known.object.value())
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
        waiting.map(|pod| Key::of(pods, object::namespace(&pod), object::name(&pod))).collect()
    }

    fn link(&mut self, key: &Key, links: &Links) {
        let Links { uid, owners, controlled } = links;
        self.by_uid.insert(uid.clone(), key.clone());
        for owner in owners {
            self.owned.entry(owner.clone()).or_default().insert(key.clone());
        }
        if !controlled {
            let names = self.orphans.entry((key.storage.clone(), key.namespace.clone())).or_default();
            names.insert(key.name.clone());
        }
    }

    fn unlink(&mut self, key: &Key, links: &Links) {
        let Links { uid, owners, controlled } = links;
        self.by_uid.remove(uid);
        for owner in owners {
            if let Some(keys) = self.owned.get_mut(owner) {
                keys.remove(key);
                if keys.is_empty() {
                    self.owned.remove(owner);
                }
            }
        }
        if !controlled && let Some(names) = self.orphans.get_mut(&(key.storage.clone(), key.namespace.clone())) {
            names.remove(&key.name);
        }
    }
}

/// The key of a changed object.
pub(crate) fn key_of(change: &Change) -> Key {
    Key {
        storage: change.resource.storage.clone(),
        namespace: change.object.namespace().clone(),
        name: change.object.name().clone(),
    }
}
