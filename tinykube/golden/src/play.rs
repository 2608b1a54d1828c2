//! Plays recorded requests to a server and compares each answer.
//!
//! Waits for what controllers behind the server do: what is read is read again until it is alike, for a while; what changes
//! something is asked for once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::alike::Bindings;
use crate::exchange::{self, ADMIN_TOKEN, Answer, LIMITED_TOKEN, Question};
use crate::known::Known;
use crate::left_out::without;
use crate::transcript::{CASES, Case};

/// How long controllers have for what they do.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where they wait for a minute to begin, as `CronJob`s do.
const NEXT_MINUTE: Duration = Duration::from_secs(75);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Long enough for all controllers to be done, where nothing shows whether they are.
const SETTLING: Duration = Duration::from_secs(3);
/// Long enough for budgets to be counted again.
const COUNTING: Duration = Duration::from_secs(2);
/// Long enough for a new namespace to get what each has.
const NEW_NAMESPACE: Duration = Duration::from_millis(500);
/// How long a server keeps what it knows of a token.
const FORGETTING: Duration = Duration::from_secs(11);
/// Long enough for a changed definition to be served.
const NEW_DEFINITION: Duration = Duration::from_secs(2);
/// Long enough to see that a watch will not become as recorded, where that is known.
const GLANCE: Duration = Duration::from_millis(200);

/// What the case `custom` leaves. The recorder removed it before `discovery`, which shows no trace of it.
const GAUGES: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gauges.golden.test";

/// Something that answers requests.
pub trait Server {
    /// The body of an answer; that of a watch has no end.
    type Body: Body<Data = Bytes> + Unpin;

    /// Answers one request of a user: `admin`, `limited` (who may do nothing), `anonymous`, or `wrong` (whose credentials
    /// nobody knows). The error is for people.
    fn send(&self, user: &str, request: Request<Bytes>) -> impl Future<Output = Result<Response<Self::Body>, String>>;

    /// The bearer token of `admin`, if that is how it is known.
    fn admin_token(&self) -> Option<String> {
        None
    }

    /// The bearer token of `limited`, if there is one.
    fn limited_token(&self) -> Option<String> {
        None
    }
}

/// A line that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Name of its case.
    pub case: &'static str,
    /// Its number in the case.
    pub id: u64,
    /// What was asked.
    pub asked: String,
    /// The status that was recorded and the one of the answer, where there was one.
    pub status: Option<(u64, u64)>,
    /// Every difference to what was recorded, each with its place.
    pub differences: Vec<String>,
    /// Whether two recordings agree in the body, so that it was compared.
    pub in_full: bool,
    /// Whether the answer depends on how long the cluster has been there.
    pub aged: bool,
}

/// Plays all cases. `known` differences are not waited for.
pub async fn play(server: &impl Server, known: &[Known]) -> Vec<Played> {
    play_some(server, known, &CASES).await
}

/// Plays these cases only.
pub async fn play_some(server: &impl Server, known: &[Known], cases: &[Case]) -> Vec<Played> {
    let mut played = Vec::new();
    for &case in cases {
        let mut session = Session::begin(server, case);
        if case.name == "discovery" {
            session.remove(GAUGES).await;
        }
        let lines = case.lines();
        let mut before = &Value::Null;
        for recorded in &lines {
            let line = recorded;
            let id = line["id"].as_u64().unwrap_or_default();
            if line["watching"].is_string() {
                session.open(id, line, &lines).await;
                continue;
            }

            let listed = known.iter().find(|known| known.holds(case.name, id));
            let is_known = listed.is_some_and(Known::is_expected_to_differ);
            let line = &but_for(line, listed.map_or(&[], |known| known.apart));
            sleep(settling(case, line, before, is_known)).await;
            let (answered, differences) = if line["watch"].is_string() {
                (None, session.watched(id, line, !is_known).await)
            } else {
                session.asked(id, line, !is_known).await
            };
            let status = line["status"].as_u64().zip(answered);
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let asked = format!("{} {}{}", text("method"), text("path"), text("watch")).trim().to_owned();
            let (in_full, aged) = (!case.is_status_only(id), case.is_aged(id));
            played.push(Played { case: case.name, id, asked, status, differences, in_full, aged });
            before = recorded;
        }
    }
    played
}

