//! Into the store and out of it, with what follows from that for a kind.

use std::sync::Arc;

use serde_json::Value;

use super::{Api, convert};
use crate::resource::Resource;
use crate::{kinds, order};

impl Api {
    /// Writes an object to the store; the caller holds the write lock.
    pub(crate) fn put(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        let stored = self.store().write(resource, namespace, name, self.as_stored(resource, object));
        kinds::after_write(self, resource, &stored);
        convert::to_version(resource, &stored)
    }

    /// An object as it would be if it had been stored.
    pub(super) fn not_stored(resource: &Resource, mut object: Value) -> Arc<Value> {
        order::arrange(resource, &mut object);
        Arc::new(object)
    }

    /// Removes an object from the store; the caller holds the write lock.
    pub(crate) fn take(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        let stored = self.store().remove(resource, namespace, name, self.as_stored(resource, object));
        kinds::after_delete(self, resource, &stored);
        convert::to_version(resource, &stored)
    }

    fn as_stored(&self, resource: &Resource, object: Value) -> Value {
        let mut stored = convert::to_storage(resource, object);
        if let Some(custom) = self.registry().custom(resource) {
            stored["apiVersion"] = custom.stored_as.clone().into();
        }
        stored
    }

    /// Whether an object is stored in the version in which new ones are.
    pub(super) fn is_stored_as_declared(&self, resource: &Resource, namespace: &str, name: &str) -> bool {
        let Some(custom) = self.registry().custom(resource) else { return true };
        let stored = self.store().get(resource, namespace, name);
        stored.is_none_or(|stored| stored.api_version() == custom.stored_as)
    }
}
