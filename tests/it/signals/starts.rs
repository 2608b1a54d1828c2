//! Starts: what keeps a pod from running, and how long it may take.

use kubeheal_core::model::decision::Decision;
use serde_json::{Value, json};

use crate::support::scene::{Scene, at, deployment, described, end, held, pod, ready, runs, stamp, waits, with};

fn scene(spec: Value) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(1, &json!({})));
    scene
}

fn pending(status: &Value) -> Value {
    pod("app-1-x", &with(json!({"status": {"phase": "Pending"}}), &json!({"status": status})))
}

#[test]
fn each_waiting_reason_has_its_cause_and_no_restart_is_tried() {
    let table = [
        ("ErrImagePull", "ImagePull"),
        ("ImagePullBackOff", "ImagePull"),
        ("InvalidImageName", "ImagePull"),
        ("ErrImageNeverPull", "ImagePull"),
        ("RegistryUnavailable", "ImagePull"),
        ("ImageInspectError", "ImagePull"),
        ("SignatureValidationFailed", "ImagePull"),
        ("CreateContainerConfigError", "ConfigError"),
        ("CreateContainerError", "ConfigError"),
        ("PreCreateHookError", "ConfigError"),
        ("PreStartHookError", "ConfigError"),
        ("RunContainerError", "ConfigError"),
    ];
    for (reason, cause) in table {
        for (containers, role) in [("containerStatuses", "container"), ("initContainerStatuses", "init container")] {
            let mut scene = scene(json!({}));
            scene.has(pending(&json!({containers: [waits("app", reason, 0)]})));
            let decision = scene.reconcile(0);
            assert_eq!(described(&decision), [format!("app {cause}")], "{reason}, {role}: said at once");
            assert_eq!(decision.verdict.health.as_str(), "Degraded", "{reason}, {role}");
            assert_eq!(held(&decision), ["RestartCannotHelp"], "{reason}, {role}");
            let decision = scene.pass(1, 300);
            assert_eq!(described(&decision), [format!("app {cause}!")], "{reason}, {role}: counted when it lasts");
            assert_eq!(decision.verdict.health.as_str(), "Unhealthy", "{reason}, {role}");
            assert!(decision.plan().is_none() && decision.proposal().is_none(), "{reason}, {role}");
        }
    }
}

#[test]
fn a_process_that_cannot_be_started_is_no_crash_loop_however_often_it_is_tried() {
    for reason in ["StartError", "ContainerCannotRun"] {
        let mut scene = scene(json!({}));
        let failed = |at: i64| end(128, reason, at, at);
        for (count, at) in [(0, 0), (1, 14), (2, 41), (3, 81), (4, 162), (5, 292)] {
            let now = with(waits("app", "RunContainerError", count), &json!({"lastState": failed(at)}));
            scene.has(pending(&json!({"containerStatuses": [now]})));
            assert_eq!(described(&scene.reconcile(at)), ["app ConfigError"], "{reason} at {at}");
            let later = with(waits("app", "CrashLoopBackOff", count), &json!({"lastState": failed(at)}));
            scene.has(pending(&json!({"containerStatuses": [later]})));
            assert_eq!(described(&scene.reconcile(at + 1)), ["app ConfigError"], "{reason} at {at}, backing off");
        }
        let decision = scene.pass(294, 301);
        assert_eq!(
            (described(&decision), held(&decision)),
            (vec!["app ConfigError!".to_owned()], vec!["RestartCannotHelp"])
        );
        assert!(decision.plan().is_none(), "{reason}");
        let mut ended = waits("app", "", 5);
        ended["state"] = failed(292);
        scene.has(pending(&json!({"containerStatuses": [ended]})));
        assert_eq!(described(&scene.reconcile(302)), ["app ConfigError!"], "{reason}, just now");
        scene.has(pod(
            "app-1-x",
            &json!({"status": {"containerStatuses": [
                with(runs("app", 303, false, 6), &json!({"lastState": failed(292)}))
            ]}}),
        ));
        assert!(described(&scene.reconcile(304)).is_empty(), "{reason}: what was missing is there, and it starts");
    }
}

