//! What a node knows of the cluster: the objects its watches brought, never older than what is known already.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::object;
use crate::resource::Resource;
use crate::storage::{Change, ChangeKind};
use crate::stored::{Recent, Stored};
use crate::workloads::{Key, View};

/// The objects, and what changed last.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) view: View,
    recent: Arc<Recent>,
    /// Numbers versions: resource versions of different kinds need not be different.
    version: u64,
}

/// Something that changed, with what was before.
#[derive(Debug)]
pub(super) struct News {
    pub(super) change: Change,
    pub(super) object: Arc<Value>,
    pub(super) previous: Option<Arc<Value>>,
}

impl Known {
    /// An object that is there; nothing if that, or a later state of it, is known.
    pub(super) fn put(&mut self, resource: &Resource, mut object: Value) -> Option<News> {
        let key = Key::of(resource, object::namespace(&object), object::name(&object));
        let previous = self.view.get_key(&key);
        if previous.as_ref().is_some_and(|previous| !is_newer(&object, previous)) {
            return None;
        }
        keep_only_names(resource, &mut object);
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        Some(self.apply(resource, kind, Arc::new(object), previous))
    }

    /// An object that is gone; nothing if it was not known.
    pub(super) fn remove(&mut self, resource: &Resource, gone: &Value) -> Option<News> {
        let key = Key::of(resource, object::namespace(gone), object::name(gone));
        let known = self.view.get_key(&key).filter(|known| object::uid(known) == object::uid(gone))?;
        Some(self.apply(resource, ChangeKind::Deleted, known.clone(), Some(known)))
    }

    /// Objects that a complete list did not have any more.
    pub(super) fn missing(&self, resource: &Resource, listed: &BTreeSet<Key>) -> Vec<Arc<Value>> {
        let all = self.view.all(resource);
        all.filter(|known| !listed.contains(&Key::of(resource, object::namespace(known), object::name(known))))
            .collect()
    }

    fn apply(
        &mut self,
        resource: &Resource,
        kind: ChangeKind,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) -> News {
        self.version += 1;
        let (namespace, name) = (object::namespace(&object).into(), object::name(&object).into());
        let stored = Stored::new(&self.recent, namespace, name, self.version, &object);
        let change = Change { rv: self.version, kind, resource: resource.clone(), object: stored, previous: None };
        self.view.apply(&change);
        News { change, object, previous }
    }
}

/// Resource versions of one object can be compared since Kubernetes 1.35, and could in fact before.
fn is_newer(object: &Value, known: &Value) -> bool {
    let version = |object: &Value| object::resource_version(object).parse::<u64>().ok();
    object::uid(object) != object::uid(known)
        || version(object).zip(version(known)).is_none_or(|(object, known)| object > known)
}

/// A node asks only whether a key is there; what stands under it is nobody's business here.
fn keep_only_names(resource: &Resource, object: &mut Value) {
    if !matches!(resource.kind.as_str(), "Secret" | "ConfigMap") {
        return;
    }
    for part in ["data", "stringData", "binaryData"] {
        for value in object.get_mut(part).and_then(Value::as_object_mut).into_iter().flat_map(|data| data.values_mut())
        {
            *value = "".into();
        }
    }
    if let Some(metadata) = object.get_mut("metadata") {
        // `kubectl apply` keeps the whole object here.
        object::map(metadata).shift_remove("annotations");
    }
}
