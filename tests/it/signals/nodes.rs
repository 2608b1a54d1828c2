//! Nodes: what a pod says of itself counts for as much as its node does, and what comes with a node is nobody's crash.

use std::sync::Arc;

use kubeheal::cluster::{cache::Caches, kind::Object};
use kubeheal_core::model::{moment::Moment, policy::ClusterPolicy};
use serde_json::{Value, json};

use crate::support::scene::{
    Scene, at, daemon_set, deployment, described, end, held, owner, pod, ready, runs, stamp, stateful_set, with,
};

/// A node that is well, as a kubelet reports it; merged with `more`.
fn node(name: &str, more: &Value) -> Value {
    let object = json!({
        "kind": "Node", "metadata": {"name": name, "uid": format!("uid of {name}")}, "spec": {},
        "status": {"conditions": conditions("True", "KubeletReady", None), "nodeInfo": {"bootID": "first"}},
    });
    with(object, more)
}

/// The conditions of a node: the status and reason of Ready, and what it is short of.
fn conditions(is_ready: &str, reason: &str, pressure: Option<&str>) -> Value {
    let short = ["MemoryPressure", "DiskPressure", "PIDPressure"].map(|kind| {
        let status = if pressure == Some(kind) { "True" } else { "False" };
        json!({"type": kind, "status": status, "lastHeartbeatTime": stamp(0)})
    });
    let mut all = short.to_vec();
    all.push(json!({"type": "Ready", "status": is_ready, "reason": reason, "lastHeartbeatTime": stamp(0)}));
    all.into()
}

fn status(is_ready: &str, reason: &str, pressure: Option<&str>) -> Value {
    json!({"status": {"conditions": conditions(is_ready, reason, pressure)}})
}

fn tainted(key: &str) -> Value {
    json!({"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}})
}

/// A pod of a workload on a node, well since the beginning; merged with `more`.
fn on(kind: &str, name: &str, node: &str, more: &Value) -> Value {
    let uid = match kind {
        "DaemonSet" => "daemon",
        "StatefulSet" => "stateful",
        _ => "set",
    };
    let place = json!({
        "metadata": {"ownerReferences": owner(uid)}, "spec": {"nodeName": node},
        "status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]},
    });
    with(pod(name, &place), more)
}

/// The status of a pod whose container runs and is not ready, as its kubelet says.
fn unready() -> Value {
    let not =
        json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(30)}]);
    json!({"status": {"conditions": not, "containerStatuses": [runs("app", 0, false, 0)]}})
}

/// The nodes n1, n2 and n3, and a workload with a pod on each that is well.
fn three(kind: &str) -> Scene {
    let mut scene = Scene::new(kind, json!({}));
    match kind {
        "DaemonSet" => scene.has(daemon_set(3, &json!({}))),
        "StatefulSet" => scene.has(stateful_set(3, &json!({}))),
        _ => scene.has_all(deployment(3, &json!({}))),
    }
    for number in 0..3 {
        scene.has(node(&format!("n{}", number + 1), &json!({})));
        scene.has(on(kind, &format!("app-{number}"), &format!("n{}", number + 1), &json!({})));
    }
    assert_eq!(scene.reconcile(0).verdict.health.as_str(), "Healthy", "{kind}");
    scene
}

