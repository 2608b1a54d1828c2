//! `healctl replay` on recordings of a real cluster: what is seen, and above all what is not done.

use serde_json::Value;

use crate::run::{file, repository, run};

fn trace(name: &str) -> String {
    repository().join(format!("tinykube/tests/traces/{name}.jsonl")).to_str().unwrap().to_owned()
}

fn spec(kind: &str, workload: &str, more: &str) -> String {
    format!(
        "apiVersion: kubeheal.dev/v1alpha1\nkind: HealedService\nmetadata: {{name: {workload}}}\n\
         spec:\n  workloadRef: {{kind: {kind}, name: {workload}}}\n{more}"
    )
}

/// Replays a recording for one workload with the default policy.
fn replay_of(name: &str, kind: &str, workload: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let spec = file(&directory, "spec.yaml", &spec(kind, workload, ""));
    let ran = run(&["replay", &trace(name), "--spec", &spec, "--output", "json"]);
    assert_eq!(ran.code, 0, "{name}: {}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn replay(name: &str) -> Vec<Value> {
    replay_of(name, "Deployment", "app")
}

/// Steps planned at any time.
fn steps(lines: &[Value]) -> Vec<&str> {
    let plans = lines.iter().flat_map(|line| line["plan"].as_array().unwrap());
    let mut steps: Vec<_> = plans.map(|plan| plan["step"].as_str().unwrap()).collect();
    steps.dedup();
    steps
}

fn findings(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().flat_map(|line| line["findings"].as_array().unwrap())
}

fn causes(lines: &[Value]) -> Vec<&str> {
    let mut causes: Vec<_> = findings(lines).map(|finding| finding["cause"].as_str().unwrap()).collect();
    causes.sort_unstable();
    causes.dedup();
    causes
}

fn last_health(lines: &[Value]) -> &str {
    lines.last().unwrap()["health"].as_str().unwrap()
}

#[test]
fn nothing_is_planned_where_a_restart_cannot_help_or_is_not_needed() {
    for name in [
        "healthy",
        "node-lost",
        "unschedulable",
        "image-pull",
        "config-error",
        "init-fails",
        "scaled-to-zero",
        "pod-removed",
        "readiness-flaps",
        "slow-termination",
        "pdb",
    ] {
        let lines = replay(name);
        assert_eq!(steps(&lines), [""; 0], "{name}");
        assert!(lines.iter().all(|line| line["breaker"] == "Closed"), "{name}");
    }
}

#[test]
fn the_cause_is_named() {
    for (name, cause, probe) in [
        ("oom-killed", "OOMKilled", None),
        ("startup-fails", "StartupFailed", Some("Startup")),
        ("liveness-fails", "LivenessFailed", Some("Liveness")),
        ("readiness-never", "ReadinessFailed", Some("Readiness")),
        ("crashloop", "CrashLoop", None),
        ("init-fails", "InitFailed", None),
        ("image-pull", "ImagePull", None),
        ("config-error", "ConfigError", None),
        ("unschedulable", "Unschedulable", None),
        ("node-lost", "NodeLost", None),
    ] {
        let lines = replay(name);
        let named = findings(&lines).any(|finding| finding["cause"] == cause && finding["probe"].as_str() == probe);
        assert!(named, "{name}: {:?}", causes(&lines));
    }
}

#[test]
fn a_crash_loop_is_restarted_once_it_lasts() {
    let lines = replay("crashloop");
    assert_eq!(steps(&lines), ["RestartPod"]);
    let first = lines.iter().find(|line| line["plan"][0]["step"] == "RestartPod").unwrap();
    assert!(first["t"].as_f64().unwrap() > 60.0, "a few crashes are not a loop: {first}");
    assert_eq!(first["blockedBy"], Value::Array(Vec::new()));
    assert!(first["plan"][0]["target"].as_str().unwrap().starts_with("app-"));
    assert_eq!(steps(&replay("oom-killed")), ["RestartPod"]);
    assert_eq!(steps(&replay("liveness-fails")), ["RestartPod"]);
}

#[test]
fn a_sidecar_is_named_and_its_neighbour_is_not() {
    let lines = replay("sidecar-crashes");
    let crashing: Vec<_> = findings(&lines).filter(|finding| finding["cause"] == "CrashLoop").collect();
    assert!(!crashing.is_empty());
    assert!(crashing.iter().all(|finding| finding["container"] == "sidecar"), "{crashing:?}");
}

#[test]
fn a_removed_workload_is_recreated_once_that_is_certain() {
    let lines = replay("workload-removed");
    assert_eq!(steps(&lines), ["RecreateWorkload"]);
    let last = lines.last().unwrap();
    assert_eq!(last["plan"][0]["target"], "app");
    assert_eq!(last["health"], "Unhealthy");
    let gone = lines.iter().find(|line| line["health"] == "Unknown").unwrap()["t"].as_f64().unwrap();
    assert!(last["t"].as_f64().unwrap() >= gone + 9.0, "asked twice, ten seconds apart: {last}");
}

#[test]
fn scaled_to_zero_is_idle_and_what_comes_back_is_healthy() {
    let lines = replay("scaled-to-zero");
    assert!(lines.iter().any(|line| line["health"] == "Idle"));
    assert_eq!(last_health(&lines), "Healthy");
    for name in ["healthy", "pod-removed", "slow-termination", "pdb", "config-error", "node-lost"] {
        assert_eq!(last_health(&replay(name)), "Healthy", "{name}");
    }
}

#[test]
fn a_stateful_set_and_a_bare_pod_can_be_replayed() {
    let lines = replay_of("statefulset", "StatefulSet", "db");
    assert!(findings(&lines).any(|finding| finding["pod"] == "db-1" && finding["cause"] == "CrashLoop"));
    let lines = replay_of("bare-pods", "Pod", "onfail");
    assert!(causes(&lines).contains(&"CrashLoop"), "{lines:?}");
}

#[test]
fn each_line_has_exactly_these_keys_and_is_new() {
    let lines = replay("crashloop");
    for line in &lines {
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["t", "health", "findings", "plan", "breaker", "blockedBy"]);
    }
    let said = |line: &Value| {
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("t");
        line
    };
    assert!(lines.windows(2).all(|pair| said(&pair[0]) != said(&pair[1])));
    let finding = findings(&lines).next().unwrap().as_object().unwrap();
    assert_eq!(finding.keys().collect::<Vec<_>>(), ["pod", "container", "probe", "cause"]);
    assert!(lines.windows(2).all(|pair| pair[0]["t"].as_f64() <= pair[1]["t"].as_f64()));
}

