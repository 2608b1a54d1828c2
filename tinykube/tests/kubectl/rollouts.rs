//! Workloads: rollouts, scale, what is shown of them and their logs.

use crate::kubectl::{Kubectl, deployment};

#[tokio::test]
async fn a_deployment_is_rolled_out_and_back() {
    let kubectl = Kubectl::start("rollout").await;
    kubectl.ok_with("apply -f -", &deployment(2, "docker.io/local/box:1")).await;
    kubectl.says("rollout status deploy/web --timeout=30s", &["successfully rolled out"]).await;
    kubectl.says("get deploy", &["NAME", "UP-TO-DATE", "2/2"]).await;
    kubectl.says("get deploy -o wide", &["SELECTOR", "docker.io/local/box:1", "app=web"]).await;
    kubectl.says("get pods -o wide", &["NODE", "NOMINATED NODE", "n1", "1/1", "Running"]).await;
    kubectl.says("scale deploy web --replicas=3", &["scaled"]).await;
    kubectl.ok("wait --for=jsonpath={.status.readyReplicas}=3 deploy/web --timeout=20s").await;
    kubectl.ok("set image deploy/web main=docker.io/local/box:2").await;
    kubectl.says("rollout status deploy/web --timeout=30s", &["successfully rolled out"]).await;
    kubectl.ok("rollout restart deploy/web").await;
    kubectl.says("rollout status deploy/web --timeout=30s", &["successfully rolled out"]).await;
    kubectl.says("rollout history deploy/web", &["REVISION", "3"]).await;
    kubectl.says("rollout undo deploy/web --to-revision=1", &["rolled back"]).await;
    kubectl.ok("rollout status deploy/web --timeout=30s").await;
    kubectl.says("get deploy web -o jsonpath={..image}", &["docker.io/local/box:1"]).await;
    kubectl.says("describe deploy web", &["RollingUpdate", "ScalingReplicaSet", "3 desired"]).await;
    kubectl.says("events --for deploy/web", &["ScalingReplicaSet"]).await;
    kubectl.says("get events", &["Scheduled", "pod/web"]).await;
    kubectl.says("describe pods -l app=web", &["Containers:", "State:", "Running", "QoS Class:"]).await;
    kubectl.says("describe node n1", &["Conditions:", "Allocatable:", "Non-terminated Pods:"]).await;
}

#[tokio::test]
async fn the_log_of_the_instance_before_the_last_start_is_kept() {
    let kubectl = Kubectl::start("previous").await;
    let pod = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "falls", "annotations": {"tinykube.dev/script": FALLS}},
        "spec": {"containers": [{"name": "main", "image": "docker.io/local/box:1"}]},
    });
    kubectl.ok_with("apply -f -", &pod.to_string()).await;
    kubectl.ok("wait --for=jsonpath={.status.containerStatuses[0].restartCount}=1 pod/falls --timeout=30s").await;
    assert_eq!(kubectl.ok("logs falls --previous").await, "about to fall\n");
}

#[tokio::test]
async fn a_watch_shows_what_is_there_and_what_comes() {
    let kubectl = Kubectl::start("watch").await;
    kubectl.ok("run first --image=docker.io/local/box:1").await;
    let whole = kubectl.run("get pods -w --request-timeout=6s -o name", "");
    let coming = kubectl.run("get pods --watch-only --request-timeout=6s -o name", "");
    // One after the other, because nobody can tell when a watch has begun.
    let creating = async {
        for number in 0..8 {
            kubectl.ok(&format!("run next-{number} --image=docker.io/local/box:1")).await;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    };
    let (whole, coming, ()) = tokio::join!(whole, coming, creating);
    assert!(whole.out.contains("pod/first") && whole.out.contains("pod/next-"), "{whole:#?}");
    assert!(coming.out.contains("pod/next-"), "{coming:#?}");
}

#[tokio::test]
async fn logs_are_those_of_the_script() {
    let kubectl = Kubectl::start("logs").await;
    let pod = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "talks", "annotations": {"tinykube.dev/script": SCRIPT}},
        "spec": {"containers": [
            {"name": "main", "image": "docker.io/local/box:1"},
            {"name": "other", "image": "docker.io/local/box:1"},
        ]},
    });
    kubectl.ok_with("apply -f -", &pod.to_string()).await;
    kubectl.ok("wait --for=condition=Ready pod/talks --timeout=20s").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let first = kubectl.ok("logs talks -c main").await;
    assert!(first.starts_with("one\ntwo\n"), "{first}");
    assert_eq!(kubectl.ok("logs talks -c main --tail=1").await, "two\n");
    let stamped = kubectl.ok("logs talks -c main --timestamps").await;
    assert!(stamped.starts_with("20") && stamped.contains("Z one\n"), "{stamped}");
    kubectl.fails("logs talks -c none", "container none is not valid for pod talks").await;
    kubectl
        .fails("logs talks -c main --previous", "previous terminated container \"main\" in pod \"talks\" not found")
        .await;
    let following = kubectl.run("logs talks -c main --follow", "");
    let ending = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        kubectl.ok("delete pod talks --grace-period=1").await
    };
    let (said, _) = tokio::join!(following, ending);
    assert!(said.code == 0 && said.out.starts_with("one\ntwo\n"), "{said:#?}");
}

const FALLS: &str = "main: {log: [{text: about to fall}], exits: [{after: 1s, code: 1}]}";
const SCRIPT: &str = "main: {log: [{text: one}, {text: two}]}";
