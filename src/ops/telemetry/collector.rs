//! The way to the collector: OTLP's requests over HTTP or HTTPS, with the client and the TLS the controller has anyway.
//!
//! Must not hold anything up nor fill the log: what the collector does not take is lost, and that is said once in a while.

use parking_lot::Mutex;
use std::{fmt, io, time::Duration};

use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

/// An answer is a few bytes.
const LARGEST_ANSWER: usize = 64 * 1024;
/// Between two lines about a collector that takes nothing.
const QUIET: Duration = Duration::from_secs(600);

/// Carries requests to the collector. The exporter's own thread knows no runtime, so they are sent on ours.
pub(super) struct Collector {
    runtime: Handle,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// For one answer.
    patience: Duration,
    /// When it was last said that nothing gets through.
    said: Mutex<Option<Instant>>,
}

impl Collector {
    /// A client on the runtime we are called in. HTTPS trusts the certificates of the system, or of `SSL_CERT_FILE`.
    pub(super) fn new(patience: Duration) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { runtime, client, patience, said: Mutex::default() })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, patience) = (self.client.clone(), self.patience);
        let exchange = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let sent = self.runtime.spawn(async move { timeout(patience, exchange).await }).await?;
        sent.unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs_f32()).into()))
    }

    fn tell(&self, place: &Uri, problem: &str) {
        let mut said = self.said.lock();
        if said.is_none_or(|said| said.elapsed() >= QUIET) {
            *said = Some(Instant::now());
            let minutes = QUIET.as_secs() / 60;
            tracing::warn!(
                "traces do not get through to {place}: {problem}; they are lost, nothing else is; said every {minutes} minutes at most"
            );
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let place = request.uri().clone();
        let answer = self.send(request).await;
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => self.tell(&place, &format!("the answer is {}", answer.status())),
            Err(error) => self.tell(&place, &causes(error.as_ref())),
        }
        answer
    }
}

/// An error with what is behind it: the client's own says no more than "client error (Connect)".
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
