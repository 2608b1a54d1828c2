//! Replacements: what keeps a new pod from coming holds a restart back, and what does not, does not.

use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        plan::Step,
        policy::{OnOpen, Recreate, Rung},
        snapshot::{ContainerState, Phase, Rollout, Workload, WorkloadKind},
        state::{CircuitPhase, Opening},
    },
};
use serde_json::{Value, json};

use crate::support::fixtures;
use crate::support::scene::{
    Scene, daemon_set, deployment, end, held, owner, pod, ready, runs, stamp, stateful_set, waits, with,
};

const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// A workload of that kind that wants so many pods.
fn of_kind(kind: &str, pods: u32, more: &Value) -> Scene {
    let mut scene = Scene::new(kind, json!({}));
    match kind {
        "Deployment" => scene.has_all(deployment(pods, more)),
        "StatefulSet" => scene.has(stateful_set(pods, more)),
        _ => scene.has(daemon_set(pods, more)),
    }
    scene
}

/// A pod of that kind of workload, created at so many seconds.
fn pod_of(kind: &str, number: u32, created: i64, status: &Value) -> Value {
    let uid = match kind {
        "Deployment" => "set",
        "StatefulSet" => "stateful",
        _ => "daemon",
    };
    let metadata = json!({
        "ownerReferences": owner(uid), "labels": {"controller-revision-hash": "app-1"}, "creationTimestamp": stamp(created),
    });
    pod(&format!("app-{number}"), &json!({"metadata": metadata, "status": status}))
}

/// It runs and is not ready: in 300 seconds somebody would like to restart it.
fn sick(kind: &str, number: u32) -> Value {
    pod_of(kind, number, 0, &json!({"containerStatuses": [runs("app", 0, false, 0)]}))
}

