//! Workloads of every kind: whose pods are seen, rollouts, replicas that nobody makes, and pods as a whole.

use kubeheal_core::{
    decide,
    model::snapshot::{Workload, WorkloadKind},
};
use serde_json::{Value, json};

use crate::support::fixtures;
use crate::support::scene::{
    Scene, daemon_set, deployment, described, end, held, owner, pod, ready, runs, seconds, stamp, stateful_set, waits,
    with,
};

/// A scene with a workload that wants so many pods.
pub(super) fn of_kind(kind: &str, pods: u32, more: &Value, spec: Value) -> Scene {
    let mut scene = Scene::new(kind, spec);
    match kind {
        "Deployment" => scene.has_all(deployment(pods, more)),
        "StatefulSet" => scene.has(stateful_set(pods, more)),
        "DaemonSet" => scene.has(daemon_set(pods, more)),
        _ => {}
    }
    scene
}

/// A pod of that kind of workload.
pub(super) fn pod_of(kind: &str, number: u32, status: &Value) -> Value {
    let (name, owners) = match kind {
        "Deployment" => (format!("app-1-{number}"), owner("set")),
        "StatefulSet" => (format!("app-{number}"), owner("stateful")),
        "DaemonSet" => (format!("app-{number}"), owner("daemon")),
        _ => ("app".to_owned(), json!([])),
    };
    let labels = json!({"controller-revision-hash": "app-1"});
    pod(&name, &json!({"metadata": {"ownerReferences": owners, "labels": labels}, "status": status}))
}

