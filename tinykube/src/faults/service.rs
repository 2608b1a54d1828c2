//! The service that suffers: carries out what was drawn for each request and keeps the log.

use std::convert::Infallible;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use jiff::SignedDuration;
use serde_json::Value;

use super::plan::{Asked, Decision, Fault};
use super::{Faults, events};
use crate::response::{Body, failure};

/// The connection was closed before an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the connection to the API server was closed before it answered; whether the request was carried out is unknown"
)]
pub struct Dropped;

/// A service behind faults. Clones share them.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S> Faulty<S> {
    pub(super) fn new(inner: S, faults: Faults) -> Faulty<S> {
        Faulty { inner, faults }
    }
}

impl<S, B> tower::Service<Request<B>> for Faulty<S>
where
    S: tower::Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Dropped>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        self.inner.poll_ready(context).map_err(|never| match never {})
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The inner service that is ready is the one to call; the next call gets the clone.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let faults = self.faults.clone();
        let decision = faults.decide(asked(&request));
        Box::pin(async move { faults.suffer(inner, request, decision).await })
    }
}

impl Faults {
    async fn suffer<S, B>(
        &self,
        mut inner: S,
        mut request: Request<B>,
        decision: Decision,
    ) -> Result<Response<Body>, Dropped>
    where
        S: tower::Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    {
        let asked = asked(&request);
        let line = format!("{} {} {}", decision.number, request.method(), request.uri());
        if let Some(by) = decision.jump {
            self.jump(by, decision.number);
        }
        if !decision.latency.is_zero() {
            tokio::time::sleep(decision.latency).await;
        }
        if self.has_crashed() {
            return std::future::pending().await;
        }
        let how = match decision.fault {
            Fault::None => String::new(),
            Fault::Stale(rv) => {
                age(&mut request, rv);
                format!(" stale {rv}")
            }
            Fault::Silence => return std::future::pending().await,
            Fault::Crash { after_commit } => {
                if after_commit {
                    let Ok(_) = inner.call(request).await;
                }
                self.note(format!("{line} crash{}", done(after_commit)));
                self.shared.crashed.send_replace(true);
                return std::future::pending().await;
            }
            Fault::DropBefore => {
                self.note(format!("{line} dropped"));
                return Err(Dropped);
            }
            Fault::DropAfter => {
                let Ok(_) = inner.call(request).await;
                self.note(format!("{line} dropped{}", done(true)));
                return Err(Dropped);
            }
            Fault::Error { status, after_commit } => {
                if after_commit {
                    let Ok(_) = inner.call(request).await;
                }
                self.note(format!("{line} injected{} {}", done(after_commit), status.code));
                return Ok(failure(&status));
            }
        };
        let Ok(response) = inner.call(request).await;
        if self.has_crashed() {
            return std::future::pending().await;
        }
        let code = response.status().as_u16();
        if asked.watches && code == 200 {
            self.note(format!("{line}{how} {code} {:?}", decision.fate));
            return Ok(response.map(|body| events::through(self.clone(), decision.number, decision.fate, body)));
        }
        Ok(self.logged(response, &format!("{line}{how}")).await)
    }

    /// Reads the answer for the log and passes it on.
    async fn logged(&self, response: Response<Body>, line: &str) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        let body = body.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut line = format!("{line} {}", parts.status.as_u16());
        if let Some(rv) = answer["metadata"]["resourceVersion"].as_str() {
            // Writing to a string cannot fail.
            let _ = write!(line, " rv {rv}");
        }
        self.note(line);
        Response::from_parts(parts, Full::new(Bytes::clone(&body)).boxed_unsync())
    }

    fn jump(&self, by: SignedDuration, request: u64) {
        self.note(format!("{request} clock {}ms", by.as_millis()));
        self.shared.api.clock().jump(by);
    }
}

fn done(after_commit: bool) -> &'static str {
    if after_commit { " after commit" } else { "" }
}

fn asked<B>(request: &Request<B>) -> Asked {
    let query = request.uri().query().unwrap_or_default();
    let has = |wanted: &str| query.split('&').any(|pair| pair == wanted);
    Asked {
        writes: matches!(request.method().as_str(), "PUT" | "PATCH" | "DELETE"),
        watches: has("watch=true") || has("watch=1"),
        continues: query.split('&').any(|pair| pair.starts_with("continue=") && pair.len() > "continue=".len()),
        any_version: has("resourceVersion=0"),
    }
}

/// Asks for an older version instead of any.
fn age<B>(request: &mut Request<B>, rv: u64) {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let exact = if query.contains("watch=") { "" } else { "&resourceVersionMatch=Exact" };
    let kept = query.split('&').filter(|pair| !pair.starts_with("resourceVersion")).collect::<Vec<_>>().join("&");
    let aged = format!("{path}?{kept}&resourceVersion={rv}{exact}");
    if let Ok(uri) = aged.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}
