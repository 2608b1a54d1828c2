//! Limits that many services share: whoever reconciles in whatever order, they are never passed.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use kubeheal::{
    api::HealedService,
    cluster::{
        cache::Caches,
        kept::Signing,
        kind::Object,
        snapshot::{Presence, snapshot},
    },
    status::render,
};
use kubeheal_core::{decide, model::policy::Policy};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::cases;
use crate::{
    support::fixtures::{at, beside, policy},
    support::scene::{deployment, owner, pod, ready, runs, with},
};

const SERVICES: usize = 8;

/// A cluster of services with one pod each, in some namespaces.
struct Cluster {
    caches: Caches,
    namespaces: usize,
    /// How often the pod of each was replaced.
    pods: [u32; SERVICES],
    begun: Vec<Timestamp>,
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

impl Cluster {
    fn new(namespaces: usize) -> Self {
        let mut cluster = Self { caches: Caches::default(), namespaces, pods: [0; SERVICES], begun: Vec::new() };
        for number in 0..SERVICES {
            let namespace = cluster.namespace(number);
            let service = json!({
                "metadata": {"name": name(number), "namespace": namespace, "uid": name(number), "generation": 1},
                "spec": {"workloadRef": {"kind": "Deployment", "name": name(number)}},
            });
            cluster.apply(Object::Service(Arc::new(serde_json::from_value(service).unwrap())));
            let [workload, set] = deployment(1, &json!({}));
            let id =
                |kind: &str| json!({"name": name(number), "namespace": namespace, "uid": format!("{kind}-{number}")});
            let workload = with(workload, &json!({"metadata": id("deployment")}));
            let set = with(set, &json!({"metadata": id("set")}));
            let set = with(set, &json!({"metadata": {"ownerReferences": owner(&format!("deployment-{number}"))}}));
            cluster.apply(Object::Deployment(serde_json::from_value(workload).unwrap()));
            cluster.apply(Object::ReplicaSet(serde_json::from_value(set).unwrap()));
            cluster.pod(number, true, 0);
        }
        cluster
    }

    fn namespace(&self, number: usize) -> String {
        format!("team-{}", number % self.namespaces)
    }

    /// All are well for long enough to be believed.
    fn prove(&mut self, policy: &Policy) {
        for seconds in [0, 300] {
            for number in 0..SERVICES {
                self.reconcile(policy, number, seconds);
            }
        }
    }

    fn apply(&mut self, object: Object) {
        let _touched = self.caches.apply(object);
    }

    fn pod(&mut self, number: usize, up: bool, since: i64) {
        let status = json!({"containerStatuses": [runs("app", 0, up, 0)]});
        let status = if up { with(status, &json!({"conditions": ready(since)})) } else { status };
        let metadata = json!({
            "namespace": self.namespace(number), "uid": format!("pod-{number}-{}", self.pods[number]),
            "ownerReferences": owner(&format!("set-{number}")),
        });
        let object: Value = pod(&name(number), &json!({"metadata": metadata, "status": status}));
        self.apply(Object::Pod(Box::new(serde_json::from_value(object).unwrap())));
    }

    /// One reconcile, written down before the next one, as under the controller's gate.
    fn reconcile(&mut self, policy: &Policy, number: usize, seconds: i64) {
        let (key, now) = ((self.namespace(number), name(number)), at(seconds));
        let service = self.caches.service(&key).unwrap();
        let seen = snapshot(&self.caches, &key, &Presence::Cached, &Signing::NotAsked).unwrap();
        let decision = decide(policy, &seen, now);
        let status = render(&decision, &service.status.clone().unwrap_or_default(), beside(), now);
        let mut written = HealedService::clone(&service);
        written.status = Some(status);
        self.apply(Object::Service(Arc::new(written)));
        if decision.plan().is_some() {
            self.begun.push(now);
            self.pods[number] += 1;
            self.pod(number, false, seconds);
        }
    }

    fn in_flight(&self) -> usize {
        let statuses = self.caches.services().filter_map(|(_, service)| service.status.as_ref());
        statuses.filter(|status| status.memory.attempts.in_flight.is_some()).count()
    }
}

/// Seconds that pass, whose pod becomes ready or not, and who reconciles in which order.
type Day = (u16, Vec<(usize, bool)>, Vec<usize>);

fn days() -> impl Strategy<Value = Vec<Day>> {
    let changes = vec((0..SERVICES, any::<bool>()), 0..4);
    let order = Just((0..SERVICES).collect::<Vec<_>>()).prop_shuffle();
    vec((1..240_u16, changes, order), 1..60)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn repairs_in_flight_and_actions_a_minute_stay_within_their_limits(
        days in days(), in_flight in 1..5_u32, a_minute in 1..5_u32, namespaces in 1..4_usize,
    ) {
        let mut policy = policy();
        policy.cluster.storm_minimum = 1000;
        policy.health.not_ready = jiff::SignedDuration::from_secs(30);
        (policy.cluster.max_in_flight, policy.cluster.max_actions_per_minute) = (in_flight, a_minute);
        let mut cluster = Cluster::new(namespaces);
        cluster.prove(&policy);
        let mut seconds = 300;
        for (wait, changes, order) in &days {
            seconds += i64::from(*wait);
            for &(number, up) in changes {
                cluster.pod(number, up, seconds);
            }
            for &number in order {
                cluster.reconcile(&policy, number, seconds);
                prop_assert!(cluster.in_flight() <= in_flight as usize, "{} of {in_flight} in flight", cluster.in_flight());
            }
            let minute = cluster.begun.iter().filter(|time| at(seconds).duration_since(**time).as_secs() < 60).count();
            prop_assert!(minute <= a_minute as usize, "{minute} of {a_minute} in a minute");
        }
    }

    #[test]
    fn in_a_storm_nobody_acts(sick in vec(0..SERVICES, 5..20), patience in 60..600_i64) {
        let sick: BTreeSet<usize> = sick.into_iter().collect();
        prop_assume!(sick.len() >= 5);
        let mut policy = policy();
        policy.health.not_ready = jiff::SignedDuration::from_secs(patience);
        let mut cluster = Cluster::new(1);
        cluster.prove(&policy);
        for &number in &sick {
            cluster.pod(number, false, 310);
        }
        // More than 40 per cent of eight.
        for seconds in (311..2300).step_by(20) {
            for number in 0..SERVICES {
                cluster.reconcile(&policy, number, seconds);
            }
        }
        prop_assert!(cluster.begun.is_empty(), "{} of {SERVICES} sick, {} acted on", sick.len(), cluster.begun.len());
    }
}