#[test]
fn what_a_pod_says_is_worth_nothing_once_its_node_is_lost() {
    let lost = [
        ("does not answer", Some(status("Unknown", "NodeStatusUnknown", None))),
        ("does not answer", Some(tainted("node.kubernetes.io/unreachable"))),
        ("is not ready (KubeletNotReady)", Some(status("False", "KubeletNotReady", None))),
        ("is not ready", Some(tainted("node.kubernetes.io/not-ready"))),
        ("is out of service", Some(tainted("node.kubernetes.io/out-of-service"))),
        ("is out of service", Some(tainted("node.cloudprovider.kubernetes.io/shutdown"))),
        ("is gone", None),
    ];
    for kind in ["DaemonSet", "StatefulSet", "Deployment"] {
        for (words, more) in &lost {
            let mut scene = three(kind);
            scene.has(on(kind, "app-1", "n2", &unready()));
            scene.reconcile(30);
            match more {
                Some(more) => scene.has(node("n2", more)),
                None => scene.loses_node("n2"),
            }
            let decision = scene.pass(80, 7200);
            assert_eq!(described(&decision), ["NodeLost!"], "{kind} {words}");
            let message = &decision.findings[0].message;
            assert!(message.starts_with(&format!("node n2 {words}")), "{kind}: {message}");
            assert!(decision.proposal().is_none() && held(&decision) == ["RestartCannotHelp"], "{kind} {words}");
            let said = &decision.verdict.message;
            assert!(said.starts_with("2 of 3 pods ready: ") && said.ends_with("(on node n2)"), "{kind}: {said}");

            scene.has(node("n2", &json!({})));
            scene.has(on(kind, "app-1", "n2", &json!({})));
            assert_eq!(scene.reconcile(7300).verdict.health.as_str(), "Healthy", "{kind} {words}");
        }
    }
}

#[test]
fn the_time_in_which_its_node_was_lost_is_not_held_against_a_pod() {
    let waits = json!([{
        "name": "app", "ready": false, "restartCount": 1, "lastState": end(1, "Error", 0, 29),
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }]);
    let looping = with(unready(), &json!({"status": {"containerStatuses": waits}}));
    let gate =
        json!({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}]}});
    for (status, cause) in [(unready(), "ReadinessFailed"), (looping, "CrashLoop"), (gate, "ReadinessFailed")] {
        let mut scene = three("DaemonSet");
        scene.has(on("DaemonSet", "app-1", "n2", &status));
        scene.reconcile(30);
        scene.has(node("n2", &self::status("Unknown", "NodeStatusUnknown", None)));
        assert_eq!(described(&scene.pass(80, 4000)), ["NodeLost!"]);
        // The node is back, and what its kubelet sees now comes later.
        scene.has(node("n2", &json!({})));
        let decision = scene.pass(4001, 4300);
        assert!(decision.proposal().is_none(), "{cause}: {:?}", described(&decision));
        let decision = scene.reconcile(4301);
        assert!(
            described(&decision).last().is_some_and(|one| one.ends_with(&format!("{cause}!"))),
            "{:?}",
            described(&decision)
        );
        assert!(decision.proposal().is_some(), "{cause}: {:?}", decision.blocked_by());
    }
}

#[test]
fn a_pod_on_a_node_that_gives_its_pods_away_keeps_its_cause_and_is_held() {
    let drains = [
        ("is cordoned", json!({"spec": {"unschedulable": true}})),
        ("is cordoned", tainted("node.kubernetes.io/unschedulable")),
        ("is being deleted", json!({"metadata": {"deletionTimestamp": stamp(0)}})),
        ("is about to be taken away", tainted("ToBeDeletedByClusterAutoscaler")),
        ("is about to be taken away", tainted("karpenter.sh/disrupted")),
        ("is about to be taken away", tainted("karpenter.sh/disruption")),
        ("has disk pressure", status("True", "KubeletReady", Some("DiskPressure"))),
        ("has memory pressure", status("True", "KubeletReady", Some("MemoryPressure"))),
        ("has PID pressure", tainted("node.kubernetes.io/pid-pressure")),
    ];
    for kind in ["DaemonSet", "StatefulSet", "Deployment"] {
        for (words, more) in &drains {
            let mut scene = three(kind);
            scene.has(node("n2", more));
            let decision = scene.pass(1, 29);
            assert!(decision.findings.is_empty(), "what is well is well: {kind} {words}");
            assert_eq!(decision.verdict.health.as_str(), "Healthy", "{kind} {words}");

            scene.has(on(kind, "app-1", "n2", &unready()));
            let decision = scene.pass(30, 7200);
            assert_eq!(described(&decision), ["app ReadinessFailed!"], "{kind} {words}");
            assert_eq!(held(&decision), ["NodeDraining"], "{kind} {words}");
            let why = &decision.blocked_by()[0].message;
            assert!(why.starts_with("app-1 is on node n2, which ") && why.contains(words), "{kind}: {why}");

            scene.has(node("n2", &json!({})));
            assert_eq!(held(&scene.reconcile(7201)), Vec::<&str>::new(), "{kind} {words}");
        }
    }
}

