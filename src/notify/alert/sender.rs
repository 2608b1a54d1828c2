//! The sender: one request, one answer, in bounded time.
//!
//! Follows no redirect and shows nothing of an answer but its number and how long to wait.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use tokio::time::timeout;

use crate::{
    base::error_text,
    diagnosis::line,
    notify::alert::link_local::{Resolver, is_forbidden_host},
};

/// How much of an answer is read, so that the connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may stay unused.
const IDLE: Duration = Duration::from_secs(30);

type Network = Box<dyn Fn(Request<Full<Bytes>>) -> legacy::ResponseFuture + Send + Sync>;
type Sending = BoxFuture<'static, Result<Response<()>, String>>;

/// Carries requests to receivers.
#[derive(Clone)]
pub struct HttpSender {
    send: Arc<dyn Fn(Request<Vec<u8>>) -> Sending + Send + Sync>,
}

impl fmt::Debug for HttpSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpSender")
    }
}

/// What a receiver made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It knows now.
    Delivered,
    /// Not now, perhaps later; after so long, if it says so.
    Later(String, Option<Duration>),
    /// Something that should stand in a Secret does not, or may not be read.
    Unprepared(String),
    /// Not like this: a person must change something. It is not sent again until it is time to repeat it.
    Refused(String),
}

impl HttpSender {
    /// Over HTTP and HTTPS. Certificates are checked against the roots of the system (`SSL_CERT_FILE` names others).
    pub fn over_network() -> Self {
        // Made when it is first needed: most clusters may never send an alert, and reading all roots takes a while.
        let client: Arc<OnceLock<Result<Network, String>>> = Arc::default();
        Self::through(move |request| {
            let client = client.clone();
            Box::pin(async move {
                let client = client.get_or_init(network).as_ref().map_err(Clone::clone)?;
                let answer = client(request.map(|body| Full::new(body.into())))
                    .await
                    .map_err(|error| line(&error_text::root(&error), 200))?;
                let (parts, body) = answer.into_parts();
                let _read = Limited::new(body, MAX_ANSWER).collect().await;
                Ok(Response::from_parts(parts, ()))
            })
        })
    }

    /// By any other way, for tests.
    pub fn through(send: impl Fn(Request<Vec<u8>>) -> Sending + Send + Sync + 'static) -> Self {
        Self { send: Arc::new(send) }
    }

    /// Sends one request and waits for the answer, not longer than `patience`.
    pub(super) async fn post(&self, request: Request<Vec<u8>>, patience: Duration) -> Answer {
        match request.uri().host() {
            None => return Answer::Refused("its address names no host: write one like https://host/path".to_owned()),
            Some(host) if is_forbidden_host(host) => {
                return Answer::Refused("its address is one where no receiver of alerts may be".to_owned());
            }
            Some(_) => {}
        }
        match timeout(patience, (self.send)(request)).await {
            Err(_) => Answer::Later(format!("it did not answer within {} s", patience.as_secs().max(1)), None),
            Ok(Err(why)) => Answer::Later(format!("it cannot be reached: {why}"), None),
            Ok(Ok(answer)) => judge(&answer),
        }
    }
}

/// TLS as towards the API server, without its certificates.
fn network() -> Result<Network, String> {
    let mut connector = HttpConnector::new_with_resolver(Resolver);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT));
    let tls = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("TLS cannot be set up: {error}: install root certificates, or set SSL_CERT_FILE"))?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
    let client = legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector);
    Ok(Box::new(move |request| client.request(request)))
}

fn judge(answer: &Response<()>) -> Answer {
    let status = answer.status();
    if status.is_success() {
        return Answer::Delivered;
    }
    let said = format!("it answered {}", status.as_u16());
    if status.is_redirection() {
        return Answer::Refused(format!("{said}: redirects are not followed, write the address that it names"));
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() {
        return Answer::Later(said, retry_after(answer));
    }
    Answer::Refused(format!("{said}: check its address and its credentials"))
}

/// Only the form in seconds: the other one needs a clock that agrees with ours.
fn retry_after(answer: &Response<()>) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
