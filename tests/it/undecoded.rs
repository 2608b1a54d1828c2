//! Objects that cannot be read as they are: times that no clock of ours can hold, and worse. One of them stops nothing but
//! what needs it, and is never taken for one that is gone.

use kubeheal_core::model::state::HistoryEntry;
use kubeheal_core::model::state::Outcome;
use std::{fmt::Debug, sync::Arc};

use http::Request;
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ControllerRevision, coordination::v1::Lease, core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    client::Body,
    core::{DynamicObject, ObjectList, WatchEvent},
};
use kubeheal::{
    api::{ClusterHealingPolicy, HealedService, HealingPolicy, status::HealthState},
    cluster::{
        decode::{Decode, Item, Lenient},
        kind::Kind,
        pdb::Budget,
        pod::PodRecord,
        pod_event::PodEvent,
        revision::Revision,
        workload::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    },
};
use serde_json::{Value, json};

use crate::{
    journeys::{is, well},
    support::scene::{self, Scene},
    support::world::{World, deployment, policy, resource, service},
};

/// Times that an API server holds and hands out.
const FAR: [&str; 5] = [
    "9999-12-31T23:59:59Z",
    "9999-12-30T23:00:00Z",
    "10000-01-01T11:59:59Z",
    "-0001-12-31T12:00:00Z",
    "9999-12-31T23:59:59.000000Z",
];