pub(super) fn well(kind: &str, number: u32) -> Value {
    pod_of(kind, number, &json!({"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}))
}

const KINDS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Pod"];

#[test]
fn pods_of_every_kind_of_workload_are_seen_and_restarted_and_no_others() {
    for kind in KINDS {
        let mut scene = of_kind(kind, 1, &json!({}), json!({"health": {"restarts": {"threshold": 2}}}));
        scene.has(well(kind, 0));
        let stranger = json!({"containerStatuses": [waits("app", "CrashLoopBackOff", 50)]});
        scene.has(pod(
            "stranger",
            &json!({"metadata": {"ownerReferences": owner("somebody else")}, "status": stranger}),
        ));
        let decision = scene.reconcile(400);
        assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec![], "Healthy"), "{kind}");
        let last = json!({"lastState": end(1, "Error", 500, 501)});
        let looping = json!({"containerStatuses": [with(waits("app", "CrashLoopBackOff", 2), &last)]});
        scene.has(pod_of(kind, 0, &looping));
        let decision = scene.reconcile(600);
        assert_eq!(described(&decision), ["app CrashLoop!"], "{kind}");
        let plan = decision.proposal().map(|plan| (plan.action.step.as_str(), plan.action.target.clone()));
        let target = if kind == "Deployment" {
            "app-1-0"
        } else if kind == "Pod" {
            "app"
        } else {
            "app-0"
        };
        // A bare pod has nobody who makes it again but us, from what was kept of it.
        let expected = if kind == "Pod" { None } else { Some(("RestartPod", target.to_owned())) };
        assert_eq!(plan, expected, "{kind}");
    }
}

#[test]
fn each_container_of_a_pod_is_judged_by_itself() {
    let mut scene = of_kind("Deployment", 1, &json!({}), json!({}));
    let spec = json!({
        "initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "migrate"}],
        "containers": [{"name": "app"}, {"name": "metrics"}, {"name": "slow", "startupProbe": {"failureThreshold": 100}}],
    });
    let crashed = json!({"lastState": end(2, "Error", 0, 1)});
    let status = json!({
        "initContainerStatuses": [
            with(waits("proxy", "CrashLoopBackOff", 3), &crashed),
            {"name": "migrate", "ready": true, "restartCount": 0, "state": end(0, "Completed", 0, 1)},
        ],
        "containerStatuses": [
            runs("app", 0, true, 0),
            waits("metrics", "ImagePullBackOff", 0),
            with(runs("slow", 0, false, 0), &json!({"started": false})),
        ],
    });
    scene.has(pod("app-1-x", &json!({"spec": spec, "status": status})));
    scene.pass(0, 299);
    let decision = scene.reconcile(300);
    assert_eq!(
        described(&decision),
        ["metrics ImagePull!", "proxy CrashLoop!"],
        "slow still starts, the others are well"
    );
}

#[test]
fn a_lost_node_is_told_from_a_pod_that_is_not_ready() {
    for kind in KINDS {
        let mut scene = of_kind(kind, 1, &json!({}), json!({}));
        scene.has(well(kind, 0));
        scene.reconcile(0);
        // As recorded: Ready turns False without a reason, and every container stays ready.
        let silent = json!({"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [runs("app", 0, true, 0)]});
        scene.has(pod_of(kind, 0, &silent));
        let decision = scene.pass(10, 7200);
        assert_eq!(described(&decision), ["NodeLost!"], "{kind}");
        assert_eq!(
            (decision.verdict.health.as_str(), held(&decision)),
            ("Unknown", vec!["RestartCannotHelp"]),
            "{kind}"
        );
        assert!(decision.proposal().is_none(), "{kind}");
    }
}

#[test]
fn a_closed_readiness_gate_is_not_ready_and_lasts_or_does_not() {
    let mut scene = of_kind("Deployment", 1, &json!({}), json!({}));
    scene.has(well("Deployment", 0));
    scene.reconcile(0);
    let gate = json!([{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}]);
    scene.has(pod_of("Deployment", 0, &json!({"conditions": gate, "containerStatuses": [runs("app", 0, true, 0)]})));
    assert!(described(&scene.reconcile(100)).is_empty(), "a moment is not worth a word");
    assert_eq!(described(&scene.pass(115, 399)), ["ReadinessFailed"]);
    let decision = scene.reconcile(400);
    assert_eq!(described(&decision), ["ReadinessFailed!"]);
    assert!(decision.findings[0].message.contains("ReadinessGatesNotReady"), "{}", decision.findings[0].message);
}

#[test]
fn conditions_that_the_policy_names_count_when_they_last_by_our_clock() {
    let policy = json!({"health": {"podConditions": [
        {"type": "DiskPressure", "seconds": 60}, {"type": "example.com/Safe", "status": "False", "seconds": 600},
    ]}});
    let seen = |kind: &str, status: &str, since: i64| {
        let ready = ready(0)[0].clone();
        let condition = json!({"type": kind, "status": status, "lastTransitionTime": stamp(since)});
        pod_of(
            "Deployment",
            0,
            &json!({"conditions": [ready, condition], "containerStatuses": [runs("app", 0, true, 0)]}),
        )
    };
    let mut scene = of_kind("Deployment", 1, &json!({}), policy);
    // Its writer's clock is a day behind: that does not make it older than we have known it.
    scene.has(seen("DiskPressure", "True", -86_400));
    assert_eq!(described(&scene.reconcile(100)), ["PodCondition"]);
    assert_eq!(described(&scene.pass(100, 159)), ["PodCondition"]);
    let decision = scene.reconcile(160);
    assert_eq!(described(&decision), ["PodCondition!"]);
    assert_eq!(decision.verdict.health.as_str(), "Unhealthy", "its Ready condition says nothing about it");
    scene.has(seen("DiskPressure", "False", 170));
    assert!(described(&scene.reconcile(170)).is_empty());
    // One that has just changed does not take over the age of another.
    scene.has(seen("example.com/Safe", "False", 200));
    scene.pass(200, 500);
    scene.has(seen("DiskPressure", "True", 500));
    assert_eq!(described(&scene.reconcile(501)), ["PodCondition"]);
    // A clock that is ahead makes nothing older either.
    scene.has(seen("DiskPressure", "True", 90_000));
    assert_eq!(described(&scene.reconcile(502)), ["PodCondition"]);
    assert_eq!(scene.reconcile(503).findings[0].since, crate::support::scene::at(200));
}

#[test]
fn a_pod_that_failed_is_replaced_by_us_only_where_nobody_else_does() {
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "containerStatuses": []});
    for kind in KINDS {
        let mut scene = of_kind(kind, 1, &json!({}), json!({}));
        scene.has(pod_of(kind, 0, &evicted));
        let decision = scene.reconcile(0);
        let at_once = match kind {
            "Pod" => "Deadlocked!",
            // Others come and may be turned away as well: one trouble.
            "Deployment" => "PodsRejected",
            _ => "Deadlocked",
        };
        assert_eq!(described(&decision), [at_once], "{kind}");
        assert!(decision.findings[0].message.contains("Evicted"));
        let later = scene.pass(1, 300);
        let expected: &[&str] = match kind {
            // It only lies there; what is missing is another one.
            "Deployment" => &["ConfigError!", "PodsRejected!"],
            "DaemonSet" => &["Deadlocked!", "ConfigError!"],
            _ => &["Deadlocked!"],
        };
        let mut found = described(&later);
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|one| (*one).to_owned()).collect();
        expected.sort();
        assert_eq!(found, expected, "{kind}");
        let wanted = later.proposal().is_some() || !scene.status().memory.attempts.actions.is_empty();
        let is_left = held(&later).contains(&"RestartCannotHelp");
        // A DaemonSet replaces it with a back-off of its own.
        assert!(!wanted || kind != "DaemonSet", "{kind}: {:?}", later.proposal());
        assert_eq!(is_left, matches!(kind, "Deployment" | "DaemonSet"), "{kind}: {:?}", later.blocked_by());
    }
}

