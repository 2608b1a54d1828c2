//! Which kept definitions may be used, which are kept, and the key that signs them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request};
use jiff::Timestamp;
use kube::{Api, Client, client::Body, core::DynamicObject};
use kubeheal::{
    api::HealedService,
    cluster::{
        cache::Caches,
        execute::{Executor, SIGNING_KEY, keep},
        kept::Signing,
        kind::Object,
        revision::Revision,
        signature::SigningKey,
        workload::Deployment,
    },
};
use serde_json::{Value, json};

use crate::support::world::{START, World, deployment, resource, service};

fn now() -> Timestamp {
    START.parse().unwrap()
}

fn read<T: serde::de::DeserializeOwned>(object: &Value) -> T {
    serde_json::from_value(object.clone()).unwrap()
}

/// Keeps what runs, if the cache says it is `judged`. What was kept, as it stands in the cluster.
async fn kept(world: &World, executor: &Executor, judged: &Value) -> Option<Value> {
    let mut caches = Caches::default();
    let service = world.service("api").await;
    caches.apply(Object::Service(Arc::new(service.clone())));
    caches.apply(Object::Deployment(read::<Deployment>(judged)));
    let workload = caches.workload(&service).unwrap();
    let kept = keep(executor, &service, &workload, now()).await.unwrap()?;
    world.get("ControllerRevision", &kept.revision).await
}

/// A Deployment with its service, nobody at work, and what may act.
async fn quiet() -> (World, Executor) {
    let world = World::without_controller();
    world.create(deployment("api", 1)).await;
    world.create(service("api", json!({}))).await;
    let executor = Executor::new(world.client.clone());
    (world, executor)
}

async fn key_of(executor: &Executor) -> SigningKey {
    match executor.signing().await {
        Signing::Key(key) => key,
        other => panic!("{other:?}"),
    }
}

type Change = (&'static str, fn(&mut Value, &mut Value), &'static str);

