//! Dependencies as others' statuses show them: who is named, how it is, and who is behind it.
//!
//! Judges nothing: whether that holds a service is for `healing` to say.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{cache::Caches, policy::Effective, record::Key};
use crate::{
    api::status::{self, HealedServiceStatus, HealthState, condition},
    healing::{
        dependency::{Dependency, DependencyState},
        policy::Mode,
        reason::Reason,
    },
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
    let state = state(caches, key, &target);
    let is_visible = matches!(state, DependencyState::Healthy(_) | DependencyState::NotHealthy);
    let status = caches.service(&target).and_then(|service| service.status.clone()).filter(|_| is_visible);
    Dependency {
        stable: SignedDuration::from_secs(stable),
        state,
        down: status.as_ref().is_some_and(is_down),
        recovering: status.as_ref().is_some_and(is_recovering) && acts(caches, &target),
        root: root_cause(caches, &target).filter(|root| *root != target).map(|(ns, name)| format!("{ns}/{name}")),
        namespace: target.0,
        name: target.1,
    }
}

fn state(caches: &Caches, key: &Key, target: &Key) -> DependencyState {
    let Some(service) = caches.service(target) else { return DependencyState::NotFound };
    let granted = target.0 == key.0 || service.spec.grants.iter().any(|grant| grant.namespace == key.0);
    if !granted {
        return DependencyState::NotGranted;
    }
    if reaches(caches, target, key) {
        return DependencyState::Cycle;
    }
    match service.status.as_ref().and_then(well_since) {
        Some(since) => DependencyState::Healthy(since),
        None => DependencyState::NotHealthy,
    }
}

/// Since when others can rely on a service: healthy, or a bare pod that ended well, which has done what it was for.
pub fn well_since(status: &HealedServiceStatus) -> Option<Timestamp> {
    match status.health? {
        HealthState::Healthy => status.healthy_since.as_ref().map(|since| since.0),
        HealthState::Idle => ready(status, Reason::Completed).map(|ready| ready.last_transition_time.0),
        HealthState::Degraded | HealthState::Unhealthy | HealthState::Starting | HealthState::Unknown => None,
    }
}

/// It was well once, and nobody answers for it now. What is not known is not down.
fn is_down(status: &HealedServiceStatus) -> bool {
    let nobody = status.pods.as_ref().is_some_and(|pods| pods.ready == 0);
    let may_be = match status.health.unwrap_or_default() {
        HealthState::Unhealthy | HealthState::Degraded | HealthState::Starting => true,
        HealthState::Idle => ready(status, Reason::ScaledToZero).is_some(),
        HealthState::Healthy | HealthState::Unknown => false,
    };
    may_be && nobody && status.last_known_good.is_some()
}

/// What dependents look at in a status.
pub(super) fn said_to_others(status: &HealedServiceStatus) -> impl PartialEq + use<> {
    let down = is_down(status);
    (status.health, well_since(status), down, is_recovering(status), status.dependencies.clone())
}

/// Its own pods are restarted, or will be, because what it depends on was down.
fn is_recovering(status: &HealedServiceStatus) -> bool {
    let is_left = |left: &status::DependencyRecovery| left.awaited || !left.pods.is_empty();
    let is_proving = |repair: &status::InFlight| repair.cause == Reason::DependencyRecovered.as_str();
    status.dependency_recovery.as_ref().is_some_and(is_left) || status.in_flight.as_ref().is_some_and(is_proving)
}

/// One that only watches would be waited for in vain.
fn acts(caches: &Caches, key: &Key) -> bool {
    caches.effective(key).is_some_and(|effective| effective.policy.mode == Mode::Heal && !effective.policy.suspend)
}

fn ready(status: &HealedServiceStatus, because: Reason) -> Option<&Condition> {
    let is_it = |known: &&Condition| known.type_ == condition::READY && known.reason == because.as_str();
    status.conditions.iter().find(is_it)
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

/// The deepest unhealthy service behind a dependency: what really has to be repaired.
fn root_cause(caches: &Caches, start: &Key) -> Option<Key> {
    let is_well =
        |key: &Key| caches.service(key).is_some_and(|service| service.status.as_ref().and_then(well_since).is_some());
    let mut root = Some(start.clone()).filter(|start| !is_well(start))?;
    let mut seen = BTreeSet::from([root.clone()]);
    loop {
        let deeper = caches
            .dependencies_of(&root)
            .into_iter()
            .find(|next| !is_well(next) && caches.service(next).is_some() && !seen.contains(next));
        match deeper {
            Some(next) => {
                seen.insert(next.clone());
                root = next;
            }
            None => return Some(root),
        }
    }
}
