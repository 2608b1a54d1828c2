//! Kept definitions that somebody else made or changed: nothing is made from them, and the service says so.
//!
//! Who attacks may write HealedServices with their status and ControllerRevisions of the namespace, and neither workloads nor pods.

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use serde_json::{Value, json};

use super::{blocked, condition, well};
use crate::support::world::{World, deployment, service};

/// A workload with rights that nobody here has.
fn privileged(name: &str) -> Value {
    let mut workload = deployment(name, 1);
    workload["metadata"]["namespace"] = json!("default");
    let pod = &mut workload["spec"]["template"]["spec"];
    pod["serviceAccountName"] = json!("admin");
    pod["volumes"] = json!([{"name": "node", "hostPath": {"path": "/"}}]);
    pod["containers"][0]["securityContext"] = json!({"privileged": true});
    pod["containers"][0]["volumeMounts"] = json!([{"name": "node", "mountPath": "/node"}]);
    workload
}

fn stalled(status: &HealedServiceStatus) -> Option<&str> {
    let found = status.conditions.iter().find(|condition| condition.type_ == "Stalled")?;
    (found.status == "True").then_some(&found.message)
}

/// Name of the kept definition.
async fn revision_of(world: &World, name: &str) -> String {
    let kept = |status: &HealedServiceStatus| status.last_known_good.is_some();
    world.until(name, "kept", 60, kept).await.last_known_good.unwrap().revision
}

/// Puts another revision in the place of the kept one.
async fn replace(world: &World, revision: &str, change: impl FnOnce(&mut Value)) {
    let mut object = world.get("ControllerRevision", revision).await.unwrap();
    world.delete("ControllerRevision", revision).await;
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    change(&mut object);
    world.create(object).await;
}

/// Writes a status, as who may write it does.
pub(super) async fn patch_status(world: &World, name: &str, status: Value) {
    let patch = kube::api::Patch::Merge(json!({"status": status}));
    world.api("HealedService").patch_status(name, &kube::api::PatchParams::default(), &patch).await.unwrap();
}

/// The workload goes, and for ten minutes nothing may come in its place but a sentence.
async fn nothing_comes_of_it(world: &World, name: &str, what: &str) -> HealedServiceStatus {
    if world.get("Deployment", name).await.is_some() {
        world.delete("Deployment", name).await;
    }
    world.pass(600).await;
    let left: Vec<_> = world.list("Deployment").await.iter().map(|found| found["metadata"]["name"].clone()).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    let status = world.status(name).await;
    assert!(stalled(&status).is_some(), "{what}: {:?}", status.conditions);
    status
}

type Forgery = (&'static str, fn(&mut Value), &'static str);

