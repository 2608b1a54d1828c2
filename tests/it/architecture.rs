//! The rules of the architecture that no lint knows.

mod imports;
mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::imports::Crate;

/// Folders with sources.
const SOURCES: [&str; 8] = [
    "core/src",
    "src",
    "cli/src",
    "e2e/src",
    "tinykube/src",
    "tinykube/golden/src",
    "tinykube/node/src",
    "tinykube/crdcheck/src",
];

/// The stages of a decision, in their order.
const STAGES: [&str; 9] = ["observe", "diagnose", "assess", "verify", "circuit", "propose", "gate", "commit", "report"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn sources(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
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
fn the_core_depends_on_nothing_that_talks_runs_or_logs() {
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<&str> = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["jiff", "schemars", "serde", "strum"]);
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    for folder in SOURCES {
        let circle = Crate::read(&root().join(folder)).circle();
        assert!(circle.is_none(), "{folder}: these import each other in a circle: {circle:?}");
    }
}

#[test]
fn a_stage_imports_from_earlier_stages_and_the_model_only() {
    let core = Crate::read(&root().join("core/src"));
    assert_eq!(core.folders_imported_by("model"), BTreeSet::new(), "the model knows no stage");
    for (place, stage) in STAGES.iter().enumerate() {
        let allowed: BTreeSet<String> =
            STAGES[..place].iter().chain(["model"].iter()).map(|name| (*name).to_owned()).collect();
        let imported = core.folders_imported_by(stage);
        assert!(!imported.is_empty(), "{stage} is not there any more");
        let others: Vec<_> = imported.difference(&allowed).collect();
        assert!(others.is_empty(), "{stage} imports from {others:?}");
    }
}

#[test]
fn only_some_modules_talk_to_the_api_server() {
    // `api` and `base` describe objects and errors of it, `controller` writes statuses, `notify` Events.
    let allowed = ["api", "base", "bin", "cluster", "controller", "main", "notify", "ops", "policy"];
    for (path, text) in sources("src") {
        let relative = path.strip_prefix(root().join("src")).unwrap().to_path_buf();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        assert!(allowed.contains(&module) || !mentions(&text, "kube"), "{} uses kube", path.display());
        let asks = ["Client", "Api<", "Api::"].iter().any(|word| text.contains(word));
        let describes = ["api", "base", "policy", "status", "diagnosis"].contains(&module);
        assert!(!describes || !asks, "{} talks to the API server", path.display());
    }
}

#[test]
fn decide_is_a_list_of_stages() {
    let (_, text) = sources("core/src").into_iter().find(|(path, _)| path.ends_with("core/src/lib.rs")).unwrap();
    let begin = text.lines().position(|line| line.starts_with("pub fn decide(")).unwrap();
    let length = text.lines().skip(begin).position(|line| line == "}").unwrap() + 1;
    assert!(length <= 40, "decide has {length} lines");
}

#[test]
fn only_the_clock_reads_time() {
    for folder in SOURCES {
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
    for folder in SOURCES {
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

#[test]
fn names_are_the_words_of_the_field() {
    let mut found = Vec::new();
    for folder in SOURCES.iter().chain(["tests/it", "cli/tests"].iter()) {
        for (path, text) in sources(folder) {
            let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
            for name in words::Names::of(&text).into_iter().chain([file]) {
                if let Some(better) = words::instead(&name) {
                    found.push(format!("{}: {name}: write {better}", path.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "these are private words:\n{}", found.join("\n"));
}
