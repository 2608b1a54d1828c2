//! What containers need before they run, and what ends a pod.

use serde_json::{Value, json};

use crate::World;

fn pod(spec: &Value, script: &str) -> Value {
    json!({"metadata": {"name": "p", "annotations": {"tinykube.dev/script": script}}, "spec": spec})
}

fn status(world: &World) -> Value {
    world.get("", "pods", "p").unwrap()["status"].clone()
}

fn waiting(world: &World) -> Value {
    status(world)["containerStatuses"][0]["state"]["waiting"]["reason"].clone()
}

fn condition(world: &World, kind: &str) -> Value {
    let status = status(world);
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap()["status"].clone()
}

fn heard(world: &World, reason: &str) -> bool {
    world.list("", "events").iter().any(|event| event["reason"] == reason)
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_starts_before_and_ends_after_the_others() {
    let world = World::new();
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [
            {"name": "side", "image": "side:1", "restartPolicy": "Always"},
            {"name": "setup", "image": "setup:1"},
        ],
        "containers": [{"name": "app", "image": "app:1"}],
    });
    world.create("", "pods", pod(&spec, "{side: {onTerm: {after: 1s}}, app: {exits: [{after: 60s, code: 0}]}}"));
    world.pass(20).await;
    let running = status(&world);
    assert_eq!(running["phase"], "Running");
    assert!(running["initContainerStatuses"][0]["state"]["running"].is_object(), "{running}");
    assert_eq!(running["initContainerStatuses"][0]["started"], true);
    assert_eq!(running["initContainerStatuses"][1]["state"]["terminated"]["reason"], "Completed");
    let started = |list: &str, index: usize| running[list][index]["state"]["running"]["startedAt"].clone();
    assert!(started("initContainerStatuses", 0).as_str() <= started("containerStatuses", 0).as_str());
    world.pass(120).await;
    let ended = status(&world);
    assert_eq!(ended["phase"], "Succeeded", "a sidecar does not keep a pod from succeeding: {ended}");
    let finished = |list: &str| ended[list][0]["state"]["terminated"]["finishedAt"].as_str().unwrap().to_owned();
    assert!(finished("containerStatuses") <= finished("initContainerStatuses"), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_exits_at_once_never_gets_to_its_startup_probe() {
    let world = World::new();
    let probe = json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 30});
    let spec = json!({"containers": [{"name": "app", "image": "app:1", "startupProbe": probe}]});
    world.create("", "pods", pod(&spec, "crash-at-once"));
    for _ in 0..60 {
        world.pass(1).await;
        let app = status(&world)["containerStatuses"][0].clone();
        assert_ne!(app["started"], true, "{app}");
        let end = &app["lastState"]["terminated"];
        assert!(end.is_null() || end["startedAt"] == end["finishedAt"], "within one second: {end}");
    }
    let app = status(&world)["containerStatuses"][0].clone();
    assert!(app["restartCount"].as_i64().unwrap() >= 2, "{app}");
    assert_eq!(app["lastState"]["terminated"]["exitCode"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_crashes_is_started_again_even_if_the_pod_never_is() {
    let world = World::new();
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "side", "image": "side:1", "restartPolicy": "Always"}],
        "containers": [{"name": "app", "image": "app:1"}],
    });
    world.create("", "pods", pod(&spec, "{side: {exits: [{after: 30s, times: 1}]}}"));
    world.pass(300).await;
    let status = status(&world);
    assert_eq!(status["initContainerStatuses"][0]["restartCount"], 1, "{status}");
    assert_eq!((&status["phase"], &status["containerStatuses"][0]["restartCount"]), (&json!("Running"), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_of_a_config_map_keeps_a_container_from_being_created() {
    let world = World::new();
    let source = json!({"configMapKeyRef": {"name": "settings", "key": "colour"}});
    let spec = json!({"containers": [{"name": "app", "image": "app:1", "env": [{"name": "C", "valueFrom": source}]}]});
    world.create("", "pods", pod(&spec, "healthy"));
    world.pass(20).await;
    assert_eq!(waiting(&world), "CreateContainerConfigError");
    let message = status(&world)["containerStatuses"][0]["state"]["waiting"]["message"].clone();
    assert_eq!(message, "configmap \"settings\" not found");
    world.create("", "configmaps", json!({"metadata": {"name": "settings"}, "data": {"other": "x"}}));
    world.pass(60).await;
    let message = status(&world)["containerStatuses"][0]["state"]["waiting"]["message"].clone();
    assert!(message.as_str().unwrap().contains("key colour"), "{message}");
    world.change("", "configmaps", "settings", |map| map["data"]["colour"] = "blue".into());
    world.pass(60).await;
    assert_eq!(condition(&world, "Ready"), "True");
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_of_a_volume_keeps_a_pod_from_starting() {
    let world = World::new();
    let spec = json!({
        "containers": [{"name": "app", "image": "app:1", "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}],
        "volumes": [{"name": "keys", "secret": {"secretName": "keys"}}],
    });
    world.create("", "pods", pod(&spec, "healthy"));
    world.pass(60).await;
    assert_eq!((status(&world)["phase"].clone(), waiting(&world)), (json!("Pending"), json!("ContainerCreating")));
    assert!(heard(&world, "FailedMount"));
    world.create("", "secrets", json!({"metadata": {"name": "keys"}}));
    world.pass(150).await;
    assert_eq!(condition(&world, "Ready"), "True");
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_fails_is_tried_again() {
    let world = World::new();
    let spec = json!({"containers": [{"name": "app", "image": "app:1"}]});
    world.create("", "pods", pod(&spec, "{app: {pull: {fails: true, times: 3, message: 'unauthorized'}}}"));
    world.pass(20).await;
    assert!(matches!(waiting(&world).as_str(), Some("ErrImagePull" | "ImagePullBackOff")), "{}", status(&world));
    world.pass(300).await;
    assert_eq!(condition(&world, "Ready"), "True", "the fourth pull works");
    assert_eq!(status(&world)["containerStatuses"][0]["restartCount"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_scripted_config_error_lasts_until_the_script_changes() {
    let world = World::new();
    let spec = json!({"containers": [{"name": "app", "image": "app:1"}]});
    world.create("", "pods", pod(&spec, "{app: {configError: 'secret \"x\" not found'}}"));
    world.pass(60).await;
    assert_eq!(waiting(&world), "CreateContainerConfigError");
    world.change("", "pods", "p", |pod| pod["metadata"]["annotations"]["tinykube.dev/script"] = "healthy".into());
    world.pass(60).await;
    assert_eq!(condition(&world, "Ready"), "True");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_exceeds_its_deadline_fails_as_a_whole() {
    let world = World::new();
    let containers = json!([{"name": "app", "image": "app:1"}]);
    let spec = json!({"activeDeadlineSeconds": 30, "terminationGracePeriodSeconds": 1, "containers": containers});
    world.create("", "pods", pod(&spec, "healthy"));
    world.pass(20).await;
    assert_eq!(status(&world)["phase"], "Running");
    world.pass(60).await;
    let ended = status(&world);
    assert_eq!((&ended["phase"], &ended["reason"]), (&json!("Failed"), &json!("DeadlineExceeded")), "{ended}");
    assert!(heard(&world, "DeadlineExceeded"));
}

#[tokio::test(start_paused = true)]
async fn the_status_says_what_a_container_was_given_and_as_whom_it_runs() {
    let world = World::new();
    let resources = json!({"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}});
    let spec = json!({
        "securityContext": {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000},
        "containers": [{"name": "app", "image": "app:1", "resources": resources}],
    });
    world.create("", "pods", pod(&spec, "healthy"));
    world.pass(20).await;
    let status = status(&world);
    let container = &status["containerStatuses"][0];
    assert_eq!((&container["resources"], &status["resources"]), (&resources, &resources));
    assert_eq!(container["allocatedResources"], json!({"memory": "32Mi"}));
    assert_eq!(container["user"]["linux"], json!({"uid": 1000, "gid": 2000, "supplementalGroups": [2000, 3000]}));
}
