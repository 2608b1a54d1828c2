//! Situations that people have reported, and what must hold in each: see `tests/cases/README.md`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::{file, repository, run};

/// What must be said of a case while somebody would like to restart a pod.
struct Case {
    name: &'static str,
    /// A cause that is found.
    cause: &'static str,
    /// What is said of why nothing is done.
    says: &'static [&'static str],
}

const CASES: [Case; 3] = [
    Case {
        name: "image-cannot-be-pulled-any-more",
        cause: "ImagePull",
        says: &["app-6b8f9d7c5d-52tfr", "app: ErrImagePull", "pull access denied"],
    },
    Case {
        name: "admission-webhook-down",
        cause: "ConfigError",
        says: &["failed calling webhook", "connection refused"],
    },
    Case {
        name: "secret-deleted-under-running-pods",
        cause: "ConfigError",
        says: &["app-6b8f9d7c5d-97mk9", "app: CreateContainerConfigError", "secret \"app-env\" not found"],
    },
];

/// The one pod that loses its readiness.
const SICK: &str = "app-6b8f9d7c5d-7xscp";

const SPEC: &str = "apiVersion: kubeheal.dev/v1alpha1\nkind: HealedService\nmetadata: {name: app, namespace: shop}\n\
                    spec: {workloadRef: {kind: Deployment, name: app}}\n";

fn replay(name: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let trace = repository().join(format!("cli/tests/cases/{name}.jsonl"));
    let spec = file(&directory, "spec.yaml", SPEC);
    let ran = run(&["replay", trace.to_str().unwrap(), "--spec", &spec, "--output", "json"]);
    assert_eq!(ran.code, 0, "{name}: {}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_cases_are_in_the_table() {
    let files = std::fs::read_dir(repository().join("cli/tests/cases")).unwrap().map(|entry| entry.unwrap().path());
    let recordings = files.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    let there: BTreeSet<_> = recordings.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(there, CASES.iter().map(|case| case.name.to_owned()).collect());
}

#[test]
fn nobody_is_evicted_while_what_would_come_instead_cannot() {
    for Case { name, cause, says } in &CASES {
        let lines = replay(name);
        let planned: Vec<_> = lines.iter().filter(|line| line["plan"] != Value::Array(Vec::new())).collect();
        assert!(planned.is_empty(), "{name}: {planned:?}");
        let found = |line: &Value| line["findings"].as_array().unwrap().iter().any(|found| found["cause"] == *cause);
        assert!(lines.iter().any(found), "{name}: {cause} is found");
        let held = lines.last().unwrap()["blockedBy"][0].clone();
        assert_eq!(held["reason"], "ReplacementUncertain", "{name}: {held}");
        let message = held["message"].as_str().unwrap();
        assert!(message.contains(SICK), "{name}: what would be done is said: {message}");
        for word in *says {
            assert!(message.contains(word), "{name}: {word} is not in: {message}");
        }
    }
}
