//! The caches: everything watched, indexed the way decisions ask for it.
//!
//! Answers two questions: what does a service see (`lookup`), and whom does a change concern. Decides nothing, reads no clock.

mod events;
mod lookup;
mod owners;
mod shares;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::api::{HealedService, PolicyKind, status::HealedServiceStatus};
use crate::{
    base::target_of,
    cluster::peer::{peer, shown_to_others},
};
use crate::{
    base::{Key, key_of},
    cluster::{
        decode::Outline,
        kind::{Kind, Object},
        node::Nodes,
        pdb::Budget,
        pod::PodRecord,
        pod_event::PodEvent,
        revision::Revision,
        undecoded::Undecoded,
        workload::{DaemonSet, Deployment, ReplicaSet, StatefulSet, WorkloadRecord},
    },
    policy::{Effective, PolicyStore},
};
use kubeheal_core::model::{
    fleet::FleetIndex,
    policy::{Mode, Policy},
    snapshot::WorkloadKind,
};

/// The caches, kept up to date by `apply` and `remove`.
#[derive(Debug, Default)]
pub struct Caches {
    services: BTreeMap<Key, Arc<HealedService>>,
    policies: PolicyStore,
    effective: BTreeMap<Key, Arc<Effective>>,
    workloads: BTreeMap<(WorkloadKind, Key), Arc<WorkloadRecord>>,
    workload_by_uid: BTreeMap<String, (WorkloadKind, Key)>,
    replica_sets: BTreeMap<Key, ReplicaSet>,
    replica_set_owner: BTreeMap<String, String>,
    replica_sets_of: BTreeMap<String, BTreeSet<String>>,
    replica_failures: BTreeMap<String, String>,
    pods: BTreeMap<Key, Arc<PodRecord>>,
    pods_of: BTreeMap<String, BTreeSet<Key>>,
    nodes: Nodes,
    budgets: BTreeMap<Key, Budget>,
    revisions: BTreeMap<Key, Revision>,
    events: events::Events,
    owners: owners::Owners,
    dependents_of: BTreeMap<Key, BTreeSet<Key>>,
    undecoded: Undecoded,
    fleet: FleetIndex,
}

impl Caches {
    /// Takes in a new or changed object. Returns the services whose decision may change.
    pub fn apply(&mut self, object: Object) -> BTreeSet<Key> {
        let mut touched = self.end_of_undecoded(object.kind(), &object.key());
        touched.extend(self.apply_decoded(object));
        touched
    }

    /// Takes note of an object that is there and cannot be read. What was known of it is out of date. Returns the services
    /// whose decision may change.
    pub fn apply_undecoded(&mut self, kind: Kind, outline: &Outline, why: &str) -> BTreeSet<Key> {
        let key = key_of(&outline.meta);
        let mut touched = self.remove(kind, &key);
        if let Some(policy) = kind.policy() {
            self.policies.put_undecoded(policy, key.clone(), why.to_owned());
            touched.extend(self.follow_policy(policy, &key));
        }
        touched.extend(self.concerned(kind, &key, outline.controller.as_deref()));
        self.undecoded.put(kind, key, outline, why);
        touched
    }

    /// It is known already that an object cannot be read, for this reason.
    pub fn knows_undecoded(&self, kind: Kind, key: &Key, why: &str) -> bool {
        self.undecoded.knows(kind, key, why)
    }

    /// Why a service that is there cannot be read.
    pub fn undecoded_service(&self, key: &Key) -> Option<String> {
        self.undecoded.of(Kind::Service, key)
    }

    /// How many objects of a kind are there and cannot be read.
    pub fn undecoded(&self, kind: Kind) -> usize {
        self.undecoded.count(kind)
    }

    /// Why nothing can be said of the workload that a service names: it, or something of it, is there and cannot be read.
    pub fn unreadable(&self, service: &HealedService) -> Option<String> {
        if self.undecoded.is_empty() {
            return None;
        }
        let (kind, key) = target_of(service);
        self.undecoded.of(kind.into(), &key).or_else(|| {
            let uid = &self.workloads.get(&(kind, key))?.state.uid;
            self.undecoded.controlled(|by| by == uid || self.replica_set_owner.get(by) == Some(uid))
        })
    }