#[test]
fn an_init_container_that_fails_is_named_until_it_succeeds() {
    let failing = |count: u32, state: Value, last: Value| {
        let init = json!({
            "name": "wait", "ready": false, "started": false, "restartCount": count, "state": state, "lastState": last,
        });
        json!({"initContainerStatuses": [init], "containerStatuses": [waits("app", "PodInitializing", 0)]})
    };
    let failed = || end(3, "Error", 0, 1);
    let mut scene = scene(json!({}));
    scene.has(pending(&failing(0, json!({"running": {"startedAt": stamp(0)}}), json!({}))));
    assert!(described(&scene.reconcile(0)).is_empty());
    scene.has(pending(&failing(0, failed(), json!({}))));
    assert_eq!(described(&scene.reconcile(2)), ["wait InitFailed"]);
    scene.has(pending(&failing(1, json!({"running": {"startedAt": stamp(3)}}), failed())));
    assert_eq!(described(&scene.reconcile(3)), ["wait InitFailed"], "it tries again, and has not succeeded");
    scene.has(pending(&failing(1, json!({"waiting": {"reason": "CrashLoopBackOff"}}), failed())));
    let decision = scene.pass(5, 302);
    assert_eq!(described(&decision), ["wait InitFailed!"]);
    assert_eq!((held(&decision), decision.plan()), (vec!["RestartCannotHelp"], None));
    scene.has(pending(&failing(2, end(0, "Completed", 303, 304), failed())));
    assert!(described(&scene.pass(304, 603)).is_empty(), "it succeeded, and what comes next has its own time");
    assert_eq!(described(&scene.reconcile(604)), ["app ConfigError!"]);
}

#[test]
fn no_start_takes_for_ever() {
    let init_runs = runs("migrate", 0, false, 0);
    let table = [
        (
            json!({"conditions": [{"type": "PodScheduled", "status": "True"}]}),
            "Unschedulable",
            "no node has been chosen",
        ),
        (
            json!({"containerStatuses": [waits("app", "ContainerCreating", 0)]}),
            "app ConfigError",
            "app has not been created",
        ),
        (
            json!({"initContainerStatuses": [init_runs], "containerStatuses": [waits("app", "PodInitializing", 0)]}),
            "migrate InitFailed",
            "init container migrate has not ended",
        ),
    ];
    for (status, finding, words) in table {
        for (spec, patience) in [(json!({}), 300), (json!({"health": {"startupGraceSeconds": 900}}), 900)] {
            let mut scene = scene(spec);
            scene.has(pending(&status));
            let decision = scene.pass(0, patience - 1);
            assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec![], "Starting"), "{finding}");
            let decision = scene.reconcile(patience);
            assert_eq!(described(&decision), [format!("{finding}!")]);
            assert!(decision.findings[0].message.contains(words), "{}", decision.findings[0].message);
            assert_eq!(decision.verdict.health.as_str(), "Unhealthy", "{finding}");
            assert!(decision.proposal().is_none(), "{finding}");
        }
    }
}

#[test]
fn a_pod_that_was_long_in_coming_has_all_its_patience_once_it_runs() {
    let mut scene = scene(json!({}));
    scene.has(pending(&json!({"containerStatuses": [waits("app", "ContainerCreating", 0)]})));
    scene.pass(0, 290);
    scene.has(pod("app-1-x", &json!({"status": {"containerStatuses": [runs("app", 290, false, 0)]}})));
    assert_eq!(described(&scene.pass(290, 589)), ["app ReadinessFailed"]);
    assert_eq!(described(&scene.reconcile(590)), ["app ReadinessFailed!"]);
}

