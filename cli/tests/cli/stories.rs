//! The list of what is covered, in `stories/README.md`: what it names is there, and what is there is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use kubeheal_core::model::cause::Cause;

use crate::run::repository;

/// A line of one of its tables: the cells before the stories, the stories, and the tests.
struct Line {
    first: Vec<String>,
    stories: Vec<String>,
    tests: Vec<String>,
}

fn list() -> Vec<Line> {
    let readme = std::fs::read_to_string(repository().join("cli/stories/README.md")).unwrap();
    let (_, covered) = readme.split_once("## What is covered").unwrap();
    let is_header = |line: &str| line.starts_with("| |") || line.starts_with("|---");
    let rows = covered.lines().filter(|line| line.starts_with('|') && !is_header(line));
    let names = |cell: &str| -> Vec<String> {
        cell.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [first @ .., stories, tests] = cells.as_slice() else { panic!("{row}") };
        let first = first.iter().map(|cell| (*cell).to_owned()).collect();
        Line { first, stories: names(stories), tests: names(tests) }
    })
    .collect()
}

/// Calls for every file below, but for what is built or brought in.
fn each_file(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("target" | "node_modules" | "__pycache__") => {}
            Some(name) if name.starts_with('.') => {}
            _ if path.is_dir() => each_file(&path, see),
            _ => see(&path),
        }
    }
}

#[test]
fn every_story_is_in_the_list_and_every_name_in_it_is_a_story() {
    let mut files = BTreeSet::new();
    each_file(&repository().join("cli/stories"), &mut |path| {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    });
    let listed: BTreeSet<String> = list().into_iter().flat_map(|line| line.stories).collect();
    assert_eq!(listed, files);
}

#[test]
fn every_line_is_told_or_tested_and_its_tests_exist() {
    let mut sources = String::new();
    for folder in ["src", "tests", "cli", "tinykube"] {
        each_file(&repository().join(folder), &mut |path| {
            if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        });
    }
    for Line { first, stories, tests } in list() {
        assert!(!stories.is_empty() || !tests.is_empty(), "{first:?}");
        for test in tests {
            let exists = sources.contains(&format!("fn {test}(")) || sources.contains(&format!("def {test}("));
            assert!(exists, "{first:?}: there is no test {test}");
        }
    }
}

#[test]
fn every_cause_is_in_the_list_and_every_complaint_once() {
    let lines = list();
    for cause in Cause::ALL.iter().map(|cause| cause.as_str()) {
        assert!(lines.iter().any(|line| line.first[0].contains(cause)), "{cause}");
    }
    let mut complaints: BTreeMap<u32, &str> = BTreeMap::new();
    for line in &lines {
        if let [number, complaint, _issues] = line.first.as_slice() {
            let twice = complaints.insert(number.parse().unwrap(), complaint);
            assert!(twice.is_none(), "{number} is there twice");
        }
    }
    assert_eq!(complaints.into_keys().collect::<Vec<_>>(), (1..=25).collect::<Vec<_>>());
}
