//! The sender: one request, one answer, in bounded time.
//!
//! Follows no redirect and shows nothing of an answer but its number and how long to wait.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures::{TryFutureExt, future::BoxFuture};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use tokio::time::timeout;

use crate::{
    base::{ReceiverHosts, error_text},
    diagnosis::line,
    notify::alert::reach::{Forbidden, OwnHosts, Resolver},
};

/// How much of an answer is read, so that the connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may stay unused.
const IDLE: Duration = Duration::from_secs(30);

type Client = Box<dyn Fn(Request<Full<Bytes>>) -> legacy::ResponseFuture + Send + Sync>;
type Sending = BoxFuture<'static, Result<Response<()>, Unsent>>;

/// Why a request has no answer.
#[derive(Debug, Clone)]
enum Unsent {
    /// No receiver may be where it was to go.
    Forbidden,
    /// The words of whatever failed, for the log.
    Failed(String),
}

/// The cluster's ceilings name the host of this request.
#[derive(Debug, Clone, Copy)]
struct Named;

/// Two clients: what one may reach, and a connection that it keeps open, is not for requests of the other.
struct Network {
    named: Client,
    others: Client,
}

/// Carries requests to receivers.
#[derive(Clone)]
pub struct HttpSender {
    send: Arc<dyn Fn(Request<Vec<u8>>) -> Sending + Send + Sync>,
    own: OwnHosts,
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
    /// Not now, perhaps later.
    Later {
        /// What there is to say of it to whoever reads the status.
        why: String,
        /// After so long, if it says so.
        wait: Option<Duration>,
        /// What only the controller's log says.
        detail: Option<String>,
    },
    /// Something that should stand in a Secret does not, or may not be read.
    Unprepared(String),
    /// Not like this: a person must change something. It is not sent again until it is time to repeat it.
    Refused(String),
}

impl Answer {
    /// Not now, perhaps later.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), wait: None, detail: None }
    }

    /// There was none. Why not would tell whoever wrote the address about the network around kubeheal.
    fn none(detail: String) -> Self {
        let why = "it could not be delivered: no answer; the log of kubeheal says more".to_owned();
        Self::Later { why, wait: None, detail: Some(detail) }
    }
}

impl HttpSender {
    /// Over HTTP and HTTPS. Certificates are checked against the roots of the system (`SSL_CERT_FILE` names others). Hosts of the
    /// controller's `own` are reached only where the cluster's ceilings name them.
    pub fn over_network(own: OwnHosts) -> Self {
        // Made when it is first needed: most clusters may never send an alert, and reading all roots takes a while.
        let network: Arc<OnceLock<Result<Network, String>>> = Arc::default();
        let hosts = own.clone();
        let send = move |request: Request<Vec<u8>>| -> Sending {
            let (network, own) = (network.clone(), own.clone());
            Box::pin(async move {
                let made = network.get_or_init(|| Network::new(&own)).as_ref();
                made.map_err(|error| Unsent::Failed(error.clone()))?.send(request).await
            })
        };
        Self { send: Arc::new(send), own: hosts }
    }

    /// By any other way, for tests.
    pub fn through(
        send: impl Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<Response<()>, String>> + Send + Sync + 'static,
    ) -> Self {
        let send = move |request| -> Sending { Box::pin(send(request).map_err(Unsent::Failed)) };
        Self { send: Arc::new(send), own: OwnHosts::default() }
    }

    /// Sends one request and waits for the answer, not longer than `patience`.
    pub(super) async fn post(&self, mut request: Request<Vec<u8>>, to: &ReceiverHosts, patience: Duration) -> Answer {
        let Some(host) = request.uri().host().map(str::to_owned) else {
            return Answer::Refused("its address names no host: write one like https://host/path".to_owned());
        };
        if let Some(policy) = to.refused_by(&host) {
            return Answer::Refused(format!("{policy} does not allow receivers there (ceilings.allowedReceiverHosts)"));
        }
        let named = to.names(&host);
        if !Resolver::new(self.own.clone(), named).allows_literal(&host) {
            return Answer::Refused(Forbidden.to_string());
        }
        if named {
            request.extensions_mut().insert(Named);
        }
        match timeout(patience, (self.send)(request)).await {
            Err(_) => Answer::none(format!("it did not answer within {} s", patience.as_secs().max(1))),
            Ok(Err(Unsent::Failed(detail))) => Answer::none(detail),
            Ok(Err(Unsent::Forbidden)) => Answer::Refused(Forbidden.to_string()),
            Ok(Ok(answer)) => judge(&answer),
        }
    }
}

impl Network {
    fn new(own: &OwnHosts) -> Result<Self, String> {
        let client = |named| client(Resolver::new(own.clone(), named));
        Ok(Self { named: client(true)?, others: client(false)? })
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<()>, Unsent> {
        let is_named = request.extensions().get::<Named>().is_some();
        let client = if is_named { &self.named } else { &self.others };
        let answer = client(request.map(|body| Full::new(body.into()))).await.map_err(|error| unsent(&error))?;
        let (parts, body) = answer.into_parts();
        let _read = Limited::new(body, MAX_ANSWER).collect().await;
        Ok(Response::from_parts(parts, ()))
    }
}

fn unsent(error: &(dyn std::error::Error + 'static)) -> Unsent {
    let text = line(&error_text::root(error), 200);
    // The resolver's error comes wrapped by others.
    if text == Forbidden.to_string() { Unsent::Forbidden } else { Unsent::Failed(text) }
}

/// TLS as towards the API server, without its certificates.
fn client(resolver: Resolver) -> Result<Client, String> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
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
        return Answer::Later { why: said, wait: retry_after(answer), detail: None };
    }
    Answer::Refused(format!("{said}: check its address and its credentials"))
}

/// Only the form in seconds: the other one needs a clock that agrees with ours.
fn retry_after(answer: &Response<()>) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
