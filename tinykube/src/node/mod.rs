//! A node of any API server, as its kubelet would be: a client that registers a Node, keeps it alive, and acts out the
//! scripts of the pods that are bound to it. No container runs anywhere.
//!
//! It is the second driver of the kubelet in [`crate::kubelet`]; the first one serves the node inside of a
//! [`Cluster`](crate::Cluster). What a pod does, when, and what is said about it are the same. It needs nothing but a
//! client whose user may do what `tinykube-node --help` lists.
//!
//! ```no_run
//! # async fn node(client: kube::Client) -> Result<(), tinykube::node::NodeError> {
//! use tinykube::node::Node;
//! use tokio_util::sync::CancellationToken;
//!
//! let end = CancellationToken::new();
//! Node::new("n1", client)?.run(end).await
//! # }
//! ```

mod feed;
mod heartbeat;
mod kind;
mod known;
mod running;
mod serve;
mod write;

use std::error::Error;
use std::sync::Arc;

use kube::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::heartbeat::Heartbeat;
use self::running::Running;
use self::serve::Port;
use crate::clock::Clock;
use crate::kinds::is_dns_subdomain;
use crate::kubelet::{Addresses, Host, Logs, Pods};

/// The address of every node: its kubelet is a program on this machine.
const ADDRESS: &str = "127.0.0.1";
/// More than a machine has, so that requests of pods that do nothing do not matter.
const CAPACITY: [&str; 2] = ["32", "128Gi"];

/// A node that is still to run.
#[derive(Clone)]
pub struct Node {
    name: String,
    client: Client,
    clock: Clock,
    logs: Logs,
    serves_logs: bool,
}

/// Why a node cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {problem}")]
pub struct NodeError {
    doing: String,
    problem: String,
}

impl NodeError {
    fn new(doing: impl Into<String>, error: &(dyn Error + 'static)) -> NodeError {
        NodeError { doing: doing.into(), problem: problem(error) }
    }

    fn silent(doing: String) -> NodeError {
        NodeError { doing, problem: "the API server does not answer".to_owned() }
    }
}

/// What the cause behind all others says, or the API server.
fn problem(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.downcast_ref::<Box<kube::core::Status>>().map_or_else(|| cause.to_string(), |status| status.message.clone())
}

impl Node {
    /// A node of this name, on the machine's clock.
    ///
    /// # Errors
    /// The name is none for an object.
    pub fn new(name: &str, client: Client) -> Result<Node, NodeError> {
        if !is_dns_subdomain(name) {
            return Err(NodeError {
                doing: format!("name a node {name:?}"),
                problem: "a name has lower case letters, digits, '-' and '.', like n1 or node-1.example".to_owned(),
            });
        }
        let clock = Clock::real();
        Ok(Node { name: name.to_owned(), client, logs: Logs::new(clock.clone()), clock, serves_logs: false })
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Node {
        self.logs = Logs::new(clock.clone());
        self.clock = clock;
        self
    }

    /// Where the logs of its containers can be read while it runs.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// Answers `kubectl logs`: serves the logs of its containers on a free port of the loopback interface, over TLS with a
    /// certificate of its own, and tells the API server where. Whoever can connect to the port can read them.
    #[must_use]
    pub fn serve_logs(mut self) -> Node {
        self.serves_logs = true;
        self
    }

    /// Runs until cancelled. The Node stays, and turns `NotReady` when its Lease is old, as when a machine is lost.
    ///
    /// # Errors
    /// The API server cannot be reached at first, or refuses what every node needs.
    pub async fn run(self, cancelled: CancellationToken) -> Result<(), NodeError> {
        let port = if self.serves_logs { Some(Port::open().await?) } else { None };
        let host = Host {
            name: self.name.clone(),
            address: ADDRESS.to_owned(),
            hostname: "localhost".to_owned(),
            capacity: CAPACITY,
            port: port.as_ref().and_then(Port::number),
        };
        let heartbeat = Heartbeat { client: self.client.clone(), clock: self.clock.clone(), host };
        let node = heartbeat.register().await?;
        tracing::info!(node = self.name, "registered");
        let own = watch::Sender::new(Some(Arc::clone(&node)));
        let beats = heartbeat.run(own.subscribe());
        let pods = Pods::new(&self.logs, Addresses::of_node(&self.name), ADDRESS);
        let work = Running::new(&self.name, &self.client, &self.clock, pods, own).run(cancelled);
        let answers = async {
            match port {
                Some(port) => port.serve(self.logs.clone()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = beats => Ok(()),
            () = answers => Ok(()),
        }
    }
}
