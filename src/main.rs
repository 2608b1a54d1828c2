//! The controller's process: arguments, logs, clients, port, election, controller, orderly end.
//!
//! It only puts the parts together. A cluster that does not answer, lacks the CRDs or refuses us is waited for.

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use http::{HeaderValue, header::USER_AGENT};
use kube::Client;
use kubeheal::{
    controller::{Clients, Controller, Options},
    notify::alert::{HttpSender, OwnHosts, RetryConfig},
    ops::{
        clock::Clock,
        config::{Command, Config, Wait},
        leader::{Elector, Leadership, Settings, Standing},
        metrics::Metrics,
        preflight::{self, Trouble},
        server::{self, Probes},
        telemetry,
        wait::until_stable,
    },
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long actions that were begun may take to end; the rest of the pod's 30 s of grace is for the lease.
const GRACE: Duration = Duration::from_secs(15);
/// How long answers on the port may take to end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let mut config = Config::parse();
    if let Some(Command::Wait(wait)) = config.command.take() {
        return wait_for(wait).await;
    }
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubeheal: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for a service, as an init container does.
async fn wait_for(wait: Wait) -> ExitCode {
    let Wait { name, namespace, timeout } = wait;
    let clients = match clients(None).await {
        Ok(clients) => clients,
        Err(error) => {
            eprintln!("kubeheal: {error}");
            return ExitCode::from(2);
        }
    };
    let service = (namespace.unwrap_or(clients.namespace), name);
    let say = |why: &str| eprintln!("kubeheal: waiting: {why}");
    match until_stable(clients.actions, Clock::system(), &service, timeout, say).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kubeheal: not in time: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal; then ends in order: no new action, those begun end, the lease goes back, the port closes.
async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    let mut telemetry = telemetry::init(&telemetry::Settings {
        format: config.log_format,
        filter: config.log.clone(),
        filter_from: config.log_from.clone(),
        identity: config.identity(),
    })?;
    telemetry.follow_filter();
    let clock = Clock::system();
    let metrics = Metrics::new(clock.now());
    let Connections { reads, actions, namespace, api_server } = clients(Some(&config)).await?;
    let listener = server::listen(config.addr).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %listener.local_addr()?, "kubeheal starts");

    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    let election = Election::start(&config, actions.clone(), clock.clone(), &namespace, &metrics);
    let options = Options {
        namespace: config.namespace.clone(),
        concurrency: usize::from(config.concurrency),
        observe_only: config.observe_only,
        metrics: metrics.clone(),
        leader: election.as_ref().map(|election| election.leadership.clone()),
    };
    let clients = Clients { reads, actions: actions.clone() };
    let receivers = (HttpSender::over_network(api_server), RetryConfig::default());
    let controller = Controller::notifying(clients, clock, options, receivers);
    metrics.max_workers(usize::from(config.concurrency));

    let (trouble, troubled) = watch::channel(Some("the API server has not answered yet".to_owned()));
    let open = CancellationToken::new();
    let probes = until_passed(controller.probes(), troubled);
    let mut port = tokio::spawn(server::serve(listener, metrics, probes, open.clone()));
    let work = async {
        preflight::passed(actions, config.namespace.as_deref(), &trouble, &stop).await;
        controller.run(stop.clone()).await;
    };
    let ended = until_ended(work, &mut port, &stop).await?;
    if let (Some(election), Ended::InOrder) = (election, &ended) {
        election.end().await;
    }
    open.cancel();
    if !port.is_finished() {
        let _closed = timeout(LAST_ANSWERS, port).await;
    }
    telemetry.end().await;
    Ok(())
}

/// How the work ended.
enum Ended {
    /// Nothing is under way any more.
    InOrder,
    /// Something may be: the lease is not given back, so that the next leader waits until that is over for sure.
    Cut,
}

/// Works until `stop`, and then until what was begun is over, but not longer than [`GRACE`].
async fn until_ended(
    work: impl Future<Output = ()>,
    port: &mut JoinHandle<()>,
    stop: &CancellationToken,
) -> Result<Ended, Box<dyn Error>> {
    tokio::pin!(work);
    let failure = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        () = &mut work => Some("the controller ended by itself: please report this with the log".to_owned()),
        closed = port => Some(format!("the HTTP port closed by itself: {closed:?}")),
    };
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    tracing::info!("stopping: no new action, waiting for what was begun");
    if timeout(GRACE, work).await.is_ok() {
        return Ok(Ended::InOrder);
    }
    tracing::warn!("an action has not ended in {} s; the lease is left to run out", GRACE.as_secs());
    Ok(Ended::Cut)
}

struct Connections {
    reads: Client,
    actions: Client,
    namespace: String,
    api_server: OwnHosts,
}

/// Two clients. One reads and watches, and is patient. The other acts, and hears a refusal at once: kube would repeat a
/// refused eviction (429) up to 15 times.
async fn clients(own: Option<&Config>) -> Result<Connections, Box<dyn Error>> {
    let mut config = kube::Config::infer().await.map_err(|error| {
        format!("no way to the API server: {error}: set KUBECONFIG to a readable kubeconfig, or run inside a cluster")
    })?;
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("kubeheal/", env!("CARGO_PKG_VERSION")))));
    if let Some(own) = own {
        // Where the Lease is, the signing key is too.
        config.default_namespace = own.lease_namespace(&config.default_namespace);
    }
    let namespace = config.default_namespace.clone();
    let reads = client(config.clone())?;
    config.default_retry = false;
    let by_environment = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let api_server = config.cluster_url.host().map(str::to_owned).into_iter().chain(by_environment).collect();
    Ok(Connections { reads, actions: client(config)?, namespace, api_server })
}

fn client(config: kube::Config) -> Result<Client, Box<dyn Error>> {
    Client::try_from(config).map_err(|error| {
        format!("the kubeconfig cannot be used: {error}: check its certificates and credentials").into()
    })
}

/// The controller's probes, but not ready until the API server gave its first answer.
fn until_passed(mut probes: Probes, troubled: watch::Receiver<Trouble>) -> Probes {
    let controller_ready = probes.ready;
    probes.ready = Arc::new(move || match &*troubled.borrow() {
        Some(reason) => Err(reason.clone()),
        None => controller_ready(),
    });
    probes
}

struct Election {
    leadership: Leadership,
    stop: CancellationToken,
    elector: JoinHandle<()>,
}

impl Election {
    /// Stands for election, unless told not to; then we lead alone.
    fn start(config: &Config, client: Client, clock: Clock, namespace: &str, metrics: &Metrics) -> Option<Self> {
        if config.no_leader_election {
            metrics.leading(true);
            return None;
        }
        let settings = Settings::new(namespace, config.identity());
        let (elector, leadership) = Elector::new(client, clock, settings);
        tokio::spawn(show_leadership(leadership.subscribe(), metrics.clone()));
        let stop = CancellationToken::new();
        let elector = tokio::spawn(elector.run(stop.clone()));
        Some(Self { leadership, stop, elector })
    }

    /// Gives the lease back. No action may run any more.
    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.elector.await {
            tracing::error!(%error, "leader election ended badly");
        }
    }
}

async fn show_leadership(mut standing: watch::Receiver<Standing>, metrics: Metrics) {
    loop {
        metrics.leading(matches!(*standing.borrow_and_update(), Standing::Leading { .. }));
        if standing.changed().await.is_err() {
            return;
        }
    }
}

async fn cancel_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        }
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard; only Ctrl-C ends this in order");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    stop.cancel();
}
