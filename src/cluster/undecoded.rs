//! Objects that are there and cannot be read: what is known of them, and whom they concern.
//!
//! One that cannot be read is neither well nor gone: whoever must know it to judge knows nothing.

use std::collections::BTreeMap;

use crate::{
    base::Key,
    cluster::{decode::Outline, kind::Kind},
};

/// The objects that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Undecoded(BTreeMap<(Kind, Key), Trace>);

/// What is known of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    /// UID of its controller.
    pub(super) controller: Option<String>,
    /// Why it cannot be read.
    pub(super) why: String,
}

impl Undecoded {
    /// The same was known of it before.
    pub(super) fn knows(&self, kind: Kind, key: &Key, why: &str) -> bool {
        self.0.get(&(kind, key.clone())).is_some_and(|trace| trace.why == why)
    }

    pub(super) fn put(&mut self, kind: Kind, key: Key, outline: &Outline, why: &str) {
        self.0.insert((kind, key), Trace { controller: outline.controller.clone(), why: why.to_owned() });
    }

    pub(super) fn take(&mut self, kind: Kind, key: &Key) -> Option<Trace> {
        if self.0.is_empty() { None } else { self.0.remove(&(kind, key.clone())) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.0.keys().filter(|(known, _)| *known == kind).count()
    }

    /// What is to be said of this object, if it cannot be read.
    pub(super) fn of(&self, kind: Kind, key: &Key) -> Option<String> {
        self.0.get(&(kind, key.clone())).map(|trace| sentence(kind, key, trace))
    }

    /// The first pod or ReplicaSet that cannot be read and whose controller is such a one.
    pub(super) fn controlled(&self, by: impl Fn(&str) -> bool) -> Option<String> {
        let below = |((kind, _), trace): &(&(Kind, Key), &Trace)| {
            matches!(kind, Kind::Pod | Kind::ReplicaSet) && trace.controller.as_deref().is_some_and(&by)
        };
        self.0.iter().find(below).map(|((kind, key), trace)| sentence(*kind, key, trace))
    }
}

fn sentence(kind: Kind, (namespace, name): &Key, trace: &Trace) -> String {
    format!("{} {namespace}/{name} cannot be read: {}", kind.as_str(), trace.why)
}
