//! Restarts in a window: differences, never lifetime counts.

use kubeheal_core::model::{
    condition::{ConditionType, Truth},
    decision::Decision,
    verdict::Health,
};
use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, end, pod, ready, runs, waits, with};

const MINUTE: i64 = 60;

fn scene(spec: Value) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(1, &json!({})));
    scene
}

/// A container that has restarted so often, the last time at `at` after a run of `run` seconds, and is not ready.
fn restarted(name: &str, count: u32, at: i64, run: i64) -> Value {
    let last = json!({"lastState": end(1, "Error", at - run, at)});
    pod(name, &json!({"status": {"containerStatuses": [with(runs("app", at, false, count), &last)]}}))
}

/// Fresh and never restarted, so that all that follows happens under our eyes.
fn fresh(name: &str) -> Value {
    pod(name, &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}))
}

#[test]
fn five_restarts_within_half_an_hour_count_and_five_within_an_hour_do_not() {
    for (apart, expected) in [(7 * MINUTE, "app CrashLoop!"), (10 * MINUTE, "app CrashLoop")] {
        let mut scene = scene(json!({}));
        scene.has(fresh("app-1-x"));
        scene.reconcile(1);
        let mut last = Vec::new();
        for count in 1..=5 {
            let now = i64::from(count) * apart;
            scene.has(restarted("app-1-x", count, now, 30));
            last = described(&scene.reconcile(now));
        }
        assert_eq!(last, [expected], "{apart} s apart");
    }
}