#[test]
fn a_container_that_the_runtime_does_not_create_is_no_wrong_configuration() {
    let table = [
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", "failed to reserve container name \"app_1\": name \"app_1\" is reserved for \"5c1d\""),
        ("CreateContainerError", "the container name \"app_1\" is already in use by 5c1d"),
        ("CreateContainerError", "error creating layer: mkdir /var/lib/containers: no space left on device"),
        ("RunContainerError", "context deadline exceeded"),
    ];
    for (reason, message) in table {
        let mut scene = scene(json!({}));
        let waiting = json!({"state": {"waiting": {"reason": reason, "message": message}}});
        scene.has(pending(&json!({"containerStatuses": [with(waits("app", reason, 0), &waiting)]})));
        assert_eq!(described(&scene.reconcile(0)), ["app RuntimeError"], "{message}");
        let decision = scene.pass(1, 300);
        assert_eq!(described(&decision), ["app RuntimeError!"], "{message}");
        assert_eq!(held(&decision), ["RestartCannotHelp"], "{message}");
        let finding = &decision.findings[0];
        assert_eq!(finding.message, format!("{reason}: {message}"));
        assert_eq!(finding.diagnosis, None, "a deadline of the runtime is none of a dependency");
    }
}

#[test]
fn a_process_that_the_runtime_does_not_start_is_the_same_trouble_while_it_is_tried_and_in_between() {
    let mut scene = scene(json!({}));
    let message = "failed to create shim task: context deadline exceeded";
    let failed = with(end(128, "StartError", 0, 0), &json!({"terminated": {"message": message}}));
    for (second, reason) in [(0, "RunContainerError"), (1, "CrashLoopBackOff"), (14, "RunContainerError")] {
        let waiting = json!({"state": {"waiting": {"reason": reason, "message": message}}, "lastState": failed});
        scene.has(pending(&json!({"containerStatuses": [with(waits("app", reason, 1), &waiting)]})));
        let decision = scene.reconcile(second);
        assert_eq!(described(&decision), ["app RuntimeError"], "{reason}");
        assert_eq!(decision.findings[0].since, at(0), "{reason}");
    }
}

