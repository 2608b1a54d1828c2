//! More containers in trouble than can be remembered: each of them ages all the same.

use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, end, pod, ready, runs, stamp, waits, with};

const PODS: u32 = 300;

/// Everything changes at this second.
const TURN: i64 = 600;

fn name(index: u32) -> String {
    format!("app-1-{index:03}")
}

fn well(index: u32) -> Value {
    pod(&name(index), &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}))
}

fn unready(index: u32, container: &Value, more: &Value) -> Value {
    let conditions = json!([
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(TURN)},
    ]);
    let status = json!({"status": {"conditions": conditions, "containerStatuses": [container]}});
    with(pod(&name(index), &status), more)
}

/// A trouble that all pods get into.
type Trouble = fn(u32) -> Value;

#[test]
fn what_all_of_three_hundred_pods_suffer_from_is_counted_in_all_of_them_however_often_one_looks() {
    let not_ready: Trouble = |index| unready(index, &runs("app", 0, false, 0), &json!({}));
    let crash_loop: Trouble = |index| {
        let last = json!({"lastState": end(1, "Error", TURN - 10, TURN)});
        unready(index, &with(waits("app", "CrashLoopBackOff", 5), &last), &json!({}))
    };
    let deleting: Trouble = |index| {
        let more = json!({"metadata": {"deletionTimestamp": stamp(TURN), "finalizers": ["example.com/lock"]}});
        unready(index, &runs("app", 0, false, 0), &more)
    };
    for (what, trouble) in [("not ready", not_ready), ("crash loop", crash_loop), ("deleting", deleting)] {
        let mut seen = Vec::new();
        for step in [5, 61, 900] {
            let mut scene = Scene::new("Deployment", json!({"remediation": {"mode": "Observe"}}));
            scene.has_all(deployment(PODS, &json!({})));
            scene.has_all((0..PODS).map(well));
            scene.reconcile(0);
            for index in 0..PODS {
                scene.has(trouble(index));
            }
            scene.reconcile(TURN);
            let mut from = TURN;
            while from < TURN + 900 {
                scene.pass(from, (from + step).min(TURN + 900));
                from += step;
            }
            let decision = scene.reconcile(TURN + 900);
            let over = decision.findings.iter().filter(|finding| finding.over_threshold).count();
            seen.push((decision.verdict.health.as_str(), over));
        }
        let all = ("Unhealthy", usize::try_from(PODS).unwrap());
        assert_eq!(seen, [all, all, all], "{what}");
    }
}
