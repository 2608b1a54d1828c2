//! Where a rollout stands, told from revisions and counts: who rolls out, who holds it, and what only looks like one.

use kubeheal_core::model::snapshot::{Hold, Rollout, Workload};
use serde_json::{Value, json};

use super::workloads::{of_kind, pod_of, sick, well};
use crate::support::scene::{Scene, described, end, held, owner, pod, runs, waits, with};

fn rollout(scene: &Scene) -> Rollout {
    match scene.sees().workload {
        Workload::Present(state) => state.rollout,
        Workload::Missing { .. } | Workload::Unknown(_) => panic!("it is there"),
    }
}

/// A Deployment of three, with these counts, conditions and fields of the spec.
fn counts(replicas: u32, updated: u32, reason: Option<&str>, spec: &Value) -> Value {
    let progressing = reason.map(|reason| json!({"type": "Progressing", "status": "Unknown", "reason": reason}));
    let conditions: Vec<Value> = progressing.into_iter().collect();
    let status = json!({"replicas": replicas, "updatedReplicas": updated, "conditions": conditions});
    json!({"spec": spec, "status": with(status, &json!({"availableReplicas": 0}))})
}

#[test]
fn pods_that_are_missing_unavailable_or_more_than_before_are_no_rollout() {
    let (none, paused) = (json!({}), json!({"paused": true}));
    let held = Rollout::Held(Hold::Paused);
    let deployments = [
        ("no deadline, none available", counts(3, 3, None, &none), Rollout::Complete),
        ("no deadline, scaled up", counts(2, 2, None, &none), Rollout::Complete),
        ("no deadline, scaled down", counts(5, 5, None, &none), Rollout::Complete),
        ("no deadline, scaled to zero", counts(0, 0, None, &json!({"replicas": 0})), Rollout::Complete),
        ("no deadline, old pods are left", counts(4, 3, None, &none), Rollout::InProgress),
        ("no deadline, none of the newest yet", counts(0, 0, None, &none), Rollout::InProgress),
        ("over, and all are lost since", counts(0, 0, Some("NewReplicaSetAvailable"), &none), Rollout::Complete),
        ("over, and none is available", counts(3, 3, Some("NewReplicaSetAvailable"), &none), Rollout::Complete),
        ("under way by its controller's word", counts(3, 3, Some("ReplicaSetUpdated"), &none), Rollout::InProgress),
        ("past its deadline", counts(4, 1, Some("ProgressDeadlineExceeded"), &none), Rollout::Stuck),
        ("a deadline is new", counts(3, 3, Some("FoundNewReplicaSet"), &none), Rollout::Complete),
        ("resumed, nothing to do", counts(3, 3, Some("DeploymentResumed"), &none), Rollout::Complete),
        ("resumed half-way", counts(4, 1, Some("DeploymentResumed"), &none), Rollout::InProgress),
        ("paused, all are new", counts(3, 3, Some("DeploymentPaused"), &paused), Rollout::Complete),
        ("paused, all are new, one is lost", counts(2, 2, Some("DeploymentPaused"), &paused), Rollout::Complete),
        ("paused half-way", counts(4, 1, Some("DeploymentPaused"), &paused), held),
        ("paused half-way, no deadline", counts(4, 1, None, &paused), held),
        ("paused before it began", counts(3, 0, Some("DeploymentPaused"), &paused), held),
        ("paused after its deadline", counts(4, 1, Some("ProgressDeadlineExceeded"), &paused), Rollout::Stuck),
    ];
    let sts = |replicas: u32, updated: u32, partition: u32| {
        json!({
            "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
            "status": {"replicas": replicas, "updatedReplicas": updated, "updateRevision": "app-2"},
        })
    };
    let others = [
        ("StatefulSet", "under way", sts(3, 1, 0), Rollout::InProgress),
        ("StatefulSet", "the last old one goes", sts(3, 2, 0), Rollout::InProgress),
        ("StatefulSet", "as far as its partition", sts(3, 1, 2), Rollout::Held(Hold::Partition)),
        ("StatefulSet", "scaled up behind its partition", sts(2, 0, 2), Rollout::Held(Hold::Partition)),
        (
            "StatefulSet",
            "by hand",
            with(sts(3, 1, 0), &json!({"spec": {"updateStrategy": {"type": "OnDelete"}}})),
            Rollout::Held(Hold::OnDelete),
        ),
        (
            "StatefulSet",
            "a pod is missing",
            json!({"status": {"replicas": 2, "updatedReplicas": 2}}),
            Rollout::Complete,
        ),
        ("DaemonSet", "under way", json!({"status": {"updatedNumberScheduled": 1}}), Rollout::InProgress),
        (
            "DaemonSet",
            "a node is new",
            json!({"status": {"currentNumberScheduled": 2, "updatedNumberScheduled": 2}}),
            Rollout::Complete,
        ),
        (
            "DaemonSet",
            "by hand",
            json!({"spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"updatedNumberScheduled": 1}}),
            Rollout::Held(Hold::OnDelete),
        ),
    ];
    let of_deployments = deployments.into_iter().map(|(what, more, expected)| ("Deployment", what, more, expected));
    for (kind, what, more, expected) in of_deployments.chain(others) {
        assert_eq!(rollout(&of_kind(kind, 3, &more, json!({}))), expected, "{kind}: {what}");
    }
}

#[test]
fn without_a_deadline_a_pod_that_crashes_is_restarted_and_not_waited_for() {
    let more = json!({"status": {"conditions": [], "availableReplicas": 2}});
    let mut scene = of_kind("Deployment", 3, &more, json!({}));
    scene.has_all((1..3).map(|number| well("Deployment", number)));
    let looping = with(waits("app", "CrashLoopBackOff", 6), &json!({"lastState": end(1, "Error", -10, -5)}));
    scene.has(pod_of("Deployment", 0, &json!({"containerStatuses": [looping]})));
    scene.reconcile(0);
    let decision = scene.reconcile(300);
    assert_eq!((described(&decision), held(&decision)), (vec!["app CrashLoop!".to_owned()], vec![]));
    assert_eq!(decision.plan().map(|plan| plan.action.target.as_str()), Some("app-1-0"));
}

#[test]
fn pods_of_an_older_template_that_somebody_holds_are_said_and_no_rollout() {
    let sts = |strategy: Value| json!({"spec": {"updateStrategy": strategy}, "status": {"updatedReplicas": 1, "updateRevision": "app-2"}});
    let by_hand = json!({"type": "OnDelete"});
    let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let of_nodes = json!({"spec": {"updateStrategy": by_hand}, "status": {"updatedNumberScheduled": 1}});
    let paused = counts(3, 1, Some("DeploymentPaused"), &json!({"paused": true}));
    for (kind, more, why, good) in [
        ("StatefulSet", sts(by_hand), "OnDelete", true),
        ("StatefulSet", sts(partition), "the partition leaves out the others", true),
        ("DaemonSet", of_nodes, "OnDelete", true),
        ("Deployment", paused, "paused by a person", false),
    ] {
        let mut scene = of_kind(kind, 3, &more, json!({}));
        scene.has_all((0..3).map(|number| well(kind, number)));
        let decision = scene.pass(0, 3600);
        let expected = format!("3 of 3 pods ready (1 on the newest revision: {why})");
        assert_eq!((decision.verdict.health.as_str(), &decision.verdict.message), ("Healthy", &expected), "{kind}");
        let kept = scene.status().last_known_good.is_some();
        assert_eq!(kept, good, "{kind}: half of a rollout is kept by nobody, and what is meant to stay is");
        scene.has(sick(kind, 0));
        scene.reconcile(3601);
        let decision = scene.reconcile(3901);
        assert_eq!((held(&decision), decision.plan().is_some()), (vec![], true), "{kind}");
    }
}

#[test]
fn while_a_person_paused_a_rollout_a_pod_is_judged_by_those_of_its_own_template() {
    let paused = counts(4, 1, Some("DeploymentPaused"), &json!({"paused": true, "replicas": 4}));
    let new_set = json!({"kind": "ReplicaSet", "metadata": {"name": "app-2", "uid": "new set", "ownerReferences": owner("deployment")}});
    let of_new = |state: Value, conditions: Value| {
        let status = json!({"conditions": conditions, "containerStatuses": [state]});
        pod("app-2-0", &json!({"metadata": {"ownerReferences": owner("new set")}, "status": status}))
    };
    let mut scene = of_kind("Deployment", 4, &paused, json!({}));
    scene.has(new_set.clone());
    scene.has_all((1..3).map(|number| well("Deployment", number)));
    scene.has(well("Deployment", 0));
    scene.reconcile(0);
    // The canary cannot start; that says nothing of the ReplicaSet that makes the old pods.
    scene.has(of_new(waits("app", "ImagePullBackOff", 0), json!([])));
    scene.has(sick("Deployment", 0));
    let decision = scene.pass(1, 299);
    assert!(held(&decision).iter().all(|reason| *reason == "RestartCannotHelp"), "{:?}", held(&decision));
    let decision = scene.reconcile(301);
    assert_eq!(decision.plan().map(|plan| plan.action.target.as_str()), Some("app-1-0"), "{:?}", held(&decision));
    let message = &decision.verdict.message;
    assert!(message.starts_with("2 of 4 pods ready (1 on the newest revision: paused by a person)"), "{message}");

    // A sick canary is replaced by one that is like those which cannot start.
    let mut scene = of_kind("Deployment", 4, &paused, json!({}));
    scene.has(new_set);
    scene.has_all((0..2).map(|number| well("Deployment", number)));
    scene.has(of_new(
        runs("app", 0, false, 0),
        json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]),
    ));
    let other = json!({"metadata": {"name": "app-2-1", "uid": "uid of app-2-1"}});
    scene.has(with(of_new(waits("app", "ImagePullBackOff", 0), json!([])), &other));
    scene.reconcile(0);
    let decision = scene.reconcile(300);
    assert_eq!(held(&decision), ["ReplacementUncertain"]);
}
