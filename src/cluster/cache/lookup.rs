//! What the caches have, asked the way decisions ask for it.

use std::sync::Arc;

use kubeheal_core::model::{
    fleet::Fleet,
    snapshot::{Node, Pod, WorkloadKind},
};

use super::Caches;
use crate::{
    api::HealedService,
    base::{Key, target_of},
    cluster::{
        controller_ref::ControllerRef,
        kind::Kind,
        pdb::Budget,
        pod::PodRecord,
        revision::Revision,
        workload::{ReplicaSet, WorkloadRecord},
    },
    policy::Effective,
};

impl Caches {
    /// A service by its key.
    pub fn service(&self, key: &Key) -> Option<Arc<HealedService>> {
        self.services.get(key).cloned()
    }

    /// All services in sum, as one of them sees them.
    pub fn fleet(&self, key: &Key) -> Fleet {
        self.fleet.seen_by(key)
    }

    /// What applies to a service.
    pub fn effective(&self, key: &Key) -> Option<Arc<Effective>> {
        self.effective.get(key).cloned()
    }

    /// The services that a service depends on.
    pub(in crate::cluster) fn dependencies_of(&self, key: &Key) -> Vec<Key> {
        self.effective.get(key).map(|effective| needs(key, effective)).unwrap_or_default()
    }

    /// All services, in the order of their keys.
    pub fn services(&self) -> impl Iterator<Item = (&Key, &Arc<HealedService>)> {
        self.services.iter()
    }

    /// The workload that a service names, if it is there.
    pub fn workload(&self, service: &HealedService) -> Option<Arc<WorkloadRecord>> {
        self.workloads.get(&target_of(service)).cloned()
    }

    /// The oldest other service that names the same workload, if it is older than this one.
    pub fn oldest_owner(&self, key: &Key) -> Option<String> {
        self.owners.before(key).map(|(_, name)| name.clone())
    }

    /// Pods of a workload, in the order of their names.
    pub(in crate::cluster) fn pods(&self, workload: &WorkloadRecord, namespace: &str) -> Vec<Arc<PodRecord>> {
        let uid = &workload.state.uid;
        match workload.state.kind {
            WorkloadKind::Pod => {
                let key = (namespace.to_owned(), workload.state.name.clone());
                self.pods.get(&key).cloned().into_iter().collect()
            }
            WorkloadKind::Deployment => {
                let sets = self.replica_sets_of.get(uid).into_iter().flatten();
                let mut pods: Vec<_> = sets.flat_map(|set| self.controlled_by(set)).collect();
                pods.sort_by(|a, b| a.pod.name.cmp(&b.pod.name));
                pods
            }
            WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => self.controlled_by(uid).collect(),
        }
    }

    /// How a node is, as far as it is known.
    pub(in crate::cluster) fn node(&self, name: &str) -> Node {
        let is_undecoded = self.undecoded.of(Kind::Node, &(String::new(), name.to_owned())).is_some();
        if is_undecoded { Node::default() } else { self.nodes.seen(name) }
    }

    /// Why the ReplicaSets of a Deployment cannot create pods.
    pub(in crate::cluster) fn replica_failure(&self, deployment: &str) -> Option<&str> {
        let mut sets = self.replica_sets_of.get(deployment).into_iter().flatten();
        sets.find_map(|set| self.replica_failures.get(set)).map(String::as_str)
    }

    /// Whether a controller made this pod. Such a pod is no workload.
    pub(in crate::cluster) fn is_controlled_pod(&self, key: &Key) -> bool {
        self.pods.get(key).is_some_and(|pod| pod.controller.is_some())
    }

    /// The controller behind a pod, past the ReplicaSet between them.
    pub(in crate::cluster) fn controller_behind(&self, key: &Key) -> Option<&ControllerRef> {
        let owner = self.pods.get(key)?.belongs_to.as_ref()?;
        let set = self.replica_sets.get(&(key.0.clone(), owner.name.clone())).filter(|_| owner.is_replica_set());
        Some(set.and_then(|set| set.belongs_to.as_ref()).unwrap_or(owner))
    }

    /// The controller of another kind that runs pods with the labels of this workload.
    pub(in crate::cluster) fn taken_over_by(
        &self,
        workload: &WorkloadRecord,
        namespace: &str,
    ) -> Option<&ControllerRef> {
        let selects = |set: &ReplicaSet| {
            let mut labels = workload.selects.iter();
            !set.runs_for_another.is_empty() && labels.all(|(key, value)| set.runs_for_another.get(key) == Some(value))
        };
        let all = self.replica_sets.range((namespace.to_owned(), String::new())..);
        let mut in_namespace = all.take_while(|((of, _), _)| of == namespace);
        let found = in_namespace.find(|(_, set)| !workload.selects.is_empty() && selects(set));
        found.and_then(|(_, set)| set.belongs_to.as_ref())
    }

    pub(super) fn controlled_by(&self, uid: &str) -> impl Iterator<Item = Arc<PodRecord>> {
        self.pods_of.get(uid).into_iter().flatten().filter_map(|key| self.pods.get(key).cloned())
    }

    /// Budgets of a namespace.
    pub(in crate::cluster) fn budgets(&self, namespace: &str) -> impl Iterator<Item = (&str, &Budget)> {
        let namespace = namespace.to_owned();
        self.budgets
            .iter()
            .filter(move |((in_namespace, _), _)| *in_namespace == namespace)
            .map(|((_, name), budget)| (name.as_str(), budget))
    }

    /// A kept definition by name.
    pub(in crate::cluster) fn revision(&self, namespace: &str, name: &str) -> Option<&Revision> {
        self.revisions.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// What Events said of a pod and its containers, put where it is read.
    pub(in crate::cluster) fn add_events(&self, pod: &mut Pod) {
        pod.events = self.events.of_pod(&pod.uid);
        for container in &mut pod.containers {
            container.probe_event = self.events.probe(&pod.uid, &container.name);
            container.failed_pre_stop = self.events.failed_pre_stop(&pod.uid, &container.name);
        }
    }
}

/// The services that a service depends on.
fn needs(key: &Key, effective: &Effective) -> Vec<Key> {
    let own = &key.0;
    let dependencies = effective.settings.depends_on.iter();
    dependencies.map(|one| (one.namespace.clone().unwrap_or_else(|| own.clone()), one.name.clone())).collect()
}
