//! The rules of the house that no lint knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Paths named by `use` lines and by code.
fn mentions(text: &str, name: &str) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| line.contains(&format!("{name}::")))
}

#[test]
fn the_core_knows_neither_kubernetes_nor_a_runtime_nor_a_clock() {
    let strangers = ["kube", "k8s_openapi", "tokio", "serde", "serde_json", "tracing", "Timestamp::now", "SystemTime"];
    for (path, text) in sources("src/healing") {
        for stranger in strangers {
            assert!(
                !mentions(&text, stranger) && !text.contains("Timestamp::now"),
                "{} uses {stranger}",
                path.display()
            );
        }
        for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
            assert!(line.contains("healing"), "{}: the core looks outside: {line}", path.display());
        }
    }
}

#[test]
fn only_some_modules_talk_to_the_api_server() {
    let allowed = [
        "observe",
        "execute",
        "publish",
        "leader",
        "controller",
        "preflight",
        "main",
        "explain",
        "error",
        "api",
        "server",
        "wait",
        "bin",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (path, text) in sources("src") {
        let module = path.strip_prefix(&root).unwrap().components().next().unwrap();
        let module = module.as_os_str().to_str().unwrap().trim_end_matches(".rs");
        assert!(allowed.contains(&module) || !mentions(&text, "kube"), "{} uses kube", path.display());
    }
}

#[test]
fn only_the_clock_reads_time() {
    for folder in ["src", "cli/src", "e2e/src", "tinykube/src", "tinykube/golden/src"] {
        for (path, text) in sources(folder) {
            let is_clock = path.file_name().is_some_and(|name| name == "clock.rs");
            for reads in ["Timestamp::now()", "SystemTime::now()", "Zoned::now()", "std::time::Instant::now()"] {
                assert!(is_clock || !text.contains(reads), "{} has {reads}", path.display());
            }
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    for folder in ["src", "cli/src", "e2e/src", "tinykube/src", "tinykube/golden/src"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{} has {lines} lines: two concepts?", path.display());
            assert!(
                text.starts_with("//!") || text.starts_with("#![doc"),
                "{} does not say what it is for",
                path.display()
            );
            let name = path.file_stem().unwrap().to_str().unwrap();
            let vague = ["utils", "util", "helpers", "helper", "common", "misc", "manager"];
            assert!(!vague.contains(&name), "{}: a name from the field, please", path.display());
        }
    }
}
