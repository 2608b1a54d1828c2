//! Runs journeys, as many at a time as may be, and cleans up after each, whatever came of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kubeheal::ops::clock::Clock;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Result, expect},
    ground::Ground,
    hands::Hands,
    journeys::{JOURNEYS, Journey},
    outcome::Outcome,
    service_account::ServiceAccountName,
    stage::{Healer, Marks, Stage, Theatre},
    table,
};

/// For a whole journey: longer than any wait in it.
const LIMIT: Duration = Duration::from_secs(900);
/// Lines of a controller's log that are shown of a journey that failed.
const SHOWN: usize = 30;

/// Arguments of `e2e journeys`.
#[derive(Debug, clap::Args)]
pub(crate) struct Journeys {
    /// Only these [default: all]
    names: Vec<String>,
    /// On a playground of its own instead of the cluster in KUBECONFIG
    #[arg(long)]
    playground: bool,
    /// At the same time [default: all with a local controller, else one after the other]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Image of the workloads; it needs sh, httpd, wget, tail and sleep
    #[arg(long, env = "KUBEHEAL_E2E_IMAGE", default_value = "busybox:1.37")]
    image: String,
    /// Who heals
    #[arg(long, env = "KUBEHEAL_E2E_CONTROLLER", value_enum, default_value_t = Healer::Local)]
    controller: Healer,
    /// Where the controller in the cluster is
    #[arg(long, env = "KUBEHEAL_E2E_NAMESPACE", default_value = "kubeheal-system")]
    home: String,
    /// Service account whose rights local controllers have [default: those of the kubeconfig]
    #[arg(long, env = "KUBEHEAL_E2E_SERVICE_ACCOUNT", value_name = "NAMESPACE/NAME")]
    service_account: Option<ServiceAccountName>,
}

impl Journeys {
    /// Runs them. Whether all went well.
    pub(crate) async fn run(&self, stop: &CancellationToken) -> Result<bool> {
        let journeys = self.chosen()?;
        let folder = tempfile::Builder::new().prefix("kubeheal-e2e-").tempdir();
        let folder = folder.map_err(|error| Failure::new(format!("make a folder for logs: {error}")))?;
        let ground = if self.playground { Ground::playground(folder.path()).await? } else { Ground::given().await? };
        let installed = match self.controller {
            Healer::Local => ground.install().await?,
            Healer::InCluster => {
                self.is_installed(&ground).await?;
                Vec::new()
            }
        };
        let kubeconfig = match &self.service_account {
            Some(account) => Some(account.kubeconfig(&ground, folder.path()).await?),
            None => ground.kubeconfig.clone(),
        };
        let theatre = Arc::new(self.theatre(&ground, kubeconfig, folder.path()));
        println!("{} journeys, run {} on {}", journeys.len(), theatre.run, ground.config.cluster_url);
        let outcomes = self.all(&journeys, &theatre, stop).await;
        let cleaned = ground.uninstall(&installed).await;
        println!("\n{}", table::of(&outcomes));
        let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
        if failed > 0 {
            println!("{failed} of {} failed; logs of the controllers: {}", outcomes.len(), folder.keep().display());
        }
        cleaned?;
        Ok(failed == 0 && outcomes.len() == journeys.len())
    }

    fn chosen(&self) -> Result<Vec<Journey>> {
        for name in &self.names {
            let all: Vec<_> = JOURNEYS.iter().map(|journey| journey.name).collect();
            expect(all.contains(&name.as_str()), || {
                format!("there is no journey \"{name}\": write one of {}", all.join(", "))
            })?;
        }
        let wanted = |journey: &&Journey| self.names.is_empty() || self.names.iter().any(|name| name == journey.name);
        Ok(JOURNEYS.iter().filter(wanted).copied().collect())
    }

    async fn is_installed(&self, ground: &Ground) -> Result<()> {
        let home = Hands::new(ground.client.clone(), &self.home);
        let lease = home.get("Lease", kubeheal::ops::leader::LEASE_NAME).await?;
        expect(lease.is_some(), || {
            format!("no kubeheal has ever led in {}: install it there, or name its namespace with --home", self.home)
        })
    }