#[test]
fn a_failed_pod_that_was_replaced_is_nobodys_trouble() {
    for kind in ["Deployment", "DaemonSet"] {
        let mut scene = of_kind(kind, 1, &json!({}), json!({}));
        scene.has(pod_of(kind, 0, &json!({"phase": "Failed", "reason": "Evicted"})));
        scene.has(well(kind, 1));
        let decision = scene.pass(0, 3600);
        assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec![], "Healthy"), "{kind}");
    }
}

#[test]
fn what_is_not_wanted_is_idle() {
    let crashing = json!({"containerStatuses": [waits("app", "CrashLoopBackOff", 50)]});
    let table = [
        ("Deployment", json!({"spec": {"replicas": 0}}), json!({}), "ScaledToZero"),
        ("StatefulSet", json!({"spec": {"replicas": 0}}), json!({}), "ScaledToZero"),
        ("DaemonSet", json!({"status": {"desiredNumberScheduled": 0}}), json!({}), "ScaledToZero"),
        ("Deployment", json!({}), json!({"suspend": true}), "Suspended"),
        ("Pod", json!({}), json!({"suspend": true}), "Suspended"),
    ];
    for (kind, more, spec, reason) in table {
        let mut scene = of_kind(kind, 1, &more, spec);
        scene.has(pod_of(kind, 0, &crashing));
        let decision = scene.pass(0, 7200);
        assert_eq!((decision.verdict.health.as_str(), decision.verdict.reason.as_str()), ("Idle", reason), "{kind}");
        assert!(decision.proposal().is_none(), "{kind}");
    }
    let mut scene = of_kind("Pod", 1, &json!({}), json!({}));
    scene.has(pod_of("Pod", 0, &json!({"phase": "Succeeded"})));
    assert_eq!(scene.reconcile(0).verdict.reason.as_str(), "Completed");
}

#[test]
fn what_was_never_there_is_not_found_and_what_was_is_gone() {
    for (replicas, words) in [(None, "Deployment api is not found"), (Some(2), "Deployment api is gone")] {
        let mut seen = fixtures::snapshot(fixtures::workload(WorkloadKind::Deployment, 2), Vec::new());
        seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
        (seen.last_known_good, seen.state.observed.last_replicas) = (None, replicas);
        seen.state.observed.missing_since = Some(fixtures::at(0));
        let decision = decide(&fixtures::policy(), &seen, fixtures::at(20));
        assert_eq!((decision.verdict.health.as_str(), decision.verdict.message.as_str()), ("Unhealthy", words));
    }
}

#[test]
fn a_daemon_set_that_nobody_has_looked_at_yet_is_not_scaled_to_zero() {
    let unseen = json!({"status": {"observedGeneration": 0, "desiredNumberScheduled": 0, "updatedNumberScheduled": 0}});
    let mut scene = of_kind("DaemonSet", 1, &unseen, json!({}));
    let decision = scene.reconcile(0);
    assert_eq!(decision.verdict.health.as_str(), "Starting");
    assert_ne!(decision.state.observed.last_replicas, Some(0));
}