    fn end_of_undecoded(&mut self, kind: Kind, key: &Key) -> BTreeSet<Key> {
        let known = self.undecoded.take(kind, key);
        known.map(|known| self.concerned(kind, key, known.controller.as_deref())).unwrap_or_default()
    }

    /// The services that must know an object to judge.
    fn concerned(&self, kind: Kind, key: &Key, controller: Option<&str>) -> BTreeSet<Key> {
        let of_owner = |uid: &str| {
            let owner = self.replica_set_owner.get(uid).map_or(uid, String::as_str);
            self.services_of_uid(owner)
        };
        let of = |workload: WorkloadKind| self.services_for(&(workload, key.clone()));
        match kind {
            Kind::Deployment => of(WorkloadKind::Deployment),
            Kind::StatefulSet => of(WorkloadKind::StatefulSet),
            Kind::DaemonSet => of(WorkloadKind::DaemonSet),
            Kind::Pod => controller.map_or_else(|| of(WorkloadKind::Pod), of_owner),
            Kind::ReplicaSet => controller.map(of_owner).unwrap_or_default(),
            Kind::Node => self.services_of_pods(self.nodes.pods_on(&key.1)),
            Kind::Budget | Kind::Revision => self.services_in(&key.0),
            Kind::Service | Kind::Event | Kind::HealingPolicy | Kind::ClusterHealingPolicy => BTreeSet::new(),
        }
    }

    fn apply_decoded(&mut self, object: Object) -> BTreeSet<Key> {
        match object {
            Object::Service(service) => self.apply_service(service),
            Object::Deployment(Deployment { meta, record }) => {
                self.apply_workload(WorkloadKind::Deployment, key_of(&meta), record)
            }
            Object::StatefulSet(StatefulSet { meta, record }) => {
                self.apply_workload(WorkloadKind::StatefulSet, key_of(&meta), record)
            }
            Object::DaemonSet(DaemonSet { meta, record }) => {
                self.apply_workload(WorkloadKind::DaemonSet, key_of(&meta), record)
            }
            Object::ReplicaSet(replica_set) => self.apply_replica_set(replica_set),
            Object::Pod(pod) => self.apply_pod(*pod),
            Object::Node(node) => {
                let (_, name) = key_of(&node.meta);
                let is_news = self.nodes.put(node);
                if is_news { self.services_of_pods(self.nodes.pods_on(&name)) } else { BTreeSet::new() }
            }
            Object::Budget(budget) => {
                let key = key_of(&budget.meta);
                let namespace = key.0.clone();
                self.budgets.insert(key, budget);
                self.services_in(&namespace)
            }
            Object::Event(event) => self.apply_event(event),
            Object::Revision(revision) => {
                let key = key_of(&revision.meta);
                let namespace = key.0.clone();
                self.revisions.insert(key, revision);
                self.services_in(&namespace)
            }
            Object::HealingPolicy(policy) => {
                let key = key_of(&policy.metadata);
                self.policies.put(key.clone(), policy);
                self.follow_policy(PolicyKind::HealingPolicy, &key)
            }
            Object::ClusterHealingPolicy(policy) => {
                let key = key_of(&policy.metadata);
                self.policies.put_cluster(key.1.clone(), policy);
                self.follow_policy(PolicyKind::ClusterHealingPolicy, &key)
            }
        }
    }

    /// Forgets an object that is gone. Returns the services whose decision may change.
    pub fn remove(&mut self, kind: Kind, key: &Key) -> BTreeSet<Key> {
        let mut touched = self.end_of_undecoded(kind, key);
        touched.extend(self.remove_known(kind, key));
        touched
    }

    fn remove_known(&mut self, kind: Kind, key: &Key) -> BTreeSet<Key> {
        match kind {
            Kind::Service => self.remove_service(key),
            Kind::Deployment => self.remove_workload(WorkloadKind::Deployment, key.clone()),
            Kind::StatefulSet => self.remove_workload(WorkloadKind::StatefulSet, key.clone()),
            Kind::DaemonSet => self.remove_workload(WorkloadKind::DaemonSet, key.clone()),
            Kind::ReplicaSet => self.remove_replica_set(key),
            Kind::Pod => self.remove_pod(key),
            Kind::Node => {
                self.nodes.remove(&key.1);
                self.services_of_pods(self.nodes.pods_on(&key.1))
            }
            Kind::Budget => {
                self.budgets.remove(key);
                self.services_in(&key.0)
            }
            // The finding that an Event gave words to outlives the Event.
            Kind::Event => BTreeSet::new(),
            Kind::Revision => {
                self.revisions.remove(key);
                self.services_in(&key.0)
            }
            Kind::HealingPolicy => self.remove_policy(PolicyKind::HealingPolicy, key),
            Kind::ClusterHealingPolicy => self.remove_policy(PolicyKind::ClusterHealingPolicy, key),
        }
    }