/// The pointers of all times in an object.
fn times(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => found.push(at.to_owned()),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| times(field, &format!("{at}/{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| times(item, &format!("{at}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The object out of a list, out of a watch, and by itself, is the same and can be read.
fn read<K: Decode + Clone + Debug>(object: &Value, said: &str) -> K {
    let metadata = json!({"resourceVersion": "1"});
    let list =
        json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": [object, 7, object]}).to_string();
    let all: ObjectList<Item<K>> = serde_json::from_str(&list).unwrap();
    let [before, number, behind] = <[Item<K>; 3]>::try_from(all.items).unwrap();
    assert!(number.content.is_err(), "{said}: a number is no object");
    let added = format!(r#"{{"type": "ADDED", "object": {object}}}"#);
    let WatchEvent::Added(added) = serde_json::from_str::<WatchEvent<Item<K>>>(&added).unwrap() else {
        panic!("{said}")
    };
    let turned = format!(r#"{{"object": {object}, "type": "DELETED"}}"#);
    let WatchEvent::Deleted(gone) = serde_json::from_str::<WatchEvent<Item<K>>>(&turned).unwrap() else {
        panic!("{said}")
    };
    let live =
        serde_json::from_str::<Lenient<K>>(&object.to_string()).unwrap_or_else(|error| panic!("{said}: {error}"));
    for item in [before, behind, added, gone] {
        assert_eq!(item.outline.meta.name.as_deref(), object["metadata"]["name"].as_str(), "{said}");
        let content = item.content.unwrap_or_else(|error| panic!("{said}: {error}"));
        assert_eq!(format!("{content:?}"), format!("{:?}", live.0), "{said}");
    }
    live.0
}

/// Whatever time of the object is one that cannot be held: the object is read as if it were not there.
fn holds<K: Decode + Clone + Debug>(kind: &str, mut object: Value) {
    object["metadata"]["creationTimestamp"] = "2026-01-05T08:00:00Z".into();
    object["metadata"]["managedFields"] = json!([
        {"manager": "a", "operation": "Update", "apiVersion": "v1", "time": "2026-01-05T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"manager": "b", "operation": "Update", "apiVersion": "v1", "time": "2026-01-05T08:00:00Z"},
    ]);
    let mut places = Vec::new();
    times(&object, "", &mut places);
    assert!(places.len() >= 3, "{kind}: {places:?}");
    for place in &places {
        let mut without = object.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        if let Some(fields) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.shift_remove(name);
        }
        for far in FAR {
            let mut changed = object.clone();
            *changed.pointer_mut(place).unwrap() = far.into();
            let said = format!("{kind}{place} is {far}");
            let seen = format!("{:?}", read::<K>(&changed, &said));
            // Of our own kinds required times are kept, and managed fields are left out.
            let is_ours = object["apiVersion"] == "kubeheal.dev/v1alpha1";
            if !is_ours && !place.ends_with("deletionTimestamp") {
                assert_eq!(seen, format!("{:?}", read::<K>(&without, &said)), "{said}");
            }
        }
    }
    // All of them at once.
    for far in FAR {
        let mut changed = object.clone();
        for place in &places {
            *changed.pointer_mut(place).unwrap() = far.into();
        }
        read::<K>(&changed, &format!("{kind}: all times are {far}"));
    }
}

fn named(kind: &str, version: &str, rest: Value) -> Value {
    let mut object = json!({
        "apiVersion": version, "kind": kind,
        "metadata": {"name": "app", "namespace": "shop", "uid": "u", "resourceVersion": "7"},
    });
    if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
        object.extend(rest);
    }
    object
}

const THEN: &str = "2026-01-05T08:00:00Z";

fn pod() -> Value {
    let end = json!({"exitCode": 1, "reason": "Error", "startedAt": THEN, "finishedAt": THEN});
    let condition =
        |kind: &str| json!({"type": kind, "status": "False", "lastProbeTime": THEN, "lastTransitionTime": THEN});
    let status = json!({
        "phase": "Running", "startTime": THEN, "conditions": [condition("Ready"), condition("example.com/gate")],
        "initContainerStatuses": [{"name": "init", "restartCount": 0, "state": {"terminated": end}}],
        "containerStatuses": [
            {"name": "app", "restartCount": 1, "state": {"running": {"startedAt": THEN}}, "lastState": {"terminated": end}},
            {"name": "side", "restartCount": 1, "state": {"terminated": end}, "lastState": {"terminated": end}},
        ],
    });
    let mut pod =
        named("Pod", "v1", json!({"spec": {"containers": [{"name": "app", "image": "i"}]}, "status": status}));
    pod["metadata"]["deletionTimestamp"] = THEN.into();
    pod
}

fn workload(kind: &str) -> Value {
    let condition =
        json!({"type": "Progressing", "status": "True", "lastUpdateTime": THEN, "lastTransitionTime": THEN});
    let status = json!({"replicas": 1, "conditions": [condition]});
    let mut object = named(kind, "apps/v1", json!({"spec": {"template": {}}, "status": status}));
    object["metadata"]["deletionTimestamp"] = THEN.into();
    object
}

#[test]
fn times_beyond_what_can_be_held_are_read_as_absent_in_every_kind_and_every_place() {
    holds::<PodRecord>("Pod", pod());
    holds::<Deployment>("Deployment", workload("Deployment"));
    holds::<StatefulSet>("StatefulSet", workload("StatefulSet"));
    holds::<DaemonSet>("DaemonSet", workload("DaemonSet"));
    holds::<ReplicaSet>("ReplicaSet", workload("ReplicaSet"));
    let status = json!({"disruptedPods": {"app-1": THEN}, "conditions": [{"type": "a", "lastTransitionTime": THEN}]});
    holds::<Budget>("PodDisruptionBudget", named("PodDisruptionBudget", "policy/v1", json!({"status": status})));
    let event = json!({
        "firstTimestamp": THEN, "lastTimestamp": THEN, "eventTime": THEN, "series": {"count": 2, "lastObservedTime": THEN},
        "involvedObject": {"kind": "Pod", "uid": "p", "fieldPath": "spec.containers{app}"}, "reason": "Killing",
        "message": "Container app failed liveness probe, will be restarted",
    });
    holds::<PodEvent>("Event", named("Event", "v1", event));
    holds::<Revision>("ControllerRevision", named("ControllerRevision", "apps/v1", json!({"revision": 1})));
    // What is read by itself.
    holds::<ControllerRevision>("ControllerRevision", named("ControllerRevision", "apps/v1", json!({"revision": 1})));
    holds::<DynamicObject>("Namespace", named("Namespace", "v1", json!({})));
    holds::<Secret>("Secret", named("Secret", "v1", json!({})));
    let lease = json!({"spec": {"holderIdentity": "a", "acquireTime": THEN, "renewTime": THEN}});
    holds::<Lease>("Lease", named("Lease", "coordination.k8s.io/v1", lease));
}

#[test]
fn a_status_of_ours_is_read_whatever_times_are_in_it() {
    let full: Value = serde_saphyr::from_str(include_str!("crds/full.yaml")).unwrap();
    holds::<HealedService>("HealedService", full.clone());
    let spec = json!({"spec": {"template": {"mode": "Observe"}}});
    holds::<HealingPolicy>("HealingPolicy", named("HealingPolicy", "kubeheal.dev/v1alpha1", spec.clone()));
    holds::<ClusterHealingPolicy>("ClusterHealingPolicy", named("ClusterHealingPolicy", "kubeheal.dev/v1alpha1", spec));

    // What a schema of another version let through goes, field by field, and the rest stays.
    let whole = serde_json::from_value::<HealedService>(full.clone()).unwrap();
    let worse = [
        ("/status/restartsInWindow", json!(99_999_999_999_i64)),
        ("/status/health", json!("Splendid")),
        ("/status/pods", json!([1, 2])),
        ("/status/memory/observed/since", json!("2026-01-05T08:00:00ZTrailing")),
        ("/status/circuit/state", json!("Melted")),
        ("/status/memory/observed/containers/0/restartCount", json!("many")),
        ("/status/memory/attempts/inFlight/started", json!({})),
        ("/status", json!("gone")),
    ];
    for (place, value) in worse {
        let mut changed = full.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let seen = read::<HealedService>(&changed, place);
        assert_eq!(seen.spec, whole.spec, "{place}");
        let status = seen.status.unwrap_or_default();
        assert_eq!(status.memory.observed.last_replicas, (place != "/status").then_some(2), "{place}");
    }
}

#[test]
fn a_pause_that_ends_too_far_away_to_be_held_is_no_pause_less() {
    let mut full: Value = serde_saphyr::from_str(include_str!("crds/full.yaml")).unwrap();
    full["status"]["memory"]["attempts"]["pause"]["until"] = FAR[0].into();
    full["status"]["circuit"] = json!({"state": "Open", "ineffective": 3, "openings": 1, "retryAt": FAR[0]});
    let status = read::<HealedService>(&full, "deadlines").status.unwrap();
    assert!(
        status
            .memory
            .attempts
            .pause
            .is_some_and(|pause| pause.until() > Timestamp::from_second(200_000_000_000).unwrap())
    );
    assert!(status.circuit.is_some_and(|circuit| circuit.retry_at.is_some()));
}

#[test]
fn what_cannot_be_read_is_neither_well_nor_gone() {
    let looping = json!({"containerStatuses": [scene::with(
        scene::waits("app", "CrashLoopBackOff", 9), &json!({"lastState": scene::end(1, "Error", 0, 1)}),
    )]});
    let [workload, set] = scene::deployment(2, &json!({}));
    let pods = ["app-1-0", "app-1-1"].map(|name| scene::pod(name, &json!({"status": looping})));
    let [first, second] = pods.clone();
    for (kind, unread) in
        [(Kind::Pod, first), (Kind::Pod, second), (Kind::ReplicaSet, set.clone()), (Kind::Deployment, workload.clone())]
    {
        let mut scene = Scene::new("Deployment", json!({"health": {"crashLoopSeconds": 60}}));
        scene.has_all([workload.clone(), set.clone()]);
        scene.has_all(pods.clone());
        scene.reconcile(0);
        let acts = scene.pass(1, 400);
        assert_eq!(acts.plan().or(acts.proposal()).map(|plan| plan.action.step.as_str()), Some("RestartPod"));

        let mut scene = Scene::new("Deployment", json!({"health": {"crashLoopSeconds": 60}}));
        scene.has_all([workload.clone(), set.clone()]);
        scene.has_all(pods.clone());
        scene.reconcile(0);
        scene.cannot_read(kind, unread.clone());
        let decision = scene.pass(1, 4000);
        let said = format!("{kind:?}: {}", decision.verdict.message);
        assert_eq!(decision.verdict.health.as_str(), "Unknown", "{said}");
        assert!(said.contains("cannot be read"), "{said}");
        assert_eq!((decision.plan(), decision.proposal()), (None, None), "{said}");
        assert_eq!(decision.state.observed.missing_since, None, "{said}");

        scene.has(unread);
        assert_ne!(scene.reconcile(4001).verdict.health.as_str(), "Unknown", "{kind:?} can be read again");
    }
    let mut scene = Scene::new("Pod", json!({}));
    scene.cannot_read(Kind::Pod, scene::pod("app", &json!({"metadata": {"ownerReferences": []}})));
    assert_eq!(scene.pass(1, 4000).verdict.health.as_str(), "Unknown", "a bare pod");
    scene.loses("app");
    assert_eq!(scene.pass(4001, 4100).verdict.reason.as_str(), "WorkloadMissing", "now it is gone");
}

#[test]
fn what_a_policy_forbids_that_cannot_be_read_nobody_knows() {
    for (kind, name) in
        [(Kind::HealingPolicy, "default"), (Kind::ClusterHealingPolicy, "default"), (Kind::HealingPolicy, "other")]
    {
        let mut scene = Scene::new("Deployment", json!({"health": {"crashLoopSeconds": 60}}));
        scene.has_all(scene::deployment(1, &json!({})));
        scene.has(scene::pod(
            "app-1-0",
            &json!({"status": {"containerStatuses": [scene::waits("app", "CrashLoopBackOff", 9)]}}),
        ));
        let mut object = json!({"metadata": {"name": name}});
        if kind == Kind::HealingPolicy {
            object["metadata"]["namespace"] = "shop".into();
        }
        scene.cannot_read_there(kind, object);
        scene.reconcile(0);
        let decision = scene.pass(1, 400);
        let held = scene::held(&decision).contains(&"PolicyInvalid");
        assert_eq!(held, name == "default", "{kind:?} {name}: {:?}", decision.blocked_by());
    }
}

fn lenient(world: &World, kind: &str) -> Api<Lenient<DynamicObject>> {
    Api::namespaced_with(world.client.clone(), "default", &resource(kind))
}

async fn patch(world: &World, kind: &str, name: &str, patch: Value) {
    lenient(world, kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn patch_status(world: &World, kind: &str, name: &str, status: Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    lenient(world, kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

pub(crate) fn far_event(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "type": "Normal", "reason": "Killing",
        "message": "m", "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p", "uid": "u"},
        "firstTimestamp": FAR[0], "lastTimestamp": FAR[0], "eventTime": FAR[4],
    })
}

pub(crate) fn hasty() -> Value {
    json!({
        "health": {"notReadySeconds": 20}, "remediation": {"stabilizationSeconds": 20, "verifySeconds": 120},
    })
}

#[tokio::test(start_paused = true)]
async fn times_that_cannot_be_held_stop_nothing_in_lists_in_watches_and_when_acting() {
    let mut world = World::without_controller();
    world.create(far_event("early")).await;
    world.start_controller();
    well(&world, "app", 2, hasty()).await;
    world.create(far_event("late")).await;
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": FAR[0]});
    patch_status(
        &world,
        "HealedService",
        "app",
        json!({
            "memory": {
                "observed": {"since": FAR[0]},
                "health": {"healthySince": FAR[0], "episode": {"since": FAR[0], "until": FAR[0]}},
                "attempts": {"recent": [FAR[0]], "pause": {"until": FAR[0]}},
            },
        }),
    )
    .await;
    let marks = json!([{"manager": "x", "operation": "Update", "apiVersion": "v1", "time": FAR[0], "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:x": {}}}}}]);
    let marks = json!({"metadata": {"labels": {"x": "y"}, "managedFields": marks}});
    for restarts in 1..=2 {
        world.pass(120).await;
        for kind in ["Deployment", "HealedService"] {
            patch(&world, kind, "app", marks.clone()).await;
        }
        let names: Vec<String> = lenient(&world, "Pod")
            .list(&kube::api::ListParams::default().labels("app=app"))
            .await
            .unwrap()
            .items
            .into_iter()
            .filter_map(|pod| pod.0.metadata.name)
            .collect();
        assert_eq!(names.len(), 2);
        for name in &names {
            patch(&world, "Pod", name, marks.clone()).await;
            patch_status(
                &world,
                "Pod",
                name,
                json!({"startTime": FAR[0], "conditions": [condition("example.com/gate")]}),
            )
            .await;
        }
        let broken = json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}});
        patch(&world, "Pod", &names[0], broken).await;
        world
            .until("app", "healed", 900, |status| {
                let helped = |entry: &&HistoryEntry| entry.step == "RestartPod" && entry.outcome == Outcome::Verified;
                status.history.iter().filter(helped).count() == restarts
            })
            .await;
        world.until("app", "healthy", 300, is(HealthState::Healthy)).await;
        let left = lenient(&world, "Pod").get_opt(&names[0]).await.unwrap();
        assert!(left.is_none(), "the sick pod was evicted");
        world.stop_controller().await;
        world.start_controller();
    }
}