fn well(kind: &str, number: u32) -> Value {
    pod_of(kind, number, 0, &json!({"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}))
}

/// Whose restart must prove itself.
fn restarted(decision: &Decision) -> Option<String> {
    decision.state.attempts.in_flight.as_ref().map(|in_flight| in_flight.action.target.clone())
}

/// What would be done, or why it is not.
fn outcome(scene: &mut Scene) -> (Option<String>, String) {
    let decision = scene.pass(0, 320);
    let plan = decision.plan().map(|plan| plan.action.target.clone());
    if plan.is_none() {
        assert_eq!(held(&decision).first(), Some(&"ReplacementUncertain"), "{:?}", decision.blocked_by());
        assert!(decision.proposal().is_some(), "what would be done is still said");
    }
    let says = decision.blocked_by().first().map(|block| block.message.clone()).unwrap_or_default();
    (plan, says)
}

#[test]
fn what_keeps_a_new_pod_from_coming_holds_a_restart_back() {
    let why = |state: Value, last: Value| json!({"name": "wait", "ready": false, "restartCount": 1, "state": state, "lastState": last});
    let pending = |status: Value| with(json!({"phase": "Pending"}), &status);
    let backing_off = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let unschedulable = json!([
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"},
    ]);
    let table = [
        ("image", pending(json!({"containerStatuses": [waits("app", "ErrImagePull", 0)]})), "app: ErrImagePull: why"),
        (
            "image, backing off",
            pending(json!({"containerStatuses": [waits("app", "ImagePullBackOff", 0)]})),
            "ImagePullBackOff",
        ),
        (
            "no such name",
            pending(json!({"containerStatuses": [waits("app", "InvalidImageName", 0)]})),
            "InvalidImageName",
        ),
        (
            "a Secret is gone",
            json!({"containerStatuses": [waits("app", "CreateContainerConfigError", 3)]}),
            "app: CreateContainerConfigError",
        ),
        (
            "the runtime",
            json!({"containerStatuses": [waits("app", "CreateContainerError", 0)]}),
            "CreateContainerError",
        ),
        ("the command", json!({"containerStatuses": [waits("app", "RunContainerError", 0)]}), "RunContainerError"),
        (
            "the command, backing off",
            json!({"containerStatuses": [with(waits("app", "CrashLoopBackOff", 3), &json!({"lastState": end(128, "StartError", 1, 1)}))]}),
            "app: StartError",
        ),
        (
            "what nobody has heard of",
            json!({"containerStatuses": [waits("app", "SomethingNew", 0)]}),
            "app: SomethingNew",
        ),
        (
            "one of two",
            json!({"containerStatuses": [runs("app", 0, true, 0), waits("log", "ImagePullBackOff", 0)]}),
            "log: ImagePullBackOff",
        ),
        (
            "an init container's image",
            pending(json!({"initContainerStatuses": [waits("wait", "ErrImagePull", 0)]})),
            "wait: ErrImagePull",
        ),
        (
            "an init container",
            pending(json!({"initContainerStatuses": [why(end(3, "Error", 0, 1), json!({}))]})),
            "init container wait exited 3",
        ),
        (
            "an init container, backing off",
            pending(json!({"initContainerStatuses": [why(backing_off, end(3, "Error", 0, 1))]})),
            "init container wait exited 3",
        ),
        ("no room", pending(json!({"conditions": unschedulable})), "finds no node: 0/3 nodes are available"),
        ("nobody schedules", pending(json!({"conditions": []})), "app-1 is on no node"),
        (
            "a volume, a network",
            pending(json!({"containerStatuses": [waits("app", "ContainerCreating", 0)]})),
            "app of app-1 has not been created",
        ),
        (
            "a container beside one that runs",
            json!({"containerStatuses": [runs("log", 0, true, 0), waits("app", "ContainerCreating", 0)]}),
            "app of app-1 has not been created",
        ),
        (
            "a device is broken",
            json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no healthy devices", "conditions": [], "containerStatuses": []}),
            "app-1 failed before it ran: UnexpectedAdmissionError: no healthy devices",
        ),
    ];
    for kind in KINDS {
        for (what, status, words) in &table {
            let mut scene = of_kind(kind, 2, &json!({}));
            scene.has_all([sick(kind, 0), pod_of(kind, 1, 10, status)]);
            if status["phase"] == "Failed" && kind != "StatefulSet" {
                // Another one was made at once.
                scene.has(pod_of(kind, 2, 20, &json!({"phase": "Pending"})));
            }
            let (plan, says) = outcome(&mut scene);
            assert_eq!(plan, None, "{kind}, {what}");
            assert!(says.contains(words) && says.contains("app-0"), "{kind}, {what}: {says}");
            // Nothing else held it back.
            scene.loses("app-2");
            scene.has(well(kind, 1));
            let decision = scene.reconcile(400);
            let target = decision.plan().map(|plan| plan.action.target.clone());
            assert_eq!(target.as_deref(), Some("app-0"), "{kind}, {what}: {:?}", decision.blocked_by());
        }
    }
}

#[test]
fn a_container_beside_it_that_cannot_start_holds_a_restart_back() {
    for (what, status) in [
        ("image", json!({"containerStatuses": [runs("app", 0, false, 0), waits("log", "ImagePullBackOff", 0)]})),
        (
            "a Secret",
            json!({"containerStatuses": [runs("app", 0, false, 0), waits("log", "CreateContainerConfigError", 0)]}),
        ),
    ] {
        let mut scene = of_kind("Deployment", 1, &json!({}));
        scene.has(pod_of("Deployment", 0, 0, &status));
        let (plan, says) = outcome(&mut scene);
        assert_eq!(plan, None, "{what}");
        assert!(says.contains("app-0 itself cannot start: log: "), "{what}: {says}");
    }
}

#[test]
fn a_controller_that_makes_no_pods_holds_a_restart_back() {
    let failure = json!([{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: few",
    }]);
    // The Deployment has not said so yet, or is paused and never will.
    let set = json!({"kind": "ReplicaSet", "metadata": {"name": "app-1", "uid": "set", "ownerReferences": owner("deployment")}});
    let mut scene = of_kind("Deployment", 2, &json!({}));
    scene.has_all([sick("Deployment", 0), well("Deployment", 1)]);
    scene.has(with(set.clone(), &json!({"status": {"conditions": failure}})));
    let (plan, says) = outcome(&mut scene);
    assert_eq!(plan, None);
    assert!(says.contains("no pods of app can be created: exceeded quota: few"), "{says}");
    scene.has(set);
    assert!(scene.reconcile(400).plan().is_some(), "it can again");

    let more = json!({"status": {"conditions": [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}, failure[0],
    ]}});
    let mut scene = of_kind("Deployment", 2, &more);
    scene.has_all([sick("Deployment", 0), well("Deployment", 1)]);
    let (plan, says) = outcome(&mut scene);
    assert_eq!((plan, says.contains("exceeded quota: few")), (None, true), "{says}");
}

#[test]
fn pods_that_are_wanted_and_not_made_hold_a_restart_back() {
    for (kind, sick_one) in [("Deployment", 0), ("DaemonSet", 0), ("StatefulSet", 2)] {
        let mut scene = of_kind(kind, 3, &json!({}));
        scene.has(sick(kind, sick_one));
        // Of a StatefulSet the first is missing: it waits for nobody.
        scene.has(well(kind, 1));
        let (plan, says) = outcome(&mut scene);
        assert_eq!(plan, None, "{kind}");
        assert!(says.contains("2 of 3 pods of app exist and no more are made"), "{kind}: {says}");
    }
}

#[test]
fn what_says_nothing_about_a_new_pod_holds_nothing_back() {
    let bad_image = json!({"phase": "Pending", "containerStatuses": [waits("app", "ImagePullBackOff", 0)]});
    let crashing = json!({"lastState": end(1, "Error", 1, 2)});
    let crashing = json!({"containerStatuses": [with(waits("app", "CrashLoopBackOff", 3), &crashing)]});
    let ran = json!({"phase": "Failed", "reason": "Evicted", "containerStatuses": [
        {"name": "app", "ready": false, "restartCount": 0, "state": end(137, "Error", 0, 5)},
    ]});
    let rejected =
        json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "conditions": [], "containerStatuses": []});
    let leaving = json!({"metadata": {"deletionTimestamp": stamp(310)}});
    let of_old_set = json!({"metadata": {"ownerReferences": owner("old set")}});
    let old_set = json!({"kind": "ReplicaSet", "metadata": {"name": "app-0", "uid": "old set", "ownerReferences": owner("deployment")}});
    let kind = "Deployment";
    let table: [(&str, u32, Vec<Value>); 5] = [
        ("a peer that falls", 2, vec![pod_of(kind, 1, 10, &crashing)]),
        ("one that is about to go", 2, vec![with(pod_of(kind, 1, 10, &bad_image), &leaving), well(kind, 2)]),
        ("one of an old template", 1, vec![old_set, with(pod_of(kind, 1, 10, &bad_image), &of_old_set)]),
        ("leftovers of an eviction", 2, vec![pod_of(kind, 1, 10, &ran), well(kind, 2)]),
        // Whoever rejected pods has taken one since.
        (
            "leftovers of a rejection",
            2,
            vec![
                pod_of(kind, 1, 10, &rejected),
                with(well(kind, 2), &json!({"metadata": {"creationTimestamp": stamp(20)}})),
            ],
        ),
    ];
    for (what, pods, others) in table {
        let mut scene = of_kind(kind, pods, &json!({}));
        scene.has(sick(kind, 0));
        scene.has_all(others);
        assert_eq!(restarted(&scene.pass(0, 320)).as_deref(), Some("app-0"), "{what}");
    }
    // A rejection of long ago, before the only pod there is.
    let mut scene = of_kind(kind, 1, &json!({}));
    scene.has_all([pod_of(kind, 1, -90, &rejected), sick(kind, 0)]);
    assert_eq!(restarted(&scene.pass(0, 320)).as_deref(), Some("app-0"), "a rejection of long ago");
}

