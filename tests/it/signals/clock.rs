//! The clock of the service as a whole, and what keeps pods from being there: turned away, on their way out, done.

use serde_json::{Value, json};

use crate::support::scene::{
    Scene, at, deployment, described, end, held, owner, pod, ready, runs, stamp, stateful_set, waits, with,
};

fn scene(spec: Value, replicas: u32) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(replicas, &json!({})));
    scene
}

fn created(name: &str, second: i64, more: &Value) -> Value {
    with(pod(name, &json!({"metadata": {"creationTimestamp": stamp(second)}})), more)
}

/// A pod that is ready, or not, since then.
fn turned(index: i64, up: bool, since: i64, container: &Value) -> Value {
    let unready = json!([
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(since)},
    ]);
    let conditions = if up { ready(since) } else { unready };
    pod(&format!("app-1-{index:03}"), &json!({"status": {"conditions": conditions, "containerStatuses": [container]}}))
}

fn health(scene: &mut Scene, second: i64) -> (&'static str, &'static str) {
    let verdict = scene.reconcile(second).verdict;
    (verdict.health.as_str(), verdict.reason.as_str())
}

#[test]
fn a_churn_of_pods_that_are_turned_away_is_one_finding_with_a_number_and_makes_the_service_unhealthy() {
    let mut scene = scene(json!({}), 1);
    let mut statuses = Vec::new();
    for number in 0..200 {
        let (name, second) = (format!("app-1-{number:03}"), number * 3);
        let young = json!({"status": {"phase": "Pending", "containerStatuses": []}});
        scene.has(created(&name, second, &young));
        let decision = scene.reconcile(second);
        statuses.push((second, decision.verdict.health.as_str(), described(&decision)));
        let rejected = json!({"spec": {"nodeName": "n1"}, "status": {
            "phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no healthy devices", "conditions": [],
            "containerStatuses": [],
        }});
        scene.has(created(&name, second, &rejected));
        scene.reconcile(second + 1);
    }
    for (second, health, found) in statuses.into_iter().skip(1) {
        let mark = if second >= 301 { "!" } else { "" };
        assert_eq!(found, [format!("PodsRejected{mark}")], "{second}");
        assert_eq!(health, if second >= 300 { "Unhealthy" } else { "Degraded" }, "{second}");
    }
    let decision = scene.reconcile(600);
    let message = &decision.findings[0].message;
    assert!(message.contains("200 pods or more were turned away by node n1"), "{message}");
    assert!(message.contains("UnexpectedAdmissionError: no healthy devices"), "{message}");
    assert_eq!((held(&decision), decision.plan()), (vec!["RestartCannotHelp"], None));
    // One that came later has run: whoever turned the others away has taken it.
    scene.has(created("app-1-x", 600, &json!({"status": {"containerStatuses": [runs("app", 601, false, 0)]}})));
    assert!(described(&scene.reconcile(601)).is_empty());
}

#[test]
fn pods_that_are_always_young_do_not_make_a_service_that_starts_for_ever() {
    let mut scene = scene(json!({}), 1);
    scene.has(pod(
        "app-1-a",
        &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}),
    ));
    scene.reconcile(0);
    scene.loses("app-1-a");
    for number in 0..20 {
        let (name, begin) = (format!("app-1-{number}"), 100 + number * 60);
        scene.has(created(&name, begin, &json!({"status": {"containerStatuses": [runs("app", begin, false, 0)]}})));
        let (health, reason) = health(&mut scene, begin);
        let expected = if begin < 400 { ("Starting", "Starting") } else { ("Unhealthy", "TooFewReady") };
        assert_eq!((health, reason), expected, "{begin}");
        scene.pass(begin, begin + 59);
        scene.loses(&name);
    }
}