#[test]
fn an_evicted_pod_is_left_to_its_controller_while_its_node_is_short_of_something() {
    for kind in ["DaemonSet", "StatefulSet"] {
        let mut scene = three(kind);
        scene.has(node("n2", &status("True", "KubeletReady", Some("DiskPressure"))));
        let evicted =
            json!({"status": {"phase": "Failed", "reason": "Evicted", "conditions": [], "containerStatuses": []}});
        scene.has(on(kind, "app-1", "n2", &evicted));
        let decision = scene.pass(40, 7200);
        assert_eq!(described(&decision), ["NodeDraining!"], "{kind}");
        assert_eq!(held(&decision), ["RestartCannotHelp"], "{kind}");
        let said = &decision.verdict.message;
        let wanted = "2 of 3 pods ready: the pod failed: Evicted; node n2 has disk pressure (on node n2)";
        assert_eq!((decision.verdict.health.as_str(), said.as_str()), ("Degraded", wanted), "{kind}");
    }
}

#[test]
fn pods_that_start_on_a_node_that_has_just_come_are_starting() {
    let mut scene = three("DaemonSet");
    scene.has(node("n4", &status("False", "KubeletNotReady", None)));
    scene.has(daemon_set(4, &json!({})));
    let creating = json!({"name": "app", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}});
    let pending = json!({"status": {"phase": "Pending", "conditions": [], "containerStatuses": [creating]}});
    scene.has(on("DaemonSet", "app-3", "n4", &pending));
    let decision = scene.pass(10, 30);
    assert_eq!((decision.verdict.health.as_str(), described(&decision)), ("Starting", vec![]));
    scene.has(on("DaemonSet", "app-3", "n4", &json!({})));
    assert_eq!(scene.reconcile(31).verdict.health.as_str(), "Healthy", "it serves, whatever else its node waits for");
}

#[test]
fn a_pod_that_cannot_go_from_a_lost_node_is_said_for_as_long_as_it_lasts() {
    let mut scene = Scene::new("StatefulSet", json!({}));
    scene.has(stateful_set(1, &json!({})));
    scene.has(node("n1", &json!({})));
    scene.has(on("StatefulSet", "app-0", "n1", &json!({})));
    scene.reconcile(0);
    scene.has(node("n1", &status("Unknown", "NodeStatusUnknown", None)));
    let silent =
        json!({"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": stamp(40)}]}});
    scene.has(on("StatefulSet", "app-0", "n1", &silent));
    scene.reconcile(40);
    let going = with(silent, &json!({"metadata": {"deletionTimestamp": stamp(375)}}));
    scene.has(on("StatefulSet", "app-0", "n1", &going));
    let stages =
        [(345, 674, "NodeLost!", "it is to go, and"), (675, 7200, "StuckTerminating!", "app-0 is being deleted")];
    for (from, to, cause, words) in stages {
        let decision = scene.pass(from, to);
        // It serves nobody, wherever it is.
        assert_eq!((decision.verdict.health.as_str(), described(&decision)), ("Unhealthy", vec![cause.to_owned()]));
        let message = &decision.findings[0].message;
        assert!(message.contains(words) && message.contains("node n1 does not answer"), "{message}");
        assert!(decision.proposal().is_none());
    }
}