/// A client to which whatever carries this label cannot be read.
const UNREADABLE: &str = "cannot-be-read";

fn garbling(inner: Client) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            let answer = inner.send(request).await?;
            let garble = |data: bytes::Bytes| {
                let text = String::from_utf8_lossy(&data).replace(&format!("\"{UNREADABLE}\""), "7");
                bytes::Bytes::from(text)
            };
            Ok::<_, kube::Error>(answer.map(|body| body.map_frame(move |frame| frame.map_data(garble))))
        }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_holds_its_own_service_and_delays_nobody_else() {
    for kind in ["Pod", "ReplicaSet", "Deployment", "HealedService"] {
        let mut world = World::without_controller();
        world.start_controller_with(garbling(world.client.clone()), None);
        well(&world, "held", 2, hasty()).await;
        well(&world, "free", 2, hasty()).await;
        let mark = |value: Value| json!({"metadata": {"labels": {"mark": value}}});
        let name = match kind {
            "Pod" | "ReplicaSet" => {
                let params = kube::api::ListParams::default().labels("app=held");
                let found = world.api(kind).list(&params).await.unwrap().items;
                found[0].metadata.name.clone().unwrap()
            }
            _ => "held".to_owned(),
        };
        let before = world.pods("held").await;
        world.patch(kind, &name, mark(json!(UNREADABLE))).await;
        for app in ["held", "free"] {
            world.break_pods(app, "not-ready").await;
        }
        world.until("free", "healed", 900, is(HealthState::Healthy)).await;
        let gauge = format!("kubeheal_undecoded_objects{{resource=\"{}s\"}} 1", kind.to_lowercase());
        assert!(world.metrics().contains(&gauge), "{kind}: {gauge}");
        assert_eq!(world.ready(), Ok(()), "{kind}");
        for _listed in [false, true] {
            world.pass(900).await;
            let status = world.status("held").await;
            assert_eq!(status.health, Some(HealthState::Unknown), "{kind}");
            let said = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
            let (words, reason) = ("cannot be read: ", said.reason.as_str());
            assert!(said.status == "Unknown" && said.message.contains(words), "{kind}: {reason} {}", said.message);
            assert_eq!((status.memory.observed.missing_since, status.history.len()), (None, 0), "{kind}");
            world.stop_controller().await;
            world.start_controller_with(garbling(world.client.clone()), None);
        }
        let uid = |pod: &Value| pod["metadata"]["uid"].clone();
        assert_eq!(
            world.pods("held").await.iter().map(uid).collect::<Vec<_>>(),
            before.iter().map(uid).collect::<Vec<_>>(),
            "{kind}"
        );
        world.patch(kind, &name, mark(Value::Null)).await;
        world.until("held", "healed", 1800, is(HealthState::Healthy)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_read_holds_those_whom_it_concerns() {
    let mut world = World::without_controller();
    world.start_controller_with(garbling(world.client.clone()), None);
    let mut unread = policy("ClusterHealingPolicy", "default", json!({"cluster": {"paused": ["maintenance"]}}));
    unread["metadata"]["labels"] = json!({"mark": UNREADABLE});
    world.create(unread).await;
    well(&world, "app", 2, hasty()).await;
    world.break_pods("app", "not-ready").await;
    let held = |status: &kubeheal::api::status::HealedServiceStatus| {
        status
            .blocked_by
            .iter()
            .any(|block| block.reason == "PolicyInvalid" && block.message.contains("cannot be read"))
    };
    world.until("app", "held", 300, held).await;
    world.delete("ClusterHealingPolicy", "default").await;
    world.until("app", "healed", 900, is(HealthState::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_named_in_the_log_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("off,kubeheal::cluster=warn"))
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut world = World::without_controller();
    world.start_controller_with(garbling(world.client.clone()), None);
    well(&world, "app", 1, hasty()).await;
    world.patch("Deployment", "app", json!({"metadata": {"labels": {"mark": UNREADABLE}}})).await;
    for look in 0..20 {
        world.patch("Deployment", "app", json!({"metadata": {"annotations": {"look": look.to_string()}}})).await;
        world.pass(300).await;
    }
    // Subscribers of tests beside this one may take lines away from it, and add none.
    assert!(log.count("an object cannot be read and is left out") <= 1);
    for mark in [Value::Null, json!(UNREADABLE)] {
        world.patch("Deployment", "app", json!({"metadata": {"labels": {"mark": mark}}})).await;
        world.pass(60).await;
    }
    assert!(log.count("an object cannot be read and is left out") <= 2, "it could be read meanwhile");
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn count(&self, words: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(words).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_read_is_no_reason_not_to_begin() {
    let world = World::without_controller();
    world.create(deployment("app", 1)).await;
    world.create(service("app", json!({}))).await;
    world.patch("HealedService", "app", json!({"metadata": {"labels": {"mark": UNREADABLE}}})).await;
    let (trouble, _) = tokio::sync::watch::channel(None);
    let stop = tokio_util::sync::CancellationToken::new();
    let passed = kubeheal::ops::preflight::passed(garbling(world.client.clone()), None, &trouble, &stop);
    tokio::time::timeout(std::time::Duration::from_secs(60), passed).await.unwrap();
}
