//! `healctl replay`: its arguments, its output, and what it says of files that it cannot read. What it finds is told in
//! `traces.rs`.

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