/// A pod that would be restarted, if nothing held that back.
pub(super) fn sick(kind: &str, number: u32) -> Value {
    pod_of(kind, number, &json!({"containerStatuses": [runs("app", 0, false, 0)]}))
}

#[test]
fn a_rollout_holds_repairs_back_and_only_a_rollout_does() {
    let condition =
        |reason: &str| json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "reason": reason}]}});
    let behind = json!({"metadata": {"generation": 2}});
    let sts = |fields: Value| json!({"status": with(json!({"updateRevision": "app-2"}), &fields)});
    let strategy = |strategy: Value, status: Value| json!({"spec": {"updateStrategy": strategy}, "status": status});
    let partition = |of: u32, updated: u32| {
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": of}});
        strategy(rolling, json!({"updateRevision": "app-2", "updatedReplicas": updated}))
    };
    let table = [
        ("Deployment", "over", json!({}), None),
        ("Deployment", "not seen by its controller yet", behind.clone(), Some("RolloutInProgress")),
        ("Deployment", "under way", condition("ReplicaSetUpdated"), Some("RolloutInProgress")),
        ("Deployment", "past its deadline", condition("ProgressDeadlineExceeded"), Some("RolloutStuck")),
        (
            "Deployment",
            "paused, all pods are new",
            with(condition("DeploymentPaused"), &json!({"spec": {"paused": true}})),
            None,
        ),
        (
            "Deployment",
            "paused half-way",
            with(condition("DeploymentPaused"), &json!({"spec": {"paused": true}, "status": {"updatedReplicas": 1}})),
            None,
        ),
        ("Deployment", "without a deadline, over", json!({"status": {"conditions": []}}), None),
        (
            "Deployment",
            "without a deadline, under way",
            json!({"status": {"conditions": [], "updatedReplicas": 1}}),
            Some("RolloutInProgress"),
        ),
        ("StatefulSet", "over", json!({}), None),
        ("StatefulSet", "not seen by its controller yet", behind.clone(), Some("RolloutInProgress")),
        ("StatefulSet", "under way", sts(json!({"updatedReplicas": 1})), Some("RolloutInProgress")),
        ("StatefulSet", "as far as its partition", partition(2, 1), None),
        ("StatefulSet", "not as far as its partition", partition(1, 1), Some("RolloutInProgress")),
        (
            "StatefulSet",
            "by hand",
            strategy(json!({"type": "OnDelete"}), json!({"updateRevision": "app-2", "updatedReplicas": 0})),
            None,
        ),
        ("DaemonSet", "over", json!({}), None),
        ("DaemonSet", "not seen by its controller yet", behind, Some("RolloutInProgress")),
        ("DaemonSet", "under way", json!({"status": {"updatedNumberScheduled": 1}}), Some("RolloutInProgress")),
        ("DaemonSet", "by hand", strategy(json!({"type": "OnDelete"}), json!({"updatedNumberScheduled": 1})), None),
    ];
    for (kind, what, more, expected) in table {
        let mut scene = of_kind(kind, 3, &more, json!({}));
        let newest = more.pointer("/status/updateRevision").cloned().unwrap_or_else(|| json!("app-1"));
        scene.has(with(sick(kind, 0), &json!({"metadata": {"labels": {"controller-revision-hash": newest}}})));
        scene.has_all((1..3).map(|number| well(kind, number)));
        let decision = scene.pass(0, 300);
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(held(&decision), expected, "{kind} {what}");
        assert_eq!(decision.plan().is_some(), expected.is_empty(), "{kind} {what}");
    }
}

