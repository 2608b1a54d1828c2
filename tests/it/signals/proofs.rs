//! The proof of a repair, and what is not touched before it: an old pod that has time to end, a new one that has time to start,
//! the last one that serves, those that came before in a StatefulSet.

use kubeheal_core::model::{decision::Decision, state::Outcome};
use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, end, held, owner, pod, ready, runs, stamp, stateful_set, waits, with};

fn made(name: &str, second: i64, more: &Value) -> Value {
    with(pod(name, &json!({"metadata": {"creationTimestamp": stamp(second)}})), more)
}

fn well(name: &str, created: i64) -> Value {
    made(
        name,
        created,
        &json!({"status": {"conditions": ready(created), "containerStatuses": [runs("app", created, true, 0)]}}),
    )
}

/// It was ready, and is not since then.
fn sick(name: &str, created: i64, since: i64) -> Value {
    made(
        name,
        created,
        &json!({"status": {
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(since)}],
            "containerStatuses": [runs("app", created, false, 0)],
        }}),
    )
}

/// It runs since it was created, and has not been ready.
fn starts(name: &str, created: i64) -> Value {
    sick(name, created, created - 1)
}

fn target(decision: &Decision) -> Option<&str> {
    decision.plan().map(|plan| plan.action.target.as_str())
}

fn outcome(scene: &Scene) -> Option<Outcome> {
    let memory = scene.status().memory;
    memory.attempts.in_flight.is_none().then(|| memory.attempts.actions.last().map(|action| action.outcome)).flatten()
}

/// Two pods, of which `app-1-a` is restarted at 400.
fn restarted(spec: Value) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(2, &json!({})));
    scene.has_all([well("app-1-a", -50), well("app-1-b", -50)]);
    scene.reconcile(0);
    scene.has_all([sick("app-1-a", -50, 100), sick("app-1-b", -50, 110)]);
    scene.pass(100, 399);
    assert_eq!(target(&scene.reconcile(400)), Some("app-1-a"));
    scene
}

#[test]
fn a_repair_is_not_judged_while_the_old_pod_has_time_to_end() {
    let mut scene = restarted(json!({}));
    let leaves = json!({"metadata": {"deletionTimestamp": stamp(400 + 1200)}});
    scene.has(with(sick("app-1-a", -50, 100), &leaves));
    scene.has(starts("app-1-c", 401));
    let decision = scene.pass(401, 1599);
    assert_eq!((outcome(&scene), held(&decision)), (None, vec!["ActionInFlight"]));
    let message = decision.conditions.iter().find(|one| one.kind.as_str() == "Reconciling").unwrap().message.clone();
    assert!(message.ends_with("for as long as a pod has time to end or to start"), "{message}");
    scene.reconcile(1600);
    assert_eq!(outcome(&scene), Some(Outcome::Ineffective), "its time was over");
}

/// A StatefulSet makes the new one when the old one is gone, and not before.
#[test]
fn a_repair_is_not_judged_in_the_moment_in_which_the_old_pod_is_gone() {
    let gone_late = || {
        let mut scene = restarted(json!({}));
        scene.has(with(sick("app-1-a", -50, 100), &json!({"metadata": {"deletionTimestamp": stamp(400 + 1200)}})));
        scene.pass(401, 1499);
        scene.loses("app-1-a");
        scene.reconcile(1500);
        assert_eq!(outcome(&scene), None, "nothing can have come yet");
        scene
    };
    let mut scene = gone_late();
    scene.has(starts("app-1-c", 1501));
    scene.reconcile(1501);
    scene.has(well("app-1-c", 1501));
    scene.pass(1510, 1809);
    assert_eq!(outcome(&scene), None, "it is ready, and not yet for long enough");
    scene.reconcile(1810);
    assert_eq!(outcome(&scene), Some(Outcome::Verified));

    let mut scene = gone_late();
    scene.pass(1501, 1559);
    assert_eq!(outcome(&scene), None);
    scene.reconcile(1560);
    assert_eq!(outcome(&scene), Some(Outcome::Ineffective), "nothing came");
}

