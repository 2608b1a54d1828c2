//! Looks: what is said of a recording does not depend on how often somebody looked at it.
//!
//! With the fewest looks (at each change that concerns the service, and when a decision asks for one) the same is said at every
//! moment as with many looks besides, such as those that a neighbour causes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    core::looks::Said,
    support::scene::{Scene, at},
};

/// What happens in one second.
type Changes = BTreeMap<i64, Vec<Value>>;

fn recordings() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tinykube/tests/traces", "cli/tests/cases"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    files.sort();
    files
}

/// The changes of a recording by second, on the clock of the scene, and the workload that it is about.
fn read(path: &Path) -> (Changes, (String, String)) {
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let watched =
        ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Node", "PodDisruptionBudget", "Event"];
    let kind = |line: &Value| line["object"]["kind"].as_str().unwrap_or_default().to_owned();
    let lines: Vec<Value> = lines.into_iter().filter(|line| watched.contains(&kind(line).as_str())).collect();
    let of_kind = |wanted: &str| lines.iter().find(|line| kind(line) == wanted);
    let workload = ["Deployment", "StatefulSet", "DaemonSet", "Pod"].into_iter().find_map(of_kind).unwrap();
    let name = workload["object"]["metadata"]["name"].as_str().unwrap().to_owned();
    let second = |line: &Value| line["t"].as_f64().unwrap().trunc().to_string().parse::<i64>().unwrap();
    let pod = lines.iter().find(|line| kind(line) == "Pod").unwrap();
    let created: Timestamp = pod["object"]["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    let begin = created.as_second() - second(pod) - at(0).as_second();
    let mut changes = Changes::new();
    for line in &lines {
        changes.entry(begin + second(line)).or_default().push(line.clone());
    }
    (changes, (kind(workload), name))
}

/// What is said, from which second on.
fn play(changes: &Changes, (kind, name): (&str, &str), apart: Option<i64>) -> Vec<(i64, Said)> {
    let mut scene = Scene::of(kind, name, json!({"mode": "Observe"}));
    let mut said = Vec::new();
    let seconds: Vec<i64> = changes.keys().copied().collect();
    for (index, &begin) in seconds.iter().enumerate() {
        let until = seconds.get(index + 1).map_or(begin + 1800, |next| *next);
        for change in &changes[&begin] {
            match change["type"].as_str().unwrap() {
                "DELETED" => scene.has_no_more(&change["object"]),
                _ => scene.has(change["object"].clone()),
            }
        }
        let mut now = begin;
        while now < until {
            let decision = scene.reconcile(now);
            said.push((now, Said::of(&decision)));
            let asked = decision.next_check.map(|next| next.duration_since(at(0)).as_secs().max(now + 1));
            now = asked.into_iter().chain(apart.map(|apart| now + apart)).min().unwrap_or(until).min(until);
        }
    }
    said
}

#[test]
fn what_is_said_of_a_recording_does_not_depend_on_how_often_somebody_looks() {
    for path in recordings() {
        let (changes, (kind, name)) = read(&path);
        let few = play(&changes, (&kind, &name), None);
        for apart in [5, 61] {
            for (second, said) in play(&changes, (&kind, &name), Some(apart)) {
                let known = few[..few.partition_point(|(known, _)| *known <= second)].last().map(|(_, said)| said);
                assert_eq!(known, Some(&said), "{} at {second}, looked at each {apart} s", path.display());
            }
        }
    }
}