#[test]
fn who_asks_for_a_long_start_is_not_unhealthy_before_it_is_over() {
    let probe = json!({"spec": {"containers": [{"name": "app", "startupProbe": {"periodSeconds": 10, "failureThreshold": 90}}]}});
    let mut scene = scene(json!({}), 1);
    let unstarted = with(runs("app", 0, false, 0), &json!({"started": false}));
    scene.has(with(created("app-1-a", 0, &probe), &json!({"status": {"containerStatuses": [unstarted]}})));
    assert_eq!(scene.pass(0, 899).verdict.health.as_str(), "Starting");
    assert_eq!(health(&mut scene, 901).0, "Unhealthy");
}

#[test]
fn a_moment_in_which_enough_are_ready_does_not_begin_the_time_anew() {
    let seen = |index, up, since| turned(index, up, since, &runs("app", 0, up, 0));
    let mut scene = scene(json!({}), 2);
    scene.has_all([seen(0, true, 0), seen(1, true, 0)]);
    scene.reconcile(0);
    scene.has_all([seen(0, false, 100), seen(1, false, 100)]);
    scene.reconcile(100);
    for second in (110..700).step_by(20) {
        let index = second / 20 % 2;
        scene.has(seen(index, true, second));
        let during = scene.reconcile(second).verdict.health.as_str();
        scene.has(seen(index, false, second + 1));
        let after = scene.reconcile(second + 1).verdict.health.as_str();
        let expected = if second < 400 { "Degraded" } else { "Unhealthy" };
        assert_eq!((during, after), (expected, expected), "{second}");
    }
    scene.has_all([seen(0, true, 700), seen(1, true, 700)]);
    assert_eq!(scene.reconcile(700).verdict.health.as_str(), "Healthy", "all of them are no moment");
}

#[test]
fn what_lasts_in_three_hundred_pods_is_not_lost_among_them() {
    let mut scene = scene(json!({}), 300);
    let seen = |index, up, since| {
        let last = json!({"lastState": end(1, "Error", -9999, -9990)});
        turned(index, up, since, &with(runs("app", 0, up, 1), &last))
    };
    scene.has_all((0..300).map(|index| seen(index, true, 0)));
    scene.reconcile(0);
    for index in 0..300 {
        scene.has(seen(index, false, 60 + index / 10));
    }
    scene.pass(90, 300);
    let decision = scene.pass(301, 420);
    assert_eq!(decision.verdict.health.as_str(), "Unhealthy");
    assert_eq!(decision.state.attempts.actions.len(), 1, "one pod at a time");
    assert_eq!(scene.status().restarts_in_window, Some(0), "nothing restarted because it was forgotten");
}

#[test]
fn a_pod_that_does_not_go_is_said_with_what_it_waits_for() {
    let table = [
        (30, json!({}), "its node has not confirmed"),
        (30, json!({"spec": {"nodeName": "n2"}}), "node n2 has not confirmed"),
        (
            30,
            json!({"metadata": {"finalizers": ["example.com/backup", "example.com/lock"]}}),
            "example.com/backup, example.com/lock",
        ),
        (1200, json!({"spec": {"nodeName": "n2"}}), "node n2 has not confirmed"),
    ];
    for (grace, more, words) in table {
        let mut scene = Scene::new("StatefulSet", json!({}));
        scene.has(stateful_set(1, &json!({})));
        let db = pod(
            "app-0",
            &json!({"metadata": {"ownerReferences": owner("stateful")}, "status": {
                "conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)],
            }}),
        );
        scene.has(db.clone());
        scene.reconcile(0);
        scene.has(with(with(db, &json!({"metadata": {"deletionTimestamp": stamp(100 + grace)}})), &more));
        let before = scene.pass(100, 100 + grace + 299);
        assert!(described(&before).is_empty(), "{words}: {:?}", described(&before));
        let decision = scene.reconcile(100 + grace + 300);
        assert_eq!(described(&decision), ["StuckTerminating!"], "{words}");
        assert!(decision.findings[0].message.contains(words), "{}", decision.findings[0].message);
        assert_eq!(decision.verdict.health.as_str(), "Unhealthy", "{words}");
        assert_eq!((held(&decision), decision.plan()), (vec!["RestartCannotHelp"], None), "{words}");
        let later = scene.pass(100 + grace + 301, 100 + grace + 2400);
        assert_eq!(later.escalation.map(|why| why.reason.as_str()), Some("Escalated"), "{words}: a person hears of it");
    }
}