#[test]
fn a_pod_behind_scheduling_gates_is_not_unschedulable_and_names_them() {
    let condition = json!([{
        "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }]);
    let mut scene = scene(json!({}));
    let gates = json!({"spec": {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}, {"name": "quota"}]}});
    scene.has(with(pending(&json!({"conditions": condition})), &gates));
    let decision = scene.reconcile(0);
    assert_eq!(
        (described(&decision), held(&decision)),
        (vec!["SchedulingGated".to_owned()], vec!["RestartCannotHelp"])
    );
    let decision = scene.pass(1, 300);
    assert_eq!(described(&decision), ["SchedulingGated!"]);
    assert!(decision.findings[0].message.ends_with("kueue.x-k8s.io/admission, quota"), "{:?}", decision.findings);
    let runs = json!({"status": {"phase": "Running", "conditions": ready(301), "containerStatuses": [runs("app", 301, true, 0)]}});
    scene.has(with(pod("app-1-x", &runs), &gates));
    assert!(described(&scene.reconcile(301)).is_empty(), "what runs is not held back");
}

#[test]
fn unschedulable_counts_when_it_lasts_because_a_node_may_be_on_its_way() {
    let condition = json!([{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available",
    }]);
    let mut scene = scene(json!({}));
    scene.has(pending(&json!({"conditions": condition})));
    let decision = scene.reconcile(0);
    assert_eq!((described(&decision), held(&decision)), (vec!["Unschedulable".to_owned()], vec!["RestartCannotHelp"]));
    assert_eq!(decision.verdict.health.as_str(), "Degraded");
    assert_eq!(described(&scene.pass(1, 299)), ["Unschedulable"]);
    let decision = scene.reconcile(300);
    assert_eq!(
        (described(&decision), decision.verdict.health.as_str()),
        (vec!["Unschedulable!".to_owned()], "Unhealthy")
    );
    assert!(decision.findings[0].message.contains("0/3 nodes"));
}

/// Patience with a container that runs and was not ready yet: the longest of what the policy grants and what its startup probe
/// does, although the probe has passed.
#[test]
fn a_slow_start_is_left_alone_for_as_long_as_it_may_take() {
    let probe = json!({"initialDelaySeconds": 20, "periodSeconds": 10, "failureThreshold": 48});
    let table = [
        ("no probe, no grace", json!({}), json!({}), true, 300),
        ("grace alone", json!({}), json!({"startupGraceSeconds": 200}), true, 500),
        ("the probe's budget", probe.clone(), json!({}), false, 500),
        ("a shorter grace than the budget", probe.clone(), json!({"startupGraceSeconds": 60}), false, 500),
        ("a longer grace than the budget", probe.clone(), json!({"startupGraceSeconds": 900}), false, 900),
        ("the probe has passed", probe, json!({}), true, 800),
    ];
    for (what, startup, health, started, patience) in table {
        let mut scene = scene(json!({"health": health}));
        let mut spec = json!({"name": "app"});
        if startup != json!({}) {
            spec["startupProbe"] = startup;
        }
        let status = with(runs("app", 0, false, 0), &json!({"started": started}));
        scene.has(pod("app-1-x", &json!({"spec": {"containers": [spec]}, "status": {"containerStatuses": [status]}})));
        let lasting = |found: Vec<String>| found == ["app ReadinessFailed!"];
        let before = scene.pass(0, patience - 1);
        assert!(!lasting(described(&before)), "{what}: {:?}", described(&before));
        assert!(before.plan().is_none(), "{what}");
        let after = scene.reconcile(patience);
        // What never passed its startup probe owes no readiness: the kubelet restarts it.
        assert_eq!(lasting(described(&after)), started, "{what}: {:?}", described(&after));
    }
}

#[test]
fn a_start_that_took_long_is_no_unreadiness_in_the_moment_in_which_it_is_over() {
    let seen = |started: bool, status: Value| {
        let spec =
            json!({"containers": [{"name": "app", "startupProbe": {"periodSeconds": 10, "failureThreshold": 120}}]});
        let status = with(
            json!({"containerStatuses": [
                with(runs("app", 0, false, 0), &json!({"started": started})),
            ]}),
            &status,
        );
        pod("app-1-x", &json!({"spec": spec, "status": status}))
    };
    let health = |decision: &Decision| (decision.verdict.health.as_str(), decision.verdict.reason.as_str());
    let mut scene = scene(json!({}));
    scene.has(seen(false, json!({})));
    assert_eq!(health(&scene.pass(0, 1099)), ("Starting", "Starting"));
    scene.has(seen(true, json!({})));
    assert_eq!(health(&scene.pass(1100, 1199)), ("Starting", "Starting"), "it has the rest of its time to be ready");
    assert_eq!(health(&scene.reconcile(1200)), ("Unhealthy", "ReadinessFailed"), "and it does not come");
    scene.has(seen(true, json!({"conditions": ready(1220), "containerStatuses": [runs("app", 0, true, 0)]})));
    scene.reconcile(1220);
    scene.reconcile(1250);
    scene.has(seen(
        true,
        json!({"conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(1300)},
        ]}),
    ));
    assert_eq!(health(&scene.reconcile(1300)), ("Degraded", "ReadinessFailed"), "what was ready is missed at once");
}

#[test]
fn unreadiness_counts_only_when_it_lasts_and_a_flap_begins_anew() {
    let seen = |up: bool, since: i64| {
        let unready = json!([
            {"type": "Ready", "status": "False", "reason": "x", "lastTransitionTime": stamp(since)},
        ]);
        let conditions = if up { ready(since) } else { unready };
        pod("app-1-x", &json!({"status": {"conditions": conditions, "containerStatuses": [runs("app", 0, up, 0)]}}))
    };
    let mut scene = scene(json!({}));
    scene.has(seen(true, 0));
    scene.reconcile(0);
    for begin in [1000, 2000, 3000] {
        scene.has(seen(false, begin));
        let decision = scene.pass(begin, begin + 299);
        assert_eq!((described(&decision), decision.plan()), (vec!["app ReadinessFailed".to_owned()], None));
        scene.has(seen(true, begin + 299));
        assert!(described(&scene.reconcile(begin + 299)).is_empty());
    }
    scene.has(seen(false, 4000));
    let decision = scene.pass(4000, 4300);
    assert_eq!(described(&decision), ["app ReadinessFailed!"]);
    assert_eq!(decision.plan().map(|plan| plan.action.step.as_str()), Some("RestartPod"));
}