#[tokio::test(start_paused = true)]
async fn only_what_was_signed_for_this_service_and_its_workload_is_used() {
    let (world, executor) = quiet().await;
    let live = world.get("Deployment", "api").await.unwrap();
    let genuine = kept(&world, &executor, &live).await.unwrap();
    let service = serde_json::to_value(world.service("api").await).unwrap();
    let key = key_of(&executor).await;
    let doubt = |service: &Value, revision: &Value, key: &SigningKey| {
        read::<Revision>(revision).doubt(&read::<HealedService>(service), key)
    };
    assert_eq!(doubt(&service, &genuine, &key), None);
    let another = SigningKey::of(&[7; 32]).unwrap();
    assert!(doubt(&service, &genuine, &another).unwrap().contains("signature is wrong"));

    // Each is made to fit as far as it goes without the key.
    let table: [Change; 12] = [
        ("another service", |service, _| service["metadata"]["uid"] = "other".into(), "does not belong"),
        ("no service", |service, _| service["metadata"]["uid"] = "".into(), "does not belong"),
        (
            "another service, adopted",
            |service, revision| {
                service["metadata"]["uid"] = "other".into();
                revision["metadata"]["ownerReferences"][0]["uid"] = "other".into();
                revision["metadata"]["labels"]["kubeheal.dev/last-known-good"] = "other".into();
            },
            "signature is wrong",
        ),
        ("another label", |_, r| r["metadata"]["labels"]["kubeheal.dev/last-known-good"] = "x".into(), "marks"),
        (
            "another namespace",
            |service, revision| {
                service["metadata"]["namespace"] = "rich".into();
                revision["data"]["metadata"]["namespace"] = "rich".into();
            },
            "signature is wrong",
        ),
        ("another name", |service, _| service["spec"]["workloadRef"]["name"] = "web".into(), "another workload"),
        (
            "another name, changed",
            |service, revision| {
                service["spec"]["workloadRef"]["name"] = "web".into();
                revision["data"]["metadata"]["name"] = "web".into();
            },
            "signature is wrong",
        ),
        (
            "another kind",
            |service, revision| {
                service["spec"]["workloadRef"]["kind"] = "DaemonSet".into();
                revision["data"]["kind"] = "DaemonSet".into();
            },
            "signature is wrong",
        ),
        ("another group", |_, revision| revision["data"]["apiVersion"] = "evil/v1".into(), "another workload"),
        ("no data", |_, revision| revision["data"] = Value::Null, "another workload"),
        (
            "another workload's UID",
            |_, revision| revision["metadata"]["annotations"]["kubeheal.dev/workload-uid"] = "x".into(),
            "signature is wrong",
        ),
        (
            "an owner denied",
            |_, revision| revision["metadata"]["annotations"]["kubeheal.dev/controlled"] = "true".into(),
            "signature is wrong",
        ),
    ];
    for (what, change, words) in table {
        let (mut service, mut revision) = (service.clone(), genuine.clone());
        change(&mut service, &mut revision);
        let doubt = doubt(&service, &revision, &key);
        assert!(doubt.as_ref().is_some_and(|doubt| doubt.contains(words)), "{what}: {doubt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_was_judged_is_kept() {
    let (world, executor) = quiet().await;
    let judged = world.get("Deployment", "api").await.unwrap();
    let mut privileged = judged["spec"]["template"].clone();
    privileged["spec"]["hostNetwork"] = json!(true);
    world.patch("Deployment", "api", json!({"spec": {"template": privileged}})).await;
    assert_eq!(kept(&world, &executor, &judged).await, None, "nobody has seen that well");
    world.delete("Deployment", "api").await;
    world.create(deployment("api", 1)).await;
    assert_eq!(kept(&world, &executor, &judged).await, None, "another object");
    assert_eq!(world.list("ControllerRevision").await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn keeping_the_same_twice_is_one_object() {
    let (world, executor) = quiet().await;
    let live = world.get("Deployment", "api").await.unwrap();
    let first = kept(&world, &executor, &live).await.unwrap();
    // As after a failover.
    let again = kept(&world, &Executor::new(world.client.clone()), &live).await.unwrap();
    assert_eq!(first["metadata"]["uid"], again["metadata"]["uid"]);
    assert_eq!(world.list("ControllerRevision").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_somebody_else_is_not_pruned_whatever_its_marks_say() {
    let (world, executor) = quiet().await;
    let uid = world.service("api").await.metadata.uid.unwrap();
    world.create(deployment("other", 1)).await;
    world.pass(5).await;
    let other = world.get("Deployment", "other").await.unwrap()["metadata"]["uid"].clone();
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "other", "uid": other, "controller": true});
    for place in 0..4 {
        world
            .create(json!({
                "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": {"spec": {}},
                "metadata": {
                    "name": format!("theirs-{place}"), "ownerReferences": [owner],
                    "labels": {"kubeheal.dev/last-known-good": uid},
                },
            }))
            .await;
    }
    for version in 0..6 {
        world.pass(5).await;
        let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": format!("app:{version}")}]);
        let patch = kube::api::Patch::<Value>::Json(serde_json::from_value(image).unwrap());
        world.api("Deployment").patch("api", &kube::api::PatchParams::default(), &patch).await.unwrap();
        let live = world.get("Deployment", "api").await.unwrap();
        kept(&world, &executor, &live).await.unwrap();
    }
    let left = world.list("ControllerRevision").await;
    let is_theirs = |revision: &&Value| revision["metadata"]["name"].as_str().unwrap().starts_with("theirs");
    assert_eq!(left.iter().filter(is_theirs).count(), 4);
    assert_eq!(left.len(), 4 + 3, "of its own the newest are left");
}

async fn secrets(world: &World, namespace: &str) -> Vec<DynamicObject> {
    let secrets: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), namespace, &resource("Secret"));
    secrets.list(&kube::api::ListParams::default()).await.unwrap().items
}

#[tokio::test(start_paused = true)]
async fn the_key_is_made_once_and_is_the_same_for_all_replicas() {
    let (world, executor) = quiet().await;
    let key = key_of(&executor).await;
    assert!(key == key_of(&Executor::new(world.client.clone())).await, "another replica");
    let found = secrets(&world, "default").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].metadata.name.as_deref(), Some(SIGNING_KEY));
    assert_eq!(found[0].data["immutable"], true);
    world.delete("Secret", SIGNING_KEY).await;
    assert!(key != key_of(&Executor::new(world.client.clone())).await, "a new one is another one");
}

#[tokio::test(start_paused = true)]
async fn of_two_replicas_that_make_the_key_at_once_one_wins() {
    let world = World::without_controller();
    let made = Arc::new(AtomicUsize::new(0));
    // The other is faster: it makes its key between our looking and our making.
    let (inner, count) = (world.client.clone(), made.clone());
    let late = tower::service_fn(move |request: Request<Body>| {
        let (inner, count) = (inner.clone(), count.clone());
        async move {
            if *request.method() == Method::POST && request.uri().path().ends_with("/secrets") {
                count.fetch_add(1, Ordering::Relaxed);
                let _key = key_of(&Executor::new(inner.clone())).await;
            }
            inner.send(request).await
        }
    });
    let ours = key_of(&Executor::new(Client::new(late, "default"))).await;
    assert_eq!(made.load(Ordering::Relaxed), 1);
    assert!(ours == key_of(&Executor::new(world.client.clone())).await);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_holds_no_key_is_named_and_nothing_is_signed_with_it() {
    let world = World::without_controller();
    for data in [json!({}), json!({"key": ""}), json!({"key": "c2hvcnQ="}), json!({"other": "c2hvcnQ="})] {
        world
            .create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SIGNING_KEY}, "data": data}))
            .await;
        let signing = Executor::new(world.client.clone()).signing().await;
        let words = "Secret kubeheal-signing-key in namespace default has no key of 32 bytes: delete it, and kubeheal makes another";
        assert_eq!(signing, Signing::NoKey(words.to_owned()), "{data}");
        world.delete("Secret", SIGNING_KEY).await;
    }
}