    fn theatre(&self, ground: &Ground, kubeconfig: Option<PathBuf>, folder: &Path) -> Theatre {
        Theatre {
            client: ground.client.clone(),
            kubeconfig,
            image: self.image.clone(),
            healer: self.controller,
            home: self.home.clone(),
            account_home: self.service_account.as_ref().map(|account| account.namespace.clone()),
            folder: folder.to_owned(),
            run: run_name(),
        }
    }

    async fn all(&self, journeys: &[Journey], theatre: &Arc<Theatre>, stop: &CancellationToken) -> Vec<Outcome> {
        // One controller for all cannot tell the illness of one journey from that of another.
        let jobs = match (self.jobs, self.controller) {
            (Some(jobs), _) => usize::from(jobs),
            (None, Healer::Local) => journeys.len(),
            (None, Healer::InCluster) => 1,
        };
        let places = Arc::new(Semaphore::new(jobs));
        let mut running = JoinSet::new();
        for &journey in journeys {
            let (theatre, places, stop) = (theatre.clone(), places.clone(), stop.clone());
            running.spawn(async move {
                let _place = places.acquire_owned().await;
                let outcome = travel(journey, theatre, &stop).await;
                tell(&outcome);
                outcome
            });
        }
        let mut outcomes: Vec<Outcome> = running.join_all().await;
        outcomes.sort_by_key(|outcome| journeys.iter().position(|journey| journey.name == outcome.name));
        outcomes
    }
}

/// One journey from begin to end.
async fn travel(journey: Journey, theatre: Arc<Theatre>, stop: &CancellationToken) -> Outcome {
    let Journey { name, what, controllers, begin } = journey;
    let mut outcome = Outcome { name, what, note: None, marks: Marks::default(), total: Duration::ZERO, failure: None };
    if stop.is_cancelled() {
        outcome.failure = Some("interrupted".to_owned());
        return outcome;
    }
    let stage = match Stage::open(theatre, name, controllers).await {
        Ok(stage) => Arc::new(stage),
        Err(failure) => {
            outcome.failure = Some(failure.to_string());
            return outcome;
        }
    };
    let on_stage = stage.clone();
    let mut task = tokio::spawn(async move { begin(&on_stage).await });
    let ended = tokio::select! {
        ended = timeout(LIMIT, &mut task) => Some(ended),
        () = stop.cancelled() => None,
    };
    task.abort();
    outcome.marks = stage.marks();
    outcome.note = stage.noted();
    outcome.failure = match ended {
        Some(Ok(Ok(Ok(())))) => None,
        Some(Ok(Ok(Err(failure)))) => Some(failure.to_string()),
        Some(Ok(Err(broken))) => Some(format!("the journey broke off: {broken}")),
        Some(Err(_)) => Some(format!("not over after {} s", LIMIT.as_secs())),
        None => Some("interrupted".to_owned()),
    };
    if let Some(failure) = &mut outcome.failure {
        for log in stage.logs().await {
            failure.push_str(&tail(&log));
        }
    }
    if let Err(problem) = stage.close().await {
        let before = outcome.failure.map_or_else(String::new, |failure| failure + "\n");
        outcome.failure = Some(format!("{before}cleaning up: {problem}"));
    }
    outcome.total = stage.elapsed();
    outcome
}

fn tell(outcome: &Outcome) {
    let seconds = outcome.total.as_secs_f64();
    match &outcome.failure {
        None => println!("ok     {:16} {seconds:6.1} s", outcome.name),
        Some(failure) => println!("FAILED {:16} {seconds:6.1} s: {}\n{failure}\n", outcome.name, outcome.what),
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(SHOWN)..];
    format!("\n{}, the end:\n{}", log.display(), shown.join("\n"))
}

/// Short, and different from that of a run before whose namespaces are still ending.
fn run_name() -> String {
    format!("{:x}-{:x}", Clock::system().now().as_second() & 0xf_ffff, std::process::id())
}
