//! Reading a recorded watch stream.

use std::path::Path;

use serde_json::Value;

use crate::shape::{Shape, distinct};

/// One watch event.
pub(crate) struct Event {
    /// Seconds since the recording began.
    pub(crate) at: f64,
    /// Plural name of the resource.
    pub(crate) resource: String,
    /// ADDED, MODIFIED or DELETED.
    pub(crate) kind: String,
    /// The object.
    pub(crate) object: Value,
}

/// The recording of a failure mode.
pub(crate) fn read(mode: &str) -> Vec<Event> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces").join(format!("{mode}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let event = |mut line: Value| Event {
        at: line["t"].as_f64().unwrap(),
        resource: line["resource"].as_str().unwrap().to_owned(),
        kind: line["type"].as_str().unwrap().to_owned(),
        object: line["object"].take(),
    };
    lines.map(event).collect()
}

/// What people applied: every object without an owner when it appears first, as it was sent.
pub(crate) fn manifests(events: &[Event]) -> Vec<(f64, String, Value)> {
    let kinds = ["deployments", "statefulsets", "poddisruptionbudgets", "pods"];
    let added = events.iter().filter(|event| event.kind == "ADDED" && kinds.contains(&event.resource.as_str()));
    let applied = added.filter(|event| event.object["metadata"]["ownerReferences"].is_null());
    let manifest = |event: &Event| {
        let mut object = event.object.clone();
        let (name, labels) = (object["metadata"]["name"].take(), object["metadata"]["labels"].take());
        object["metadata"] = serde_json::json!({"name": name, "labels": labels});
        object.as_object_mut().unwrap().remove("status");
        object["spec"].as_object_mut().unwrap().remove("nodeName");
        (event.at, event.resource.clone(), object)
    };
    applied.map(manifest).collect()
}

/// The distinct shapes of each pod, in the order in which the pods appear.
pub(crate) fn pods<'a>(changes: impl Iterator<Item = &'a Value>) -> Vec<(String, Vec<Shape>)> {
    let mut pods: Vec<(String, String, Vec<Shape>)> = Vec::new();
    for pod in changes {
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        let shape = Shape::of(pod);
        match pods.iter_mut().find(|(known, ..)| known == uid) {
            Some((_, _, shapes)) => shapes.push(shape),
            None => pods.push((uid.to_owned(), pod["metadata"]["name"].as_str().unwrap().to_owned(), vec![shape])),
        }
    }
    pods.into_iter().map(|(_, name, shapes)| (name, distinct(shapes))).collect()
}