/// A line whose answer has these entries no more. If it had none of them, that shows as a difference.
fn but_for(line: &Value, apart: &[&str]) -> Value {
    let mut line = line.clone();
    if !apart.is_empty() {
        let kept = without(&line["reply"], apart);
        line["reply"] = if kept == line["reply"] { "nothing of it is left out".into() } else { kept };
    }
    line
}

/// The recording client gave controllers time; where an answer does not show whether they are done, so must we.
fn settling(case: Case, line: &Value, before: &Value, is_known: bool) -> Duration {
    let id = line["id"].as_u64().unwrap_or_default();
    let depends = match line["method"].as_str() {
        Some("GET") => is_known || case.is_status_only(id),
        method => method == Some("DELETE"),
    };
    let at_once = before["method"] == "GET" || (before["method"] == "DELETE" && before["path"] == line["path"]);
    match (case.name, id) {
        ("workloads" | "eviction", _) if depends && !at_once => SETTLING,
        ("eviction", _) if !at_once => COUNTING,
        ("tokens", 57 | 135) => FORGETTING,
        ("crd-rules", 83 | 112) | ("crd-life", 38 | 42 | 63 | 69 | 72) => NEW_DEFINITION,
        // Their answers show what controllers have written of the object.
        ("validation-kinds", 29) => SETTLING,
        _ if before["path"] == "/api/v1/namespaces" => NEW_NAMESPACE,
        _ => Duration::ZERO,
    }
}

/// One case that is being played.
struct Session<'a, S: Server> {
    server: &'a S,
    case: Case,
    bindings: Bindings,
    watches: BTreeMap<u64, Watch<S::Body>>,
    /// Paths of objects that were to be deleted.
    deleted: BTreeSet<String>,
}

enum Watch<B> {
    Open(u16, B),
    Failed(String),
}