#[test]
fn a_pod_that_ends_in_time_is_no_finding_wherever_it_is() {
    let mut scene = three("Deployment");
    scene.has(node("n2", &json!({"spec": {"unschedulable": true}})));
    scene.has(on("Deployment", "app-1", "n2", &json!({"metadata": {"deletionTimestamp": stamp(60)}})));
    scene.has(on("Deployment", "app-3", "n3", &json!({})));
    let decision = scene.pass(30, 300);
    assert_eq!((decision.verdict.health.as_str(), described(&decision)), ("Healthy", vec![]));
}

#[test]
fn a_heartbeat_wakes_nobody_and_what_is_looked_at_does() {
    let mut scene = three("Deployment");
    let beat = with(node("n2", &json!({})), &json!({"metadata": {"resourceVersion": "2", "labels": {"zone": "a"}}}));
    let mut beat = with(beat, &json!({"status": {"images": [{"names": ["app"]}], "allocatable": {"cpu": "2"}}}));
    beat["status"]["conditions"][3]["lastHeartbeatTime"] = json!(stamp(300));
    assert!(scene.touched_by(beat).is_empty());
    let service = ("shop".to_owned(), "app".to_owned());
    for more in [
        json!({"spec": {"unschedulable": true}}),
        status("False", "KubeletNotReady", None),
        status("Unknown", "NodeStatusUnknown", None),
        json!({}),
    ] {
        let touched = scene.touched_by(node("n2", &more));
        assert!(touched.len() == 1 && touched.contains(&service), "{more}");
    }
    assert!(scene.touched_by(node("n9", &status("Unknown", "NodeStatusUnknown", None))).is_empty(), "nobody is there");
}

#[test]
fn where_nodes_may_not_be_read_nothing_is_held_for_that() {
    let mut scene = three("Deployment");
    scene.nodes_are_readable(true);
    scene.has(node("n2", &status("Unknown", "NodeStatusUnknown", None)));
    scene.has(on("Deployment", "app-1", "n2", &unready()));
    assert_eq!(described(&scene.pass(30, 400)), ["NodeLost!"]);
    // As of a role that somebody took away: what was known is out of date.
    scene.nodes_are_readable(false);
    assert!(scene.pass(401, 700).proposal().is_none());
    let decision = scene.reconcile(701);
    assert_eq!((described(&decision), held(&decision)), (vec!["app ReadinessFailed!".to_owned()], vec![]));
    assert!(decision.proposal().is_some());
    // Once all can be read, one that is not there is gone.
    scene.nodes_are_readable(true);
    let decision = scene.reconcile(1201);
    assert!(decision.findings.iter().all(|finding| finding.message.contains("is gone")), "{:?}", decision.findings);
}

#[test]
fn a_node_that_restarts_again_and_again_makes_no_crash_loop() {
    for (code, reason) in [(255, "Unknown"), (137, "ContainerStatusUnknown")] {
        let mut scene = three("Deployment");
        for round in 1..=6_u32 {
            let from = i64::from(round) * 200;
            let last = end(code, reason, from - 190, from);
            let waits = json!({
                "name": "app", "ready": false, "restartCount": round, "lastState": last,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            });
            scene.has(on(
                "Deployment",
                "app-1",
                "n2",
                &with(unready(), &json!({"status": {"containerStatuses": [waits]}})),
            ));
            let decision = scene.reconcile(from + 5);
            assert!(decision.findings.is_empty(), "{reason}: {:?}", decision.findings);
            let back = with(runs("app", from + 10, false, round), &json!({"lastState": last}));
            scene.has(on(
                "Deployment",
                "app-1",
                "n2",
                &with(unready(), &json!({"status": {"containerStatuses": [back]}})),
            ));
            let decision = scene.reconcile(from + 10);
            assert_eq!(described(&decision), ["app NodeRestarted"], "{reason}");
            assert!(decision.findings[0].message.contains("ended with node n2"), "{:?}", decision.findings);
            let verdict = &decision.verdict;
            assert_eq!((verdict.health.as_str(), verdict.reason.as_str()), ("Starting", "NodeRestarted"), "{reason}");
            assert!(!verdict.counts_as_unhealthy && decision.proposal().is_none(), "{reason}");
            let back = with(runs("app", from + 10, true, round), &json!({"lastState": last}));
            scene.has(on("Deployment", "app-1", "n2", &json!({"status": {"containerStatuses": [back]}})));
            let decision = scene.reconcile(from + 20);
            assert_eq!((decision.verdict.health.as_str(), described(&decision)), ("Healthy", vec![]), "{reason}");
        }
        assert!(scene.status().memory.observed.containers.iter().all(|known| known.restarts.is_empty()), "{reason}");
    }
}