#[test]
fn a_pod_that_does_not_go_beside_enough_others_is_said_and_nothing_more() {
    let mut scene = scene(json!({}), 1);
    let well = json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}});
    scene.has_all([
        pod("app-1-a", &well),
        with(pod("app-1-b", &well), &json!({"metadata": {"deletionTimestamp": stamp(10)}})),
    ]);
    let decision = scene.pass(0, 400);
    assert_eq!(
        (decision.verdict.health.as_str(), described(&decision)),
        ("Healthy", vec!["StuckTerminating!".to_owned()])
    );
    assert!(held(&decision).is_empty(), "nothing is wanted");
}

#[test]
fn a_container_that_has_ended_and_is_not_started_again_is_told_by_its_restart_policy() {
    let ended =
        |code: i32| json!({"name": "app", "ready": false, "restartCount": 0, "state": end(code, "Error", 0, 100)});
    let other = || runs("other", 0, true, 0);
    let table = [
        ("Always", 255, "app Deadlocked!", true),
        ("Always", 0, "app Deadlocked!", true),
        ("OnFailure", 1, "app Deadlocked!", true),
        ("OnFailure", 0, "app ContainerEnded!", false),
        ("Never", 0, "app ContainerEnded!", false),
        ("Never", 1, "app ContainerEnded!", false),
    ];
    for (policy, code, found, helps) in table {
        let mut scene = scene(json!({}), 1);
        let spec = json!({"spec": {"restartPolicy": policy}});
        scene.has(with(
            pod(
                "app-1-a",
                &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0), other()]}}),
            ),
            &spec,
        ));
        scene.reconcile(0);
        scene.has(with(
            pod(
                "app-1-a",
                &json!({"status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(100)},
        ], "containerStatuses": [ended(code), other()]}}),
            ),
            &spec,
        ));
        let before = scene.pass(100, 399);
        assert!(before.proposal().is_none() || !helps, "{policy} {code}: {:?}", before.proposal());
        let decision = scene.reconcile(400);
        assert_eq!(described(&decision), [found], "{policy} {code}");
        assert_eq!(decision.verdict.health.as_str(), "Unhealthy", "{policy} {code}");
        assert_eq!(decision.plan().is_some(), helps, "{policy} {code}: {:?}", decision.blocked_by());
    }
}

#[test]
fn the_time_of_the_service_goes_on_when_a_pod_is_made_anew_with_another_trouble() {
    let mut scene = scene(json!({}), 1);
    let blocked = |reason: &str| {
        pod("app-1-a", &json!({"status": {"phase": "Pending", "containerStatuses": [waits("app", reason, 0)]}}))
    };
    // One trouble, named anew each time that somebody looks.
    for second in (0..300).step_by(20) {
        let reason = if second % 40 == 0 { "ErrImagePull" } else { "CreateContainerConfigError" };
        scene.has(blocked(reason));
        assert!(!described(&scene.reconcile(second))[0].ends_with('!'), "{second}");
    }
    let decision = scene.reconcile(300);
    assert!(described(&decision)[0].ends_with('!'), "{:?}", described(&decision));
    assert_eq!(decision.findings[0].since, at(0));
}

#[test]
fn a_kubelet_may_take_its_longest_back_off_however_little_patience_there_is() {
    let mut scene = scene(json!({"health": {"notReadySeconds": 3}}), 1);
    scene.has(pod(
        "app-1-a",
        &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}),
    ));
    scene.reconcile(0);
    let ended = json!({"name": "app", "ready": false, "restartCount": 0, "state": end(1, "Error", 0, 100)});
    scene.has(pod("app-1-a", &json!({"status": {"containerStatuses": [ended]}})));
    let decision = scene.pass(100, 399);
    assert_eq!((described(&decision), decision.proposal()), (vec!["app CrashLoop".to_owned()], None));
    assert_eq!(described(&scene.reconcile(400)), ["app Deadlocked!"]);
}
