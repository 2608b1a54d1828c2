//! How a container ended, and which probe is named for it.

use kubeheal_core::model::cause::Probe;
use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, end, pod, ready, runs, stamp, with};

use self::Before::{Ready, Starting, Unready, Unseen};

/// How the container was when it was seen last before its end.
#[derive(Debug, Clone, Copy)]
enum Before {
    Ready,
    Unready,
    Starting,
    Unseen,
}

struct Row {
    what: &'static str,
    probes: &'static str,
    before: Before,
    /// Exit code, reason, seconds that it ran.
    end: (i32, &'static str, i64),
    /// Probe that a Killing Event named, and how many seconds before the end.
    event: Option<(&'static str, i64)>,
    cause: (&'static str, Option<Probe>),
}

const NONE: &str = "{}";
/// Ten seconds and three failures: not before 20 s.
const LIVENESS: &str = r#"{"livenessProbe": {"periodSeconds": 10, "failureThreshold": 3}}"#;
const STARTUP: &str = r#"{"startupProbe": {"periodSeconds": 5, "failureThreshold": 6}}"#;
const BOTH: &str = r#"{"startupProbe": {"periodSeconds": 5, "failureThreshold": 6}, "livenessProbe": {}}"#;

const fn row(
    what: &'static str,
    probes: &'static str,
    before: Before,
    end: (i32, &'static str, i64),
    cause: (&'static str, Option<Probe>),
) -> Row {
    Row { what, probes, before, end, event: None, cause }
}

impl Row {
    const fn with_event(self, probe: &'static str, earlier: i64) -> Row {
        Row { event: Some((probe, earlier)), ..self }
    }
}

const CRASH: (&str, Option<Probe>) = ("CrashLoop", None);
const MEMORY: (&str, Option<Probe>) = ("OOMKilled", None);
const LIVE: (&str, Option<Probe>) = ("LivenessFailed", Some(Probe::Liveness));
const NODE: (&str, Option<Probe>) = ("NodeRestarted", None);
const START: (&str, Option<Probe>) = ("StartupFailed", Some(Probe::Startup));

#[rustfmt::skip]
const ROWS: [Row; 26] = [
    row("an error", NONE, Ready, (1, "Error", 60), CRASH),
    row("an error beside a liveness probe", LIVENESS, Unready, (1, "Error", 60), CRASH),
    row("out of memory", LIVENESS, Unready, (137, "OOMKilled", 60), MEMORY),
    row("out of memory, whatever an Event says", LIVENESS, Ready, (137, "OOMKilled", 60), MEMORY).with_event("liveness", 2),
    row("killed after its grace", LIVENESS, Ready, (137, "Error", 60), LIVE),
    row("killed sooner than the probe can", LIVENESS, Ready, (137, "Error", 3), CRASH),
    row("killed, and there is no probe", NONE, Unready, (137, "Error", 60), CRASH),
    row("terminated by somebody while it was well", LIVENESS, Ready, (143, "Error", 60), CRASH),
    row("terminated while it was not ready, and nobody says by whom", LIVENESS, Unready, (143, "Error", 60), CRASH),
    row("terminated, and an Event says why", LIVENESS, Ready, (143, "Error", 60), LIVE).with_event("liveness", 2),
    row("ended politely, and an Event says why", LIVENESS, Ready, (0, "Completed", 60), LIVE).with_event("liveness", 2),
    row("ended with a code of its own, and an Event says why", LIVENESS, Ready, (3, "Error", 60), LIVE).with_event("liveness", 30),
    row("an Event of another end", LIVENESS, Ready, (143, "Error", 900), CRASH).with_event("liveness", 600),
    row("the node restarted", LIVENESS, Ready, (255, "Unknown", 600), NODE),
    row("the runtime lost sight of it", LIVENESS, Unready, (137, "ContainerStatusUnknown", 600), NODE),
    row("ended before it had started", STARTUP, Starting, (1, "Error", 4), CRASH),
    row("killed before it had started", STARTUP, Starting, (137, "Error", 32), START),
    row("ended politely before it had started", STARTUP, Starting, (0, "Completed", 32), CRASH),
    row("killed about when the startup probe gives up", STARTUP, Unseen, (137, "Error", 32), START),
    row("killed long after it had started", BOTH, Unseen, (137, "Error", 900), LIVE),
    row("an error, nobody saw whether it had started", STARTUP, Unseen, (1, "Error", 4), CRASH),
    row("a startup probe, as an Event says", BOTH, Unseen, (143, "Error", 90), START).with_event("startup", 3),
    row("ended politely before it had started, as an Event says", STARTUP, Starting, (0, "Completed", 32), START).with_event("startup", 2),
    row("an Event of the end before, and an error of its own", LIVENESS, Ready, (1, "Error", 60), CRASH).with_event("liveness", 70),
    row("an Event of the end before, and it is killed again", LIVENESS, Ready, (143, "Error", 60), LIVE).with_event("liveness", 70),
    row("had started and was ready", BOTH, Ready, (1, "Error", 32), CRASH),
];

fn play(row: &Row, role: &str) -> (Vec<String>, Option<Probe>, String) {
    let (code, reason, length) = row.end;
    let ends_at = 10_000;
    let from = ends_at - length;
    let spec = with(json!({"name": "app", "restartPolicy": "Always"}), &serde_json::from_str(row.probes).unwrap());
    let (specs, statuses) = match role {
        "sidecar" => ("initContainers", "initContainerStatuses"),
        _ => ("containers", "containerStatuses"),
    };
    let seen = |status: Value| pod("app-1-x", &json!({"spec": {specs: [spec]}, "status": {statuses: [status]}}));
    let mut scene = Scene::new("Deployment", json!({}));
    scene.has_all(deployment(1, &json!({})));
    let before = match row.before {
        Ready => Some(runs("app", from, true, 0)),
        Unready => Some(runs("app", from, false, 0)),
        Starting => Some(with(runs("app", from, false, 0), &json!({"started": false}))),
        Unseen => None,
    };
    let known = before.is_some();
    if let Some(status) = before {
        scene.has(seen(status));
    }
    scene.reconcile(ends_at - 1);
    if let Some((probe, earlier)) = row.event {
        scene.has(json!({
            "kind": "Event", "metadata": {"name": "e"}, "reason": "Killing",
            "message": format!("Container app failed {probe} probe, will be restarted"),
            "involvedObject": {"kind": "Pod", "uid": "uid of app-1-x", "fieldPath": "spec.containers{app}"},
            "lastTimestamp": stamp(ends_at - earlier),
        }));
    }
    // Seen first as it lies there, then as it runs again.
    let last = end(code, reason, from, ends_at);
    if known {
        let dead = json!({"name": "app", "ready": false, "started": false, "restartCount": 0, "state": last});
        scene.has(seen(dead));
        scene.reconcile(ends_at);
    }
    scene.has(seen(with(runs("app", ends_at + 1, false, 1), &json!({"lastState": last, "started": false}))));
    let decision = scene.reconcile(ends_at + 1);
    let causes = decision.findings.iter().map(|finding| finding.cause.as_str().to_owned()).collect();
    let first = decision.findings.first();
    (causes, first.and_then(|finding| finding.probe), first.map(|finding| finding.message.clone()).unwrap_or_default())
}

#[test]
fn every_end_is_named_for_what_is_behind_it() {
    for row in &ROWS {
        for role in ["container", "sidecar"] {
            let (causes, probe, message) = play(row, role);
            assert_eq!(
                (causes, probe),
                (vec![row.cause.0.to_owned()], row.cause.1),
                "{} ({role}): {message}",
                row.what
            );
        }
    }
}

#[test]
fn an_end_is_told_in_words_that_are_true() {
    let table = [
        ("an error", "app exited 1, 1 restart"),
        ("out of memory", "app ran out of memory, 1 restart [OutOfMemory: raise the memory limit or find the leak]"),
        ("terminated by somebody while it was well", "app exited 143 (SIGTERM), 1 restart"),
        ("killed after its grace", "app was killed by its liveness probe, 1 restart"),
        ("ended before it had started", "app exited 1, 1 restart"),
        ("killed before it had started", "app did not start in time for its startup probe, 1 restart"),
    ];
    for (what, message) in table {
        let row = ROWS.iter().find(|row| row.what == what).unwrap();
        let message = format!("{message}; 1 of 5 restarts allowed in 30m");
        assert_eq!(play(row, "container").2, message, "{what}");
    }
}

#[test]
fn what_the_first_events_said_holds_for_the_ends_after_which_the_kubelet_sends_none() {
    let spec = json!([{"name": "app", "livenessProbe": {"periodSeconds": 10}}]);
    let seen = |status: Value| {
        let status = json!({"conditions": ready(0), "containerStatuses": [status]});
        pod("app-1-x", &json!({"spec": {"containers": spec}, "status": status}))
    };
    let mut scene = Scene::new("Deployment", json!({}));
    scene.has_all(deployment(1, &json!({})));
    scene.has(seen(runs("app", 0, true, 0)));
    scene.reconcile(1);
    scene.has(json!({
        "kind": "Event", "metadata": {"name": "e"}, "reason": "Killing",
        "message": "Container app failed liveness probe, will be restarted",
        "involvedObject": {"kind": "Pod", "uid": "uid of app-1-x", "fieldPath": "spec.containers{app}"},
        "lastTimestamp": stamp(100),
    }));
    for restart in 1..=4 {
        let (from, to) = (i64::from(restart - 1) * 600, i64::from(restart - 1) * 600 + 100);
        // A process that handles SIGTERM: nothing but the first Event tells it from one that ends by itself.
        let again = with(runs("app", to, true, restart), &json!({"lastState": end(143, "Error", from, to)}));
        scene.has(seen(again));
        let decision = scene.reconcile(to + 1);
        assert_eq!(decision.findings[0].cause.as_str(), "LivenessFailed", "end {restart}");
    }
}
