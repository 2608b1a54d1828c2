//! What the controller is told on its command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::ops::telemetry::{DEFAULT_FILTER, LogFormat};

/// Heals Kubernetes workloads with care and says why.
#[derive(Debug, Clone, Parser)]
#[command(name = "kubeheal", version, args_conflicts_with_subcommands = true)]
pub struct Config {
    /// Something else than the controller
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address of /metrics, /healthz, /readyz and /v1/circuits
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "IP:PORT")]
    pub addr: SocketAddr,

    /// Watch this namespace only [default: all]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,

    /// Services reconciled at the same time
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,

    /// Decide and report, never act, whatever the services say
    #[arg(long)]
    pub observe_only: bool,

    /// Lead without asking; only for a single replica
    #[arg(long)]
    pub no_leader_election: bool,

    /// Namespace of the leader's Lease and of the signing key [default: the namespace of the service account, or of the kubeconfig's context]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub lease_namespace: Option<String>,

    /// Name in the leader's Lease, different for each replica [default: host name and process number]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// How logs look
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// What is logged: level, and target=level
    #[arg(long, env = "KUBEHEAL_LOG", default_value = DEFAULT_FILTER, value_name = "FILTER")]
    pub log: String,

    /// File to read the filter from instead, if there is one, such as of a mounted ConfigMap; a change applies within seconds
    #[arg(long, env = "KUBEHEAL_LOG_FROM", value_name = "FILE")]
    pub log_from: Option<PathBuf>,
}

/// What else the program does.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Waits until a HealedService is available and stable, as dependsOn means it; for init containers
    ///
    /// Exit code 0 when it is, 1 if it is not in time, with a sentence that says why, and 2 for bad input.
    Wait(Wait),
}

/// What to wait for.
#[derive(Debug, Clone, clap::Args)]
pub struct Wait {
    /// Name of the HealedService
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: String,

    /// Its namespace [default: the namespace of the service account, or of the kubeconfig's context]
    #[arg(long, short, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,

    /// How long at the most, for example 90s or 5m [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub timeout: Option<std::time::Duration>,
}

/// `90`, `90s`, `5m`, `1h30m`.
fn span(text: &str) -> Result<std::time::Duration, String> {
    let seconds = text.parse().ok().map(std::time::Duration::from_secs);
    let span = || text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok());
    seconds.or_else(span).ok_or_else(|| "write seconds, or a time such as 90s, 5m or 1h30m".to_owned())
}

impl Config {
    /// Our name in the leader's Lease. Two processes of one machine must not take each other for themselves.
    pub fn identity(&self) -> String {
        let given = self.identity.clone().filter(|identity| !identity.is_empty());
        given.unwrap_or_else(|| {
            let host = hostname::get().map_or_else(|_| "kubeheal".into(), |host| host.to_string_lossy().into_owned());
            format!("{host}_{}", std::process::id())
        })
    }

    /// Namespace of the Lease and of the signing key; `fallback` if none was given.
    pub fn lease_namespace(&self, fallback: &str) -> String {
        self.lease_namespace.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| fallback.to_owned())
    }
}
