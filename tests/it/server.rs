//! The HTTP port, over a socket.

use kubeheal::api::status::HealedServiceStatus;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kubeheal::{
    api::status::{CircuitStatus, HealthState},
    controller::{Clients, Controller, Options},
    ops::{
        leader::{Elector, Settings},
        metrics::Metrics,
        server::{self, CircuitReport, Probes},
    },
};
use kubeheal_core::model::state::CircuitState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{
    journeys::{is, well},
    support::world::World,
};

struct Port {
    address: std::net::SocketAddr,
    ready: Arc<AtomicBool>,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

async fn port() -> Port {
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = ready.clone();
    let circuit = CircuitStatus {
        state: CircuitState::Open,
        openings: 1,
        opened_at: Some(Time("2026-11-23T00:00:00Z".parse().unwrap())),
        ..CircuitStatus::default()
    };
    let status = HealedServiceStatus { circuit: Some(circuit), ..HealedServiceStatus::default() };
    let open = CircuitReport::new("shop".to_owned(), "api".to_owned(), &status).unwrap();
    serving(
        Probes {
            alive: Arc::new(|| Ok(())),
            ready: Arc::new(move || {
                if is_ready.load(Ordering::Relaxed) { Ok(()) } else { Err("watch of pods: not synced".to_owned()) }
            }),
            circuits: Arc::new(move || vec![open.clone()]),
        },
        ready,
    )
    .await
}

async fn serving(probes: Probes, ready: Arc<AtomicBool>) -> Port {
    let listener = server::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::new("2026-11-23T00:00:00Z".parse().unwrap());
    let stop = CancellationToken::new();
    let server = tokio::spawn(server::serve(listener, metrics, probes, stop.clone()));
    Port { address, ready, stop, server }
}

impl Port {
    /// Status line, headers and body.
    async fn get(&self, path: &str) -> (String, String, String) {
        self.get_as(path, "*/*").await
    }

    async fn get_as(&self, path: &str, accept: &str) -> (String, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: kubeheal\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let (status, headers) = head.split_once("\r\n").unwrap();
        (status.to_owned(), headers.to_owned(), body.to_owned())
    }
}

#[tokio::test]
async fn readiness_says_why_not() {
    let port = port().await;
    let (status, _, body) = port.get("/readyz").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 503 Service Unavailable", "watch of pods: not synced\n"));
    port.ready.store(true, Ordering::Relaxed);
    let (status, _, body) = port.get("/readyz").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", "ok\n"));
    assert_eq!(port.get("/healthz").await.0, "HTTP/1.1 200 OK");
}

/// Also for one who would rather have OpenMetrics: there is one format.
#[tokio::test]
async fn metrics_carry_their_media_type() {
    let port = port().await;
    for accept in ["*/*", "application/openmetrics-text;version=1.0.0"] {
        let (status, headers, body) = port.get_as("/metrics", accept).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(headers.contains("content-type: text/plain; version=0.0.4\r"), "{headers}");
        assert!(body.contains("# TYPE kubeheal_build_info gauge\nkubeheal_build_info{"), "{body}");
    }
}

#[tokio::test]
async fn circuits_are_json() {
    let (_, headers, body) = port().await.get("/v1/circuits").await;
    assert!(headers.contains("content-type: application/json"), "{headers}");
    let shown: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!([{
        "namespace": "shop", "name": "api", "state": "Open", "openings": 1,
        "openedAt": "2026-11-23T00:00:00Z", "retryAt": null, "onOpen": null,
    }]);
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let port = port().await;
    let error = server::listen(port.address).await.unwrap_err().to_string();
    assert!(error.contains(&port.address.to_string()) && error.contains("--addr") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn it_ends_when_told() {
    let port = port().await;
    port.stop.cancel();
    port.server.await.unwrap();
}

/// Reads until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_head_does_not_end_is_ended_and_so_is_a_connection_that_asks_nothing() {
    let port = port().await;
    let begin = tokio::time::Instant::now();
    for head in ["", "GET /metrics HTTP/1.1\r\nHost: kubeheal\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert!(begin.elapsed().as_secs() <= 20, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let port = port().await;
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    let head = format!("GET /metrics HTTP/1.1\r\nHost: kubeheal\r\nX-Large: {}\r\n\r\n", "x".repeat(1 << 20));
    let _closed = stream.write_all(head.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// Another one is served, however many connections somebody holds: the oldest of them are ended.
#[tokio::test]
async fn whoever_holds_all_connections_keeps_nobody_out() {
    let port = port().await;
    let mut held = Vec::new();
    for _ in 0..600 {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: kubeheal\r\n").await.unwrap();
        held.push(stream);
    }
    assert_eq!(port.get("/healthz").await.0, "HTTP/1.1 200 OK");
    let ended = |stream: &TcpStream| !matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    let open = held.iter().filter(|stream| !ended(stream)).count();
    assert!(open <= 128, "{open} are open");
}

#[tokio::test]
async fn nothing_is_changed_through_the_port() {
    let port = port().await;
    for (method, path) in [("POST", "/metrics"), ("DELETE", "/v1/circuits"), ("PUT", "/readyz"), ("PATCH", "/healthz")]
    {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: kubeheal\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{method} {path}: {answer}");
    }
}

/// A second replica, which never leads, knows the circuits as well as the first one.
#[tokio::test(start_paused = true)]
async fn circuits_are_those_of_the_cluster_also_where_nobody_leads() {
    let world = World::new();
    for name in ["api", "web"] {
        well(&world, name, 1, serde_json::json!({})).await;
    }
    let force = serde_json::json!({"metadata": {"annotations": {"kubeheal.dev/force-open": "incident 7"}}});
    world.patch("HealedService", "api", force).await;
    world
        .until("api", "open", 60, |status| {
            status.circuit.as_ref().is_some_and(|circuit| circuit.state == CircuitState::Open)
        })
        .await;

    let clock = world.clock();
    let (_elector, leadership) = Elector::new(world.client.clone(), clock.clone(), Settings::new("default", "second"));
    let metrics = Metrics::new(clock.now());
    let options = Options { namespace: None, concurrency: 1, observe_only: false, metrics, leader: Some(leadership) };
    let standby =
        Controller::new(Clients { reads: world.client.clone(), actions: world.client.clone() }, clock, options);
    let port = serving(standby.probes(), Arc::default()).await;
    assert_eq!(port.get("/v1/circuits").await.2, "[]", "before it has seen anything");
    let stop = CancellationToken::new();
    let running = tokio::spawn(standby.run(stop.clone()));
    world.pass(10).await;
    let shown: serde_json::Value = serde_json::from_str(&port.get("/v1/circuits").await.2).unwrap();
    let opened = world.status("api").await.circuit.unwrap().opened_at.unwrap();
    let expected = serde_json::json!([
        {"namespace": "default", "name": "api", "state": "Open", "openings": 0, "openedAt": opened, "retryAt": null, "onOpen": null},
        {"namespace": "default", "name": "web", "state": "Closed", "openings": 0, "openedAt": null, "retryAt": null, "onOpen": null},
    ]);
    assert_eq!(shown, expected);
    assert!(is(HealthState::Healthy)(&world.status("web").await));
    stop.cancel();
    running.await.unwrap();
}
