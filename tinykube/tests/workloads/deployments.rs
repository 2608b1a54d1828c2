//! Deployments, ReplicaSets and StatefulSets.

use serde_json::{Value, json};
use tinykube::api::DeleteOptions;

use crate::{World, workload};

fn ready(world: &World, plural: &str, name: &str) -> i64 {
    world.get("apps", plural, name).unwrap()["status"]["readyReplicas"].as_i64().unwrap_or(0)
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_never_leaves_its_budget() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 4, "app:1"));
    world.pass(30).await;
    let before = world.cluster.api().store().rv();
    world.change("apps", "deployments", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2".into()
    });
    world.pass(60).await;
    let api = world.cluster.api();
    let deployments = api.resource("apps", "deployments").unwrap();
    let (changes, _) = api.store().changes_of(&deployments, before).unwrap();
    for change in &changes {
        let status = &change.object.value()["status"].clone();
        assert!(status["replicas"].as_i64().unwrap() <= 5, "at most one more: {status}");
        assert!(status["availableReplicas"].as_i64().unwrap_or(0) >= 3, "at most one fewer: {status}");
    }
    let web = world.get("apps", "deployments", "web").unwrap();
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    assert_eq!(condition(&web, "Progressing")["reason"], "NewReplicaSetAvailable");
    assert_eq!((web["status"]["updatedReplicas"].as_i64(), ready(&world, "deployments", "web")), (Some(4), 4));
    let images = world.list("", "pods").iter().all(|pod| pod["spec"]["containers"][0]["image"] == "app:2");
    assert!(images, "every pod is new");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_gets_stuck_says_so_and_keeps_the_old_pods() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 4, "app:1"));
    world.pass(30).await;
    world.change("apps", "deployments", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "app:broken".into();
    });
    world.pass(700).await;
    let web = world.get("apps", "deployments", "web").unwrap();
    assert_eq!(condition(&web, "Progressing")["reason"], "ProgressDeadlineExceeded");
    assert_eq!(condition(&web, "Available")["status"], "True");
    world.change("apps", "deployments", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "app:1".into();
    });
    world.pass(30).await;
    let web = world.get("apps", "deployments", "web").unwrap();
    assert_eq!(
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3",
        "a rollback is a new revision"
    );
    assert_eq!(world.list("apps", "replicasets").len(), 2);
    assert_eq!(ready(&world, "deployments", "web"), 4);
}

#[tokio::test(start_paused = true)]
async fn recreate_ends_the_old_pods_first() {
    let world = World::new();
    let mut web = workload("web", 2, "app:1");
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    world.create("apps", "deployments", web);
    world.pass(30).await;
    let before = world.cluster.api().store().rv();
    world.change("apps", "deployments", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2".into()
    });
    world.pass(30).await;
    let api = world.cluster.api();
    let (changes, _) = api.store().changes_of(&api.resource("", "pods").unwrap(), before).unwrap();
    let first_new = changes.iter().position(|change| change.previous.is_none()).unwrap();
    let over = |phase: &Value| phase == "Succeeded" || phase == "Failed";
    let ended = changes.iter().take(first_new).filter(|change| over(&change.object.value()["status"]["phase"]));
    let ended: std::collections::BTreeSet<_> = ended.map(|change| change.object.name()).collect();
    assert_eq!(ended.len(), 2, "both have ended before the first new one is made");
    assert_eq!(ready(&world, "deployments", "web"), 2);
}

#[tokio::test(start_paused = true)]
async fn paused_deployments_do_not_roll() {
    let world = World::new();
    let mut web = workload("web", 2, "app:1");
    web["spec"]["paused"] = true.into();
    world.create("apps", "deployments", web);
    world.pass(30).await;
    assert!(world.pods().is_empty(), "no ReplicaSet is made while paused");
    world.change("apps", "deployments", "web", |web| web["spec"]["paused"] = false.into());
    world.pass(30).await;
    assert_eq!(ready(&world, "deployments", "web"), 2);
}

