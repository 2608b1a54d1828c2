//! The kubelet's port: the logs of containers, which the API server asks for when somebody runs `kubectl logs`.
//!
//! It answers on the loopback interface only and to whoever asks there: the API server need not have a certificate for
//! kubelets. All that can be read is what scripts let containers print; nothing can be run or changed.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use http::{Method, Request, Response};
use tokio::net::TcpListener;
use tower::service_fn;

use super::NodeError;
use crate::api::path::Query;
use crate::kubelet::{Follow, Logs, Wanted, log_unavailable};
use crate::response::{Body, reply, stream_text};
use crate::socket;
use crate::tls::Certificate;

const TEXT: &str = "text/plain";

/// The port, bound and still to be served.
pub(super) struct Port {
    listener: TcpListener,
    certificate: Certificate,
}

impl Port {
    /// A free port of the loopback interface, with a certificate of its own.
    pub(super) async fn open() -> Result<Port, NodeError> {
        let failed = |error: &(dyn std::error::Error + 'static)| NodeError::new("open the kubelet's port", error);
        let certificate = Certificate::generate().map_err(|error| failed(&error))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| failed(&error))?;
        Ok(Port { listener, certificate })
    }

    /// Its number; nothing if the system does not say.
    pub(super) fn number(&self) -> Option<u16> {
        self.listener.local_addr().ok().map(|address| address.port())
    }

    /// Serves logs until dropped.
    pub(super) async fn serve(self, logs: Logs) {
        let service = service_fn(move |request| {
            let logs = logs.clone();
            async move { Ok::<_, Infallible>(answer(&logs, &request)) }
        });
        socket::serve(self.listener, service, Some(self.certificate.acceptor())).await;
    }
}

/// `/containerLogs/NAMESPACE/POD/CONTAINER`; nothing else is served.
fn answer<B>(logs: &Logs, request: &Request<B>) -> Response<Body> {
    let mut parts = request.uri().path().split('/').skip(1);
    let place = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some("containerLogs"), Some(namespace), Some(pod), Some(container), None] = place else {
        return reply(404, TEXT, b"404 page not found\n".to_vec());
    };
    if request.method() != Method::GET {
        return reply(405, TEXT, b"405: Method Not Allowed\n".to_vec());
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let previous = query.is_true("previous");
    let Some(lines) = logs.read(namespace, pod, container, previous) else {
        let reason = logs.waits_for(namespace, pod, container);
        return reply(400, TEXT, log_unavailable((pod, container), previous, reason).into_bytes());
    };
    let wanted = Wanted::of(|name| query.get(name));
    if query.is_true("follow") && !previous {
        return stream_text(Follow::new(logs, [namespace, pod, container], wanted, lines).lines());
    }
    reply(200, TEXT, wanted.text(logs.now(), lines).into_bytes())
}