impl<'a, S: Server> Session<'a, S> {
    fn begin(server: &'a S, case: Case) -> Session<'a, S> {
        let mut bindings = Bindings::of(case.first);
        if let Some(token) = server.admin_token() {
            bindings.know(ADMIN_TOKEN, &token);
        }
        if let Some(token) = server.limited_token() {
            bindings.know(LIMITED_TOKEN, &token);
        }
        Session { server, case, bindings, watches: BTreeMap::new(), deleted: BTreeSet::new() }
    }

    async fn send(&self, question: &Question) -> Result<Response<S::Body>, String> {
        self.server.send(&question.user, question.request()?).await
    }

    /// Opens a watch, as it was recorded here or, in the first set, at its end.
    async fn open(&mut self, id: u64, line: &Value, lines: &[Value]) {
        let end = lines.iter().find(|end| end["id"] == id && end["watch"].is_string());
        let mut line = line.clone();
        if line.get("accept").is_none() {
            line["accept"] =
                end.and_then(|end| end.get("accept")).cloned().unwrap_or_else(|| "application/json".into());
        }
        line["path"] = line["watching"].clone();
        let watch = match self.send(&Question::of(&line, &self.bindings)).await {
            Ok(answer) => Watch::Open(answer.status().as_u16(), answer.into_body()),
            Err(problem) => Watch::Failed(problem),
        };
        self.watches.insert(id, watch);
    }

    /// What a watch has received by now.
    async fn watched(&mut self, id: u64, line: &Value, waits: bool) -> Vec<String> {
        let (status, mut body) = match self.watches.remove(&id) {
            Some(Watch::Open(status, body)) => (status, body),
            Some(Watch::Failed(problem)) => return vec![problem],
            None => return vec!["the watch was never opened".to_owned()],
        };
        let wanted = without_bookmarks(&line["events"]);
        let end = Instant::now() + if waits { PATIENCE } else { GLANCE };
        let mut received = Vec::new();
        loop {
            let mut ended = false;
            loop {
                match timeout(PAUSE, body.frame()).await {
                    Ok(Some(Ok(frame))) => received.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                    Ok(Some(Err(_)) | None) => {
                        ended = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            let mut bindings = self.bindings.clone();
            let mut differences = exchange::status_differs(line, status);
            if !self.case.is_status_only(id) {
                differences.extend(bindings.differences(&wanted, &without_bookmarks(&events(&received, ended))));
            }
            if differences.is_empty() || ended || Instant::now() >= end {
                self.bindings = bindings;
                return differences;
            }
        }
    }

    /// Deletes what no line deletes. Later lines show whether it is gone.
    async fn remove(&self, path: &str) {
        let question = Question::of(&serde_json::json!({"method": "DELETE", "path": path}), &self.bindings);
        let _ = self.send(&question).await;
        self.until_absent(path).await;
    }

    /// Waits until what an earlier line deleted is gone, if this line makes it anew.
    async fn until_gone(&self, line: &Value) {
        let (Some(collection), Some(name)) = (line["path"].as_str(), line["body"]["metadata"]["name"].as_str()) else {
            return;
        };
        let path = format!("{}/{name}", collection.split('?').next().unwrap_or_default());
        if line["method"] == "POST" && line["status"] == 201 && self.deleted.contains(&path) {
            self.until_absent(&path).await;
        }
    }

    async fn until_absent(&self, path: &str) {
        let end = Instant::now() + PATIENCE;
        let question = Question::of(&serde_json::json!({"method": "GET", "path": path}), &self.bindings);
        while Instant::now() < end && self.send(&question).await.is_ok_and(|answer| answer.status() != 404) {
            sleep(PAUSE).await;
        }
    }

    /// Asks what was asked, again while the answer may still become the one that was recorded.
    /// The status of the answer, if there was one, and every difference.
    async fn asked(&mut self, id: u64, line: &Value, waits: bool) -> (Option<u64>, Vec<String>) {
        self.until_gone(line).await;
        if let (true, Some(path)) = (line["method"] == "DELETE", line["path"].as_str()) {
            self.deleted.insert(path.split('?').next().unwrap_or_default().to_owned());
        }
        let patience = if (self.case.name, id) == ("jobs", 53) { NEXT_MINUTE } else { PATIENCE };
        let end = Instant::now() + patience;
        loop {
            let mut bindings = self.bindings.clone();
            let answer = match self.ask(line).await {
                Ok(answer) => answer,
                Err(problem) => return (None, vec![problem]),
            };
            let mut differences = answer.head_differs(line, self.case.first);
            if !self.case.is_status_only(id) {
                let unordered = self.case.is_unordered(id);
                differences.extend(answer.body_differs(line, &mut bindings, unordered));
            }
            // What was refused changed nothing.
            let harmless = line["method"] == "GET" || (answer.status >= 400 && line["status"].as_u64() >= Some(400));
            if differences.is_empty() || !waits || !harmless || Instant::now() >= end {
                self.bindings = bindings;
                return (Some(answer.status.into()), differences);
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask(&self, line: &Value) -> Result<Answer, String> {
        let answer = self.send(&Question::of(line, &self.bindings)).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| "the answer broke off".to_owned())?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// The events of a watch; one that is not complete yet is not there yet. What is no JSON is the answer as a whole.
fn events(received: &[u8], ended: bool) -> Value {
    let lines = received.split(|byte| *byte == b'\n');
    let events: Vec<Value> = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()).collect();
    if events.is_empty() && ended && !received.is_empty() {
        return Value::Array(vec![String::from_utf8_lossy(received).into_owned().into()]);
    }
    events.into()
}

/// Servers send bookmarks at their discretion; the one that ends the initial events is a promise.
fn without_bookmarks(events: &Value) -> Value {
    let promised =
        |event: &&Value| event["type"] != "BOOKMARK" || event["object"]["metadata"]["annotations"].is_object();
    events.as_array().into_iter().flatten().filter(promised).cloned().collect()
}
