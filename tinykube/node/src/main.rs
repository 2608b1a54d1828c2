//! `tinykube-node`: nodes of the cluster in a kubeconfig. Only reads what it is asked for; the node is in `tinykube::node`.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use futures::future::try_join_all;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tinykube::node::Node;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A node of any Kubernetes API server whose pods follow scripts; no container runs.
///
/// Registers a Node, renews its Lease, and acts out the pods that are bound to it as a kubelet with real containers would
/// report them: status, Events, restarts with their back-off, probes, grace, removal. What a pod does says the annotation
/// tinykube.dev/script on the pod or on the workload that owns it; without one it is healthy.
///
/// It answers `kubectl logs` on a port of the loopback interface, so the API server must run on the same machine for that;
/// everybody there can read what scripts let containers print.
///
/// It ends with SIGTERM or Ctrl-C. The Node stays and is not ready any more, as when a machine is lost; start it again with the
/// same name, or remove the Node with kubectl.
#[derive(Debug, Parser)]
#[command(version, after_help = PERMISSIONS)]
struct Args {
    /// How to reach the cluster, and as whom
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: PathBuf,

    /// Name of the node; give it again for more nodes
    #[arg(long = "name", value_name = "NAME", required = true)]
    names: Vec<String>,
}

const PERMISSIONS: &str = "\
The user of the kubeconfig needs, in the whole cluster:
  get, list, watch    pods, nodes, configmaps, secrets; replicasets, deployments, statefulsets, daemonsets (apps);
                      jobs (batch); and the kinds that scripts name with whileDown
  create, patch       nodes, events, leases (coordination.k8s.io)
  patch               nodes/status, pods/status
  delete              pods

Example:
  tinykube-node --kubeconfig admin.kubeconfig --name n1 --name n2
  kubectl annotate deployment web tinykube.dev/script='app: {exits: [{after: 3s}]}'

RUST_LOG=tinykube=debug says what is watched and written.";

/// What ends the program, and its exit code: 2 for what was asked for, 1 for what happened.
struct Failure(u8, String);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error,kube_client=off,tinykube=info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, message)) => {
            eprintln!("tinykube-node: {message}");
            ExitCode::from(code)
        }
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let names: BTreeSet<&String> = args.names.iter().collect();
    if names.len() < args.names.len() {
        return Err(Failure(2, "two nodes cannot have the same --name".to_owned()));
    }
    let (client, server) = client(&args.kubeconfig).await?;
    let nodes: Result<Vec<Node>, _> = args.names.iter().map(|name| Node::new(name, client.clone())).collect();
    let nodes = nodes.map_err(|error| Failure(2, error.to_string()))?;
    let end = CancellationToken::new();
    tokio::spawn(cancel_on_signal(end.clone()));
    let running = nodes.into_iter().map(|node| node.serve_logs().run(end.clone()));
    let failed =
        |error| Failure(1, format!("{error}: check the API server at {server}, and the user of the kubeconfig"));
    try_join_all(running).await.map(|_| ()).map_err(failed)
}

/// A client, and the address of its server.
async fn client(path: &Path) -> Result<(Client, String), Failure> {
    let wrong = |problem: &str| {
        // What is wrong with YAML is shown in more lines than one.
        let problem = problem.lines().next().unwrap_or_default();
        Failure(2, format!("kubeconfig {}: {problem}: check --kubeconfig", path.display()))
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(&innermost(&error)))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config = config.map_err(|error| wrong(&innermost(&error)))?;
    let server = config.cluster_url.to_string();
    if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) || config.cluster_url.host().is_none() {
        return Err(wrong(&format!("the server {server:?} is no address like https://127.0.0.1:6443")));
    }
    let client = Client::try_from(config).map_err(|error| wrong(&innermost(&error)))?;
    Ok((client, server))
}

/// The cause behind all others, which says the most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn cancel_on_signal(end: CancellationToken) {
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        end.cancel();
    }
}
