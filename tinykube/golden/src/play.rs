//! Plays recorded requests to a server and compares each answer.
//!
//! Waits for what controllers behind the server do: what is read is read again until it is alike, for a while; what changes
//! something is asked for once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, WARNING};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::alike::Bindings;
use crate::transcript::{CASES, Case, Known};

/// How long controllers have for what they do.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Long enough for all controllers to be done, where nothing shows whether they are.
const SETTLING: Duration = Duration::from_secs(3);
/// Long enough for budgets to be counted again.
const COUNTING: Duration = Duration::from_secs(2);
/// Long enough for a new namespace to get what each has.
const NEW_NAMESPACE: Duration = Duration::from_millis(500);
/// What the recording client called itself; servers derive the field manager from it.
const AGENT: &str = "Python-urllib/3.14";

/// Something that answers requests.
pub trait Server {
    /// The body of an answer; that of a watch has no end.
    type Body: Body<Data = Bytes> + Unpin;

    /// Answers one request of a user: `admin`, `limited` (who may do nothing), `anonymous`, or `wrong` (whose credentials
    /// nobody knows). The error is for people.
    fn send(&self, user: &str, request: Request<Bytes>) -> impl Future<Output = Result<Response<Self::Body>, String>>;
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
    /// Every difference to what was recorded, each with its place.
    pub differences: Vec<String>,
}

/// Plays all cases. `known` differences are not waited for.
pub async fn play(server: &impl Server, known: &[Known]) -> Vec<Played> {
    let mut played = Vec::new();
    for case in CASES {
        let mut session = Session { server, case, bindings: Bindings::default(), watches: BTreeMap::new() };
        let lines = case.lines();
        let mut before = &Value::Null;
        for line in &lines {
            let id = line["id"].as_u64().unwrap_or_default();
            if let Some(path) = line["watching"].as_str() {
                session.open(id, path, &lines).await;
                continue;
            }

            let is_known = known.iter().any(|known| known.case == case.name && known.lines.contains(&id));
            sleep(settling(case, line, before, is_known)).await;
            let differences = if line["watch"].is_string() {
                session.watched(id, line).await
            } else {
                session.asked(id, line, !is_known).await
            };
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let asked = format!("{} {}{}", text("method"), text("path"), text("watch"));
            played.push(Played { case: case.name, id, asked: asked.trim().to_owned(), differences });
            before = line;
        }
    }
    played
}

/// The recording client gave controllers time; where an answer does not show whether they are done, so must we.
fn settling(case: Case, line: &Value, before: &Value, is_known: bool) -> Duration {
    let id = line["id"].as_u64().unwrap_or_default();
    let depends = match line["method"].as_str() {
        Some("GET") => is_known || case.is_status_only(id),
        method => method == Some("DELETE"),
    };
    let at_once = before["method"] == "GET" || (before["method"] == "DELETE" && before["path"] == line["path"]);
    match case.name {
        "workloads" | "eviction" if depends && !at_once => SETTLING,
        "eviction" if !at_once => COUNTING,
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
}

enum Watch<B> {
    Open(u16, B),
    Failed(String),
}

impl<S: Server> Session<'_, S> {
    /// Opens a watch, as it was recorded at its end.
    async fn open(&mut self, id: u64, path: &str, lines: &[Value]) {
        let end = lines.iter().find(|end| end["id"] == id && end["watch"].is_string());
        let accept = end.and_then(|end| end["accept"].as_str()).unwrap_or("application/json");
        let request = request("GET", &self.bindings.translate_path(path), accept, None, Bytes::new());
        let opened = match request {
            Ok(request) => self.server.send("admin", request).await,
            Err(problem) => Err(problem),
        };
        let watch = match opened {
            Ok(answer) => Watch::Open(answer.status().as_u16(), answer.into_body()),
            Err(problem) => Watch::Failed(problem),
        };
        self.watches.insert(id, watch);
    }

    /// What a watch has received by now.
    async fn watched(&mut self, id: u64, line: &Value) -> Vec<String> {
        let (status, mut body) = match self.watches.remove(&id) {
            Some(Watch::Open(status, body)) => (status, body),
            Some(Watch::Failed(problem)) => return vec![problem],
            None => return vec!["the watch was never opened".to_owned()],
        };
        let wanted = without_bookmarks(&line["events"]);
        let end = Instant::now() + PATIENCE;
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
            let mut differences = status_differs(line, status);
            differences.extend(bindings.differences(&wanted, &without_bookmarks(&events(&received))));
            if differences.is_empty() || ended || Instant::now() >= end {
                self.bindings = bindings;
                return differences;
            }
        }
    }

    /// Asks what was asked, again while the answer may still become the one that was recorded.
    async fn asked(&mut self, id: u64, line: &Value, waits: bool) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut bindings = self.bindings.clone();
            let (status, mut differences, in_body) = match self.ask(&mut bindings, line).await {
                Ok(answer) => answer,
                Err(problem) => return vec![problem],
            };
            if self.case.is_status_only(id) {
                // What stands for what cannot be told from a body that differs from run to run.
                bindings = self.bindings.clone();
            } else {
                differences.extend(in_body);
            }
            // What was refused changed nothing.
            let harmless = line["method"] == "GET" || (status >= 400 && line["status"].as_u64() >= Some(400));
            if differences.is_empty() || !waits || !harmless || Instant::now() >= end {
                self.bindings = bindings;
                return differences;
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks once. The status, differences of status and headers, differences of the body.
    async fn ask(&self, bindings: &mut Bindings, line: &Value) -> Result<(u16, Vec<String>, Vec<String>), String> {
        let text = |key: &str| line[key].as_str();
        let body = match &line["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => self.bindings.translate_body(other).to_string(),
        };
        let path = self.bindings.translate_path(text("path").unwrap_or_default());
        let accept = text("accept").unwrap_or("application/json");
        let request = request(text("method").unwrap_or("GET"), &path, accept, text("type"), body.into())?;
        let answer = self.server.send(text("user").unwrap_or("admin"), request).await?;
        let status = answer.status().as_u16();
        let mut differences = status_differs(line, status);
        for (key, name) in [("retryAfter", RETRY_AFTER), ("warning", WARNING)] {
            let here = answer.headers().get(&name).and_then(|value| value.to_str().ok());
            if text(key) != here {
                differences.push(format!("{name}: recorded {}, here {here:?}", line[key]));
            }
        }
        let collected = answer.into_body().collect().await.map_err(|_| "the answer broke off".to_owned())?.to_bytes();
        let here = serde_json::from_slice(&collected)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&collected).into_owned()));
        Ok((status, differences, bindings.differences(&line["reply"], &here)))
    }
}

fn request(
    method: &str,
    path: &str,
    accept: &str,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Request<Bytes>, String> {
    let mut request = Request::builder().method(method).uri(path).header(ACCEPT, accept).header(USER_AGENT, AGENT);
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    request.body(body).map_err(|error| format!("{method} {path} cannot be sent: {error}"))
}

fn status_differs(line: &Value, status: u16) -> Vec<String> {
    if line["status"] == status {
        return Vec::new();
    }
    vec![format!("status: recorded {}, here {status}", line["status"])]
}

/// The events of a watch; one that is not complete yet is not there yet.
fn events(received: &[u8]) -> Value {
    received.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok()).collect()
}

/// Servers send bookmarks at their discretion; the one that ends the initial events is a promise.
fn without_bookmarks(events: &Value) -> Value {
    let promised =
        |event: &&Value| event["type"] != "BOOKMARK" || event["object"]["metadata"]["annotations"].is_object();
    events.as_array().into_iter().flatten().filter(promised).cloned().collect()
}