/// A pod whose containers ended with their node, and were not started again.
fn left_over(more: &Value) -> Value {
    let ended = json!({"name": "app", "ready": false, "restartCount": 0, "state": end(255, "Unknown", 0, 150)});
    with(with(unready(), &json!({"status": {"containerStatuses": [ended]}})), more)
}

#[test]
fn what_is_not_started_again_after_its_node_restarted_is_stuck_and_replaced() {
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let mut scene = three(kind);
        scene.has(on(kind, "app-1", "n2", &left_over(&json!({}))));
        let decision = scene.pass(155, 454);
        assert_eq!(described(&decision), ["app NodeRestarted"], "{kind}");
        assert!(decision.proposal().is_none(), "{kind}");
        let decision = scene.reconcile(455);
        assert_eq!(described(&decision), ["app Deadlocked!"], "{kind}");
        assert!(decision.proposal().is_some() && held(&decision).is_empty(), "{kind}: {:?}", decision.blocked_by());
        assert_eq!(decision.findings[0].since, at(155), "{kind}: one trouble, dated once");
        let later = scene.pass(456, 500);
        assert_eq!(later.findings[0].since, at(155), "{kind}");
    }
}

#[test]
fn init_containers_that_run_again_after_a_restart_of_the_node_have_their_time() {
    let mut scene = three("Deployment");
    let init = |state: Value| {
        let status = with(json!({"name": "restore", "ready": false, "restartCount": 1}), &state);
        left_over(
            &json!({"spec": {"initContainers": [{"name": "restore"}]}, "status": {"initContainerStatuses": [status]}}),
        )
    };
    let runs_again =
        json!({"state": {"running": {"startedAt": stamp(156)}}, "lastState": end(255, "Unknown", 100, 150)});
    scene.has(on("Deployment", "app-1", "n2", &init(runs_again)));
    let decision = scene.pass(156, 3000);
    assert!(
        decision.proposal().is_none() && !described(&decision).iter().any(|one| one.ends_with('!')),
        "{:?}",
        described(&decision)
    );
    scene.has(on("Deployment", "app-1", "n2", &init(json!({"state": end(0, "Completed", 156, 3000)}))));
    assert_eq!(described(&scene.pass(3000, 3299)), ["app NodeRestarted"]);
    assert_eq!(described(&scene.reconcile(3300)), ["app Deadlocked!"]);
}

#[test]
fn an_earlier_crash_still_counts_beside_a_restart_of_the_node() {
    let mut scene = three("Deployment");
    for round in 1..=5_u32 {
        let from = i64::from(round) * 60;
        let crashed =
            with(runs("app", from, false, round), &json!({"lastState": end(1, "Error", from - 50, from - 1)}));
        scene.has(on(
            "Deployment",
            "app-1",
            "n2",
            &with(unready(), &json!({"status": {"containerStatuses": [crashed]}})),
        ));
        scene.reconcile(from);
    }
    let back = with(runs("app", 400, false, 6), &json!({"lastState": end(255, "Unknown", 300, 399)}));
    scene.has(on("Deployment", "app-1", "n2", &with(unready(), &json!({"status": {"containerStatuses": [back]}}))));
    assert_eq!(described(&scene.reconcile(400)), ["app CrashLoop!"]);
}

