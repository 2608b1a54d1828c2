//! What a pod can see of the rest of the cluster. Answers only; it changes nothing.

use jiff::Timestamp;

use super::config_ref::ConfigRef;
use super::dependency::Dependency;

/// The cluster as one pod sees it.
pub(crate) trait World {
    /// Why a Secret or `ConfigMap` the pod refers to cannot be used; nothing if it can.
    fn config_problem(&self, reference: &ConfigRef) -> Option<String>;

    /// Since when an object is not up; nothing if it is.
    fn down_since(&self, dependency: &Dependency) -> Option<Timestamp>;
}

/// A world in which nothing is missing and nothing is down.
#[cfg(test)]
pub(crate) struct AllIsWell;

#[cfg(test)]
impl World for AllIsWell {
    fn config_problem(&self, _: &ConfigRef) -> Option<String> {
        None
    }

    fn down_since(&self, _: &Dependency) -> Option<Timestamp> {
        None
    }
}
