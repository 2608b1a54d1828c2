//! Plays transcripts of a real API server and compares every answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;
use tinykube::Cluster;
use tinykube::auth::Auth;
use tinykube::clock::Clock;
use tinykube::http::{Body, Service};
use tower::ServiceExt;

use crate::alike::Bindings;
use crate::restored;

/// The transcripts in the order in which they were recorded: later ones use what earlier ones made.
const CASES: [&str; 10] =
    ["crud", "lists", "watches", "custom", "apply", "workloads", "eviction", "leases-events", "access", "discovery"];

/// Lines whose bodies differ between two recordings of the real server: only the status code is compared.
const STATUS_ONLY: [(&str, &[u64]); 6] = [
    ("apply", &[21, 23]),
    ("crud", &[22]),
    ("custom", &[40, 41]),
    ("eviction", &[15, 18]),
    ("lists", &[28]),
    ("workloads", &[9, 10, 11, 13, 14, 15, 16, 17, 21, 23, 24]),
];

/// Lines that are not alike, and why. A line listed here that becomes alike fails the test.
const DIFFERENT: &[(&str, &[u64], &str)] = &[
    ("custom", &[6], "OpenAPI documents hold what kubectl reads, without lists, scales and descriptions of parameters"),
    ("eviction", &[4], "two pods that start at the same time report it in the order of their names, not by chance"),
    ("workloads", &[22], "the message does not end with a diff of Go structs"),
    ("discovery", &[1], "the version says tinykube"),
    ("discovery", &[6, 16, 17, 18], "fewer groups and kinds are served"),
    ("discovery", &[19, 20], "OpenAPI documents hold what kubectl reads, of the groups that are served"),
];

const USERS: &str = "admin-token,kubernetes-admin,,\"system:masters\"\nlimited-token,limited,lim,\"\"\n";

struct Play {
    service: Service,
    bindings: Bindings,
    watches: BTreeMap<u64, (u16, Option<Body>)>,
}

#[tokio::test(start_paused = true)]
async fn answers_like_a_real_server() {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    let cluster = Cluster::builder().clock(clock).seed(1).start().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let service = Service::new(cluster.api().clone(), Auth::tokens(USERS));
    let (mut lines, mut alike, mut surprises, mut listed) = (0, 0, Vec::new(), 0);
    for case in CASES {
        let mut play = Play { service: service.clone(), bindings: Bindings::default(), watches: BTreeMap::new() };
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{case}.jsonl"));
        let text = std::fs::read_to_string(path).unwrap();
        let mut recorded: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut recorded {
            restored::restore(case, line);
        }
        for line in &recorded {
            let id = line["id"].as_u64().unwrap();
            let Some(differences) = play.line(case, line, &recorded).await else {
                continue;
            };
            lines += 1;
            let reason = DIFFERENT.iter().find(|(known, lines, _)| *known == case && lines.contains(&id));
            match (differences.is_empty(), reason) {
                (true, None) => alike += 1,
                (false, Some(_)) => listed += 1,
                (true, Some(_)) => surprises.push(format!("{case} {id} is alike now: take it off the list")),
                (false, None) => surprises.push(format!(
                    "{case} {id}\n    {}",
                    differences.iter().take(8).cloned().collect::<Vec<_>>().join("\n    ")
                )),
            }
        }
    }
    println!("{alike} of {lines} lines alike, {listed} listed differences");
    for (case, lines, reason) in DIFFERENT {
        println!("  {case} {lines:?}: {reason}");
    }
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
}

