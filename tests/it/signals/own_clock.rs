//! Starts and ends by our own clock: a node's may be wrong, and nothing depends on who looks when.

use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, end, held, pod, ready, runs, stamp, waits, with};

fn scene(spec: Value, replicas: u32) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(replicas, &json!({})));
    scene
}

fn seen(containers: &Value) -> Value {
    pod("app-1-a", &json!({"status": {"containerStatuses": containers}}))
}

#[test]
fn a_start_has_its_time_whatever_the_clock_of_its_node_says() {
    for skew in [-2700, 0, 2700] {
        let mut scene = scene(json!({"health": {"startupGraceSeconds": 900}}), 1);
        scene.reconcile(0);
        let turned = json!([
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(5 + skew)},
        ]);
        scene.has(with(seen(&json!([runs("app", 8 + skew, false, 0)])), &json!({"status": {"conditions": turned}})));
        assert_eq!(scene.pass(8, 907).verdict.health.as_str(), "Starting", "{skew}");
        let decision = scene.pass(908, 1207);
        assert_eq!((described(&decision), decision.plan()), (vec!["app ReadinessFailed".to_owned()], None), "{skew}");
        assert!(scene.reconcile(1208).plan().is_some(), "{skew}");
    }
}

#[test]
fn what_took_long_once_may_take_as_long_again() {
    let mut scene = scene(json!({}), 1);
    scene.reconcile(0);
    scene.has(seen(&json!([runs("app", 0, false, 0)])));
    scene.pass(0, 250);
    scene.has(with(seen(&json!([runs("app", 0, true, 0)])), &json!({"status": {"conditions": ready(250)}})));
    scene.pass(250, 1000);
    // It falls, and starts again.
    let again = with(runs("app", 1010, false, 1), &json!({"lastState": end(1, "Error", 0, 1000)}));
    let turned = json!([
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(1000)},
    ]);
    scene.has(with(seen(&json!([again])), &json!({"status": {"conditions": turned}})));
    let decision = scene.pass(1010, 1010 + 250 + 299);
    assert!(decision.plan().is_none(), "{:?}", decision.findings);
    assert!(!described(&decision)[0].ends_with('!'), "{:?}", described(&decision));
    assert!(scene.reconcile(1010 + 250 + 300).plan().is_some());
}

#[test]
fn what_was_down_for_hours_and_came_back_did_not_start_for_hours() {
    let mut scene = scene(json!({"mode": "Observe"}), 1);
    scene.reconcile(0);
    scene.has(seen(&json!([runs("app", 0, false, 0)])));
    scene.pass(0, 7200);
    scene.has(with(seen(&json!([runs("app", 0, true, 0)])), &json!({"status": {"conditions": ready(7200)}})));
    scene.reconcile(7200);
    assert_eq!(scene.status().memory.observed.starts, None);
}

#[test]
fn the_others_wait_for_a_sidecar_as_long_as_its_probe_does() {
    let spec = json!({
        "initContainers": [{
            "name": "proxy", "restartPolicy": "Always", "startupProbe": {"periodSeconds": 1, "failureThreshold": 600},
        }],
        "containers": [{"name": "app"}],
    });
    let proxy = |started: bool, ready: bool| with(runs("proxy", 9, ready, 0), &json!({"started": started}));
    let pending = |proxy: Value| {
        with(
            pod("app-1-a", &json!({"spec": spec})),
            &json!({"status": {
                "phase": "Pending", "initContainerStatuses": [proxy], "containerStatuses": [waits("app", "PodInitializing", 0)],
            }}),
        )
    };
    let mut scene = scene(json!({}), 1);
    scene.reconcile(0);
    scene.has(pending(proxy(false, false)));
    let decision = scene.pass(9, 608);
    assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec![], "Starting"));
    let decision = scene.reconcile(609);
    assert_eq!(described(&decision), ["proxy InitFailed!"]);
    assert!(decision.plan().is_none());
    assert!(decision.findings[0].message.contains("proxy runs and has not started"), "{:?}", decision.findings);
}

#[test]
fn init_containers_that_run_again_after_a_restart_of_the_node_have_not_failed() {
    let ended = json!({
        "name": "app", "ready": false, "restartCount": 0, "state": end(255, "Unknown", 0, 100),
    });
    let restores = with(runs("restore", 110, false, 1), &json!({"lastState": end(0, "Completed", -500, -20)}));
    let mut scene = scene(json!({"health": {"startupGraceSeconds": 900}}), 1);
    scene.has(with(seen(&json!([runs("app", 0, true, 0)])), &json!({"status": {"conditions": ready(0)}})));
    scene.reconcile(0);
    scene.has(with(seen(&json!([ended])), &json!({"status": {"initContainerStatuses": [restores]}})));
    let decision = scene.pass(110, 600);
    assert!(described(&decision).iter().all(|found| !found.contains("InitFailed")), "{:?}", described(&decision));
    assert!(decision.proposal().is_none(), "{:?}", decision.proposal());
    // It has done its part; the application has its own time.
    let done = json!({"name": "restore", "ready": true, "restartCount": 1, "state": end(0, "Completed", 110, 610)});
    scene.has(with(seen(&json!([ended])), &json!({"status": {"initContainerStatuses": [done]}})));
    assert!(scene.pass(610, 900).proposal().is_none(), "not before it had time to be started again");
    assert!(scene.pass(901, 910).proposal().is_some());
}

