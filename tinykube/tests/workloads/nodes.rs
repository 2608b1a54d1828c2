//! Nodes that are clients of the cluster: alone, together with its own, through faults, and lost.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::{DeleteOptions, Options, Part};
use tinykube::faults::{Faults, Plan};
use tinykube::node::{Node, NodeError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Layer;

use crate::{World, workload};

/// A node that runs until this is dropped or ended.
struct Running {
    end: CancellationToken,
    done: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    async fn end(self) {
        self.end.cancel();
        self.done.await.unwrap().unwrap();
    }
}

impl World {
    /// Runs a node that is a client.
    fn node(&self, name: &str) -> Running {
        self.node_by(name, self.cluster.client())
    }

    fn node_by(&self, name: &str, client: kube::Client) -> Running {
        let node = Node::new(name, client).unwrap().clock(self.cluster.clock().clone());
        let end = CancellationToken::new();
        let done = tokio::spawn(node.run(end.clone()));
        Running { end, done }
    }

    fn node_is(&self, name: &str) -> String {
        let node = self.get("", "nodes", name).unwrap();
        let conditions = node["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        ready["status"].as_str().unwrap().to_owned()
    }

    /// Names of the pods, and of their nodes.
    fn places(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pods = self.list("", "pods");
        pods.iter().map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["nodeName"]))).collect()
    }

    fn ready_on(&self, node: &str) -> usize {
        let ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        self.list("", "pods").iter().filter(|pod| pod["spec"]["nodeName"] == node && ready(pod)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_says_all_that_a_kubelet_says_of_it() {
    let world = World::of(Cluster::builder().without_node());
    let _node = world.node("n7");
    world.pass(15).await;
    let node = world.get("", "nodes", "n7").unwrap();
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/hostname"], "n7");
    for part in ["capacity", "allocatable"] {
        for amount in ["cpu", "memory", "pods", "ephemeral-storage"] {
            assert!(node["status"][part][amount].is_string(), "{part} {amount}");
        }
    }
    let info = node["status"]["nodeInfo"].as_object().unwrap();
    for field in ["machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion"] {
        assert!(!info[field].as_str().unwrap().is_empty(), "{field}");
    }
    assert_eq!(info["kubeletVersion"], "v1.36.0");
    assert_eq!(world.node_is("n7"), "True");
    let api = world.cluster.api();
    let leases = api.resource("coordination.k8s.io", "leases").unwrap();
    let lease = || api.get(&leases, "kube-node-lease", "n7").unwrap()["spec"]["renewTime"].clone();
    let before = lease();
    world.pass(10).await;
    assert_ne!(lease(), before, "the Lease is renewed every ten seconds");
}

#[tokio::test(start_paused = true)]
async fn nodes_share_the_pods_and_keep_to_their_own() {
    let world = World::of(Cluster::builder());
    let _nodes = [world.node("n2"), world.node("n3")];
    world.pass(5).await;
    world.create("apps", "deployments", workload("web", 6, "app:1"));
    let mut agent = workload("agent", 1, "app:1");
    agent["spec"].as_object_mut().unwrap().remove("replicas");
    world.create("apps", "daemonsets", agent);
    world.pass(30).await;
    assert_eq!(["n1", "n2", "n3"].map(|node| world.ready_on(node)), [3, 3, 3], "{:?}", world.places());
    let status = world.get("apps", "daemonsets", "agent").unwrap()["status"].clone();
    assert_eq!((&status["numberReady"], &status["desiredNumberScheduled"]), (&json!(3), &json!(3)), "{status}");
    let pods = world.list("", "pods");
    let distinct: BTreeSet<&str> = pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 9, "every pod has an address of its own");
    world.change("apps", "daemonsets", "agent", |agent| {
        agent["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2".into()
    });
    world.pass(120).await;
    let images = world.list("", "pods");
    let new = images.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == "app:2").count();
    assert_eq!((new, images.len()), (3, 9), "a DaemonSet rolls through all nodes");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_is_lost_and_one_that_comes_back_is_well() {
    let world = World::of(Cluster::builder().without_node());
    let lost = world.node("n1");
    world.pass(5).await;
    world.create("apps", "deployments", workload("web", 2, "app:1"));
    let mut agent = workload("agent", 1, "app:1");
    agent["spec"].as_object_mut().unwrap().remove("replicas");
    world.create("apps", "daemonsets", agent);
    world.pass(20).await;
    assert_eq!(world.ready_on("n1"), 3);
    lost.end().await;
    let _other = world.node("n2");
    world.pass(30).await;
    assert_eq!(world.node_is("n1"), "True", "a Lease is good for 40 seconds");
    world.pass(25).await;
    assert_eq!((world.node_is("n1").as_str(), world.ready_on("n1")), ("Unknown", 0));
    let taints = world.get("", "nodes", "n1").unwrap()["spec"]["taints"].clone();
    assert_eq!(taints[1]["effect"], "NoExecute", "{taints}");
    world.pass(330).await;
    assert_eq!(world.ready_on("n2"), 3, "two replacements, and the DaemonSet's second pod");
    let ends = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_string();
    let pods = world.list("", "pods");
    let (ending, staying): (Vec<_>, Vec<_>) =
        pods.iter().filter(|pod| pod["spec"]["nodeName"] == "n1").partition(|pod| ends(pod));
    assert_eq!((ending.len(), staying.len()), (2, 1), "what is of a DaemonSet stays where it is");
    let _back = world.node("n1");
    world.pass(60).await;
    assert_eq!((world.node_is("n1").as_str(), world.ready_on("n1"), world.pods().len()), ("True", 1, 4));
    assert!(world.get("", "nodes", "n1").unwrap()["spec"]["taints"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_started_again_goes_on_with_its_pods() {
    let world = World::of(Cluster::builder().without_node());
    let node = world.node("n1");
    world.pass(5).await;
    let script = |pod: &mut Value, script: &str| pod["metadata"]["annotations"]["tinykube.dev/script"] = script.into();
    let mut pods = [("well", "Always"), ("ill", "Always"), ("once", "Never")].map(|(name, policy)| {
        json!({"metadata": {"name": name}, "spec": {
            "restartPolicy": policy,
            "initContainers": [{"name": "setup", "image": "setup:1"}],
            "containers": [{"name": "app", "image": "app:1"}],
        }})
    });
    script(&mut pods[1], "app: {exits: [{after: 2s, code: 7, times: 3}]}");
    script(&mut pods[2], "app: {exits: [{after: 2s, code: 0}]}");
    for pod in pods {
        world.create("", "pods", pod);
    }
    world.pass(30).await;
    let status = |name: &str| world.get("", "pods", name).unwrap()["status"].clone();
    let before = ["well", "ill", "once"].map(status);
    assert_eq!(before[1]["containerStatuses"][0]["restartCount"], 2, "the third exit is waited for: {}", before[1]);
    node.end().await;
    world.pass(5).await;
    let _again = world.node("n1");
    world.pass(20).await;
    let after = ["well", "ill", "once"].map(status);
    assert_eq!(after[0], before[0], "a container that runs is not touched");
    assert_eq!(after[2], before[2], "what is over is over");
    let ill = &after[1]["containerStatuses"][0];
    assert!(ill["restartCount"].as_i64() > before[1]["containerStatuses"][0]["restartCount"].as_i64(), "{ill}");
    assert_eq!(ill["lastState"]["terminated"]["exitCode"], 7, "{ill}");
    for name in ["well", "ill", "once"] {
        world.delete("", "pods", name, &DeleteOptions::default());
    }
    world.pass(40).await;
    assert_eq!(world.pods().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_gets_its_grace_and_is_gone_then() {
    let world = World::of(Cluster::builder().without_node());
    let _node = world.node("n1");
    let spec = json!({"terminationGracePeriodSeconds": 20, "containers": [{"name": "app", "image": "app:1"}]});
    let script = json!({"tinykube.dev/script": "app: {onTerm: {after: never}}"});
    world.pass(5).await;
    world.create("", "pods", json!({"metadata": {"name": "p", "annotations": script}, "spec": spec}));
    world.pass(10).await;
    world.delete("", "pods", "p", &DeleteOptions::default());
    world.pass(19).await;
    let pod = world.get("", "pods", "p").unwrap();
    assert!(pod["status"]["containerStatuses"][0]["state"]["running"].is_object(), "{pod}");
    world.pass(3).await;
    assert!(world.get("", "pods", "p").is_none());
    let heard = world.list("", "events");
    assert!(heard.iter().any(|event| event["reason"] == "Killing" && event["source"]["host"] == "n1"));
}

#[tokio::test(start_paused = true)]
async fn scripts_may_name_what_runs_on_another_node() {
    let world = World::of(Cluster::builder().without_node());
    let _nodes = [world.node("n1"), world.node("n2")];
    world.pass(5).await;
    let on = |name: &str, node: &str, script: &str| {
        json!({
            "metadata": {"name": name, "labels": {"app": name}, "annotations": {"tinykube.dev/script": script}},
            "spec": {"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [{
                "name": "app", "image": "app:1",
                "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
            }]},
        })
    };
    let service = json!({"metadata": {"name": "db"}, "spec": {"selector": {"app": "db"}, "ports": [{"port": 1}]}});
    world.create("", "services", service);
    world.create("", "pods", on("app", "n1", "app: {readiness: {whileDown: Service/db}}"));
    world.pass(20).await;
    assert_eq!(world.ready_on("n1"), 0, "nothing stands behind the Service");
    world.create("", "pods", on("db", "n2", "healthy"));
    world.pass(20).await;
    assert_eq!((world.ready_on("n1"), world.ready_on("n2")), (1, 1));
    world.change("", "pods", "db", |pod| {
        pod["metadata"]["annotations"]["tinykube.dev/script"] = "not-ready".into();
    });
    world.pass(20).await;
    assert_eq!((world.ready_on("n1"), world.ready_on("n2")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_script_that_a_controller_copied_does_not_outlive_the_one_it_was_copied_from() {
    let world = World::of(Cluster::builder().without_node());
    let _node = world.node("n1");
    world.pass(5).await;
    world.create("apps", "deployments", workload("web", 1, "app:1"));
    world.pass(10).await;
    // As the real Deployment controller does.
    let api = world.cluster.api();
    let sets = api.resource("apps", "replicasets").unwrap();
    let name = api.list(&sets, "test")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let copy = |manager: &str| {
        let options = Options { manager: Some(manager.to_owned()), ..Options::default() };
        api.modify(sets.named("test", &name), Part::Main, &options, |set| {
            set["metadata"]["annotations"]["tinykube.dev/script"] =
                format!("app: {{exits: [{{after: 5s, message: {manager}}}]}}").into();
        })
        .unwrap();
    };
    copy("kube-controller-manager");
    world.pass(30).await;
    let restarts = |world: &World| world.list("", "pods")[0]["status"]["containerStatuses"][0]["restartCount"].clone();
    assert_eq!(restarts(&world), 0, "the Deployment has no script");
    copy("kubectl");
    world.pass(30).await;
    assert_ne!(restarts(&world), 0, "somebody put a script on the ReplicaSet");
}

#[tokio::test(start_paused = true)]
async fn whatever_befalls_its_requests_a_node_brings_its_pods_up_and_down() {
    for seed in 1..=2 {
        let world = World::of(Cluster::builder().without_node());
        let faults = Faults::new(world.cluster.api(), Plan { clock_jump: 0, ..Plan::storm() }, seed);
        let steady = world.node("n1");
        world.pass(5).await;
        steady.end().await;
        let client = kube::Client::new(faults.layer(world.cluster.service()), "default");
        let mut node = world.node_by("n1", client.clone());
        world.create("apps", "deployments", workload("web", 5, "app:1"));
        world.create("apps", "deployments", workload("ill", 1, "app:1"));
        world.change("apps", "deployments", "ill", |ill| {
            ill["metadata"]["annotations"]["tinykube.dev/script"] = "crash".into();
        });
        for _ in 0..120 {
            world.pass(10).await;
            if node.done.is_finished() {
                // A storm may hit the very first requests, which end the program with a message.
                node = world.node_by("n1", client.clone());
            }
        }
        assert_eq!(world.ready_on("n1"), 5, "seed {seed}");
        let pods = world.list("", "pods");
        let ill = pods.iter().find(|pod| pod["metadata"]["labels"]["app"] == "ill").unwrap();
        let restarts = ill["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap();
        assert!((7..=9).contains(&restarts), "seed {seed}: {restarts} restarts in 20 minutes");
        world.change("apps", "deployments", "web", |web| web["spec"]["replicas"] = 0.into());
        world.change("apps", "deployments", "ill", |ill| ill["spec"]["replicas"] = 0.into());
        world.pass(600).await;
        assert_eq!(world.pods().len(), 0, "seed {seed}: {:?}", world.places());
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_is_refused() {
    let world = World::of(Cluster::builder().without_node());
    for name in ["", "N1", "a_b", "-n"] {
        let refused = Node::new(name, world.cluster.client()).err().unwrap().to_string();
        assert!(refused.contains("lower case"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_well_is_written_no_more() {
    let world = World::of(Cluster::builder().without_node());
    let requests = Faults::new(world.cluster.api(), Plan::none(), 1);
    let _node = world.node_by("n1", kube::Client::new(requests.layer(world.cluster.service()), "default"));
    world.pass(5).await;
    let spec = json!({"containers": [{"name": "app", "image": "app:1"}]});
    world.create("", "pods", json!({"metadata": {"name": "p"}, "spec": spec}));
    world.pass(30).await;
    let written = |requests: &Faults| {
        let log = requests.log();
        log.iter().filter(|line| line.contains("/pods/p/status")).count()
    };
    let before = written(&requests);
    assert!(before > 0, "{:?}", requests.log());
    for turn in 0..5 {
        world.change("", "pods", "p", |pod| pod["metadata"]["labels"]["turn"] = turn.to_string().into());
        world.pass(5).await;
    }
    assert_eq!(written(&requests), before, "nothing is new");
}

// Sockets know no virtual time.
#[tokio::test]
async fn a_node_answers_for_the_logs_of_its_containers() {
    let cluster = Cluster::builder().without_node().start().unwrap();
    let world = World { cluster };
    world.create("", "namespaces", json!({"metadata": {"name": "test"}}));
    let node = Node::new("n1", world.cluster.client()).unwrap().serve_logs();
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    tokio::spawn(node.run(end));
    let script =
        "{app: {log: [{at: 0s, text: hello}, {at: 0s, text: world}], exits: [{after: 1s, times: 1, log: bye}]}}";
    let spec = json!({"containers": [{"name": "app", "image": "app:1"}, {"name": "not", "image": "does-not-exist"}]});
    let pod = json!({"metadata": {"name": "p", "annotations": {"tinykube.dev/script": script}}, "spec": spec});
    world.create("", "pods", pod);
    let restarted = |world: &World| {
        let statuses = world.get("", "pods", "p").unwrap()["status"]["containerStatuses"].clone();
        statuses[0]["restartCount"] == 1 && statuses[0]["state"]["running"].is_object()
    };
    for _ in 0..200 {
        if restarted(&world) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let node = world.get("", "nodes", "n1").unwrap();
    let port = &node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
    let mut config = kube::Config::new(format!("https://127.0.0.1:{port}").parse().unwrap());
    // As the API server does that was not told whose certificates to trust.
    config.accept_invalid_certs = true;
    let client = kube::Client::try_from(config).unwrap();
    let read = |place: &str| {
        let request = http::Request::get(format!("/containerLogs/test/{place}")).body(Vec::new()).unwrap();
        let client = client.clone();
        async move { client.request_text(request).await }
    };
    assert_eq!(read("p/app").await.unwrap(), "hello\nworld\n");
    assert_eq!(read("p/app?previous=true&tailLines=2").await.unwrap(), "world\nbye\n");
    assert_eq!(read("p/app?limitBytes=3").await.unwrap(), "hel");
    let stamped = read("p/app?timestamps=true&tailLines=1").await.unwrap();
    assert!(stamped.ends_with("Z world\n") && stamped.starts_with("20"), "{stamped}");
    for (place, why) in [("p/not", "trying and failing to pull image"), ("q/app", "waiting to start")] {
        let refused = read(place).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{place}: {refused}");
    }
}

/// One that the scheduler has not seen, since it is bound already.
#[tokio::test(start_paused = true)]
async fn a_pod_that_was_bound_to_a_node_that_it_does_not_select_is_turned_away_and_made_again_without_end() {
    let world = World::new();
    let label =
        |value: Value| world.change("", "nodes", "n1", |node| node["metadata"]["labels"]["disk"] = value.clone());
    world.pass(1).await;
    label("fast".into());
    let mut index = workload("index", 1, "app:1");
    index["spec"]["template"]["spec"]["nodeName"] = "n1".into();
    index["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "fast"});
    world.create("apps", "deployments", index);
    world.pass(30).await;
    assert_eq!(world.ready_on("n1"), 1);

    label("slow".into());
    world.pass(30).await;
    assert_eq!(world.ready_on("n1"), 1, "who runs already stays");
    let first = world.pods().remove(0);
    world.delete("", "pods", &first, &DeleteOptions::default());
    world.pass(60).await;
    let pods = world.list("", "pods");
    assert!((15..=21).contains(&pods.len()), "one every three seconds: {}", pods.len());
    let failed: Vec<_> = pods.iter().filter(|pod| pod["status"]["phase"] == "Failed").collect();
    assert!(failed.len() + 1 >= pods.len(), "{pods:#?}");
    let status = &failed[0]["status"];
    assert_eq!(status["reason"], "NodeAffinity");
    let said = "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    assert_eq!(status["message"], said);
    assert_eq!((&status["containerStatuses"], &status["podIP"]), (&Value::Null, &Value::Null));
    let ready = status["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("PodFailed")));

    label("fast".into());
    world.pass(30).await;
    assert_eq!(world.ready_on("n1"), 1, "the next one is taken");
}
