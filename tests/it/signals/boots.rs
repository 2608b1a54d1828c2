//! Orderly reboots of nodes: containers end as if told to, and only the boot ID of the node says why.

use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, end, pod, ready, runs, stamp, with};

/// In which order a kubelet tells of its node and of its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    NodeFirst,
    AtOnce,
    PodFirst,
    /// The end was told before the node went down.
    EndLongBefore,
}

/// A node that is well, with that boot ID.
fn node(boot: &str) -> Value {
    json!({
        "kind": "Node", "metadata": {"name": "n1", "uid": "uid of n1"}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"bootID": boot}},
    })
}

/// A pod on it with one container, ready or not since then.
fn on_node(container: &Value, is_ready: bool, since: i64) -> Value {
    let not =
        json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(since)});
    let conditions = if is_ready { ready(since) } else { json!([not]) };
    let more =
        json!({"spec": {"nodeName": "n1"}, "status": {"conditions": conditions, "containerStatuses": [container]}});
    pod("app-1", &more)
}

/// A service with a pod that is well on a node with the boot ID `first`, and two others elsewhere.
fn well(spec: Value, nodes_can_be_read: bool) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(3, &json!({})));
    if nodes_can_be_read {
        scene.has(node("first"));
    }
    scene.has(on_node(&runs("app", 0, true, 0), true, 0));
    for other in ["app-2", "app-3"] {
        let status = json!({"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]});
        scene.has(pod(other, &json!({"status": status})));
    }
    assert_eq!(scene.reconcile(0).verdict.health.as_str(), "Healthy");
    scene
}

/// It has ended and does not run yet.
fn ended(restarts: u32, end: &Value, at: i64) -> Value {
    on_node(&json!({"name": "app", "ready": false, "restartCount": restarts, "state": end}), false, at)
}

/// It runs again.
fn again(since: i64, is_ready: bool, restarts: u32, end: &Value) -> Value {
    on_node(&with(runs("app", since, is_ready, restarts), &json!({"lastState": end})), is_ready, since)
}

/// The node is rebooted for the `number`-th time, and its one container comes back.
fn reboot(scene: &mut Scene, order: Order, (code, reason): (i32, &str), number: u32) {
    let from = i64::from(number) * 200;
    let boot = node(&format!("boot {number}"));
    let told = match order {
        Order::EndLongBefore => from - 90,
        Order::NodeFirst | Order::AtOnce | Order::PodFirst => from - 20,
    };
    let last = end(code, reason, from - 190, told);
    let (down, up) = (ended(number - 1, &last, told), again(from, false, number, &last));
    match order {
        Order::NodeFirst => {
            scene.has(boot);
            assert!(described(&scene.reconcile(from - 4)).is_empty(), "the pod has not said anything yet");
            scene.has(down);
            assert_eq!(described(&scene.reconcile(from - 2)), ["app NodeRestarted"], "{code}");
            scene.has(up);
        }
        Order::AtOnce => scene.has_all([boot, up]),
        Order::PodFirst => {
            scene.has(up);
            let is_known = described(&scene.reconcile(from)) == ["app NodeRestarted"];
            assert_eq!(is_known, reason == "Unknown", "nobody can know it yet, unless the end says so itself: {code}");
            scene.has(boot);
        }
        Order::EndLongBefore => {
            scene.has(down);
            scene.reconcile(told + 1);
            scene.has(boot);
            assert_eq!(described(&scene.reconcile(from - 2)), ["app NodeRestarted"], "{code}");
            scene.has(up);
        }
    }
    let decision = scene.reconcile(from + 5);
    assert_eq!(described(&decision), ["app NodeRestarted"], "{order:?} {code} {number}");
    let message = &decision.findings[0].message;
    assert_eq!(message, "app ended with node n1 and is starting again", "{order:?} {code}");
    let verdict = &decision.verdict;
    assert_eq!((verdict.health.as_str(), verdict.reason.as_str()), ("Starting", "NodeRestarted"), "{order:?} {code}");
    assert!(!verdict.counts_as_unhealthy && decision.proposal().is_none(), "{order:?} {code}");
    scene.has(again(from, true, number, &last));
    let decision = scene.reconcile(from + 20);
    assert_eq!((decision.verdict.health.as_str(), described(&decision)), ("Healthy", vec![]), "{order:?} {code}");
}

#[test]
fn an_orderly_reboot_is_charged_to_nobody_whichever_is_told_first() {
    for order in [Order::NodeFirst, Order::AtOnce, Order::PodFirst, Order::EndLongBefore] {
        for told in [(0, "Completed"), (137, "Error"), (143, "Error"), (1, "Error"), (255, "Unknown")] {
            let mut scene = well(json!({}), true);
            for number in 1..=7 {
                reboot(&mut scene, order, told, number);
            }
            let memory = scene.status().memory.observed;
            let charged = |known: &kubeheal_core::model::state::ContainerRecord| {
                (known.restarts.len(), known.relapses, known.crash_loop_since.is_some())
            };
            let charged: Vec<_> = memory.containers.iter().map(charged).collect();
            assert_eq!(charged, [(0, 0, false)], "{order:?} {told:?}");
        }
    }
}

#[test]
fn what_goes_on_falling_after_a_reboot_is_charged_for_all_but_the_first_restart() {
    for order in [Order::NodeFirst, Order::AtOnce, Order::PodFirst] {
        let mut scene = well(json!({}), true);
        reboot(&mut scene, order, (143, "Error"), 1);
        for crash in 1..=5 {
            let from = 300 + crash * 60;
            let last = end(1, "Error", from - 50, from - 1);
            let restarts = u32::try_from(crash).unwrap() + 1;
            scene.has(again(from, false, restarts, &last));
            let expected = if crash == 5 { "app CrashLoop!" } else { "app CrashLoop" };
            assert_eq!(described(&scene.reconcile(from)), [expected], "{order:?} {crash}");
        }
    }
}

#[test]
fn a_restart_without_a_new_boot_id_is_charged_as_ever() {
    // Nodes may not be read; the kubelet was restarted; the node says no boot ID.
    for (can_be_read, boot) in [(false, None), (true, Some("first")), (true, Some(""))] {
        let mut scene = well(json!({}), can_be_read);
        for number in 1..=5 {
            let from = i64::from(number) * 200;
            scene.has_all(boot.map(node));
            scene.has(again(from, false, number, &end(143, "Error", from - 190, from - 20)));
            let decision = scene.reconcile(from);
            let expected = if number == 5 { "app CrashLoop!" } else { "app CrashLoop" };
            assert_eq!(described(&decision), [expected], "{boot:?} {number}");
        }
        let known = scene.status().memory.observed;
        assert!(known.containers.iter().all(|known| known.boot_end.is_none()), "{boot:?}");
    }
}

#[test]
fn what_had_not_run_before_the_boot_did_not_end_with_it() {
    let last = end(1, "Error", 150, 159);
    // A pod that came afterwards; one that was given to the node and had not been started.
    for comes_later in [true, false] {
        let mut scene = well(json!({}), true);
        let waits = json!({"name": "app", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}});
        if !comes_later {
            scene.has(with(
                on_node(&waits, false, 80),
                &json!({"metadata": {"uid": "new"}, "status": {"phase": "Pending"}}),
            ));
            scene.reconcile(90);
        }
        scene.has(node("second"));
        scene.reconcile(100);
        scene.has(with(again(160, false, 1, &last), &json!({"metadata": {"uid": "new"}})));
        assert_eq!(described(&scene.reconcile(160)), ["app CrashLoop"], "{comes_later}");
    }
    // A container that waited for another one of its pod.
    let mut scene = well(json!({}), true);
    let init = |state: &Value, restarts: u32, app: &Value| {
        let status = with(json!({"name": "init", "ready": false, "restartCount": restarts}), state);
        let more =
            json!({"spec": {"initContainers": [{"name": "init"}]}, "status": {"initContainerStatuses": [status]}});
        with(on_node(app, false, 50), &with(more, &json!({"metadata": {"uid": "new"}})))
    };
    let waits =
        json!({"name": "app", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}});
    scene.has(init(&json!({"state": {"running": {"startedAt": stamp(50)}}}), 0, &waits));
    scene.reconcile(60);
    scene.has(node("second"));
    scene.reconcile(100);
    let killed = end(143, "Error", 50, 80);
    scene.has(init(&json!({"state": {"running": {"startedAt": stamp(110)}}, "lastState": killed}), 1, &waits));
    let decision = scene.reconcile(110);
    assert!(!described(&decision).iter().any(|one| one.contains("InitFailed")), "{:?}", described(&decision));
    let done = json!({"state": end(0, "Completed", 110, 120)});
    scene.has(init(&done, 1, &runs("app", 120, false, 0)));
    scene.reconcile(120);
    scene.has(init(&done, 1, &with(runs("app", 160, false, 1), &json!({"lastState": last}))));
    assert_eq!(described(&scene.reconcile(160)), ["app CrashLoop"]);
}

