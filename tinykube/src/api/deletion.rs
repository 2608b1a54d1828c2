//! How a deletion is to be done, and what it led to.

use std::sync::Arc;

use serde_json::Value;

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
