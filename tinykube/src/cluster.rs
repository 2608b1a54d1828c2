//! A cluster: the API server and, unless left out, the control plane around it.

use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use std::sync::Arc;

use crate::api::{Api, Options, Status};
use crate::auth::Auth;
use crate::clock::Clock;
use crate::http::Service;
use crate::kubelet::Logs;
use crate::socket;
use crate::tls::Certificate;

/// A running cluster. It ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Cluster {
    api: Api,
    logs: Option<Logs>,
    _running: Arc<DropGuard>,
}

/// What a cluster is to be like.
#[derive(Debug)]
pub struct Builder {
    clock: Option<Clock>,
    seed: u64,
    history: usize,
    crds: Vec<Value>,
    controllers: bool,
    node: bool,
}

impl Cluster {
    /// A cluster with controllers, real time and seed 0.
    pub fn builder() -> Builder {
        Builder { clock: None, seed: 0, history: 20_000, crds: Vec::new(), controllers: true, node: true }
    }

    /// The API server's verbs as functions.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The API server as a `tower::Service`; requests are the admin's.
    pub fn service(&self) -> Service {
        self.service_for(Auth::open())
    }

    /// The API server as a `tower::Service` for the users of `auth`.
    pub fn service_for(&self, auth: Auth) -> Service {
        let service = Service::new(self.api.clone(), auth);
        match &self.logs {
            Some(logs) => service.with_logs(logs.clone()),
            None => service,
        }
    }

    /// A client of this cluster, without a socket and without retries.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    /// Serves HTTPS on `listener` until the future is dropped: what kubectl and other clients need to send their token.
    pub async fn serve(&self, listener: TcpListener, auth: Auth, certificate: &Certificate) {
        socket::serve(listener, self.service_for(auth), Some(certificate.acceptor())).await;
    }

    /// Serves HTTP without TLS on `listener` until the future is dropped, for clients of the same process: what they send,
    /// tokens too, can be read on the way.
    pub async fn serve_http(&self, listener: TcpListener, auth: Auth) {
        socket::serve(listener, self.service_for(auth), None).await;
    }

    /// The clock of the cluster.
    pub fn clock(&self) -> &Clock {
        self.api.clock()
    }
}

impl Builder {
    /// Takes the time from `clock`; the machine's time otherwise.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = Some(clock);
        self
    }

    /// The seed of UIDs and generated names.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// How many changes are remembered for watches and continued lists.
    #[must_use]
    pub fn history(mut self, changes: usize) -> Builder {
        self.history = changes;
        self
    }

    /// Installs a `CustomResourceDefinition` (anything that serialises to one) before the start.
    #[must_use]
    pub fn crd(mut self, definition: impl Serialize) -> Builder {
        self.crds.push(serde_json::to_value(definition).unwrap_or_default());
        self
    }

    /// Runs the API server alone: no workload controllers, no scheduler, no kubelet.
    #[must_use]
    pub fn without_controllers(mut self) -> Builder {
        self.controllers = false;
        self
    }

    /// Runs everything but the node and its kubelet; nodes come from outside, for example [`crate::node::Node`].
    #[must_use]
    pub fn without_node(mut self) -> Builder {
        self.node = false;
        self
    }

    /// Starts the cluster; to be called inside a tokio runtime.
    ///
    /// # Errors
    /// The [`Status`] with which the server refuses one of the definitions.
    pub fn start(self) -> Result<Cluster, Status> {
        let api = Api::new(self.clock.unwrap_or_else(Clock::real), self.seed, self.history);
        crate::bootstrap::furnish(&api)?;
        let definitions = api.resource("apiextensions.k8s.io", "customresourcedefinitions");
        let definitions = definitions.ok_or_else(Status::no_such_path)?;
        for definition in self.crds {
            api.create(&definitions, "", definition, &Options::default())?;
        }
        let cancellation = CancellationToken::new();
        tokio::spawn(crate::kinds::definition::termination::run(api.clone(), definitions, cancellation.clone()));
        let mut logs = None;
        if self.controllers {
            let control_plane = crate::workloads::ControlPlane::new(api.clone());
            let control_plane = if self.node { control_plane } else { control_plane.without_node() };
            logs = self.node.then(|| control_plane.logs());
            tokio::spawn(control_plane.run(cancellation.clone()));
        }
        Ok(Cluster { api, logs, _running: Arc::new(cancellation.drop_guard()) })
    }
}
