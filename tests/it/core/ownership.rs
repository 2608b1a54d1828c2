//! Many services that name one workload cost no more than one.

use std::{collections::BTreeSet, sync::Arc};

use kubeheal::{
    base::Key,
    cluster::{
        cache::Caches,
        kept::Signing,
        kind::{Kind, Object},
        snapshot::{Presence, snapshot},
    },
};
use kubeheal_core::model::snapshot::Workload;
use serde_json::{Value, json};

use crate::support::scene::{deployment, owner, pod, ready, runs, stamp, with};

const SERVICES: usize = 2_000;
const CHANGES: usize = 100;
/// What a change of who is first may wake besides.
const FEW: usize = 10;

fn key(number: usize) -> Key {
    ("shop".to_owned(), format!("app-{number:04}"))
}

/// A service for the Deployment `app`; the lower its number, the older.
fn service(number: usize) -> Object {
    let created = stamp(i64::try_from(number).unwrap());
    let object = json!({
        "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService",
        "metadata": {"name": key(number).1, "namespace": "shop", "uid": key(number).1, "creationTimestamp": created},
        "spec": {"workloadRef": {"kind": "Deployment", "name": "app"}},
    });
    Object::Service(Arc::new(serde_json::from_value(object).unwrap()))
}

fn pod_that(restarted: usize) -> Object {
    let status =
        json!({"containerStatuses": [runs("app", restarted.try_into().unwrap(), true, 0)], "conditions": ready(0)});
    let metadata = json!({"namespace": "shop", "uid": "pod", "ownerReferences": owner("set")});
    let object: Value = pod("app", &json!({"metadata": metadata, "status": status}));
    Object::Pod(Box::new(serde_json::from_value(object).unwrap()))
}

fn budget(allowed: usize) -> Object {
    let object = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "app"}}},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1},
    });
    Object::Budget(serde_json::from_value(object).unwrap())
}

fn cluster(services: usize) -> (Caches, usize) {
    let mut caches = Caches::default();
    let id = |kind: &str| json!({"metadata": {"name": "app", "namespace": "shop", "uid": kind}});
    let [workload, set] = deployment(1, &json!({}));
    let set = with(with(set, &id("set")), &json!({"metadata": {"ownerReferences": owner("deployment")}}));
    let workload = with(workload, &id("deployment"));
    let mut woken = caches.apply(Object::Deployment(serde_json::from_value(workload).unwrap())).len();
    woken += caches.apply(Object::ReplicaSet(serde_json::from_value(set).unwrap())).len();
    for number in 0..services {
        woken += caches.apply(service(number)).len();
    }
    (caches, woken)
}

#[test]
fn what_happens_to_a_workload_wakes_one_service_however_many_name_it() {
    let (mut caches, woken) = cluster(SERVICES);
    assert!(woken <= SERVICES + FEW, "each is looked at when it comes: {woken}");
    let first = BTreeSet::from([key(0)]);
    for change in 0..CHANGES {
        assert_eq!(caches.apply(pod_that(change)), first);
        assert_eq!(caches.apply(budget(change)), first);
    }
    assert_eq!(caches.remove(Kind::Pod, &("shop".to_owned(), "app".to_owned())), first);
}

#[test]
fn who_is_not_the_first_looks_at_no_pod_and_says_who_is() {
    let (mut caches, _) = cluster(3);
    assert_eq!(caches.apply(pod_that(0)).len(), 1);
    let seen = |caches: &Caches, number: usize| {
        snapshot(caches, &key(number), &Presence::Cached, &Signing::default()).unwrap()
    };
    assert_eq!(seen(&caches, 0).pods.len(), 1);
    for number in [1, 2] {
        let other = seen(&caches, number);
        assert!(other.pods.is_empty());
        let Workload::Unknown(why) = other.workload else { panic!("{:?}", other.workload) };
        assert!(why.starts_with("HealedService app-0000 names the same workload"), "{why}");
        assert_eq!(other.ownership.oldest_owner.as_deref(), Some("app-0000"));
    }
    // One that is being deleted gives way at once, and the next in line is woken.
    let Object::Service(old) = service(0) else { panic!("a service") };
    let mut leaving = kubeheal::api::HealedService::clone(&old);
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    assert!(caches.apply(Object::Service(Arc::new(leaving))).contains(&key(1)));
    assert_eq!(seen(&caches, 1).pods.len(), 1);
    assert_eq!(caches.apply(pod_that(1)), BTreeSet::from([key(1)]));
}

#[test]
fn when_the_first_goes_the_next_is_woken_and_not_all() {
    let (mut caches, _) = cluster(SERVICES);
    for number in 0..CHANGES {
        let woken = caches.remove(Kind::Service, &key(number));
        assert!(woken.contains(&key(number + 1)) && woken.len() <= FEW, "{}", woken.len());
        assert_eq!(caches.oldest_owner(&key(number + 1)), None);
        assert_eq!(caches.oldest_owner(&key(SERVICES - 1)), Some(key(number + 1).1));
    }
}
