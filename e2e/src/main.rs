//! End to end: kubeheal on any cluster, and any API server against transcripts of a real one.
//!
//! Only puts the parts together. Everything it makes in a cluster is in namespaces of its own, which it removes.

mod child;
mod chronicle;
mod conformance;
mod failure;
mod ground;
mod hands;
mod journeys;
mod outcome;
mod run;
mod service_account;
mod stage;
mod table;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Result;

/// Journeys of kubeheal on the cluster in KUBECONFIG, and transcripts of a real API server.
#[derive(Debug, Parser)]
#[command(name = "e2e", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Break things and see that they are healed, or held back, as they should be
    Journeys(run::Journeys),
    /// Play recorded requests and compare every answer
    Conformance(conformance::Conformance),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    let done: Result<bool> = match args.command {
        Command::Journeys(journeys) => journeys.run(&stop).await,
        Command::Conformance(conformance) => conformance.run(&stop).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("e2e: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What was begun is cleaned up after a signal too.
async fn cancel_on_signal(stop: CancellationToken) {
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        eprintln!("e2e: stopping, and cleaning up first");
        stop.cancel();
    }
}