#[test]
fn threshold_and_window_are_those_of_the_policy() {
    let mut scene = scene(json!({"health": {"restarts": {"threshold": 2, "windowSeconds": 60}}}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    for (count, now, expected) in
        [(1, 100, "app CrashLoop"), (2, 170, "app CrashLoop"), (3, 200, "app CrashLoop!"), (4, 300, "app CrashLoop")]
    {
        scene.has(restarted("app-1-x", count, now, 5));
        assert_eq!(described(&scene.reconcile(now)), [expected], "restart {count}");
    }
}

#[test]
fn what_a_pod_did_before_anybody_looked_is_not_held_against_it() {
    let mut scene = scene(json!({}));
    scene.has(restarted("app-1-x", 40, -10, 5));
    assert_eq!(described(&scene.reconcile(0)), ["app CrashLoop"], "one of forty can be dated");
    assert_eq!(scene.status().restarts_in_window, Some(1));
}

#[test]
fn a_new_pod_begins_with_nothing_and_the_service_does_not_forget() {
    let mut scene = scene(json!({}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    for count in 1..=4 {
        scene.has(restarted("app-1-x", count, i64::from(count) * MINUTE, 5));
        scene.reconcile(i64::from(count) * MINUTE);
    }
    scene.loses("app-1-x");
    scene.has(restarted("app-1-y", 1, 5 * MINUTE, 5));
    assert_eq!(described(&scene.reconcile(5 * MINUTE)), ["app CrashLoop"], "its first, not the fifth");
    assert_eq!(scene.status().restarts_in_window, Some(5));
}

#[test]
fn restarts_that_nobody_watched_are_neither_lost_nor_all_dated_now() {
    // Nobody looked for three hours. Runs of half an hour: one restart falls into the window; of two minutes: many do.
    for (run, expected) in [(30 * MINUTE, "app CrashLoop"), (2 * MINUTE, "app CrashLoop!")] {
        for known in [true, false] {
            let mut scene = scene(json!({}));
            if known {
                scene.has(fresh("app-1-x"));
            }
            scene.reconcile(1);
            scene.has(restarted("app-1-x", 6, 180 * MINUTE, run));
            assert_eq!(
                described(&scene.reconcile(180 * MINUTE + 1)),
                [expected],
                "runs of {run} s, known before: {known}"
            );
        }
    }
}

#[test]
fn waiting_in_a_crash_loop_for_long_counts_however_few_restarts_there_are() {
    let mut scene = scene(json!({"health": {"restarts": {"threshold": 30}}}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    let last = json!({"lastState": end(1, "Error", 5, 6)});
    scene.has(pod(
        "app-1-x",
        &json!({"status": {"containerStatuses": [with(waits("app", "CrashLoopBackOff", 1), &last)]}}),
    ));
    assert_eq!(described(&scene.pass(10, 309)), ["app CrashLoop"]);
    assert_eq!(described(&scene.reconcile(310)), ["app CrashLoop!"]);
}

#[test]
fn a_crash_loop_goes_on_through_the_moments_in_which_the_container_runs() {
    let mut scene = scene(json!({"health": {"restarts": {"threshold": 30}}}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    let last = |count: u32| json!({"lastState": end(1, "Error", i64::from(count) * 80 - 2, i64::from(count) * 80)});
    let mut found = Vec::new();
    for count in 1..=5 {
        let now = i64::from(count) * 80;
        let waiting = with(waits("app", "CrashLoopBackOff", count - 1), &last(count));
        scene.has(pod("app-1-x", &json!({"status": {"containerStatuses": [waiting]}})));
        found = described(&scene.reconcile(now));
        let running = with(runs("app", now + 40, true, count), &last(count));
        scene.has(pod("app-1-x", &json!({"status": {"conditions": ready(now + 40), "containerStatuses": [running]}})));
        scene.reconcile(now + 40);
    }
    assert_eq!(found, ["app CrashLoop!"], "320 s after the first wait");
}

#[test]
fn ready_without_a_restart_for_the_stabilization_time_is_well_whatever_was_before() {
    let mut scene = scene(json!({}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    for count in 1..=6 {
        scene.has(restarted("app-1-x", count, i64::from(count) * MINUTE, 5));
        scene.reconcile(i64::from(count) * MINUTE);
    }
    assert_eq!(described(&scene.reconcile(361)), ["app CrashLoop!"]);
    let last = json!({"lastState": end(1, "Error", 355, 360)});
    let well =
        json!({"status": {"conditions": ready(362), "containerStatuses": [with(runs("app", 360, true, 6), &last)]}});
    scene.has(pod("app-1-x", &well));
    assert_eq!(described(&scene.reconcile(400)), ["app CrashLoop!"], "not yet");
    let decision = scene.reconcile(360 + 300);
    assert_eq!((described(&decision), decision.verdict.health.as_str()), (vec!["app CrashLoop".to_owned()], "Healthy"));
}

#[test]
fn exit_codes_that_are_no_failure_count_neither_as_restarts_nor_as_a_loop() {
    let mut scene = scene(json!({"health": {"ignoreExitCodes": [143]}}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    for count in 1..=8 {
        let now = i64::from(count) * MINUTE;
        let last = json!({"lastState": end(143, "Error", now - 10, now - 5)});
        let waiting = with(waits("app", "CrashLoopBackOff", count), &last);
        scene.has(pod("app-1-x", &json!({"status": {"containerStatuses": [waiting]}})));
        assert!(described(&scene.reconcile(now)).is_empty(), "restart {count}");
    }
    assert!(described(&scene.reconcile(3600)).is_empty(), "an hour in CrashLoopBackOff");
    let last = json!({"lastState": end(1, "Error", 3600, 3601)});
    scene.has(pod(
        "app-1-x",
        &json!({"status": {"containerStatuses": [with(waits("app", "CrashLoopBackOff", 9), &last)]}}),
    ));
    assert_eq!(described(&scene.reconcile(3602)), ["app CrashLoop"], "another code is another matter");
}

#[test]
fn a_counter_that_falls_is_no_restart() {
    let mut scene = scene(json!({}));
    scene.has(restarted("app-1-x", 9, 0, 5));
    scene.reconcile(1);
    scene.has(restarted("app-1-x", 3, 0, 5));
    scene.reconcile(2);
    assert_eq!(scene.status().restarts_in_window, Some(1));
}

#[test]
fn what_crashes_is_not_called_recovered_for_the_minute_that_it_looks_well() {
    let degraded = |decision: &Decision| {
        let all = decision.conditions.iter();
        all.filter(|one| one.kind == ConditionType::Degraded).map(|one| (one.status, one.message.clone())).next_back()
    };
    let mut scene = scene(json!({}));
    scene.has(fresh("app-1-x"));
    scene.reconcile(1);
    for count in 1..=3 {
        let now = i64::from(count) * 2 * MINUTE;
        scene.has(restarted("app-1-x", count, now, 30));
        scene.reconcile(now);
        let last = json!({"lastState": end(1, "Error", now - 30, now)});
        let again = with(runs("app", now, true, count), &last);
        scene.has(pod("app-1-x", &json!({"status": {"conditions": ready(now + 5), "containerStatuses": [again]}})));
        let decision = scene.pass(now + 5, now + 5 + MINUTE - 1);
        assert_eq!(decision.verdict.health, Health::Healthy);
        let (status, message) = degraded(&decision).unwrap();
        assert_eq!(status, Truth::True, "crash {count}");
        assert!(message.starts_with("1 of 1 pods ready, but not yet for 1m: app exited 1"), "{message}");
        assert!(message.ends_with(&format!("; {count} of 5 restarts allowed in 30m")), "{message}");
    }
    let decision = scene.pass(6 * MINUTE + 65, 6 * MINUTE + 66);
    assert_eq!(degraded(&decision), Some((Truth::False, "not degraded".to_owned())));
}
