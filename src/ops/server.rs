//! The HTTP port: metrics, probes and the state of the circuits.
//!
//! It reads and answers; nothing can be changed through it.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    api::status::{CircuitStatus, HealedServiceStatus},
    ops::{
        answer::LastAnswer,
        connections,
        metrics::{self, Metrics},
    },
};
use kubeheal_core::model::state::{CircuitState, Mitigation};

/// A check: all is well, or why not in one line.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the port is asked about.
#[derive(Clone)]
pub struct Probes {
    /// Whether the process makes progress. It is killed if not, so nothing outside of it counts.
    pub alive: Check,
    /// Whether it does its work: synced with the API server.
    pub ready: Check,
    /// The circuit of every service, by namespace and name.
    pub circuits: Arc<dyn Fn() -> Vec<CircuitReport> + Send + Sync>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Probes").finish_non_exhaustive()
    }
}

/// The circuit breaker of one service, as `/v1/circuits` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitReport {
    /// Namespace of the HealedService.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether healing goes on.
    pub state: CircuitState,
    /// Openings since the last reset.
    pub openings: i32,
    /// When it opened; empty while it is closed.
    pub opened_at: Option<Time>,
    /// When it tries again; empty while it is closed, or if only a person may close it.
    pub retry_at: Option<Time>,
    /// What was changed because it opened, until that is taken back.
    pub on_open: Option<Mitigation>,
}

impl CircuitReport {
    /// The report of the circuit in a status, if it has one.
    pub fn new(namespace: String, name: String, status: &HealedServiceStatus) -> Option<Self> {
        let CircuitStatus { state, ineffective: _, openings, opened_at, retry_at } = status.circuit.clone()?;
        Some(Self { namespace, name, state, openings, opened_at, retry_at, on_open: status.memory.mitigation.clone() })
    }
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}: {}", .source, advice(.source, *.address))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

fn advice(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("stop what listens on port {} or choose another with --addr", address.port())
        }
        io::ErrorKind::PermissionDenied => "choose a port above 1023 with --addr".to_owned(),
        _ => "choose an address of this machine with --addr".to_owned(),
    }
}

/// Takes the port.
///
/// # Errors
/// When it is taken, or is not ours to take.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Answers on `listener` until `stop`; answers begun are finished.
pub async fn serve(listener: TcpListener, metrics: Metrics, probes: Probes, stop: CancellationToken) {
    connections::accept(listener, router(metrics, probes), stop).await;
}

/// The routes.
pub fn router(metrics: Metrics, probes: Probes) -> Router {
    let shared = Shared { metrics, probes, metrics_text: LastAnswer::default(), circuits_text: LastAnswer::default() };
    Router::new()
        .route("/metrics", get(async |State(shared): State<Shared>| shared.show_metrics()))
        .route("/healthz", get(async |State(shared): State<Shared>| verdict((shared.probes.alive)())))
        .route("/readyz", get(async |State(shared): State<Shared>| verdict((shared.probes.ready)())))
        .route("/v1/circuits", get(async |State(shared): State<Shared>| shared.show_circuits()))
        .with_state(shared)
}

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    probes: Probes,
    metrics_text: LastAnswer,
    circuits_text: LastAnswer,
}

impl Shared {
    fn show_metrics(&self) -> impl IntoResponse + use<> {
        ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], self.metrics_text.or_made(|| self.metrics.encode()))
    }

    fn show_circuits(&self) -> impl IntoResponse + use<> {
        let text = || serde_json::to_string(&(self.probes.circuits)()).unwrap_or_else(|_| "[]".to_owned());
        ([(CONTENT_TYPE, "application/json")], self.circuits_text.or_made(text))
    }
}

fn verdict(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