#[test]
fn a_rollout_without_a_deadline_of_its_own_is_stuck_after_ten_minutes_without_progress() {
    let sts = |updated: u32| json!({"status": {"updateRevision": "app-2", "updatedReplicas": updated}});
    let ds = |updated: u32| json!({"status": {"updatedNumberScheduled": updated}});
    for (kind, rolling) in [("StatefulSet", &sts as &dyn Fn(u32) -> Value), ("DaemonSet", &ds)] {
        let mut scene = of_kind(kind, 3, &rolling(0), json!({}));
        scene.has_all((0..3).map(|number| well(kind, number)));
        let reason = |scene: &mut Scene, from, to| scene.pass(from, to).verdict.reason.as_str();
        assert_eq!(reason(&mut scene, 0, 599), "Healthy", "{kind}");
        let object = if kind == "StatefulSet" { stateful_set(3, &rolling(1)) } else { daemon_set(3, &rolling(1)) };
        scene.has(object);
        assert_eq!(reason(&mut scene, 599, 1198), "Healthy", "{kind}: it made progress");
        let decision = scene.reconcile(1199);
        assert_eq!(
            (decision.verdict.health.as_str(), decision.verdict.reason.as_str()),
            ("Degraded", "RolloutStuck"),
            "{kind}"
        );
    }
    // A pod within its own time to start is no lack of progress.
    let mut scene = of_kind("StatefulSet", 1, &sts(0), json!({}));
    let slow = with(runs("app", 0, false, 0), &json!({"started": false}));
    let spec = json!({"containers": [{"name": "app", "startupProbe": {"periodSeconds": 10, "failureThreshold": 120}}]});
    scene.has(with(pod_of("StatefulSet", 0, &json!({"containerStatuses": [slow]})), &json!({"spec": spec})));
    assert_eq!(scene.pass(0, 1190).verdict.reason.as_str(), "Starting");
    assert_eq!(scene.reconcile(1200).verdict.reason.as_str(), "RolloutStuck");
}

#[test]
fn a_deployment_past_its_deadline_is_degraded_although_the_old_pods_serve() {
    let stuck = json!({"status": {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}});
    let mut scene = of_kind("Deployment", 1, &stuck, json!({}));
    scene.has(well("Deployment", 0));
    let decision = scene.reconcile(0);
    assert_eq!((decision.verdict.health.as_str(), decision.verdict.reason.as_str()), ("Degraded", "RolloutStuck"));
    assert!(!decision.record_good, "what is stuck is not good");
}

#[test]
fn a_pod_of_an_old_revision_that_blocks_the_repaired_one_is_replaced_whatever_is_wrong_with_it() {
    let unscheduled = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"}]);
    let troubles = [
        json!({"phase": "Pending", "containerStatuses": [waits("app", "ImagePullBackOff", 0)]}),
        json!({"phase": "Pending", "containerStatuses": [waits("app", "CreateContainerConfigError", 0)]}),
        json!({"phase": "Pending", "conditions": unscheduled}),
        json!({"phase": "Running", "containerStatuses": [runs("app", 0, false, 0)]}),
    ];
    for trouble in troubles {
        for (revision, partition, expected) in
            [("app-1", 0, Some("RestartPod")), ("app-2", 0, None), ("app-1", 3, None)]
        {
            let more = json!({
                "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
                "status": {"updateRevision": "app-2", "updatedReplicas": 0},
            });
            let mut scene = of_kind("StatefulSet", 3, &more, json!({}));
            let labels = json!({"metadata": {"labels": {"controller-revision-hash": revision}}});
            scene.has(with(pod_of("StatefulSet", 2, &trouble), &labels));
            scene.has_all((0..2).map(|number| well("StatefulSet", number)));
            let decision = scene.pass(0, 300);
            let deadlocked = described(&decision).iter().any(|one| one.ends_with("Deadlocked!"));
            assert_eq!(deadlocked, expected.is_some(), "{revision}, partition {partition}: {:?}", described(&decision));
            if expected.is_some() {
                let plan = decision.plan().map(|plan| (plan.action.step.as_str(), plan.action.target.clone()));
                assert_eq!(plan, Some(("RestartPod", "app-2".to_owned())), "{trouble}");
            }
            // The same pod is the same trouble at the next look, whatever was planned at this one.
            for second in [301, 310, 330] {
                let again = described(&scene.reconcile(second));
                assert_eq!(again, described(&decision), "{revision}, partition {partition}, at {second}: {trouble}");
            }
        }
    }
}