#[test]
fn that_all_that_is_wrong_lies_on_one_node_is_said() {
    let places = |nodes: [&'static str; 4], sick: usize| {
        let mut scene = Scene::new("Deployment", json!({}));
        scene.has_all(deployment(4, &json!({})));
        for name in nodes {
            scene.has(node(name, &json!({})));
        }
        for (number, name) in nodes.into_iter().enumerate() {
            scene.has(on("Deployment", &format!("app-{number}"), name, &json!({})));
        }
        scene.reconcile(0);
        for (number, name) in nodes.into_iter().enumerate().take(sick) {
            scene.has(on("Deployment", &format!("app-{number}"), name, &unready()));
        }
        scene.pass(30, 400).verdict.message
    };
    for (nodes, sick, end) in [
        (["n3", "n3", "n3", "n1"], 3, " (all 3 of them on node n3)"),
        (["n3", "n1", "n1", "n1"], 1, " (on node n3)"),
        (["n3", "n1", "n1", "n1"], 2, ""),
        (["n3", "n3", "n3", "n3"], 3, ""),
        (["n3", "n3", "n3", "n1"], 4, ""),
    ] {
        let said = places(nodes, sick);
        assert!(said.contains("runs but is not ready since"), "{said}");
        let is_said = said.contains("on node");
        assert!(said.ends_with(end) && is_said != end.is_empty(), "{nodes:?} {sick}: {said}");
    }
}

/// Services that are unhealthy, each with the node of its one pod and a root cause, in a cluster with the nodes n1 and n2.
fn storm_of(sick: &[(&str, Option<&str>)]) -> String {
    let mut caches = Caches::default();
    let mut put = |object: Object| drop(caches.apply(object));
    for name in ["n1", "n2"] {
        put(Object::Node(serde_json::from_value(node(name, &json!({}))).unwrap()));
    }
    for (number, (node, diagnosis)) in sick.iter().enumerate() {
        let name = format!("app-{number}");
        let one = on("Deployment", &name, node, &json!({"metadata": {"namespace": "shop"}}));
        put(Object::Pod(Box::new(serde_json::from_value(one).unwrap())));
        let finding = json!({
            "pod": name, "cause": "CrashLoop", "diagnosis": diagnosis, "since": stamp(0), "overThreshold": true,
            "message": "it falls",
        });
        let service = json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"workloadRef": {"kind": "Deployment", "name": name}},
            "status": {"findings": [finding], "memory": {"health": {"proven": true, "episode": {"since": stamp(0)}}}},
        });
        put(Object::Service(Arc::new(serde_json::from_value(service).unwrap())));
    }
    let fleet = caches.fleet(&("shop".to_owned(), "app-0".to_owned()));
    fleet.storm(&ClusterPolicy::default(), &Moment::new(at(60))).expect("a storm").message
}

#[test]
fn a_storm_names_what_most_of_its_services_share() {
    let (disk, none) = (Some("DiskFull"), None);
    for (sick, end) in [
        ([("n1", none); 5], "; what is wrong with 5 of them lies on node n1"),
        (
            [("n1", none), ("n1", disk), ("n1", disk), ("n2", none), ("n2", none)],
            "; what is wrong with 3 of them lies on node n1",
        ),
        ([("n1", disk), ("n2", disk), ("n1", disk), ("n2", disk), ("n1", none)], "; 4 of them say DiskFull"),
        ([("n1", disk), ("n2", disk), ("n1", none), ("n2", none), ("", none)], "something they share is"),
    ] {
        let said = storm_of(&sick);
        assert!(said.starts_with("5 of 5 services are unhealthy at once") && said.ends_with(end), "{said}");
    }
}