#[tokio::test(start_paused = true)]
async fn a_revision_that_was_replaced_or_changed_by_one_field_is_never_made_a_workload() {
    let table: [Forgery; 10] = [
        ("all of it", |revision| revision["data"] = privileged("evil"), "another workload"),
        ("all but the name", |revision| revision["data"] = privileged("api"), "signature"),
        (
            "the image",
            |r| r["data"]["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1".into(),
            "signature",
        ),
        ("the account", |r| r["data"]["spec"]["template"]["spec"]["serviceAccountName"] = "admin".into(), "signature"),
        ("the host", |r| r["data"]["spec"]["template"]["spec"]["hostNetwork"] = true.into(), "signature"),
        ("the node", |r| r["data"]["spec"]["template"]["spec"]["nodeName"] = "master".into(), "signature"),
        ("a label", |r| r["data"]["metadata"]["labels"]["team"] = "".into(), "signature"),
        ("the owner", |r| r["metadata"]["ownerReferences"] = json!([]), "does not belong"),
        ("no controller", |r| r["metadata"]["ownerReferences"][0]["controller"] = false.into(), "does not belong"),
        ("a mark", |r| r["metadata"]["annotations"]["kubeheal.dev/managed-by"] = "Flux".into(), "signature"),
    ];
    for (what, forge, words) in table {
        let mut world = World::new();
        well(&world, "api", 1, json!({})).await;
        let revision = revision_of(&world, "api").await;
        // Nobody looks meanwhile: what is replaced while the workload is well is kept anew.
        world.stop_controller().await;
        replace(&world, &revision, forge).await;
        world.delete("Deployment", "api").await;
        world.start_controller();
        let status = nothing_comes_of_it(&world, "api", what).await;
        assert!(blocked("LastKnownGoodRefused")(&status), "{what}: {:?}", status.blocked_by);
        let said = stalled(&status).unwrap();
        assert!(said.contains(words) && said.contains(&revision), "{what}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_was_made_beforehand_is_not_taken_for_a_kept_one() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    let revision = revision_of(&world, "api").await;
    // The same service and the same workload: whatever can be computed is known.
    world.stop_controller().await;
    replace(&world, &revision, |revision| revision["data"] = privileged("evil")).await;
    patch_status(&world, "api", json!({"lastKnownGood": null})).await;
    world.start_controller();
    world.pass(60).await;
    let status = world.status("api").await;
    assert_eq!(status.health, Some(HealthState::Healthy));
    assert!(status.last_known_good.is_none(), "{:?}", status.last_known_good);
    let said = stalled(&status).unwrap();
    assert!(said.contains(&revision) && said.contains("delete it"), "{said}");
    nothing_comes_of_it(&world, "api", "made beforehand").await;

    // Once it is out of the way, what runs is kept.
    let world = World::new();
    world.create(deployment("api", 1)).await;
    world.pass(30).await;
    world.create(service("api", json!({}))).await;
    revision_of(&world, "api").await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_in_the_way_is_said_and_once_it_is_deleted_the_running_workload_is_kept() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    let revision = revision_of(&world, "api").await;
    world.stop_controller().await;
    replace(&world, &revision, |revision| revision["data"] = privileged("api")).await;
    world.start_controller();
    let is_stalled = |status: &HealedServiceStatus| stalled(status).is_some();
    world.until("api", "stalled", 60, is_stalled).await;
    world.delete("ControllerRevision", &revision).await;
    let status = world.until("api", "kept anew", 60, |status| stalled(status).is_none()).await;
    assert_eq!(condition(&status, "Stalled"), ("False", "AsExpected"));
    world.delete("Deployment", "api").await;
    world.until("api", "recreated", 60, |status| status.memory.attempts.in_flight.is_some()).await;
    assert_eq!(world.get("Deployment", "api").await.unwrap()["spec"]["template"]["spec"].get("volumes"), None);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_names_a_definition_of_ones_own_is_not_obeyed() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    let revision = revision_of(&world, "api").await;
    world.stop_controller().await;
    let mut own = world.get("ControllerRevision", &revision).await.unwrap();
    let metadata = own["metadata"].clone();
    own["metadata"] = json!({
        "name": "mine", "labels": metadata["labels"], "annotations": metadata["annotations"],
        "ownerReferences": metadata["ownerReferences"],
    });
    own["data"] = privileged("evil");
    world.create(own).await;
    let named = json!({"revision": "mine", "recordedAt": "2026-01-05T08:00:00Z"});
    patch_status(&world, "api", json!({"lastKnownGood": named})).await;
    world.delete("Deployment", "api").await;
    world.start_controller();
    let status = nothing_comes_of_it(&world, "api", "a definition of one's own").await;
    assert!(stalled(&status).unwrap().contains("mine"), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_of_another_service_or_workload_is_not_used() {
    let mut world = World::new();
    well(&world, "rich", 1, json!({})).await;
    well(&world, "api", 1, json!({})).await;
    let (rich, own) = (revision_of(&world, "rich").await, revision_of(&world, "api").await);
    world.stop_controller().await;
    let named = json!({"revision": rich, "recordedAt": "2026-01-05T08:00:00Z"});
    patch_status(&world, "api", json!({"lastKnownGood": named})).await;
    // The same under the marks of this service, with the signature that it has.
    let marks = world.get("ControllerRevision", &own).await.unwrap()["metadata"].clone();
    let mut adopted = world.get("ControllerRevision", &rich).await.unwrap();
    let annotations = adopted["metadata"]["annotations"].clone();
    adopted["metadata"] = json!({
        "name": "adopted", "annotations": annotations,
        "labels": marks["labels"], "ownerReferences": marks["ownerReferences"],
    });
    adopted["data"]["metadata"]["name"] = json!("api");
    world.create(adopted).await;
    world.delete("Deployment", "api").await;
    world.delete("Deployment", "rich").await;
    world.delete("HealedService", "rich").await;
    world.start_controller();
    nothing_comes_of_it(&world, "api", "of another service").await;
    let named = json!({"revision": "adopted", "recordedAt": "2026-01-05T08:00:00Z"});
    patch_status(&world, "api", json!({"lastKnownGood": named})).await;
    let status = nothing_comes_of_it(&world, "api", "under marks of this service").await;
    assert!(stalled(&status).unwrap().contains("adopted"), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_older_version_kept_without_a_signature_is_kept_anew_and_not_used() {
    let mut world = World::new();
    well(&world, "here", 1, json!({})).await;
    well(&world, "gone", 1, json!({})).await;
    world.stop_controller().await;
    for name in ["here", "gone"] {
        let revision = revision_of(&world, name).await;
        replace(&world, &revision, |revision| {
            let marks = revision["metadata"]["annotations"].as_object_mut().unwrap();
            marks.retain(|mark, _| mark != "kubeheal.dev/signature" && mark != "kubeheal.dev/workload-uid");
            revision["metadata"]["name"] = format!("{name}-old").into();
        })
        .await;
        let named = json!({"revision": format!("{name}-old"), "recordedAt": "2026-01-05T08:00:00Z"});
        patch_status(&world, name, json!({"lastKnownGood": named})).await;
    }
    world.delete("Deployment", "gone").await;
    world.start_controller();
    let is_anew =
        |status: &HealedServiceStatus| status.last_known_good.as_ref().is_some_and(|g| g.revision != "here-old");
    world.until("here", "kept anew", 60, is_anew).await;
    world.pass(600).await;
    let status = world.status("gone").await;
    assert!(stalled(&status).unwrap().contains("has no signature"), "{:?}", status.conditions);
    assert!(world.get("Deployment", "gone").await.is_none());
    world.delete("Deployment", "here").await;
    world.until("here", "recreated", 60, |status| status.memory.attempts.in_flight.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_goes_to_no_definition_that_somebody_else_wrote() {
    let mut world = World::new();
    well(&world, "api", 2, json!({"remediation": {"ladder": ["RestartPod", "Rollback"]}})).await;
    let trusted = |status: &HealedServiceStatus| status.memory.attempts.stable.is_some();
    let stable = world.until("api", "trusted", 700, trusted).await.memory.attempts.stable.unwrap();
    world.stop_controller().await;
    replace(&world, &stable, |revision| revision["data"] = privileged("api")).await;
    let mut broken = world.get("Deployment", "api").await.unwrap()["spec"]["template"].clone();
    broken["spec"]["containers"][0]["image"] = json!("registry.example/api:broken");
    world.patch("Deployment", "api", json!({"spec": {"template": broken}})).await;
    world.start_controller();
    world.pass(1_200).await;
    let status = world.status("api").await;
    assert!(status.history.iter().all(|entry| entry.step.as_str() != "Rollback"), "{:?}", status.history);
    let pod = world.get("Deployment", "api").await.unwrap()["spec"]["template"]["spec"].clone();
    assert!(pod.get("volumes").is_none() && pod.get("serviceAccountName").is_none(), "{pod}");
    let said = status.blocked_by.iter().find(|block| block.reason == "LastKnownGoodRefused");
    assert!(said.is_some_and(|block| block.message.contains(&stable)), "{:?}", status.blocked_by);
}

#[tokio::test(start_paused = true)]
async fn after_the_key_is_gone_what_runs_is_kept_anew_and_what_is_missing_is_left_to_a_person() {
    let mut world = World::new();
    well(&world, "here", 1, json!({})).await;
    well(&world, "gone", 1, json!({})).await;
    let (old, _) = (revision_of(&world, "here").await, revision_of(&world, "gone").await);
    world.stop_controller().await;
    world.delete("Secret", "kubeheal-signing-key").await;
    world.delete("Deployment", "gone").await;
    world.start_controller();
    let is_anew =
        |status: &HealedServiceStatus| status.last_known_good.as_ref().is_some_and(|good| good.revision != old);
    world.until("here", "kept anew", 60, is_anew).await;
    world.pass(600).await;
    let status = world.status("gone").await;
    assert!(blocked("LastKnownGoodRefused")(&status), "{:?}", status.blocked_by);
    assert!(world.get("Deployment", "gone").await.is_none());
    world.delete("Deployment", "here").await;
    world.until("here", "recreated", 60, |status| status.memory.attempts.in_flight.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn once_there_can_be_a_key_what_runs_is_kept_within_two_minutes() {
    let mut world = World::without_controller();
    let data = json!({"key": "c2hvcnQ="});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kubeheal-signing-key"}, "data": data});
    world.create(secret).await;
    world.start_controller();
    well(&world, "api", 1, json!({})).await;
    world.pass(300).await;
    let status = world.status("api").await;
    assert_eq!(condition(&status, "Stalled"), ("True", "SigningKeyMissing"));
    assert!(status.last_known_good.is_none() && world.list("ControllerRevision").await.is_empty());
    world.delete("Secret", "kubeheal-signing-key").await;
    let status = world.until("api", "kept", 120, |status| status.last_known_good.is_some()).await;
    assert_eq!(condition(&status, "Stalled"), ("False", "AsExpected"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_made_again_uses_nothing_of_the_one_before() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    let revision = revision_of(&world, "api").await;
    world.stop_controller().await;
    let mut copy = world.get("ControllerRevision", &revision).await.unwrap();
    world.delete("HealedService", "api").await;
    world.pass(30).await;
    world.create(service("api", json!({}))).await;
    let again = world.service("api").await.metadata.uid.unwrap();
    let metadata = copy["metadata"].clone();
    let mut owners = metadata["ownerReferences"].clone();
    owners[0]["uid"] = json!(again);
    copy["metadata"] = json!({
        "name": "copy", "annotations": metadata["annotations"], "ownerReferences": owners,
        "labels": {"kubeheal.dev/last-known-good": again},
    });
    world.create(copy).await;
    let named = json!({"revision": "copy", "recordedAt": "2026-01-05T08:00:00Z"});
    patch_status(&world, "api", json!({"lastKnownGood": named})).await;
    world.delete("Deployment", "api").await;
    world.start_controller();
    nothing_comes_of_it(&world, "api", "a service before").await;
}