#[test]
fn replicas_that_nobody_makes_are_said_with_the_controllers_own_words() {
    let failure = |message: &str| {
        json!({"status": {"conditions": [
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message},
        ]}})
    };
    let table = [
        (
            failure("pods \"app\" is forbidden: exceeded quota: few, requested: pods=1"),
            "QuotaExceeded",
            "exceeded quota: few",
        ),
        (failure("pods \"app\" is forbidden: violates PodSecurity"), "ConfigError", "violates PodSecurity"),
    ];
    for (more, cause, words) in table {
        for pods in [0, 1, 2] {
            let mut scene = of_kind("Deployment", 2, &more, json!({}));
            scene.has_all((0..pods).map(|number| well("Deployment", number)));
            let decision = scene.reconcile(0);
            assert_eq!(described(&decision), [cause], "{pods} pods");
            assert_eq!(held(&decision), ["RestartCannotHelp"]);
            let decision = scene.pass(1, 300);
            assert_eq!(described(&decision), [format!("{cause}!")], "{pods} pods");
            assert!(decision.findings[0].message.contains(words));
            // With all that are wanted in place it is a rollout that cannot go on.
            let expected = if pods == 0 { "Unhealthy" } else { "Degraded" };
            assert_eq!(
                (decision.verdict.health.as_str(), decision.verdict.reason.as_str()),
                (expected, cause),
                "{pods} pods"
            );
            assert!(decision.proposal().is_none());
        }
    }
}

#[test]
fn pods_that_do_not_come_are_said_after_a_while_whoever_should_make_them() {
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let mut scene = of_kind(kind, 3, &json!({}), json!({}));
        scene.has(well(kind, 0));
        let decision = scene.pass(0, 299);
        assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec![], "Starting"), "{kind}");
        let decision = scene.reconcile(300);
        assert_eq!(described(&decision), ["ConfigError!"], "{kind}");
        assert!(decision.findings[0].message.contains("1 of 3 pods exist"), "{}", decision.findings[0].message);
        // One more has come: its controller is at work.
        scene.has(well(kind, 1));
        assert!(described(&scene.pass(301, 600)).is_empty(), "{kind}");
        assert_eq!(described(&scene.reconcile(601)), ["ConfigError!"], "{kind}");
        scene.has(well(kind, 2));
        assert!(described(&scene.reconcile(602)).is_empty(), "{kind}");
    }
}

#[test]
fn a_stateful_set_that_waits_for_a_pod_before_the_next_is_not_blamed_for_the_next() {
    let mut scene = of_kind("StatefulSet", 3, &json!({}), json!({}));
    scene.has(sick("StatefulSet", 0));
    assert_eq!(described(&scene.pass(0, 400)), ["app ReadinessFailed!"]);
    let mut scene = of_kind("StatefulSet", 3, &json!({}), json!({}));
    scene.has_all((0..2).map(|number| well("StatefulSet", number)));
    let leaving = json!({"metadata": {"deletionTimestamp": stamp(30)}});
    scene.has(with(well("StatefulSet", 2), &leaving));
    assert!(described(&scene.pass(0, 329)).is_empty(), "it waits for the old one to go");
    assert_eq!(described(&scene.reconcile(330)), ["StuckTerminating!"], "which does not go");
}

#[test]
fn what_lasts_is_told_first_and_since_when_it_is_known() {
    let mut scene = of_kind("Deployment", 2, &json!({}), json!({}));
    scene.has(well("Deployment", 0));
    scene.has(sick("Deployment", 2));
    scene.reconcile(0);
    let decision = scene.pass(0, 320);
    let since = decision.findings[0].since;
    scene.has(pod_of(
        "Deployment",
        0,
        &json!({"phase": "Pending", "containerStatuses": [waits("app", "ErrImagePull", 0)]}),
    ));
    let decision = scene.reconcile(330);
    assert_eq!(described(&decision), ["app ReadinessFailed!", "app ImagePull"], "although its pod comes first by name");
    assert_eq!(decision.findings[0].since, since);
    assert_eq!(decision.findings[1].since.duration_since(since), seconds(330));
}
