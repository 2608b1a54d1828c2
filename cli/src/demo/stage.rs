//! Tells a story once: a fresh cluster, virtual time, somebody who heals, and observers.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use kubeheal::{
    api,
    controller::{Clients, Controller, Options},
    ops::{clock::Clock, metrics::Metrics},
};
use tinykube::{Cluster, clock::Clock as ClusterClock};
use tokio::time::{Instant, sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    chronicle::{Chronicle, Writing},
    hands, monitor,
    observer::{Change, Readiness, Watching},
    story::{self, Story},
};
use crate::{failure::Failure, yaml};

#[cfg(test)]
mod gitops;

/// When every story begins: 2026-01-05, a Monday, 08:00 UTC.
const BEGIN: i64 = 1_767_600_000;
/// Services reconciled at the same time.
const CONCURRENCY: usize = 4;

/// Who heals.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Healer {
    /// The real controller.
    Kubeheal,
    /// The restart-only monitor.
    Monitor(story::Monitor),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What the services said.
    pub(crate) chronicle: Chronicle,
    /// How many pods were ready when.
    pub(crate) readiness: Vec<Change>,
    /// Seconds from the first break on in which pods were missing.
    pub(crate) outage: u64,
    /// All wanted pods are ready at the end.
    pub(crate) healed: bool,
    /// Restarts by the monitor.
    pub(crate) restarts: u32,
}

/// Tells the story on a runtime of its own, whose time passes as fast as it can.
pub(crate) fn tell(story: &Story, healer: Healer) -> Result<Ended, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.map_err(|error| Failure::new(format!("start a runtime for {}: {error}", story.name())))?;
    runtime.block_on(async { Stage::set()?.play(story, healer).await })
}

struct Stage {
    cluster: Cluster,
    client: Client,
    start: Timestamp,
    began: Instant,
    chronicle: Writing,
    readiness: Watching,
    restarts: Arc<AtomicU32>,
}

impl Stage {
    /// A fresh cluster.
    fn set() -> Result<Self, Failure> {
        let start = Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let builder = Cluster::builder().clock(ClusterClock::starting_at(start));
        let cluster = api::crds().into_iter().fold(builder, tinykube::cluster::Builder::crd).start();
        let cluster = cluster.map_err(|status| Failure::new(format!("start a cluster: {}", status.message)))?;
        Ok(Self {
            client: cluster.client(),
            cluster,
            start,
            began: Instant::now(),
            chronicle: Writing::default(),
            readiness: Watching::default(),
            restarts: Arc::default(),
        })
    }

    /// Lets everything happen, and gathers what was seen.
    async fn play(self, story: &Story, healer: Healer) -> Result<Ended, Failure> {
        let stop = CancellationToken::new();
        let people = TaskTracker::new();
        self.observe(story, &people, &stop);
        self.build(story).await?;
        match healer {
            Healer::Kubeheal => self.start_kubeheal(&people, &stop),
            Healer::Monitor(when) => self.start_monitor(story, when, &people, &stop),
        }
        self.break_things(story).await?;
        sleep_until(self.began + story.until.duration()).await;
        stop.cancel();
        people.close();
        people.wait().await;
        Ok(self.ended(story))
    }

    fn observe(&self, story: &Story, people: &TaskTracker, stop: &CancellationToken) {
        let chronicle = Chronicle::write(self.client.clone(), self.began, self.chronicle.clone());
        people.spawn(stop.clone().run_until_cancelled_owned(chronicle));
        let watched = story.watch.value.clone().within("default");
        let readiness = Readiness::watch(self.client.clone(), watched, self.began, self.readiness.clone());
        people.spawn(stop.clone().run_until_cancelled_owned(readiness));
    }

    async fn build(&self, story: &Story) -> Result<(), Failure> {
        for manifest in &story.manifests {
            let line = manifest.referenced.line();
            hands::apply(&self.client, &manifest.value)
                .await
                .map_err(|problem| yaml::at(&story.path, Some(line), problem))?;
        }
        Ok(())
    }

    fn start_kubeheal(&self, people: &TaskTracker, stop: &CancellationToken) {
        let clock = Clock::starting_at(self.start);
        let options = Options {
            namespace: None,
            concurrency: CONCURRENCY,
            observe_only: false,
            metrics: Metrics::new(clock.now()),
            leader: None,
        };
        let controller =
            Controller::new(Clients { reads: self.client.clone(), actions: self.client.clone() }, clock, options);
        people.spawn(controller.run(stop.clone()));
    }

    fn start_monitor(&self, story: &Story, when: story::Monitor, people: &TaskTracker, stop: &CancellationToken) {
        let monitor = monitor::Monitor::new(self.client.clone(), story.workloads(), self.restarts.clone());
        people.spawn(stop.clone().run_until_cancelled_owned(monitor.run(when, self.began)));
    }

    async fn break_things(&self, story: &Story) -> Result<(), Failure> {
        for one in story.in_order() {
            let wrong = |problem| yaml::at(&story.path, Some(one.referenced.line()), problem);
            let breakage = one.value.breakage().map_err(wrong)?;
            sleep_until(self.began + one.value.at.duration()).await;
            hands::break_it(&self.client, &breakage).await.map_err(wrong)?;
        }
        Ok(())
    }

    fn ended(self, story: &Story) -> Ended {
        let chronicle = std::mem::take(&mut *self.chronicle.lock().unwrap_or_else(PoisonError::into_inner));
        let readiness = std::mem::take(&mut *self.readiness.lock().unwrap_or_else(PoisonError::into_inner));
        let outage: Duration = readiness.outage(story.first_break().duration(), story.until.duration());
        drop(self.cluster);
        Ended {
            chronicle,
            readiness: readiness.changes().to_vec(),
            outage: outage.as_secs(),
            healed: readiness.is_well(),
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }
}
