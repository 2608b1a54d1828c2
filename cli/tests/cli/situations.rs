//! `docs/situations.md`: the situations of the stories of the field, told by the stories. Written anew by `make situations`.

use std::fmt::Write;

use serde_json::Value;

use crate::run::{repository, run};

const HEAD: &str = "# Situations

What people have met in their clusters, and what comes of it with kubeheal: what it says, what it does, and what it leaves alone
and why. Each row is a [story](../cli/stories/README.md) of the real controller, which `healctl demo NAME` tells with all its times;
`healctl demo field` tells them all. This page is written from what they say, by `make situations`.

Health and reasons are those that stood for a minute or longer from the first break on, in the order of time, in the words in which
they were said last. Every story begins at 2026-01-05T08:00:00Z, and names of pods are cut short. [Concepts](concepts.md) tells what each word means.

| situation | what kubeheal says | what it does | what it leaves alone, and why |
|---|---|---|---|
";

/// Letters of the hashes and suffixes in names of pods.
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap()
}

fn page() -> String {
    let ran = run(&["demo", "field", "--output", "json"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    let mut page = HEAD.to_owned();
    for story in list(&told, "stories") {
        for service in list(story, "services") {
            let cells = [situation(story), says(service), does(service), leaves_alone(service)];
            writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
                .unwrap();
        }
    }
    page
}

fn situation(story: &Value) -> String {
    let (name, title) = (text(story, "name"), text(story, "title"));
    let broke = list(story, "timeline").iter().filter(|entry| entry["mark"] == "broke");
    let broke: Vec<&str> = broke.map(|entry| text(entry, "text")).collect();
    format!("**{title}** ([{name}](../cli/stories/field/{name}.yaml)): {}", broke.join(" "))
}

fn says(service: &Value) -> String {
    let health = list(service, "health").iter().map(|health| health.as_str().unwrap());
    let health: Vec<&str> = health.filter(|health| *health != "Healthy").collect();
    // What holds back stands in a column of its own.
    let is_held = |said: &&Value| list(service, "held").iter().any(|held| held["name"] == said["name"]);
    let stalled = list(service, "stalled").iter().filter(|said| !is_held(said));
    let said = list(service, "findings").iter().chain(stalled);
    let said = said.map(|said| in_words(text(said, "name"), text(said, "message")));
    [health.join(", ")].into_iter().chain(said).collect::<Vec<_>>().join("<br>")
}

fn does(service: &Value) -> String {
    let steps = list(service, "steps").iter();
    let steps: Vec<String> = steps
        .map(|step| {
            format!("{} of `{}`: {}", text(step, "step"), nameless(text(step, "target")), text(step, "outcome"))
        })
        .collect();
    if steps.is_empty() { "nothing".to_owned() } else { steps.join("<br>") }
}

fn leaves_alone(service: &Value) -> String {
    let findings = list(service, "findings");
    let held = list(service, "held").iter().map(|held| {
        let message = text(held, "message");
        let name = text(held, "name");
        // What is wrong stands in the row already.
        let same = |finding: &Value| message.strip_suffix(text(finding, "message"))?.strip_suffix(": ");
        let short = findings.iter().find_map(same).filter(|_| name == "RestartCannotHelp");
        in_words(name, short.unwrap_or(message))
    });
    let held: Vec<String> = held.collect();
    if held.is_empty() { "nothing holds it back".to_owned() } else { held.join("<br>") }
}

fn in_words(name: &str, message: &str) -> String {
    format!("`{name}`: {}", nameless(message))
}

/// Without what a controller gives to names of pods, which changes with any change of a template.
fn nameless(text: &str) -> String {
    let is_part = |part: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&part.len()) && part.chars().all(|letter| ALPHABET.contains(letter))
    };
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', ';', ':', ')']);
        let parts: Vec<&str> = bare.split('-').collect();
        match parts.as_slice() {
            [name @ .., hash, suffix] if !name.is_empty() && is_part(hash, 8..=10) && is_part(suffix, 5..=5) => {
                format!("{}-…{}", name.join("-"), &word[bare.len()..])
            }
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_of_situations_says_what_the_stories_say() {
    let path = repository().join("docs/situations.md");
    let page = page();
    if std::env::var_os("KUBEHEAL_WRITE_SITUATIONS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = || page.lines().zip(written.lines().chain(std::iter::repeat("")));
    let other: Vec<_> = lines().filter(|(told, written)| told != written).collect();
    assert!(page == written, "make situations writes it anew; what is told, and what is written: {other:#?}");
}

#[test]
fn names_of_pods_are_told_without_what_changes() {
    assert_eq!(
        nameless("what replaces api-8c88d4864-htrxg, may not come: db-1"),
        "what replaces api-…, may not come: db-1"
    );
    assert_eq!(nameless("a not-ready-since thing"), "a not-ready-since thing");
}
