//! How a write is to be done, and which part of an object it may change.

use std::sync::{Arc, Mutex, PoisonError};

use crate::resource::Resource;

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

/// What a write to an object that is there may change, and how it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) part: Part,
    pub(crate) options: &'a Options,
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
