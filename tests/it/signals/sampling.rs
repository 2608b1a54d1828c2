//! Sampling: an end is named the same, however finely its stream was seen. A watch that fell behind, or a controller that was
//! busy, sees fewer of the moments; what they would have shown must not matter.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use kubeheal_core::model::{cause::Cause, decision::Decision};
use proptest::{bool::weighted, collection::vec, prelude::*, sample::select};
use serde_json::Value;

use crate::core::cases;
use crate::support::scene::{Scene, at};

/// Recordings of containers that end again and again, and what their ends are named.
const RECORDINGS: [(&str, Cause); 7] = [
    ("tinykube/tests/traces/crashloop.jsonl", Cause::CrashLoop),
    ("tinykube/tests/traces/liveness-fails.jsonl", Cause::LivenessFailed),
    ("tinykube/tests/traces/startup-fails.jsonl", Cause::StartupFailed),
    ("tinykube/tests/traces/oom-killed.jsonl", Cause::OOMKilled),
    ("tinykube/tests/traces/sidecar-crashes.jsonl", Cause::CrashLoop),
    // Exits at once, so that now and then it is seen running and not started.
    ("tests/it/signals/exits-at-once.jsonl", Cause::CrashLoop),
    ("tests/it/signals/waits-for-dependency.jsonl", Cause::CrashLoop),
];

/// A line of a recording.
#[derive(Debug, Clone)]
struct Line {
    second: i64,
    object: Value,
    /// Neither the first nor the last that was seen of its object, and no Event.
    intermediate: bool,
}

fn read(path: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let watched = ["pods", "deployments", "replicasets", "events"];
    let events: Vec<&Value> =
        events.iter().filter(|event| watched.contains(&event["resource"].as_str().unwrap())).collect();
    let id = |event: &Value| (event["resource"].to_string(), event["object"]["metadata"]["name"].to_string());
    let seen = |event: &Value, others: &[&Value]| others.iter().any(|other| id(other) == id(event));
    let seconds = |event: &Value| event["t"].as_f64().unwrap().trunc().to_string().parse::<i64>().unwrap();
    // The clock of the scene goes with that of the recording.
    let first = events.iter().find(|event| event["resource"] == "pods").unwrap();
    let created: Timestamp = first["object"]["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    let begin = created.as_second() - seconds(first) - at(0).as_second();
    let line = |(index, event): (usize, &&Value)| Line {
        second: begin + seconds(event),
        object: event["object"].clone(),
        intermediate: event["resource"] != "events"
            && event["type"] == "MODIFIED"
            && seen(event, &events[..index])
            && seen(event, &events[index + 1..]),
    };
    events.iter().enumerate().filter(|(_, event)| event["type"] != "DELETED").map(line).collect()
}

/// What ends are named, by pod and container, after each line that is kept. `keeps` is asked in turn for those that may go.
fn named(lines: &[Line], keeps: &[bool]) -> BTreeMap<usize, BTreeMap<(String, String), Cause>> {
    let mut scene = Scene::new("Deployment", serde_json::json!({}));
    let mut keeps = keeps.iter().copied().chain(std::iter::repeat(true));
    let mut after = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        if line.intermediate && !keeps.next().unwrap() {
            continue;
        }
        scene.has(line.object.clone());
        after.insert(index, ends(&scene.reconcile(line.second)));
    }
    after
}

fn ends(decision: &Decision) -> BTreeMap<(String, String), Cause> {
    let of_end = [Cause::CrashLoop, Cause::LivenessFailed, Cause::StartupFailed, Cause::OOMKilled];
    let found = decision.findings.iter().filter(|finding| of_end.contains(&finding.cause));
    found
        .map(|finding| {
            (
                (finding.place.object().to_owned(), finding.place.container().unwrap_or_default().to_owned()),
                finding.cause,
            )
        })
        .collect()
}

#[test]
fn every_end_of_a_recording_is_named_for_what_it_was() {
    for (path, cause) in RECORDINGS {
        let named: Vec<Cause> = named(&read(path), &[]).into_values().flat_map(BTreeMap::into_values).collect();
        assert!(!named.is_empty(), "{path}");
        assert!(named.iter().all(|one| *one == cause), "{path}: {named:?}");
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn an_end_is_named_the_same_however_finely_it_was_sampled(
        (path, _) in select(&RECORDINGS[..]),
        keeps in (0.02..0.9_f64).prop_flat_map(|share| vec(weighted(share), 200)),
    ) {
        let lines = read(path);
        let (all, some) = (named(&lines, &[]), named(&lines, &keeps));
        for (index, coarse) in some {
            for (place, cause) in coarse {
                let fine = all[&index].get(&place).copied();
                prop_assert!(fine.is_none_or(|fine| fine == cause), "{path}, line {index}: {place:?} is {cause:?}, not {fine:?}");
            }
        }
    }
}
