//! How many services are unhealthy in how many namespaces, and whether that is a storm.

use std::collections::BTreeMap;

use crate::model::{fleet::trouble::take_one, policy::ClusterPolicy};

/// What a storm takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What is unhealthy must weigh more than this.
    pub(super) limit: usize,
    /// One namespace weighs no more than this.
    most: usize,
    /// Without any one namespace more than so many must be unhealthy, where that is asked.
    outside: Option<usize>,
}

impl Limits {
    /// In one namespace with so many services that count.
    pub(super) fn of_namespace(policy: &ClusterPolicy, services: usize) -> Self {
        let share = (services * policy.storm_percent as usize).div_ceil(100);
        Self { limit: share.max(policy.storm_minimum as usize), most: usize::MAX, outside: None }
    }

    /// In the cluster, so that no namespace makes one for others: what is no storm yet without it is none with it.
    pub(super) fn of_cluster(policy: &ClusterPolicy, services: usize) -> Self {
        let Self { limit, .. } = Self::of_namespace(policy, services);
        let most = ((limit + 1) * policy.storm_per_namespace as usize).div_ceil(100).max(1);
        Self { limit, most, outside: Some(policy.storm_minimum as usize) }
    }
}

/// How many services are unhealthy at an instant.
#[derive(Debug, Clone)]
pub(super) struct Level {
    limits: Limits,
    /// In how many namespaces so many are.
    hit: BTreeMap<usize, usize>,
    weight: usize,
    all: usize,
}

impl Level {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, hit: BTreeMap::new(), weight: 0, all: 0 }
    }

    /// So many more namespaces have so many unhealthy services.
    pub(super) fn add(&mut self, unhealthy: usize, namespaces: usize) {
        if unhealthy > 0 && namespaces > 0 {
            *self.hit.entry(unhealthy).or_default() += namespaces;
            self.all += unhealthy * namespaces;
            self.weight += unhealthy.min(self.limits.most) * namespaces;
        }
    }

    /// One namespace has another number of them.
    pub(super) fn change(&mut self, from: usize, to: usize) {
        if from > 0 {
            take_one(&mut self.hit, &from);
            self.all = self.all.saturating_sub(from);
            self.weight = self.weight.saturating_sub(from.min(self.limits.most));
        }
        self.add(to, 1);
    }

    /// How many are unhealthy.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// Whether that is a storm.
    pub(super) fn is_storm(&self) -> bool {
        let most = self.hit.last_key_value().map_or(0, |(unhealthy, _)| *unhealthy);
        self.weight > self.limits.limit && self.limits.outside.is_none_or(|minimum| self.all - most > minimum)
    }
}
