//! Jobs: how many pods they make, how they end, and what becomes of the pods.

use serde_json::{Value, json};
use tinykube::api::{DeleteOptions, Propagation};

use crate::World;

fn job(spec: Value, command: &str) -> Value {
    let mut spec = spec;
    let container = json!({"name": "c", "image": "c:1", "command": ["/bin/sh", "-c", command]});
    spec["template"] = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
    json!({"metadata": {"name": "j"}, "spec": spec})
}

fn status(world: &World) -> Value {
    world.get("batch", "jobs", "j").unwrap()["status"].clone()
}

fn condition(world: &World, kind: &str) -> Option<Value> {
    let status = status(world);
    let conditions = status["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind && condition["status"] == "True").cloned()
}

#[tokio::test(start_paused = true)]
async fn as_many_succeed_as_are_wanted_and_no_more_run_at_a_time_than_may() {
    let world = World::new();
    world.create("batch", "jobs", job(json!({"completions": 5, "parallelism": 2}), "sleep 10"));
    world.pass(5).await;
    assert_eq!(status(&world)["active"], 2);
    let tracked = world.list("", "pods");
    assert!(tracked.iter().all(|pod| pod["metadata"]["finalizers"] == json!(["batch.kubernetes.io/job-tracking"])));
    world.pass(60).await;
    let ended = status(&world);
    assert_eq!(
        (&ended["succeeded"], &ended["active"], &ended["ready"]),
        (&json!(5), &Value::Null, &json!(0)),
        "{ended}"
    );
    assert_eq!(condition(&world, "Complete").unwrap()["reason"], "CompletionsReached");
    let pods = world.list("", "pods");
    assert_eq!(pods.len(), 5, "pods stay to be looked at");
    assert!(pods.iter().all(|pod| pod["metadata"]["finalizers"].is_null()), "what is counted waits for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_when_its_pods_have_failed_too_often_and_waits_between_them() {
    let world = World::new();
    world.create("batch", "jobs", job(json!({"backoffLimit": 2}), "exit 3"));
    world.pass(8).await;
    assert_eq!(world.pods().len(), 1, "the next one waits ten seconds");
    world.pass(8).await;
    assert_eq!(world.pods().len(), 2);
    world.pass(120).await;
    assert_eq!(status(&world)["failed"], 3);
    let failed = condition(&world, "Failed").unwrap();
    assert_eq!(failed["message"], "Job has reached the specified backoff limit");
    assert!(condition(&world, "Complete").is_none());
    world.pass(3600).await;
    assert_eq!(world.pods().len(), 3, "what has failed makes no more pods");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_pods_and_the_job() {
    let world = World::new();
    world.create("batch", "jobs", job(json!({"activeDeadlineSeconds": 20}), "sleep 1000"));
    world.pass(15).await;
    assert_eq!(status(&world)["active"], 1);
    world.pass(60).await;
    assert_eq!(condition(&world, "Failed").unwrap()["reason"], "DeadlineExceeded");
    assert!(status(&world)["active"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_has_no_pods_and_goes_on_when_it_is_told_to() {
    let world = World::new();
    world.create("batch", "jobs", job(json!({"suspend": true}), "sleep 5"));
    world.pass(10).await;
    assert!(world.pods().is_empty() && status(&world)["startTime"].is_null());
    assert_eq!(condition(&world, "Suspended").unwrap()["reason"], "JobSuspended");
    world.change("batch", "jobs", "j", |job| job["spec"]["suspend"] = false.into());
    world.pass(30).await;
    assert!(condition(&world, "Complete").is_some(), "{}", status(&world));
}

#[tokio::test(start_paused = true)]
async fn every_index_is_completed_once_and_known_to_its_pod() {
    let world = World::new();
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    world.create("batch", "jobs", job(spec, "sleep 1"));
    world.pass(30).await;
    assert_eq!(status(&world)["completedIndexes"], "0-2");
    let mut indexes: Vec<String> = world
        .list("", "pods")
        .iter()
        .map(|pod| {
            pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].as_str().unwrap().to_owned()
        })
        .collect();
    indexes.sort();
    assert_eq!(indexes, ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn pods_go_with_their_job_or_stay_without_it_and_a_finished_job_goes_when_its_time_is_over() {
    for (propagation, left) in [(None, 1), (Some(Propagation::Background), 0), (Some(Propagation::Foreground), 0)] {
        let world = World::new();
        world.create("batch", "jobs", job(json!({}), "sleep 1000"));
        world.pass(10).await;
        let api = world.cluster.api();
        let jobs = api.resource("batch", "jobs").unwrap();
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        api.delete(&jobs, "test", "j", &options).unwrap();
        world.pass(60).await;
        assert!(world.get("batch", "jobs", "j").is_none(), "{propagation:?}");
        assert_eq!(world.pods().len(), left, "{propagation:?}");
    }
    let world = World::new();
    world.create("batch", "jobs", job(json!({"ttlSecondsAfterFinished": 100}), "true"));
    world.pass(60).await;
    assert!(condition(&world, "Complete").is_some());
    world.pass(60).await;
    assert!(world.get("batch", "jobs", "j").is_none() && world.pods().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_policy_says_which_failures_end_a_job_and_which_do_not_count() {
    let rule = |action: &str, code: i64| json!({"action": action, "onExitCodes": {"operator": "In", "values": [code]}});
    let policy = json!({"podFailurePolicy": {"rules": [rule("FailJob", 42)]}});
    let world = World::new();
    world.create("batch", "jobs", job(policy, "exit 42"));
    world.pass(20).await;
    let failed = condition(&world, "Failed").unwrap();
    assert_eq!(failed["reason"], "PodFailurePolicy");
    assert!(failed["message"].as_str().unwrap().ends_with("failed with exit code 42 matching FailJob rule at index 0"));
    let ignored = json!({"backoffLimit": 0, "podFailurePolicy": {"rules": [rule("Ignore", 3)]}});
    let world = World::new();
    world.create("batch", "jobs", job(ignored, "exit 3"));
    world.pass(60).await;
    assert!(condition(&world, "Failed").is_none() && world.pods().len() > 1, "{}", status(&world));
}
