//! What is loaded from a status: no instant in it holds anything for longer than the policy could mean, whoever wrote it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kubeheal::api;
use kubeheal_core::model::state::{History, State};
use serde_json::{Map, Value, json};

use crate::support::fixtures::{at, policy};

/// What says "not before"; anything else has happened.
const DEADLINES: [&str; 4] =
    [".attempts.inFlight.verifyBy", ".attempts.pause.until", ".circuit.retryAt", ".mitigation.retryAt"];

/// The schema of the memory, as it is published.
fn schema() -> Value {
    let crd = serde_json::to_value(&api::crds()[0]).unwrap();
    let version = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    version["properties"]["status"]["properties"]["memory"].clone()
}

/// A value in which nothing is left out, all instants the same.
fn filled(schema: &Value, instant: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|allowed| allowed.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let of = |part: &str| schema[part].as_object().into_iter().flatten();
            let fields = of("properties").map(|(name, field)| (name.clone(), filled(field, instant)));
            let mut object: Map<String, Value> = fields.collect();
            if schema["additionalProperties"].is_object() {
                object.insert("app".to_owned(), filled(&schema["additionalProperties"], instant));
            }
            object.into()
        }
        Some("array") => json!([filled(&schema["items"], instant)]),
        Some("string") if schema["format"] == "date-time" => instant.into(),
        Some("string") => "x".into(),
        Some("boolean") => true.into(),
        _ => 1.into(),
    }
}

/// The instants in a value, each with its path.
fn instants(path: &str, value: &Value, found: &mut Vec<(String, Timestamp)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| instants(&format!("{path}.{name}"), field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| instants(path, item, found)),
        Value::String(text) => found.extend(text.parse().ok().map(|instant| (path.to_owned(), instant))),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_instant_that_is_remembered_is_pulled_back_when_a_clock_was_ahead() {
    let (schema, policy, now) = (schema(), policy(), at(0));
    let mut all = Vec::new();
    instants("", &filled(&schema, &now.to_string()), &mut all);
    let all: BTreeSet<String> = all.into_iter().map(|(path, _)| path).collect();
    let mut seen = BTreeSet::new();
    let words = |part: &str, field: &str| {
        let words = &schema["properties"][part]["properties"][field]["enum"];
        words.as_array().unwrap().clone()
    };
    for circuit in words("circuit", "state") {
        for phase in words("mitigation", "phase") {
            let mut memory = filled(&schema, "2999-01-01T00:00:00Z");
            memory["alerts"][0]["reason"] = "CrashLoop".into();
            // Nobody holds it open: it has a time at which it is tried.
            memory["circuit"]["forced"] = Value::Null;
            memory["circuit"]["state"] = circuit.clone();
            memory["mitigation"]["phase"] = phase.clone();
            let state = serde_json::from_value::<State>(memory).unwrap().loaded(&policy, now);
            let mut loaded = Vec::new();
            instants("", &serde_json::to_value(&state).unwrap(), &mut loaded);
            for (path, instant) in loaded {
                // The longest that these settings ask for.
                let longest = if DEADLINES.contains(&path.as_str()) { policy.breaker.max_open.as_secs() } else { 0 };
                assert!(instant <= at(longest), "{path}, {circuit}, {phase}: {instant}");
                seen.insert(path);
            }
        }
    }
    assert_eq!(seen, all, "all of them were tried");
    let entry = json!({"time": "2999-01-01T00:00:00Z", "step": "RestartPod", "outcome": "Pending"});
    let history: History = serde_json::from_value(json!([entry])).unwrap();
    let state = State { history, ..State::default() }.loaded(&policy, now);
    assert_eq!(state.history.iter().map(|entry| entry.time).collect::<Vec<_>>(), [now]);
}
