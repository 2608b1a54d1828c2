//! The same server over TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tinykube::Cluster;
use tinykube::auth::{Auth, User};
use tinykube::tls::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// A cluster that listens, for one user with the token `secret`.
struct Served {
    address: SocketAddr,
    certificate: Certificate,
    _cluster: Cluster,
}

impl Served {
    async fn start() -> Served {
        let cluster = Cluster::builder().without_controllers().start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificate = Certificate::generate().unwrap();
        let (serving, own) = (cluster.clone(), certificate.clone());
        let auth = Auth::default().with_user("secret", User::admin());
        tokio::spawn(async move { serving.serve(listener, auth, &own).await });
        Served { address, certificate, _cluster: cluster }
    }

    async fn plain(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection to the server by this name, trusting `authority` alone.
    async fn trusting(&self, authority: &str, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.plain().await).await
    }

    /// The status of a list of namespaces.
    async fn status(&self, authorization: Option<&str>) -> u16 {
        let stream = self.trusting(self.certificate.authority(), "127.0.0.1").await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = http::Request::builder().uri("/api/v1/namespaces").header("host", "tinykube");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        response.into_body().collect().await.unwrap();
        status
    }
}

#[tokio::test]
async fn a_token_says_who_asks() {
    let served = Served::start().await;
    assert_eq!(served.status(Some("Bearer secret")).await, 200);
    assert_eq!(served.status(Some("bearer secret")).await, 200);
    assert_eq!(served.status(Some("Bearer guessed")).await, 401);
    for nobody in [None, Some("Bearer"), Some("Bearer  secret"), Some("Basic c2VjcmV0"), Some("secret")] {
        assert_eq!(served.status(nobody).await, 403, "{nobody:?}");
    }
}

#[tokio::test]
async fn the_certificate_is_for_the_names_a_server_has_and_no_others() {
    let served = Served::start().await;
    let authority = served.certificate.authority();
    let names = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    for name in names {
        served.trusting(authority, name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(served.trusting(authority, "example.org").await.is_err());
    let another = Certificate::generate().unwrap();
    assert!(
        served.trusting(another.authority(), "localhost").await.is_err(),
        "every server has an authority of its own"
    );
}

#[tokio::test]
async fn who_is_slow_or_speaks_no_tls_holds_up_nobody() {
    let served = Served::start().await;
    let mut held = Vec::new();
    for hello in [&b""[..], b"\x16\x03\x01\x02\x00", b"\x00\xff\x00", b"\x16\x03\x01\xff\xff\x99\x99"] {
        for _ in 0..20 {
            let mut stream = served.plain().await;
            stream.write_all(hello).await.unwrap();
            held.push(stream);
        }
    }
    drop(served.plain().await);
    let answered = timeout(Duration::from_secs(5), served.status(Some("Bearer secret"))).await;
    assert_eq!(answered.expect("the others are in the way"), 200);
}

#[tokio::test]
async fn who_speaks_http_is_told_that_it_is_https() {
    let served = Served::start().await;
    let mut stream = served.plain().await;
    stream
        .write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_agree_on_tls_is_let_go() {
    let served = Served::start().await;
    for hello in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = served.plain().await;
        stream.write_all(hello).await.unwrap();
        let left = timeout(Duration::from_secs(60), stream.read_to_end(&mut Vec::new())).await;
        assert!(left.is_ok(), "{hello:?}: still connected after a minute");
    }
}