#[test]
fn of_a_stateful_set_only_the_revision_that_comes_next_is_asked() {
    let bad_image = json!({"phase": "Pending", "containerStatuses": [waits("app", "ImagePullBackOff", 0)]});
    let rolling = |partition: u32| {
        json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
               "status": {"updateRevision": "app-2", "updatedReplicas": 1}})
    };
    let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}},
                           "status": {"updateRevision": "app-2", "updatedReplicas": 1}});
    let table = [
        ("a canary beyond the partition says nothing of those below", rolling(1), Some("app-0")),
        ("what is deleted comes back as the new one", on_delete, None),
    ];
    for (what, more, expected) in table {
        let mut scene = of_kind("StatefulSet", 2, &more);
        let canary = json!({"metadata": {"labels": {"controller-revision-hash": "app-2"}}});
        scene.has_all([sick("StatefulSet", 0), with(pod_of("StatefulSet", 1, 10, &bad_image), &canary)]);
        let decision = scene.pass(0, 320);
        assert_eq!(restarted(&decision).as_deref(), expected, "{what}: {:?}", decision.blocked_by());
    }
    // It waits for the sick one before it makes the next.
    let mut scene = of_kind("StatefulSet", 3, &json!({}));
    scene.has_all([well("StatefulSet", 0), sick("StatefulSet", 1)]);
    assert_eq!(restarted(&scene.pass(0, 320)).as_deref(), Some("app-1"), "it waits for this one");
}

