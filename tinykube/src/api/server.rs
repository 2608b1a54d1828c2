//! The API server: what it consists of, and reading from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::bearer::Signer;
use super::{Status, convert};
use crate::clock::Clock;
use crate::random::Random;
use crate::registry::Registry;
use crate::resource::Resource;
use crate::storage::Store;

/// The API server without HTTP. Clones share everything.
#[derive(Clone, Debug)]
pub struct Api {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    random: Random,
    registry: Registry,
    signer: Signer,
    /// Held from reading an object to writing it, so every write sees the one before.
    writing: Mutex<()>,
}

impl Api {
    /// An empty server with the built-in resources.
    pub fn new(clock: Clock, seed: u64, history: usize) -> Api {
        Api {
            inner: Arc::new(Inner {
                store: Store::new(history),
                clock,
                random: Random::seeded(seed),
                registry: Registry::builtin(),
                signer: Signer::new(),
                writing: Mutex::new(()),
            }),
        }
    }

    /// The objects and their history, to read and to subscribe to.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The cluster's clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The cluster's seeded generator.
    pub fn random(&self) -> &Random {
        &self.inner.random
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.inner.signer
    }

    /// Which resources are served.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The resource named `plural` in `group` (empty for the core group), in its first served version.
    pub fn resource(&self, group: &str, plural: &str) -> Option<Resource> {
        self.inner.registry.find(group, plural)
    }

    /// One object; `namespace` is empty for cluster-scoped ones.
    ///
    /// # Errors
    /// 404.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        let found = self.store().get(resource, namespace, name);
        let found = found.ok_or_else(|| Status::not_found(resource, name))?;
        let custom = self.registry().custom(resource);
        if let Some(why) = custom.and_then(|custom| convert::refusal(&custom, &found)) {
            return Err(Status::new(500, "", why));
        }
        Ok(convert::to_version(resource, &found.value()))
    }

    /// Every object of a namespace, or of all if it is empty, ordered by namespace and name.
    pub fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let stored = self.store().list(resource, namespace);
        stored.iter().map(|object| convert::to_version(resource, &object.value())).collect()
    }

    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
