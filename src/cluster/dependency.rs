//! Dependencies as others' statuses show them: who is named, how it is, and who is behind it.
//!
//! Judges nothing: whether that holds a service is for the decision to say.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    base::Key,
    cluster::{
        cache::Caches,
        peer::{is_down, is_recovering, last_action},
    },
    policy::Effective,
    status::available_since,
};
use kubeheal_core::model::{
    dependency::{Dependency, DependencyHealth},
    policy::Mode,
};

/// What a service depends on, in the order in which its spec names it.
pub(super) fn dependencies(caches: &Caches, key: &Key, effective: &Effective) -> Vec<Dependency> {
    let stable = effective.settings.depends_on.iter().map(|one| i64::from(one.stable_seconds));
    caches
        .dependencies_of(key)
        .into_iter()
        .zip(stable)
        .map(|(target, stable)| one(caches, key, target, stable))
        .collect()
}

fn one(caches: &Caches, key: &Key, target: Key, stable: i64) -> Dependency {
    let health = health(caches, key, &target);
    let is_visible = matches!(health, DependencyHealth::Available(_) | DependencyHealth::Unavailable);
    let status = caches.service(&target).and_then(|service| service.status.clone()).filter(|_| is_visible);
    Dependency {
        stable: SignedDuration::from_secs(stable),
        health,
        down: status.as_ref().is_some_and(is_down),
        recovering: status.as_ref().is_some_and(is_recovering) && acts(caches, &target),
        last_action: status.as_ref().and_then(last_action),
        root: root_cause(caches, &target).filter(|root| *root != target).map(|(ns, name)| format!("{ns}/{name}")),
        namespace: target.0,
        name: target.1,
    }
}

fn health(caches: &Caches, key: &Key, target: &Key) -> DependencyHealth {
    let Some(service) = caches.service(target) else { return DependencyHealth::NotFound };
    let granted = target.0 == key.0 || service.spec.grants.iter().any(|grant| grant.namespace == key.0);
    if !granted {
        return DependencyHealth::NotGranted;
    }
    if reaches(caches, target, key) {
        return DependencyHealth::Cycle;
    }
    match service.status.as_ref().and_then(available_since) {
        Some(since) => DependencyHealth::Available(since),
        None => DependencyHealth::Unavailable,
    }
}

/// One that only watches would be waited for and never come.
fn acts(caches: &Caches, key: &Key) -> bool {
    caches.effective(key).is_some_and(|effective| effective.policy.mode == Mode::Heal && !effective.policy.suspend)
}

/// Whether `from` depends on `to`, directly or through others.
fn reaches(caches: &Caches, from: &Key, to: &Key) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(next) = open.pop() {
        if next == *to {
            return true;
        }
        if seen.insert(next.clone()) {
            open.extend(caches.dependencies_of(&next));
        }
    }
    false
}

/// The deepest unavailable service behind a dependency: what really has to be repaired.
fn root_cause(caches: &Caches, start: &Key) -> Option<Key> {
    let is_available = |key: &Key| {
        caches.service(key).is_some_and(|service| service.status.as_ref().and_then(available_since).is_some())
    };
    let mut root = Some(start.clone()).filter(|start| !is_available(start))?;
    let mut seen = BTreeSet::from([root.clone()]);
    loop {
        let deeper = caches
            .dependencies_of(&root)
            .into_iter()
            .find(|next| !is_available(next) && caches.service(next).is_some() && !seen.contains(next));
        match deeper {
            Some(next) => {
                seen.insert(next.clone());
                root = next;
            }
            None => return Some(root),
        }
    }
}