#[tokio::test(start_paused = true)]
async fn scaled_to_zero_and_back() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 3, "app:1"));
    world.pass(30).await;
    world.change("apps", "deployments", "web", |web| web["spec"]["replicas"] = 0.into());
    world.pass(30).await;
    assert!(world.pods().is_empty());
    world.change("apps", "deployments", "web", |web| web["spec"]["replicas"] = 2.into());
    world.pass(30).await;
    assert_eq!(ready(&world, "deployments", "web"), 2);
    assert_eq!(world.list("apps", "replicasets").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_revisions_are_kept_up_to_the_limit() {
    let world = World::new();
    let mut web = workload("web", 1, "app:0");
    web["spec"]["revisionHistoryLimit"] = 2.into();
    world.create("apps", "deployments", web);
    for version in 1..6 {
        world.pass(30).await;
        world.change("apps", "deployments", "web", |web| {
            web["spec"]["template"]["spec"]["containers"][0]["image"] = format!("app:{version}").into();
        });
    }
    world.pass(30).await;
    assert_eq!(world.list("apps", "replicasets").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_goes_up_in_order_and_is_replaced_from_the_end() {
    let world = World::new();
    let mut db = workload("db", 3, "app:1");
    db["spec"]["serviceName"] = "db".into();
    world.create("apps", "statefulsets", db);
    world.pass(60).await;
    assert_eq!(world.pods(), ["db-0", "db-1", "db-2"]);
    let before = world.cluster.api().store().rv();
    world.change("apps", "statefulsets", "db", |db| {
        db["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2".into()
    });
    world.pass(120).await;
    let api = world.cluster.api();
    let (changes, _) = api.store().changes_of(&api.resource("", "pods").unwrap(), before).unwrap();
    let made = changes.iter().filter(|change| change.previous.is_none()).map(|change| change.object.name().to_string());
    assert_eq!(made.collect::<Vec<_>>(), ["db-2", "db-1", "db-0"]);
    let status = world.get("apps", "statefulsets", "db").unwrap()["status"].clone();
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_eq!((status["readyReplicas"].as_i64(), status["currentReplicas"].as_i64()), (Some(3), Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_stays_stuck_on_a_broken_revision_until_its_pod_is_deleted() {
    let world = World::new();
    let mut db = workload("db", 2, "app:1");
    db["spec"]["serviceName"] = "db".into();
    world.create("apps", "statefulsets", db);
    world.pass(60).await;
    let image = |image: &'static str| {
        move |db: &mut Value| db["spec"]["template"]["spec"]["containers"][0]["image"] = image.into()
    };
    world.change("apps", "statefulsets", "db", image("app:broken"));
    world.pass(120).await;
    world.change("apps", "statefulsets", "db", image("app:1"));
    world.pass(600).await;
    let stuck = world.get("", "pods", "db-1").unwrap();
    assert_eq!(stuck["spec"]["containers"][0]["image"], "app:broken", "healing the template is not enough");
    world.delete("", "pods", "db-1", &DeleteOptions::default());
    world.pass(60).await;
    assert_eq!(ready(&world, "statefulsets", "db"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_has_one_pod_on_the_node() {
    let world = World::new();
    let mut agent = workload("agent", 1, "app:1");
    agent["spec"].as_object_mut().unwrap().remove("replicas");
    world.create("apps", "daemonsets", agent);
    world.pass(30).await;
    assert_eq!(world.get("apps", "daemonsets", "agent").unwrap()["status"]["numberReady"], 1);
    world.change("apps", "daemonsets", "agent", |agent| {
        agent["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2".into()
    });
    world.pass(60).await;
    let pods = world.list("", "pods");
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0]["spec"]["containers"][0]["image"], "app:2");
}

#[tokio::test(start_paused = true)]
async fn a_quota_keeps_pods_from_being_made_and_the_deployment_says_so() {
    let world = World::new();
    world.create("", "resourcequotas", json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}));
    world.create("apps", "deployments", workload("web", 3, "app:1"));
    world.pass(30).await;
    assert_eq!(world.pods().len(), 2);
    let failure = |world: &World| {
        let deployment = world.get("apps", "deployments", "web").unwrap();
        let conditions = deployment["status"]["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == "ReplicaFailure").cloned()
    };
    let failed = failure(&world).unwrap();
    assert_eq!((&failed["status"], &failed["reason"]), (&json!("True"), &json!("FailedCreate")));
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2"), "{message}");
    assert_eq!(world.get("", "resourcequotas", "few").unwrap()["status"]["used"], json!({"pods": "2"}));
    world.change("", "resourcequotas", "few", |quota| quota["spec"]["hard"]["pods"] = "5".into());
    world.pass(1200).await;
    assert_eq!(world.pods().len(), 3);
    assert!(failure(&world).is_none());
}