    fn apply_service(&mut self, service: Arc<HealedService>) -> BTreeSet<Key> {
        let key = key_of(&service.metadata);
        let old = self.services.get(&key).cloned();
        let before = self.shown_to_others(&key);
        let mut touched = self.owners.put(&service);
        // A new status, which is most of what comes, changes nothing of what applies.
        if old.as_ref().is_none_or(|old| old.spec != service.spec) {
            self.unlink_dependencies(&key);
            let effective = Effective::of(&key, &service, &self.policies);
            self.apply_effective(&key, effective);
        }
        self.services.insert(key.clone(), service);
        touched.insert(key.clone());
        for changed in &touched {
            self.count_in_fleet(changed);
        }
        if before.is_none() || before != self.shown_to_others(&key) {
            touched.extend(self.all_dependents_of(&key));
        }
        touched
    }

    fn remove_service(&mut self, key: &Key) -> BTreeSet<Key> {
        let mut touched = self.owners.remove(key);
        self.unlink_dependencies(key);
        self.services.remove(key);
        self.effective.remove(key);
        self.fleet.remove(key);
        for next in &touched {
            self.count_in_fleet(next);
        }
        touched.extend(self.all_dependents_of(key));
        touched.insert(key.clone());
        touched
    }

    fn count_in_fleet(&mut self, key: &Key) {
        let (Some(service), Some(effective)) = (self.services.get(key), self.effective.get(key)) else { return };
        let Policy { mode, suspend, held, .. } = &effective.policy;
        let acts = *mode == Mode::Heal && !suspend && held.is_none() && self.oldest_owner(key).is_none();
        let of = |status: &HealedServiceStatus| peer(status, acts, self.shares(key, status), &effective.receivers);
        let peer = service.status.as_ref().map(of).unwrap_or_default();
        self.fleet.set(key, peer);
    }

    fn unlink_dependencies(&mut self, key: &Key) {
        for dependency in self.dependencies_of(key) {
            if let Some(dependents) = self.dependents_of.get_mut(&dependency) {
                dependents.remove(key);
            }
        }
    }

    fn apply_effective(&mut self, key: &Key, effective: Effective) {
        self.unlink_dependencies(key);
        self.effective.insert(key.clone(), Arc::new(effective));
        self.count_in_fleet(key);
        for dependency in self.dependencies_of(key) {
            self.dependents_of.entry(dependency).or_default().insert(key.clone());
        }
    }

    fn remove_policy(&mut self, kind: PolicyKind, key: &Key) -> BTreeSet<Key> {
        self.policies.remove(kind, key);
        self.follow_policy(kind, key)
    }

    /// What applies to those who follow a policy, anew.
    fn follow_policy(&mut self, kind: PolicyKind, policy: &Key) -> BTreeSet<Key> {
        let concerned =
            |(key, service): &(&Key, &Arc<HealedService>)| self.policies.concerns(&key.0, &service.spec, kind, policy);
        let followers = self.services.iter().filter(concerned).map(|(key, _)| key.clone()).collect();
        self.judge_anew(followers)
    }

    /// Takes note of whether a kind can be read that can be done without, and if not, why. Returns the services whose decision
    /// may change.
    pub fn readable(&mut self, kind: Kind, problem: Option<String>) -> BTreeSet<Key> {
        if let Some(policy) = kind.policy() {
            return self.policies_readable(policy, problem);
        }
        let is_news = kind == Kind::Node && self.nodes.readable(problem.is_none());
        if is_news { self.services_of_pods(self.nodes.all_pods()) } else { BTreeSet::new() }
    }

    fn policies_readable(&mut self, kind: PolicyKind, problem: Option<String>) -> BTreeSet<Key> {
        let is_news = self.policies.readable(kind, problem);
        let everybody = if is_news { self.services.keys().cloned().collect() } else { Vec::new() };
        self.judge_anew(everybody)
    }