#[test]
fn a_repair_is_not_judged_while_the_new_pod_has_time_to_start_and_to_show_that_it_stays_ready() {
    let mut scene = restarted(json!({"health": {"startupGraceSeconds": 900}}));
    scene.loses("app-1-a");
    scene.has(starts("app-1-c", 405));
    scene.pass(405, 1300);
    assert_eq!(outcome(&scene), None, "ten minutes were over at 1000");
    scene.has(with(
        starts("app-1-c", 405),
        &json!({"status": {
            "conditions": ready(1301), "containerStatuses": [runs("app", 405, true, 0)],
        }}),
    ));
    scene.pass(1301, 1600);
    assert_eq!(outcome(&scene), None, "it is ready, and not yet for long enough");
    scene.reconcile(1601);
    assert_eq!(outcome(&scene), Some(Outcome::Verified));
}

#[test]
fn who_falls_while_it_starts_has_had_its_time() {
    let mut scene = restarted(json!({"health": {"startupGraceSeconds": 900}}));
    scene.loses("app-1-a");
    scene.has(starts("app-1-c", 405));
    scene.pass(405, 1010);
    let fallen = with(waits("app", "CrashLoopBackOff", 1), &json!({"lastState": end(1, "Error", 405, 1011)}));
    scene.has(with(starts("app-1-c", 405), &json!({"status": {"containerStatuses": [fallen]}})));
    scene.reconcile(1011);
    assert_eq!(outcome(&scene), Some(Outcome::Ineffective));
}

#[test]
fn no_other_pod_is_given_up_until_something_came_that_was_ready() {
    let mut scene = restarted(json!({}));
    scene.loses("app-1-a");
    scene.has(starts("app-1-c", 405));
    let decision = scene.pass(405, 1000);
    assert_eq!(outcome(&scene), Some(Outcome::Ineffective));
    // What came of it may be tried once more: it serves nobody.
    assert_eq!(decision.proposal().map(|plan| plan.action.target.as_str()), Some("app-1-c"));
    // It is starting anew, and the old one is all that is left to try.
    scene.loses("app-1-c");
    scene.has(with(starts("app-1-d", 1001), &json!({"metadata": {"creationTimestamp": stamp(1001)}})));
    let decision = scene.reconcile(1001);
    assert_eq!(decision.proposal().map(|plan| plan.action.target.as_str()), Some("app-1-b"));
    let doubt = decision.blocked_by().iter().find(|block| block.reason.as_str() == "ReplacementUncertain").unwrap();
    assert!(doubt.message.contains("what came instead of app-1-a has not been ready yet"), "{}", doubt.message);
    // It was ready: what comes can be relied on.
    scene.has(well("app-1-d", 1001));
    let decision = scene.reconcile(1050);
    assert!(!held(&decision).contains(&"ReplacementUncertain"), "{:?}", decision.blocked_by());
}