#[test]
fn an_init_container_that_had_done_its_part_is_not_said_to_have_ended_with_the_node() {
    let mut scene = well(json!({}), true);
    let done = json!({"name": "init", "ready": true, "restartCount": 0, "state": end(0, "Completed", 0, 5)});
    let more = json!({"spec": {"initContainers": [{"name": "init"}]}, "status": {"initContainerStatuses": [done]}});
    scene.has(with(on_node(&runs("app", 6, true, 0), true, 6), &more));
    scene.reconcile(10);
    scene.has(node("second"));
    assert!(described(&scene.reconcile(100)).is_empty());
    // A reboot of which nothing comes for an hour: what falls then falls by itself.
    scene.has(with(again(4000, false, 1, &end(1, "Error", 6, 3999)), &more));
    assert_eq!(described(&scene.pass(3800, 4000)), ["app CrashLoop"]);
}

#[test]
fn a_crash_loop_outlasts_a_reboot() {
    let mut scene = well(json!({}), true);
    let last = end(1, "Error", 20, 29);
    let waits = json!({
        "name": "app", "ready": false, "restartCount": 3, "lastState": last,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    });
    scene.has(on_node(&waits, false, 30));
    assert_eq!(described(&scene.reconcile(30)), ["app CrashLoop"]);
    let since = scene.status().memory.observed.containers[0].crash_loop_since;
    assert!(since.is_some());
    scene.has(node("second"));
    scene.reconcile(100);
    scene.has(again(110, false, 4, &last));
    scene.reconcile(110);
    let known = scene.status().memory.observed.containers[0].clone();
    assert_eq!((known.crash_loop_since, known.restarts.len()), (since, 3), "{known:?}");
}