    fn judge_anew(&mut self, services: Vec<Key>) -> BTreeSet<Key> {
        let mut touched = BTreeSet::new();
        for key in services {
            let Some(service) = self.services.get(&key) else { continue };
            let effective = Effective::of(&key, service, &self.policies);
            if self.effective.get(&key).is_some_and(|old| old.is_same(&effective)) {
                continue;
            }
            let before = self.dependencies_of(&key);
            self.apply_effective(&key, effective);
            if before != self.dependencies_of(&key) {
                touched.extend(self.all_dependents_of(&key));
            }
            touched.insert(key);
        }
        touched
    }

    /// What other services read.
    fn shown_to_others(&self, key: &Key) -> Option<impl PartialEq + use<>> {
        let service = self.services.get(key)?;
        let status = service.status.clone().unwrap_or_default();
        Some((shown_to_others(&status), self.dependencies_of(key), service.spec.grants.clone()))
    }

    /// Everything that depends on a service, directly or through others: the root's name reaches them all.
    fn all_dependents_of(&self, key: &Key) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let mut open = vec![key];
        while let Some(next) = open.pop() {
            for dependent in self.dependents_of.get(next).into_iter().flatten() {
                if found.insert(dependent.clone()) {
                    open.push(dependent);
                }
            }
        }
        found
    }

    fn apply_workload(&mut self, kind: WorkloadKind, key: Key, record: WorkloadRecord) -> BTreeSet<Key> {
        let id = (kind, key);
        self.workload_by_uid.insert(record.state.uid.clone(), id.clone());
        let record = Arc::new(record);
        let old = self.workloads.insert(id.clone(), record.clone());
        if let Some(old) = old.as_ref().filter(|old| old.state.uid != record.state.uid) {
            self.workload_by_uid.remove(&old.state.uid);
        }
        if old.is_some_and(|old| old == record) { BTreeSet::new() } else { self.services_for(&id) }
    }

    fn remove_workload(&mut self, kind: WorkloadKind, key: Key) -> BTreeSet<Key> {
        let id = (kind, key);
        if let Some(old) = self.workloads.remove(&id) {
            self.workload_by_uid.remove(&old.state.uid);
        }
        self.services_for(&id)
    }

    fn apply_replica_set(&mut self, replica_set: ReplicaSet) -> BTreeSet<Key> {
        let uid = replica_set.meta.uid.clone().unwrap_or_default();
        let Some(owner) = replica_set.controller.clone() else { return BTreeSet::new() };
        let known = self.replica_set_owner.insert(uid.clone(), owner.clone());
        let failure = replica_set.failure.clone();
        let failed = match &failure {
            Some(why) => self.replica_failures.insert(uid.clone(), why.clone()),
            None => self.replica_failures.remove(&uid),
        };
        self.replica_sets_of.entry(owner.clone()).or_default().insert(uid);
        let (key, labels) = (key_of(&replica_set.meta), replica_set.runs_for_another.clone());
        let before = self.replica_sets.insert(key.clone(), replica_set).map(|set| set.runs_for_another);
        // Somebody's pods beside those of a Deployment.
        let mut touched = if before.unwrap_or_default() == labels { BTreeSet::new() } else { self.services_in(&key.0) };
        if known.is_none() || failed != failure {
            touched.extend(self.services_of_uid(&owner));
        }
        touched
    }

    fn remove_replica_set(&mut self, key: &Key) -> BTreeSet<Key> {
        let Some(gone) = self.replica_sets.remove(key) else { return BTreeSet::new() };
        self.forget_owner(&gone.meta.uid.unwrap_or_default());
        if gone.runs_for_another.is_empty() { BTreeSet::new() } else { self.services_in(&key.0) }
    }

    fn forget_owner(&mut self, replica_set: &str) {
        self.replica_failures.remove(replica_set);
        let Some(owner) = self.replica_set_owner.remove(replica_set) else { return };
        if let Some(sets) = self.replica_sets_of.get_mut(&owner) {
            sets.remove(replica_set);
            if sets.is_empty() {
                self.replica_sets_of.remove(&owner);
            }
        }
    }

    fn apply_pod(&mut self, mut pod: PodRecord) -> BTreeSet<Key> {
        let key = key_of(&pod.meta);
        let bare = pod.bare.take();
        let old = self.pods.get(&key).cloned();
        let old_node = old.as_ref().and_then(|old| old.pod.node.as_deref());
        self.nodes.moves(&key, old_node, pod.pod.node.as_deref());
        if let Some(before) = old.as_ref().filter(|old| old.pod.uid != pod.pod.uid) {
            self.events.forget(&before.pod.uid);
        }
        let moved = old.as_ref().filter(|old| old.controller != pod.controller);
        if let Some(controller) = moved.and_then(|old| old.controller.as_ref()) {
            self.unlink_pod(&key, controller);
        }
        if let Some(controller) = &pod.controller {
            self.pods_of.entry(controller.clone()).or_default().insert(key.clone());
        }
        let pod = Arc::new(pod);
        // Most updates of a pod change nothing that is looked at.
        let changed =
            old.is_none_or(|old| old.pod != pod.pod || old.labels != pod.labels || old.controller != pod.controller);
        let mut touched = if changed { self.services_of_pod(&key, &pod) } else { BTreeSet::new() };
        if pod.controller.is_some() && self.workloads.contains_key(&(WorkloadKind::Pod, key.clone())) {
            // Adopted: from now on its controller is the workload.
            touched.extend(self.remove_workload(WorkloadKind::Pod, key.clone()));
        }
        self.pods.insert(key.clone(), pod);
        if let Some(record) = bare {
            touched.extend(self.apply_workload(WorkloadKind::Pod, key, record));
        }
        touched
    }

    fn remove_pod(&mut self, key: &Key) -> BTreeSet<Key> {
        let Some(pod) = self.pods.remove(key) else { return BTreeSet::new() };
        self.nodes.moves(key, pod.pod.node.as_deref(), None);
        if let Some(controller) = &pod.controller {
            self.unlink_pod(key, controller);
        }
        self.events.forget(&pod.pod.uid);
        let mut touched = self.services_of_pod(key, &pod);
        if pod.controller.is_none() {
            touched.extend(self.remove_workload(WorkloadKind::Pod, key.clone()));
        }
        touched
    }

    fn unlink_pod(&mut self, key: &Key, controller: &str) {
        let Some(pods) = self.pods_of.get_mut(controller) else { return };
        pods.remove(key);
        if pods.is_empty() {
            self.pods_of.remove(controller);
        }
    }

    /// It may come before the status that it gives words to, or after.
    fn apply_event(&mut self, event: PodEvent) -> BTreeSet<Key> {
        let key = (event.meta.namespace.clone().unwrap_or_default(), event.pod.clone());
        let uid = event.pod_uid.clone();
        if !self.events.apply(event) {
            return BTreeSet::new();
        }
        let pod = self.pods.get(&key).filter(|pod| pod.pod.uid == uid);
        pod.map(|pod| self.services_of_pod(&key, pod)).unwrap_or_default()
    }

    fn services_of_pod(&self, key: &Key, pod: &PodRecord) -> BTreeSet<Key> {
        // One that names the pod itself is told whom it belongs to.
        let mut touched = self.services_for(&(WorkloadKind::Pod, key.clone()));
        if let Some(controller) = &pod.controller {
            let owner = self.replica_set_owner.get(controller).unwrap_or(controller);
            touched.extend(self.services_of_uid(owner));
        }
        touched
    }

    fn services_of_pods<'a>(&'a self, pods: impl Iterator<Item = &'a Key>) -> BTreeSet<Key> {
        let known = pods.filter_map(|key| Some((key, self.pods.get(key)?)));
        known.flat_map(|(key, pod)| self.services_of_pod(key, pod)).collect()
    }

    fn services_of_uid(&self, uid: &str) -> BTreeSet<Key> {
        self.workload_by_uid.get(uid).map(|id| self.services_for(id)).unwrap_or_default()
    }

    /// The one that acts on a workload: others that name it too are not woken for it.
    fn services_for(&self, id: &(WorkloadKind, Key)) -> BTreeSet<Key> {
        self.owners.of(id).cloned().into_iter().collect()
    }

    fn services_in(&self, namespace: &str) -> BTreeSet<Key> {
        self.owners.in_namespace(namespace).cloned().collect()
    }
}