#[test]
fn a_new_template_deserves_a_try() {
    let mut scene = restarted(json!({}));
    scene.loses("app-1-a");
    scene.has(starts("app-1-c", 405));
    scene.pass(405, 1000);
    scene.loses("app-1-c");
    scene.has(starts("app-1-d", 1001));
    assert!(held(&scene.reconcile(1001)).contains(&"ReplacementUncertain"));
    let [changed, _] = deployment(2, &json!({"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}}));
    scene.has(changed);
    assert!(!held(&scene.reconcile(1002)).contains(&"ReplacementUncertain"));
}

#[test]
fn the_last_pod_that_is_ready_is_not_given_up_for_a_condition() {
    let spec = json!({"health": {"podConditions": [{"type": "example.com/Stale", "status": "True", "seconds": 60}]}});
    let stale = |name: &str| {
        let conditions = json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": stamp(0)},
            {"type": "example.com/Stale", "status": "True", "lastTransitionTime": stamp(0)},
        ]);
        with(well(name, -50), &json!({"status": {"conditions": conditions}}))
    };
    let table = [
        ("it is the only one", 1, vec![], false),
        ("the others are not ready", 2, vec![sick("app-1-b", -50, 10)], false),
        ("another serves", 2, vec![well("app-1-b", -50)], true),
    ];
    for (what, replicas, others, goes) in table {
        let mut scene = Scene::new("Deployment", spec.clone());
        scene.has_all(deployment(replicas, &json!({})));
        scene.has(stale("app-1-a"));
        scene.has_all(others);
        scene.reconcile(0);
        let decision = scene.pass(0, 60);
        assert_eq!(target(&decision), goes.then_some("app-1-a"), "{what}: {:?}", decision.blocked_by());
        if !goes {
            assert!(decision.blocked_by()[0].message.contains("it is the last one that is ready"), "{what}");
        }
    }
}

#[test]
fn of_pods_that_are_made_one_by_one_the_first_is_treated_first() {
    let of_set = |object: Value| with(object, &json!({"metadata": {"ownerReferences": owner("stateful")}}));
    for (management, expected) in [("OrderedReady", "app-0"), ("Parallel", "app-1")] {
        let mut scene = Scene::new("StatefulSet", json!({}));
        scene.has(stateful_set(3, &json!({"spec": {"podManagementPolicy": management}})));
        scene.has_all((0..3).map(|number| of_set(well(&format!("app-{number}"), -50))));
        scene.reconcile(0);
        // The second has been in trouble for longer.
        scene.has(of_set(sick("app-1", -50, 10)));
        scene.reconcile(10);
        scene.has(of_set(sick("app-0", -50, 20)));
        let early = scene.pass(20, 310);
        if management == "OrderedReady" {
            assert_eq!(target(&early), None);
            assert_eq!(held(&early), ["ReplacementUncertain"], "its replacement would wait for app-0");
        }
        let decision = scene.pass(311, 320);
        let tried = decision.state.attempts.in_flight.map(|repair| repair.action.target);
        assert_eq!(tried.as_deref(), Some(expected), "{management}");
    }
}

#[test]
fn a_node_on_which_restarts_fail_while_they_hold_on_others_is_named() {
    let on = |object: Value, node: &str| with(object, &json!({"spec": {"nodeName": node}}));
    let mut scene = Scene::new("Deployment", json!({}));
    scene.has_all(deployment(2, &json!({})));
    scene.has_all([on(well("app-1-a", -50), "n1"), on(well("app-1-b", -50), "n2")]);
    scene.reconcile(0);
    scene.has_all([on(sick("app-1-a", -50, 100), "n1"), on(sick("app-1-b", -50, 110), "n2")]);
    scene.pass(100, 399);
    assert_eq!(target(&scene.reconcile(400)), Some("app-1-a"));
    scene.loses("app-1-a");
    scene.has(on(starts("app-1-c", 401), "n1"));
    let decision = scene.pass(401, 1000);
    assert_eq!(outcome(&scene), Some(Outcome::Ineffective));
    assert!(
        decision.findings.iter().all(|finding| !finding.message.contains("restarts fail")),
        "nothing held elsewhere"
    );
    // What comes next goes to another node, and holds.
    scene.loses("app-1-c");
    scene.has(on(well("app-1-d", 1001), "n3"));
    scene.reconcile(1001);
    let decision = scene.pass(1002, 1300);
    assert_eq!(decision.state.attempts.in_flight.map(|repair| repair.action.target).as_deref(), Some("app-1-b"));
    scene.loses("app-1-b");
    scene.has(on(well("app-1-e", 1301), "n3"));
    scene.pass(1301, 2000);
    assert_eq!(outcome(&scene), Some(Outcome::Verified));
    scene.loses("app-1-e");
    scene.has(on(starts("app-1-f", 2001), "n1"));
    let decision = scene.pass(2001, 2400);
    let message = &decision.findings[0].message;
    assert!(message.ends_with("; restarts fail on node n1 and hold on others"), "{message}");
    assert!(decision.verdict.message.contains("restarts fail on node n1"), "{}", decision.verdict.message);
}