#[test]
fn a_service_that_observes_says_so_and_plans_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let spec = file(&directory, "spec.yaml", &spec("Deployment", "app", "  mode: Observe\n"));
    let ran = run(&["replay", &trace("crashloop"), "--spec", &spec, "-o", "json"]);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(steps(&lines), [""; 0]);
    assert!(lines.iter().any(|line| line["blockedBy"][0]["reason"] == "Observing"), "{}", ran.out);
}

#[test]
fn a_spec_takes_the_namespace_of_the_recording() {
    let directory = tempfile::tempdir().unwrap();
    let own = file(&directory, "own.yaml", &spec("Deployment", "app", ""));
    let ran = run(&["replay", &trace("healthy"), "--spec", &own]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let elsewhere = spec("Deployment", "app", "").replace("{name: app}\nspec", "{name: app, namespace: shop}\nspec");
    let elsewhere = file(&directory, "elsewhere.yaml", &elsewhere);
    let ran = run(&["replay", &trace("healthy"), "--spec", &elsewhere]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("shop") && ran.err.contains("using healthy"), "{}", ran.err);
    assert!(ran.out.contains("Healthy"));
}

#[test]
fn what_cannot_be_read_is_told_by_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let good = file(&directory, "spec.yaml", &spec("Deployment", "app", ""));
    let lines = std::fs::read_to_string(trace("healthy")).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    for (bad, problem) in [
        ("{\"t\": 1,", "is not a line of a recording"),
        (r#"{"t": -1, "resource": "pods", "type": "ADDED", "object": {}}"#, "t is -1"),
        (r#"{"t": 1e300, "resource": "pods", "type": "ADDED", "object": {}}"#, "seconds since"),
        (r#"{"t": 1, "resource": "pods", "type": "ADDED", "object": {}}"#, "metadata.name is missing"),
        (r#"{"t": 1, "resource": "pods", "type": "BORN", "object": {"metadata": {"name": "a"}}}"#, "BORN"),
        (
            r#"{"t": 1, "resource": "pods", "type": "ADDED", "object": {"metadata": {"name": "a"}, "status": 7}}"#,
            "pods",
        ),
    ] {
        let content = format!("{}\n{}\n{bad}\n", lines[0], lines[1]);
        let trace = file(&directory, "trace.jsonl", &content);
        let ran = run(&["replay", &trace, "--spec", &good]);
        ran.fails(2, &format!("{trace}:3: "));
        ran.fails(2, problem);
    }
    run(&["replay", "no-such-trace.jsonl", "--spec", &good]).fails(2, "no-such-trace.jsonl");
    run(&["replay", &file(&directory, "empty.jsonl", ""), "--spec", &good]).fails(2, "holds no events");
    run(&["replay", &trace("healthy"), "--spec", "no-such-spec.yaml"]).fails(2, "no-such-spec.yaml");

    let misspelt = file(&directory, "misspelt.yaml", &spec("Deployment", "app", "  health:\n    notReadySecond: 5\n"));
    run(&["replay", &trace("healthy"), "--spec", &misspelt]).fails(2, "misspelt.yaml:7: spec.health.notReadySecond");
    let broken = file(&directory, "broken.yaml", "apiVersion: kubeheal.dev/v1alpha1\nkind: [\n");
    run(&["replay", &trace("healthy"), "--spec", &broken]).fails(2, "broken.yaml:");
}

#[test]
fn people_get_readable_lines() {
    let directory = tempfile::tempdir().unwrap();
    let spec = file(&directory, "spec.yaml", &spec("Deployment", "app", ""));
    let ran = run(&["replay", &trace("workload-removed"), "--spec", &spec]);
    assert!(ran.out.lines().last().unwrap().ends_with("Unhealthy  → RecreateWorkload app"), "{}", ran.out);
}
