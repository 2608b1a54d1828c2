//! HTTP over a socket, with TLS or without. Each connection is a task of its own, so that none waits for another.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::response::Body;

/// A client that has not agreed on encryption by then is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Until one of the sockets may be free again, when the process has no more of them.
const PAUSE: Duration = Duration::from_millis(200);
/// What the real server says to who speaks HTTP where TLS is expected.
const NOT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Answers the requests of a connection.
pub(crate) trait Serves:
    tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static
{
}

impl<S> Serves for S where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static
{
}

/// Accepts connections until the future is dropped.
pub(crate) async fn serve<S: Serves>(listener: TcpListener, service: S, tls: Option<TlsAcceptor>)
where
    S::Future: Send,
{
    loop {
        let stream = accept(&listener).await;
        let (service, tls) = (service.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(stream, service).await,
                Some(acceptor) => match timeout(HANDSHAKE, encrypt(stream, &acceptor)).await {
                    Ok(Ok(Some(stream))) => answer(stream, service).await,
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "a client failed to agree on TLS"),
                    Err(_) => tracing::debug!("a client took too long to agree on TLS"),
                },
            }
        });
    }
}

/// The next connection. A listener does not fail: a client gave up, or the process has no sockets left for now.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The connection after the handshake; nothing if the client speaks HTTP, which it is told.
async fn encrypt(mut stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method begins with a letter, and no TLS record does.
    if !first[0].is_ascii_uppercase() {
        return acceptor.accept(stream).await.map(Some);
    }
    // Closing with bytes unread would reset the connection, and the answer might be lost.
    let _read = stream.read(&mut [0; 8192]).await?;
    stream.write_all(NOT_TLS).await?;
    stream.shutdown().await?;
    Ok(None)
}

/// Answers requests until the client leaves.
async fn answer<S: Serves>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S::Future: Send,
{
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
