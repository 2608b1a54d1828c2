//! The controller: wiring, start and end.
//!
//! Holds no knowledge between two reconciles but caches, which a restart fills again. What a decision must remember is in
//! the status, written *before* the action that it announces.

mod context;
pub mod error;
mod live;
pub mod queue;
mod reconcile;
mod record;
mod report;
pub mod turn;
mod unreadable;
mod worker;

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{context::Context, queue::Queue};
use crate::{
    api::HealedService,
    base::Key,
    cluster::watch::{Shared, watch},
    notify::{
        alert::{HttpSender, OwnHosts, RetryConfig},
        recorder::{self, PendingEvent},
    },
    ops::{
        clock::Clock,
        leader::Leadership,
        metrics::Metrics,
        server::{CircuitReport, Probes},
    },
};

/// A reconcile that takes longer is stuck: even replacing a workload is over by then.
const STUCK: Duration = Duration::from_secs(900);
/// How long Events that wait may take when the controller ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How the controller runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Watch one namespace; `None` is all.
    pub namespace: Option<String>,
    /// Services reconciled at the same time, at least 1.
    pub concurrency: usize,
    /// Treat every service as if its mode were Observe.
    pub observe_only: bool,
    /// Where to count.
    pub metrics: Metrics,
    /// Act only while leading; `None` is alone.
    pub leader: Option<Leadership>,
}

/// The ways out of the controller.
pub struct Clients {
    /// Reads, and writes of statuses and Events.
    pub reads: Client,
    /// Actions. It must not retry by itself.
    pub actions: Client,
}

/// The controller.
pub struct Controller {
    context: Arc<Context>,
    events: mpsc::Receiver<PendingEvent>,
}

impl Controller {
    /// A controller that notifies receivers of alerts over the network.
    pub fn new(clients: Clients, clock: Clock, options: Options) -> Self {
        Self::notifying(
            clients,
            clock,
            options,
            (HttpSender::over_network(OwnHosts::default()), RetryConfig::default()),
        )
    }

    /// The same, with another way to reach receivers of alerts.
    pub fn notifying(clients: Clients, clock: Clock, options: Options, receivers: (HttpSender, RetryConfig)) -> Self {
        let (context, events) = Context::new(clients, clock, options, receivers);
        Self { context: Arc::new(context), events }
    }

    /// What the HTTP port tells.
    pub fn probes(&self) -> Probes {
        let (queue, ready, circuits) =
            (self.context.queue.clone(), self.context.shared.clone(), self.context.shared.clone());
        Probes {
            alive: Arc::new(move || progress(&queue)),
            ready: Arc::new(move || readiness(&ready)),
            circuits: Arc::new(move || circuit_reports(&circuits)),
        }
    }

    /// Runs until told to stop. Then no new reconcile begins, and those under way end.
    pub async fn run(self, stop: CancellationToken) {
        let Self { context, events } = self;
        let recorder = AbortOnDropHandle::new(tokio::spawn(recorder::write(context.reads.clone(), events)));
        let watching = stop.child_token();
        let namespace = context.options.namespace.clone();
        let (client, shared, until) = (context.reads.clone(), context.shared.clone(), watching.clone());
        let watches = tokio::spawn(async move { watch(client, namespace.as_deref(), shared, until).await });
        let mut workers = JoinSet::new();
        for _ in 0..context.options.concurrency.max(1) {
            workers.spawn(worker::work(context.clone(), stop.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended abnormally, the others go on");
                workers.spawn(worker::work(context.clone(), stop.clone()));
            }
        }
        watching.cancel();
        let _ended = watches.await;
        // No reconcile is under way, so nothing more is to be said. What was is worth a moment.
        drop(context);
        let _told = timeout(LAST_WORDS, recorder).await;
    }
}

fn readiness(shared: &Shared) -> Result<(), String> {
    match shared.behind() {
        None => Ok(()),
        Some((kind, _, why)) => Err(format!("the cache of {} is not filled: {why}", kind.as_str())),
    }
}

fn progress(queue: &Queue) -> Result<(), String> {
    match queue.slowest() {
        Some(((namespace, name), took)) if took > STUCK => {
            Err(format!("the reconcile of {namespace}/{name} takes {} s already", took.as_secs()))
        }
        Some(_) | None => Ok(()),
    }
}

fn circuit_reports(shared: &Shared) -> Vec<CircuitReport> {
    let caches = shared.caches();
    let report = |((namespace, name), service): (&Key, &Arc<HealedService>)| {
        CircuitReport::new(namespace.clone(), name.clone(), service.status.as_ref()?)
    };
    caches.services().filter_map(report).collect()
}
