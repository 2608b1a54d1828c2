//! Garbage collection, budgets, namespaces, the node, scripts and logs.

use serde_json::{Value, json};
use tinykube::api::{DeleteOptions, Options, Part, Propagation};

use crate::{World, workload};

fn propagation(propagation: Propagation) -> DeleteOptions {
    DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() }
}

fn script(world: &World, plural: &str, name: &str, script: &str) {
    let group = if plural == "pods" { "" } else { "apps" };
    world
        .change(group, plural, name, |object| object["metadata"]["annotations"]["tinykube.dev/script"] = script.into());
}

fn container(world: &World, pod: &str) -> Value {
    world.get("", "pods", pod).unwrap()["status"]["containerStatuses"][0].clone()
}

#[tokio::test(start_paused = true)]
async fn what_a_deployment_owned_goes_with_it() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    world.pass(30).await;
    world.delete("apps", "deployments", "web", &propagation(Propagation::Background));
    world.pass(60).await;
    assert!(world.pods().is_empty() && world.list("apps", "replicasets").is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_the_foreground_the_owner_goes_last() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    world.pass(30).await;
    script(&world, "deployments", "web", "{app: {onTerm: {after: 10s}}}");
    world.pass(1).await;
    world.delete("apps", "deployments", "web", &propagation(Propagation::Foreground));
    world.pass(5).await;
    assert!(world.get("apps", "deployments", "web").is_some(), "its pods are still ending");
    world.pass(30).await;
    assert!(world.get("apps", "deployments", "web").is_none() && world.pods().is_empty());
}

