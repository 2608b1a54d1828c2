//! The verbs of the API server as plain functions on JSON.
//!
//! The HTTP service and the in-process controllers both end here, so both get the same validation, defaulting and
//! conflicts. Nothing here waits: a write is done when the function returns.

mod binding;
pub(crate) mod convert;
mod create;
mod delete;
pub(crate) mod discovery;
mod eviction;
mod finalize;
pub(crate) mod lasting_token;
pub mod list;
pub mod path;
mod scale;
pub mod selector;
mod status;
mod table;
pub(crate) mod token;
mod update;
pub mod view;
pub mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

pub use self::list::{ListOptions, Page};
pub(crate) use self::status::details;
pub use self::status::{Cause, Status};
use crate::clock::Clock;
use crate::patch::Patch;
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
    signer: token::Signer,
    /// Held from reading an object to writing it, so every write sees the one before.
    writing: Mutex<()>,
}

/// How a write is to be done. The default suits controllers in this process: no field manager is recorded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who writes. `None` leaves `managedFields` as they are, which is much cheaper.
    pub manager: Option<String>,
    /// Do everything but store.
    pub dry_run: bool,
    /// What to do about unknown and duplicate fields.
    pub validation: FieldValidation,
    /// Where warnings for the client are collected.
    pub warnings: Warnings,
}

impl Options {
    /// Writes are recorded in `managedFields` under this name.
    pub fn by(manager: impl Into<String>) -> Options {
        Options { manager: Some(manager.into()), ..Options::default() }
    }
}

/// The `fieldValidation` parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop unknown fields silently.
    #[default]
    Ignore,
    /// Drop them and say so in a warning.
    Warn,
    /// Refuse the request.
    Strict,
}

/// Warnings collected while a request is handled. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Option<Arc<Mutex<Vec<String>>>>);

impl Warnings {
    /// A list that keeps what is added; the default one forgets it.
    pub fn collecting() -> Warnings {
        Warnings(Some(Arc::default()))
    }

    pub(crate) fn add(&self, warning: impl Into<String>) {
        if let Some(list) = &self.0 {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(warning.into());
        }
    }

    /// What was added so far.
    pub fn take(&self) -> Vec<String> {
        let list = self.0.as_ref();
        list.map(|list| std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }
}

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
    /// Replicas alone, through a `Scale`.
    Scale,
}

/// What is to happen to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Leave them, without an owner.
    Orphan,
    /// The object goes first.
    Background,
    /// The dependents go first.
    Foreground,
}

/// How a deletion is to be done.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds a pod gets to end; `None` is the pod's own.
    pub grace_period_seconds: Option<i64>,
    /// What happens to dependents; `None` is the kind's default.
    pub propagation: Option<Propagation>,
    /// Refuse unless the object has this UID.
    pub uid: Option<String>,
    /// Refuse unless the object has this resource version.
    pub resource_version: Option<String>,
    /// Do everything but delete.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// At once, as the kubelet deletes a pod that ended.
    pub fn now() -> DeleteOptions {
        DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }
    }

    /// Only this very object.
    #[must_use]
    pub fn with_uid(mut self, uid: impl Into<String>) -> DeleteOptions {
        self.uid = Some(uid.into());
        self
    }
}

/// What a deletion led to.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// The object is gone; this was its last state.
    Gone(Arc<Value>),
    /// It waits for finalizers or for its grace period to pass.
    Pending(Arc<Value>),
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
                signer: token::Signer::new(),
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

    /// Writes an object to the store; the caller holds the write lock.
    pub(crate) fn put(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        let stored = self.store().write(resource, namespace, name, self.as_stored(resource, object));
        crate::kinds::after_write(self, resource, &stored);
        convert::to_version(resource, &stored)
    }

    /// An object as it would be if it had been stored.
    fn not_stored(resource: &Resource, mut object: Value) -> Arc<Value> {
        crate::order::arrange(resource, &mut object);
        Arc::new(object)
    }

    /// Removes an object from the store; the caller holds the write lock.
    pub(crate) fn take(&self, resource: &Resource, namespace: &str, name: &str, object: Value) -> Arc<Value> {
        let stored = self.store().remove(resource, namespace, name, self.as_stored(resource, object));
        crate::kinds::after_delete(self, resource, &stored);
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
    fn is_stored_as_declared(&self, resource: &Resource, namespace: &str, name: &str) -> bool {
        let Some(custom) = self.registry().custom(resource) else { return true };
        let stored = self.store().get(resource, namespace, name);
        stored.is_none_or(|stored| stored.api_version() == custom.stored_as)
    }

    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes one part of an object by a patch.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        part: Part,
        patch: &Patch,
        options: &Options,
    ) -> Result<Arc<Value>, Status> {
        crate::patch::run(self, resource, namespace, name, part, patch, options)
    }
}
