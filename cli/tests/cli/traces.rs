//! Every recording of a real cluster, and what must be said about it while it plays.
//!
//! The expected values follow from what was done during the recording (see `tinykube/tests/traces/README.md`) and from what
//! each cause is; none is taken from what the program prints.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

use crate::run::{file, repository, run};

/// At so many seconds: health, findings as "container cause" (a finding about the whole pod has no container), and what is
/// planned or why it is held back.
type Moment = (f64, &'static str, &'static [&'static str], &'static str);

struct Recording {
    name: &'static str,
    kind: &'static str,
    workload: &'static str,
    moments: &'static [Moment],
}

const fn of(name: &'static str, kind: &'static str, workload: &'static str, moments: &'static [Moment]) -> Recording {
    Recording { name, kind, workload, moments }
}

const fn deployment(name: &'static str, moments: &'static [Moment]) -> Recording {
    of(name, "Deployment", "app", moments)
}

const CANNOT_HELP: &str = "held RestartCannotHelp";
const ROLLING: &str = "held RolloutInProgress";
const RUNS: &str = "held NotYet";

const RECORDINGS: [Recording; 22] = [
    deployment(
        "healthy",
        &[
            (3.0, "Starting", &[], ""),
            (10.0, "Healthy", &[], ""),
            // A rollout restart that never takes a pod away before the next one is ready.
            (65.2, "Healthy", &[], ""),
            (590.0, "Healthy", &[], ""),
        ],
    ),
    // Two pods that exit with 1 after a second. The first has its fifth restart at 175.6 s.
    deployment(
        "crashloop",
        &[
            (4.0, "Starting", &[], ""),
            (5.5, "Healthy", &[], ""),
            (6.0, "Degraded", &["app CrashLoop"], ""),
            (10.0, "Degraded", &["app CrashLoop", "app CrashLoop"], ""),
            (170.0, "Degraded", &["app CrashLoop", "app CrashLoop"], ""),
            (176.5, "Unhealthy", &["app CrashLoop", "app CrashLoop"], RUNS),
            (178.0, "Unhealthy", &["app CrashLoop", "app CrashLoop"], "RestartPod"),
            (590.0, "Unhealthy", &["app CrashLoop", "app CrashLoop"], "RestartPod"),
        ],
    ),
    // Killed by the liveness probe every 22 s, and four times without CrashLoopBackOff. The first fifth restart is at 157.6 s.
    deployment(
        "liveness-fails",
        &[
            (20.0, "Healthy", &[], ""),
            (25.0, "Degraded", &[], ""),
            (27.1, "Degraded", &["app LivenessFailed", "app LivenessFailed"], ""),
            (60.0, "Healthy", &["app LivenessFailed", "app LivenessFailed"], ""),
            (150.0, "Degraded", &["app LivenessFailed", "app LivenessFailed"], ""),
            (165.0, "Unhealthy", &["app LivenessFailed", "app LivenessFailed"], RUNS),
            (174.0, "Unhealthy", &["app LivenessFailed", "app LivenessFailed"], "RestartPod"),
            (590.0, "Unhealthy", &["app LivenessFailed", "app LivenessFailed"], "RestartPod"),
        ],
    ),
    // The fifth restart is at 180.6 s.
    deployment(
        "oom-killed",
        &[
            (8.0, "Healthy", &[], ""),
            (9.3, "Degraded", &["app OOMKilled"], ""),
            (170.0, "Degraded", &["app OOMKilled"], ""),
            (182.0, "Unhealthy", &["app OOMKilled"], RUNS),
            (184.0, "Unhealthy", &["app OOMKilled"], "RestartPod"),
            (590.0, "Unhealthy", &["app OOMKilled"], "RestartPod"),
        ],
    ),
    // Never passes its startup probe, so the first rollout never ends. The fifth restart is at 93.3 s.
    deployment(
        "startup-fails",
        &[
            (12.0, "Starting", &[], ""),
            (18.0, "Degraded", &["app StartupFailed"], ""),
            (90.0, "Degraded", &["app StartupFailed"], ""),
            (95.0, "Unhealthy", &["app StartupFailed"], ROLLING),
            (590.0, "Unhealthy", &["app StartupFailed"], ROLLING),
        ],
    ),
    // Runs from 5.8 s on and is never ready.
    deployment(
        "readiness-never",
        &[
            (10.0, "Starting", &[], ""),
            (30.0, "Degraded", &["app ReadinessFailed"], ""),
            (300.0, "Degraded", &["app ReadinessFailed"], ""),
            (310.0, "Unhealthy", &["app ReadinessFailed"], ROLLING),
            (590.0, "Unhealthy", &["app ReadinessFailed"], ROLLING),
        ],
    ),
    // Ready for ten seconds, not ready for ten seconds, and so on: nothing lasts.
    deployment(
        "readiness-flaps",
        &[
            (10.0, "Healthy", &[], ""),
            (20.0, "Degraded", &[], ""),
            (300.0, "Degraded", &[], ""),
            (310.0, "Healthy", &[], ""),
            (590.0, "Healthy", &[], ""),
        ],
    ),
    deployment(
        "image-pull",
        &[
            (5.0, "Starting", &[], ""),
            (6.0, "Degraded", &["app ImagePull"], CANNOT_HELP),
            (300.0, "Degraded", &["app ImagePull"], CANNOT_HELP),
            (310.0, "Unhealthy", &["app ImagePull"], CANNOT_HELP),
            (590.0, "Unhealthy", &["app ImagePull"], CANNOT_HELP),
        ],
    ),
    // The missing Secret appears before the trouble has lasted.
    deployment(
        "config-error",
        &[
            (5.0, "Starting", &[], ""),
            (10.0, "Degraded", &["app ConfigError"], CANNOT_HELP),
            (149.0, "Degraded", &["app ConfigError"], CANNOT_HELP),
            (151.0, "Healthy", &[], ""),
            (590.0, "Healthy", &[], ""),
        ],
    ),
    deployment(
        "init-fails",
        &[
            (9.0, "Starting", &[], ""),
            (9.3, "Degraded", &["wait-db InitFailed"], CANNOT_HELP),
            (300.0, "Degraded", &["wait-db InitFailed"], CANNOT_HELP),
            (310.0, "Unhealthy", &["wait-db InitFailed"], CANNOT_HELP),
            (590.0, "Unhealthy", &["wait-db InitFailed"], CANNOT_HELP),
        ],
    ),
    deployment(
        "unschedulable",
        &[
            (10.0, "Degraded", &["Unschedulable"], CANNOT_HELP),
            (300.0, "Degraded", &["Unschedulable"], CANNOT_HELP),
            (310.0, "Unhealthy", &["Unschedulable"], CANNOT_HELP),
            (590.0, "Unhealthy", &["Unschedulable"], CANNOT_HELP),
        ],
    ),
    // The kubelet stops at 15 s; the node is given up at 56.8 s and is back at 166 s.
    deployment(
        "node-lost",
        &[
            (50.0, "Healthy", &[], ""),
            (57.0, "Unknown", &["NodeLost", "NodeLost", "NodeLost"], CANNOT_HELP),
            (165.0, "Unknown", &["NodeLost", "NodeLost", "NodeLost"], CANNOT_HELP),
            (167.0, "Healthy", &[], ""),
            (239.0, "Healthy", &[], ""),
        ],
    ),
    // The sidecar exits with 2; the container beside it is well. The fifth restart is at 213.6 s.
    deployment(
        "sidecar-crashes",
        &[
            (10.0, "Healthy", &[], ""),
            (13.3, "Degraded", &["sidecar CrashLoop"], ""),
            (200.0, "Degraded", &["sidecar CrashLoop"], ""),
            (215.0, "Unhealthy", &["sidecar CrashLoop"], RUNS),
            (220.0, "Unhealthy", &["sidecar CrashLoop"], "RestartPod"),
            (590.0, "Unhealthy", &["sidecar CrashLoop"], "RestartPod"),
        ],
    ),
    // The old pod takes 25 s to go; its successor is ready at once.
    deployment(
        "slow-termination",
        &[(10.0, "Healthy", &[], ""), (90.0, "Healthy", &[], ""), (110.0, "Healthy", &[], "")],
    ),
    deployment("pod-removed", &[(10.0, "Healthy", &[], ""), (336.0, "Healthy", &[], ""), (590.0, "Healthy", &[], "")]),
    deployment("pdb", &[(10.0, "Healthy", &[], ""), (336.0, "Healthy", &[], ""), (590.0, "Healthy", &[], "")]),
    deployment(
        "scaled-to-zero",
        &[
            (10.0, "Healthy", &[], ""),
            (65.0, "Idle", &[], ""),
            (140.0, "Idle", &[], ""),
            (145.3, "Starting", &[], ""),
            (150.0, "Healthy", &[], ""),
        ],
    ),
    // Gone at 64.4 s, and believed to be gone ten seconds later.
    deployment(
        "workload-removed",
        &[
            (60.0, "Healthy", &[], ""),
            (70.0, "Unknown", &[], ""),
            (75.0, "Unhealthy", &[], "RecreateWorkload"),
            (590.0, "Unhealthy", &[], "RecreateWorkload"),
        ],
    ),
    // db-1 crashes and has its fifth restart at 215.6 s; db-2 is deleted at 85 s and has to wait for db-1.
    of(
        "statefulset",
        "StatefulSet",
        "db",
        &[
            (10.0, "Healthy", &[], ""),
            (17.3, "Degraded", &["app CrashLoop"], ""),
            (100.0, "Degraded", &["app CrashLoop"], ""),
            (200.0, "Degraded", &["app CrashLoop"], ""),
            (220.0, "Degraded", &["app CrashLoop"], RUNS),
            (225.0, "Degraded", &["app CrashLoop"], "RestartPod"),
            (590.0, "Degraded", &["app CrashLoop"], "RestartPod"),
        ],
    ),
    // restartPolicy: Never, and an exit with 4.
    of(
        "bare-pods",
        "Pod",
        "once",
        &[
            (10.0, "Healthy", &[], ""),
            (13.5, "Degraded", &["app CrashLoop"], ""),
            (15.0, "Unhealthy", &["Deadlocked"], "RestartPod"),
            (590.0, "Unhealthy", &["Deadlocked"], "RestartPod"),
        ],
    ),
    // restartPolicy: OnFailure. The fifth restart is at 198.6 s.
    of(
        "bare-pods",
        "Pod",
        "onfail",
        &[
            (10.0, "Healthy", &[], ""),
            (12.3, "Degraded", &["app CrashLoop"], ""),
            (190.0, "Degraded", &["app CrashLoop"], ""),
            (200.0, "Unhealthy", &["app CrashLoop"], RUNS),
            (205.0, "Unhealthy", &["app CrashLoop"], "RestartPod"),
        ],
    ),
    // Nobody ever made this one.
    of("healthy", "Deployment", "nobody", &[(30.0, "Unhealthy", &[], "held WorkloadNotFound")]),
];

fn recorded(name: &str) -> PathBuf {
    repository().join(format!("tinykube/tests/traces/{name}.jsonl"))
}

/// Replays lines of a recording for a workload, with the default policy.
fn replay(text: &str, recording: &Recording) -> Vec<Value> {
    let Recording { name, kind, workload, .. } = recording;
    let directory = tempfile::tempdir().unwrap();
    let spec = format!(
        "apiVersion: kubeheal.dev/v1alpha1\nkind: HealedService\nmetadata: {{name: {workload}}}\n\
         spec:\n  workloadRef: {{kind: {kind}, name: {workload}}}\n"
    );
    let (spec, trace) = (file(&directory, "spec.yaml", &spec), file(&directory, "trace.jsonl", text));
    let ran = run(&["replay", &trace, "--spec", &spec, "--output", "json"]);
    assert_eq!(ran.code, 0, "{name}: {}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(recorded(name)).unwrap()
}

/// What stands at a moment: health, findings, and the plan or the first reason against it.
fn standing(lines: &[Value], t: f64) -> (String, Vec<String>, String) {
    let line = lines.iter().rev().find(|line| line["t"].as_f64().unwrap() <= t).expect("a line before it");
    let mut found: Vec<_> = findings(line).collect();
    found.sort();
    let plan = line["plan"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap().to_owned());
    let held = line["blockedBy"].as_array().unwrap().iter().map(|block| format!("held {}", text_of(&block["reason"])));
    (text_of(&line["health"]), found, plan.chain(held).next().unwrap_or_default())
}

fn findings(line: &Value) -> impl Iterator<Item = String> {
    line["findings"].as_array().unwrap().iter().map(|finding| {
        format!("{} {}", text_of(&finding["container"]), text_of(&finding["cause"])).trim_start().to_owned()
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn all_recordings_are_in_the_table() {
    let folder = repository().join("tinykube/tests/traces");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let recordings = files.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    let there: BTreeSet<_> = recordings.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let listed: BTreeSet<_> = RECORDINGS.iter().map(|recording| recording.name.to_owned()).collect();
    assert_eq!(there, listed);
}

#[test]
fn at_each_moment_health_causes_and_plan_are_what_the_recording_shows() {
    let mut wrong = Vec::new();
    for recording in &RECORDINGS {
        let lines = replay(&text(recording.name), recording);
        for (t, health, findings, then) in recording.moments {
            let expected =
                ((*health).to_owned(), findings.iter().map(|one| (*one).to_owned()).collect(), (*then).to_owned());
            let seen = standing(&lines, *t);
            if seen != expected {
                wrong.push(format!(
                    "{}/{} at {t}: {seen:?} instead of {expected:?}",
                    recording.name, recording.workload
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_cause_is_ever_named_and_no_step_ever_planned_but_those_of_the_recording() {
    for recording in &RECORDINGS {
        let lines = replay(&text(recording.name), recording);
        let expected: BTreeSet<_> =
            recording.moments.iter().flat_map(|moment| moment.2).map(|one| (*one).to_owned()).collect();
        let named: BTreeSet<_> = lines.iter().flat_map(findings).collect();
        assert_eq!(named, expected, "{}/{}", recording.name, recording.workload);
        let steps = |then: &&'static str| !then.is_empty() && !then.starts_with("held ");
        let expected: BTreeSet<_> =
            recording.moments.iter().map(|moment| moment.3).filter(steps).map(str::to_owned).collect();
        let planned = lines.iter().flat_map(|line| line["plan"].as_array().unwrap());
        let planned: BTreeSet<_> = planned.map(|step| text_of(&step["step"])).collect();
        assert_eq!(planned, expected, "{}/{}", recording.name, recording.workload);
        assert!(lines.iter().all(|line| line["breaker"] == "Closed"), "{}", recording.name);
    }
}

#[test]
fn the_probe_behind_a_cause_is_named() {
    for (name, probe) in [
        ("startup-fails", "Startup"),
        ("liveness-fails", "Liveness"),
        ("readiness-never", "Readiness"),
        ("crashloop", ""),
        ("oom-killed", ""),
        ("node-lost", ""),
    ] {
        let recording = RECORDINGS.iter().find(|recording| recording.name == name).unwrap();
        let lines = replay(&text(name), recording);
        let all = lines.iter().flat_map(|line| line["findings"].as_array().unwrap());
        let probes: BTreeSet<_> = all.map(|finding| text_of(&finding["probe"])).collect();
        assert_eq!(probes, BTreeSet::from([probe.to_owned()]), "{name}");
    }
}

/// The lines of a recording that say something else than Events.
fn without_events(name: &str) -> String {
    let text = text(name);
    let keep = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["resource"] != "events";
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

#[test]
fn events_decide_nothing() {
    for recording in &RECORDINGS {
        let with = replay(&text(recording.name), recording);
        let without = replay(&without_events(recording.name), recording);
        let decided = |lines: &[Value]| {
            let mut said: Vec<_> = lines.iter().map(|line| (line["health"].clone(), line["plan"].clone())).collect();
            said.dedup();
            said
        };
        assert_eq!(decided(&with), decided(&without), "{}/{}", recording.name, recording.workload);
        for (t, ..) in recording.moments {
            assert_eq!(standing(&with, *t), standing(&without, *t), "{} at {t}", recording.name);
        }
    }
}

/// What somebody sees who begins to watch at `from`: each object as it was then, and all that came later.
fn from(name: &str, from: f64) -> String {
    let mut known: Vec<(String, Value)> = Vec::new();
    let mut later = Vec::new();
    for line in text(name).lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        if event["t"].as_f64().unwrap() >= from {
            later.push(line.to_owned());
            continue;
        }
        let id = format!("{} {}", event["resource"], event["object"]["metadata"]["name"]);
        known.retain(|(other, _)| *other != id);
        if event["type"] != "DELETED" {
            event["type"] = "ADDED".into();
            event["t"] = from.into();
            known.push((id, event));
        }
    }
    let mut lines: Vec<_> = known.iter().map(|(_, event)| event.to_string()).collect();
    lines.extend(later);
    lines.join("\n")
}

#[test]
fn restarts_from_before_it_was_watched_are_not_held_against_a_pod() {
    for name in ["crashloop", "liveness-fails", "oom-killed", "sidecar-crashes"] {
        let recording = RECORDINGS.iter().find(|recording| recording.name == name).unwrap();
        // Seven restarts are on the counter, one of which can be dated.
        let lines = replay(&from(name, 400.0), recording);
        let soon: Vec<_> = lines.iter().filter(|line| line["t"].as_f64().unwrap() < 590.0).collect();
        assert!(!soon.is_empty());
        assert!(soon.iter().all(|line| line["plan"].as_array().unwrap().is_empty()), "{name}: {soon:?}");
        assert!(
            soon.iter().any(|line| !line["findings"].as_array().unwrap().is_empty()),
            "{name}: it is said all the same"
        );
    }
}