#[tokio::test(start_paused = true)]
async fn orphans_are_left_and_adopted_by_the_next_owner() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    world.pass(30).await;
    let pods = world.pods();
    world.delete("apps", "deployments", "web", &propagation(Propagation::Orphan));
    world.pass(30).await;
    assert_eq!(world.pods(), pods);
    assert!(world.list("apps", "replicasets")[0]["metadata"]["ownerReferences"].is_null());
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    world.pass(30).await;
    assert_eq!(world.pods(), pods, "the same pods serve the new Deployment");
    assert_eq!(world.get("apps", "deployments", "web").unwrap()["status"]["readyReplicas"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_healthy_pods() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 3, "app:1"));
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}});
    world.create("policy", "poddisruptionbudgets", json!({"metadata": {"name": "web"}, "spec": spec}));
    world.pass(30).await;
    let status = |world: &World| world.get("policy", "poddisruptionbudgets", "web").unwrap()["status"].clone();
    let numbers = |status: &Value| {
        ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]
            .map(|field| status[field].as_i64().unwrap())
    };
    assert_eq!(numbers(&status(&world)), [1, 3, 2, 3]);
    let pod = world.pods().remove(0);
    script(&world, "pods", &pod, "not-ready");
    world.pass(30).await;
    assert_eq!(numbers(&status(&world)), [0, 2, 2, 3]);
    assert_eq!(status(&world)["conditions"][0]["reason"], "InsufficientPods");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_emptied_and_then_gone() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    world.create("", "configmaps", json!({"metadata": {"name": "config"}, "data": {"a": "b"}}));
    world.pass(30).await;
    world.delete("", "namespaces", "test", &DeleteOptions::default());
    world.pass(60).await;
    assert!(world.get("", "namespaces", "test").is_none());
    assert!(world.pods().is_empty() && world.list("", "configmaps").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_turns_pods_unready_and_their_containers_stay_ready() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    world.pass(30).await;
    let pod = world.pods().remove(0);
    let lose = |lost: bool| {
        world.change("", "nodes", "n1", |node| {
            node["metadata"]["annotations"]["tinykube.dev/lost"] = lost.to_string().into()
        });
    };
    let ready = |world: &World| {
        let stored = world.get("", "pods", &pod).unwrap();
        let conditions = stored["status"]["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap()
    };
    lose(true);
    world.pass(60).await;
    assert_eq!((&ready(&world)["status"], &ready(&world)["reason"]), (&"False".into(), &Value::Null));
    assert_eq!(container(&world, &pod)["ready"], true);
    lose(false);
    world.pass(30).await;
    assert_eq!(ready(&world)["status"], "True");
    assert_eq!(world.pods(), std::slice::from_ref(&pod), "nothing was replaced");
}

#[tokio::test(start_paused = true)]
async fn an_orderly_reboot_gives_the_node_another_boot_id_and_starts_each_container_once_more() {
    let world = World::new();
    let mut web = workload("web", 2, "app:1");
    web["spec"]["template"]["metadata"]["annotations"]["tinykube.dev/script"] = "app: {onTerm: {code: 143}}".into();
    web["spec"]["template"]["spec"]["initContainers"] = json!([{"name": "init", "image": "init:1"}]);
    world.create("apps", "deployments", web);
    world.pass(60).await;
    let (pods, boot) = (world.pods(), || world.get("", "nodes", "n1").unwrap()["status"]["nodeInfo"]["bootID"].clone());
    let first = boot();
    for number in 1..=2 {
        let mark = |node: &mut Value| node["metadata"]["annotations"]["tinykube.dev/boot"] = number.to_string().into();
        world.change("", "nodes", "n1", mark);
        world.pass(60).await;
        for pod in &pods {
            let status = container(&world, pod);
            assert_eq!((&status["restartCount"], &status["ready"]), (&number.into(), &true.into()), "{status}");
            let last = &status["lastState"]["terminated"];
            assert_eq!((&last["exitCode"], &last["reason"]), (&143.into(), &"Error".into()));
            let init = &world.get("", "pods", pod).unwrap()["status"]["initContainerStatuses"][0];
            assert_eq!(init["restartCount"], number, "init containers come first, as at the first start");
        }
    }
    assert_eq!(world.pods(), pods, "nothing was replaced");
    assert_ne!(boot(), first);
}

#[tokio::test(start_paused = true)]
async fn a_script_on_a_running_pod_breaks_it_at_once_and_its_successor_is_well() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    world.pass(3600).await;
    let pod = world.pods().remove(0);
    script(&world, "pods", &pod, "app: {exits: [{after: 2s, code: 3, log: 'FATAL disk full'}], log: [{text: hello}]}");
    world.pass(5).await;
    let status = container(&world, &pod);
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 3);
    world.delete("", "pods", &pod, &DeleteOptions::default());
    world.pass(60).await;
    let successor = world.pods().remove(0);
    assert_eq!(container(&world, &successor)["restartCount"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_script_on_the_deployment_starts_no_rollout_and_can_be_taken_back() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    world.pass(60).await;
    let pod = world.pods().remove(0);
    script(&world, "deployments", "web", "hang");
    world.pass(20).await;
    assert_eq!(world.pods(), std::slice::from_ref(&pod));
    assert_eq!(container(&world, &pod)["ready"], false);
    world.change("apps", "deployments", "web", |web| {
        web["metadata"]["annotations"].as_object_mut().unwrap().remove("tinykube.dev/script");
    });
    world.pass(60).await;
    assert_eq!(container(&world, &pod)["ready"], true);
}

#[tokio::test(start_paused = true)]
async fn dependents_crash_while_their_database_is_down() {
    let world = World::new();
    world.create("apps", "deployments", workload("db", 1, "app:1"));
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    script(&world, "deployments", "web", "app: {exits: [{after: 5s, whileDown: Deployment/db, log: 'no database'}]}");
    world.pass(60).await;
    let web = world.pods().into_iter().find(|pod| pod.starts_with("web")).unwrap();
    assert_eq!(container(&world, &web)["ready"], true);
    script(&world, "deployments", "db", "crash");
    world.pass(600).await;
    assert!(container(&world, &web)["restartCount"].as_i64().unwrap() >= 3);
    script(&world, "deployments", "db", "healthy");
    world.pass(900).await;
    let restarts = container(&world, &web)["restartCount"].clone();
    world.pass(3600).await;
    assert_eq!(container(&world, &web)["restartCount"], restarts, "all is well again");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_script_is_told_and_changes_nothing() {
    let world = World::new();
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    script(&world, "deployments", "web", "app: {explodes: true}");
    world.pass(60).await;
    let pod = world.pods().remove(0);
    assert_eq!(container(&world, &pod)["ready"], true);
    let told = world.list("", "events").into_iter().find(|event| event["reason"] == "InvalidScript").unwrap();
    assert!(told["message"].as_str().unwrap().contains("explodes"), "{}", told["message"]);
}

#[tokio::test(start_paused = true)]
async fn the_logs_of_both_instances_can_be_read() {
    let clock = tinykube::clock::Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    let api = tinykube::api::Api::new(clock, 0, 10_000);
    let control_plane = tinykube::workloads::ControlPlane::new(api.clone());
    let logs = control_plane.logs();
    tokio::spawn(control_plane.run(tokio_util::sync::CancellationToken::new()));
    let create = |plural: &str, namespace: &str, object: Value| {
        let resource = api.resource("", plural).unwrap();
        api.create(&resource, namespace, object, &tinykube::api::Options::default()).unwrap();
    };
    for name in ["test", "kube-node-lease"] {
        create("namespaces", "", json!({"metadata": {"name": name}}));
    }
    let script = "app: {log: [{text: up}], exits: [{after: 3s, times: 1, log: 'FATAL disk full'}]}";
    let containers = json!([{"name": "app", "image": "app:1"}]);
    let metadata = json!({"name": "pod", "annotations": {"tinykube.dev/script": script}});
    create("pods", "test", json!({"metadata": metadata, "spec": {"containers": containers}}));
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let read = |previous: bool| -> Vec<String> {
        let lines = logs.read("test", "pod", "app", previous).unwrap();
        lines.into_iter().map(|(_, line)| line).collect()
    };
    assert_eq!(read(true), ["up", "FATAL disk full"]);
    assert_eq!(read(false), ["up"]);
    assert!(logs.read("test", "pod", "other", false).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_scheduling_gates_gets_a_node_when_they_are_gone() {
    let world = World::new();
    let gates = json!([{"name": "example.com/quota"}]);
    let spec = json!({"schedulingGates": gates, "containers": [{"name": "app", "image": "app:1"}]});
    world.create("", "pods", json!({"metadata": {"name": "app"}, "spec": spec}));
    world.pass(60).await;
    let pod = world.get("", "pods", "app").unwrap();
    assert_eq!((&pod["status"]["phase"], &pod["spec"]["nodeName"]), (&json!("Pending"), &Value::Null), "{pod}");
    let condition = &pod["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("PodScheduled"), &json!("SchedulingGated")),
        "{pod}"
    );
    let (api, more) = (world.cluster.api(), json!([{"name": "example.com/quota"}, {"name": "example.com/more"}]));
    let target = api.resource("", "pods").unwrap();
    let add = |pod: &mut Value| pod["spec"]["schedulingGates"] = more;
    let refused = api.modify(target.named("test", "app"), Part::Main, &Options::default(), add).unwrap_err();
    let only = "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'example.com/more'";
    assert!(refused.message.contains(only), "{refused:?}");
    world.change("", "pods", "app", |pod| pod["spec"]["schedulingGates"] = json!([]));
    world.pass(60).await;
    assert_eq!(world.get("", "pods", "app").unwrap()["status"]["phase"], "Running");
}