#[test]
fn a_bare_pod_that_its_node_rejected_is_replaced() {
    let mut seen = fixtures::snapshot(fixtures::workload(WorkloadKind::Pod, 1), vec![fixtures::pod("api", false)]);
    let rejected = &mut seen.pods[0];
    (rejected.phase, rejected.reason) = (Phase::Failed, Some("UnexpectedAdmissionError".to_owned()));
    rejected.containers.clear();
    let decision = decide(&fixtures::policy(), &seen, fixtures::at(100));
    let plan = decision.plan().map(|plan| plan.action.step);
    assert_eq!(
        plan,
        Some(Step::RestartPod),
        "there is nothing it could say about another: {:?}",
        decision.blocked_by()
    );
}

#[test]
fn every_step_that_takes_something_away_is_asked() {
    let opening = Opening { at: fixtures::at(0), template: None };
    let half_open = CircuitPhase::HalfOpen { opening: opening.clone() };
    let open = CircuitPhase::Open { opening, retry_at: fixtures::at(9000) };
    let table = [
        ("a restart", Rung::RestartPod, CircuitPhase::Closed, Step::RestartPod),
        ("the trial of a half-open circuit", Rung::RestartPod, half_open, Step::RestartPod),
        ("making the workload anew", Rung::RecreateWorkload, CircuitPhase::Closed, Step::RecreateWorkload),
        ("scaling it to zero", Rung::RestartPod, open, Step::ScaleToZero),
    ];
    for (what, rung, phase, step) in table {
        for image_is_gone in [false, true] {
            let mut policy = fixtures::policy();
            policy.remediation.ladder = vec![rung];
            policy.remediation.recreate = Recreate::OnFailure;
            policy.breaker.on_open = OnOpen::ScaleToZero;
            let mut seen = fixtures::sick(fixtures::workload(WorkloadKind::Deployment, 2));
            seen.state.circuit.phase = phase.clone();
            if image_is_gone {
                let (reason, message) = ("ErrImagePull".to_owned(), "access denied".to_owned());
                seen.pods[1].containers[0].state = ContainerState::Waiting { reason, message };
            }
            let decision = decide(&policy, &seen, fixtures::at(3000));
            let proposed = decision.proposal().map(|plan| plan.action.step);
            assert_eq!(proposed, Some(step), "{what}: {:?}", decision.blocked_by());
            assert_eq!(decision.plan().is_none(), image_is_gone, "{what}: {:?}", decision.blocked_by());
            assert_eq!(
                held(&decision) == ["ReplacementUncertain"],
                image_is_gone,
                "{what}: {:?}",
                decision.blocked_by()
            );
        }
    }
}

/// A rollback mends what keeps the present template's pods from starting, and is not asked about that.
#[test]
fn a_rollback_that_takes_away_what_serves_is_asked_whether_any_pod_can_be_made() {
    let table =
        [(true, true, true, true), (true, true, false, false), (true, false, true, false), (false, true, true, false)];
    for (all_at_once, refused, serves, holds) in table {
        let mut policy = fixtures::policy();
        policy.remediation.ladder = vec![Rung::Rollback];
        let mut workload = fixtures::workload(WorkloadKind::Deployment, 2);
        workload.rollout = Rollout::Stuck;
        workload.template = "new".to_owned();
        workload.all_at_once = all_at_once;
        workload.replica_failure = refused.then(|| "exceeded quota: pods".to_owned());
        let mut seen = fixtures::sick(workload);
        seen.last_stable = Some(fixtures::good());
        seen.pods[1] = fixtures::pod("api-1", serves);
        let decision = decide(&policy, &seen, fixtures::at(3000));
        let what = format!("{all_at_once} {refused} {serves}: {:?}", decision.blocked_by());
        assert_eq!(decision.proposal().map(|plan| plan.action.step), Some(Step::Rollback), "{what}");
        assert_eq!(held(&decision) == ["ReplacementUncertain"], holds, "{what}");
        assert_eq!(decision.plan().is_none(), holds, "{what}");
    }
}

#[test]
fn a_deployment_says_whether_a_rollout_takes_all_pods_away_at_once() {
    let table = [
        (json!({}), false),
        (json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}), false),
        (json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}), false),
        (json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}), true),
        (json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}), true),
        (json!({"type": "Recreate"}), true),
    ];
    for (strategy, expected) in table {
        let scene = of_kind("Deployment", 2, &json!({"spec": {"strategy": strategy}}));
        let Workload::Present(state) = scene.sees().workload else { panic!("it is there") };
        assert_eq!(state.all_at_once, expected, "{strategy}");
    }
}