impl Play {
    /// Plays one line; `None` for one that is not an answer.
    async fn line(&mut self, case: &str, line: &Value, all: &[Value]) -> Option<Vec<String>> {
        let id = line["id"].as_u64().unwrap();
        if let Some(path) = line["watching"].as_str() {
            let end = all.iter().find(|end| end["id"] == line["id"] && end["watch"].is_string());
            let accept = end.and_then(|end| end["accept"].as_str()).unwrap_or("application/json");
            let request = self.request("GET", path, accept, &Value::Null, &Value::Null, "admin");
            let response = self.service.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            self.watches.insert(id, (status, Some(response.into_body())));
            return None;
        }
        // Time for controllers, as a client over the network would have given them.
        tokio::time::sleep(patience(case, line, all)).await;
        if line["watch"].is_string() {
            return Some(self.watched(id, line).await);
        }
        let text = |key: &str| line[key].as_str();
        let request = self.request(
            text("method").unwrap(),
            text("path").unwrap(),
            text("accept").unwrap_or("application/json"),
            &line["type"],
            &line["body"],
            text("user").unwrap_or("admin"),
        );
        let response = self.service.clone().oneshot(request).await.unwrap();
        let mut differences = Vec::new();
        let status = response.status().as_u16();
        if line["status"] != status {
            differences.push(format!("status: recorded {}, here {status}", line["status"]));
        }
        for (key, name) in [("retryAfter", "retry-after"), ("warning", "warning")] {
            let here = response.headers().get(name).map(|value| value.to_str().unwrap());
            if line[key].as_str() != here {
                differences.push(format!("{name}: recorded {}, here {here:?}", line[key]));
            }
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let here = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        let in_body = self.bindings.differences(&line["reply"], &here);
        let status_only = STATUS_ONLY.iter().any(|(known, ids)| *known == case && ids.contains(&id));
        if !status_only {
            differences.extend(in_body);
        }
        Some(differences)
    }

    async fn watched(&mut self, id: u64, line: &Value) -> Vec<String> {
        let (status, body) = self.watches.remove(&id).unwrap();
        let mut body = body.unwrap();
        let mut events: Vec<Value> = Vec::new();
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_millis(100), body.frame()).await {
            let data = frame.into_data().unwrap();
            events.extend(
                data.split(|byte| *byte == b'\n')
                    .filter(|text| !text.is_empty())
                    .map(|text| serde_json::from_slice(text).unwrap_or_default()),
            );
        }
        let mut differences = Vec::new();
        if line["status"] != status {
            differences.push(format!("status: recorded {}, here {status}", line["status"]));
        }
        differences
            .extend(self.bindings.differences(&without_bookmarks(&line["events"]), &without_bookmarks(&events.into())));
        differences
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        accept: &str,
        kind: &Value,
        body: &Value,
        user: &str,
    ) -> http::Request<http_body_util::Full<bytes::Bytes>> {
        let mut request = http::Request::builder().method(method).uri(self.bindings.translate_path(path));
        request = request.header("accept", accept).header("user-agent", "Python-urllib/3.14");
        if user != "anonymous" {
            request = request.header("authorization", format!("Bearer {user}-token"));
        }
        if let Some(kind) = kind.as_str() {
            request = request.header("content-type", kind);
        }
        let body = match body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => self.bindings.translate_body(other).to_string(),
        };
        request.body(body.into()).unwrap()
    }
}

/// How long the recording client had waited for controllers before this line.
fn patience(case: &str, line: &Value, all: &[Value]) -> Duration {
    let index = all.iter().position(|known| known == line).unwrap_or(0);
    let before = &all[index.saturating_sub(1)];
    let at_once = before["method"] == "DELETE" && before["path"] == line["path"];
    match case {
        "workloads" if matches!(line["method"].as_str(), Some("GET" | "DELETE")) && !at_once => Duration::from_secs(3),
        "eviction" if !at_once => Duration::from_secs(3),
        // The second request was there before the root certificate, the others after.
        "crud" if (3..=34).contains(&line["id"].as_u64().unwrap_or(0)) => Duration::from_millis(5),
        "watches" | "lists" => Duration::from_millis(100),
        _ => Duration::ZERO,
    }
}

/// Servers send bookmarks at their discretion; the one that ends the initial events is a promise.
fn without_bookmarks(events: &Value) -> Value {
    let promised =
        |event: &&Value| event["type"] != "BOOKMARK" || event["object"]["metadata"]["annotations"].is_object();
    events.as_array().into_iter().flatten().filter(promised).cloned().collect()
}