/// Eight minutes of work, then it falls, and waits for the kubelet for ever longer; a neighbour that makes somebody look.
#[test]
fn a_leak_that_kills_now_and_then_is_trouble_after_some_times_and_the_same_with_a_noisy_neighbour() {
    for neighbour in [false, true] {
        let mut scene = scene(json!({}), 2);
        let mut begin = 0;
        let mut wanted = Vec::new();
        for number in 0..9_u32 {
            let last = if number == 0 {
                json!({})
            } else {
                json!({"lastState": end(137, "OOMKilled", begin - 600, begin - 120)})
            };
            let up = with(runs("app", begin, true, number), &last);
            scene.has(with(seen(&json!([up])), &json!({"status": {"conditions": ready(begin)}})));
            let other = |up: bool, since: i64| {
                let status = if up { "True" } else { "False" };
                pod(
                    "app-1-b",
                    &json!({"status": {
                        "conditions": [{"type": "Ready", "status": status, "reason": "x", "lastTransitionTime": stamp(since)}],
                        "containerStatuses": [runs("app", 0, up, 0)],
                    }}),
                )
            };
            scene.has(other(true, 0));
            scene.pass(begin, begin + if neighbour { 200 } else { 479 });
            if neighbour {
                for second in (begin + 210..begin + 470).step_by(20) {
                    scene.has(other(false, second));
                    scene.reconcile(second);
                    scene.has(other(true, second + 2));
                    scene.reconcile(second + 2);
                }
            }
            let fallen = with(
                waits("app", "CrashLoopBackOff", number),
                &json!({"lastState": end(137, "OOMKilled", begin, begin + 480)}),
            );
            scene.has(seen(&json!([fallen])));
            let decision = scene.pass(begin + 480, begin + 590);
            if decision.proposal().is_some() {
                wanted.push(number);
            }
            begin += 600;
        }
        assert_eq!(wanted.first(), Some(&5), "with a neighbour: {neighbour}: {wanted:?}");
    }
}

#[test]
fn a_failed_post_start_hook_is_named_although_the_kubelet_says_so_for_a_moment_only() {
    let spec = json!({"spec": {"containers": [{"name": "app", "livenessProbe": {"periodSeconds": 10}}]}});
    let killed = json!({"lastState": end(137, "Error", 0, 40)});
    let hook = "Exec lifecycle hook ([sh -c register]) for Container \"app\" failed: exited with 7";
    let failed = json!({"name": "app", "ready": false, "restartCount": 0, "state": {
        "waiting": {"reason": "PostStartHookError", "message": hook},
    }});
    let mut scene = scene(json!({}), 1);
    scene.reconcile(0);
    scene.has(with(seen(&json!([with(failed, &killed)])), &spec));
    let names = |scene: &mut Scene, second: i64| {
        let decision = scene.reconcile(second);
        assert_eq!(described(&decision), ["app CrashLoop"], "{second}");
        decision.findings[0].message.contains("PostStartHookError: Exec lifecycle hook")
    };
    assert!(names(&mut scene, 41));
    scene.has(with(seen(&json!([with(waits("app", "CrashLoopBackOff", 0), &killed)])), &spec));
    assert!(names(&mut scene, 53), "a moment later it only waits");
    scene.has(with(seen(&json!([with(runs("app", 60, false, 1), &killed)])), &spec));
    assert!(names(&mut scene, 60), "it runs again");
    let by_itself = json!({"lastState": end(1, "Error", 60, 70)});
    scene.has(with(seen(&json!([with(waits("app", "CrashLoopBackOff", 1), &by_itself)])), &spec));
    assert!(!names(&mut scene, 70), "another end is another matter");
}

#[test]
fn a_start_that_goes_on_within_its_time_is_not_cut_short_for_earlier_falls() {
    let spec = json!({"spec": {"containers": [{"name": "app", "startupProbe": {"periodSeconds": 10, "failureThreshold": 120}}]}});
    let mut scene = scene(json!({}), 1);
    scene.reconcile(0);
    for count in 0..5_u32 {
        let second = i64::from(count) * 60;
        let fallen =
            with(waits("app", "CrashLoopBackOff", count), &json!({"lastState": end(1, "Error", second, second + 5)}));
        scene.has(with(seen(&json!([fallen])), &spec));
        scene.reconcile(second + 5);
    }
    for (started, until) in [(false, 700), (true, 1495)] {
        let last = json!({"lastState": end(1, "Error", 240, 245), "started": started});
        scene.has(with(seen(&json!([with(runs("app", 300, false, 5), &last)])), &spec));
        let decision = scene.pass(300, until);
        assert!(decision.plan().is_none(), "started: {started}: {:?}", decision.findings);
        assert_eq!(held(&decision), ["NotYet"], "started: {started}");
    }
    scene.pass(1496, 1501);
    assert_eq!(scene.status().memory.attempts.actions.len(), 1, "its time is over");
}

#[test]
fn an_exit_code_that_is_a_signal_or_a_status_of_windows_is_said_in_words() {
    let table = [
        (1, "app exited 1,"),
        (127, "app exited 127,"),
        (130, "app exited 130 (SIGINT),"),
        (134, "app exited 134 (SIGABRT),"),
        (137, "app exited 137 (SIGKILL),"),
        (139, "app exited 139 (SIGSEGV),"),
        (143, "app exited 143 (SIGTERM),"),
        (255, "app exited 255,"),
        (-1_073_741_510, "app exited -1073741510 (0xC000013A),"),
        (i32::MIN, "app exited -2147483648 (0x80000000),"),
    ];
    for (code, words) in table {
        let mut scene = scene(json!({}), 1);
        scene.reconcile(0);
        let last = json!({"lastState": end(code, "Error", 0, 5)});
        scene.has(seen(&json!([with(runs("app", 6, false, 1), &last)])));
        let decision = scene.reconcile(10);
        assert!(decision.findings[0].message.starts_with(words), "{}", decision.findings[0].message);
    }
}
