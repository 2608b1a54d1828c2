//! How a story ended: told with kubeheal, and with the restart-only monitor where the story has one.

use std::thread;

use serde::Serialize;

use super::{
    account::{Account, accounts},
    judgement::{Evidence, Judged},
    stage::{Ended, Healer, tell},
    story::Story,
    timeline::{Entry, timeline},
};
use crate::failure::Failure;

/// How a story ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: String,
    /// Its title.
    pub(crate) title: String,
    /// What went wrong once.
    #[serde(skip)]
    pub(crate) post_mortem: String,
    /// All wanted pods of the watched workload are ready at the end.
    pub(crate) healed: bool,
    /// Seconds in which some were not.
    #[serde(rename = "outageSeconds")]
    pub(crate) outage: u64,
    /// What kubeheal did, all services together.
    pub(crate) actions: usize,
    /// The same with the monitor.
    #[serde(flatten)]
    pub(crate) monitor: Option<WithMonitor>,
    /// What was expected and seen.
    pub(crate) expectations: Vec<Judged>,
    /// What each service said and did, in short.
    services: Vec<Account>,
    /// What happened.
    pub(crate) timeline: Vec<Entry>,
}

/// What the monitor made of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct WithMonitor {
    /// Seconds in which pods were not ready.
    #[serde(rename = "monitorOutageSeconds")]
    pub(crate) outage: u64,
    /// Its restarts.
    #[serde(rename = "monitorActions")]
    pub(crate) restarts: u32,
    /// All wanted pods are ready at the end.
    #[serde(rename = "monitorHealed")]
    pub(crate) healed: bool,
}

impl Outcome {
    /// Tells the story, with the monitor at the same time. An error if it cannot be told to the end.
    pub(crate) fn of(story: &Story) -> Result<Self, Failure> {
        let (kubeheal, monitor) = thread::scope(|scope| {
            let kubeheal = scope.spawn(|| tell(story, Healer::Kubeheal));
            let monitor = story.monitor.map(|monitor| scope.spawn(move || tell(story, Healer::Monitor(monitor))));
            (kubeheal.join(), monitor.map(thread::ScopedJoinHandle::join))
        });
        let ended = |told: thread::Result<Result<Ended, Failure>>| {
            told.unwrap_or_else(|_| Err(Failure::new(format!("{}: the story broke off, this is a bug", story.name()))))
        };
        Ok(Self::judged(story, &ended(kubeheal)?, monitor.map(ended).transpose()?.as_ref()))
    }

    fn judged(story: &Story, kubeheal: &Ended, monitor: Option<&Ended>) -> Self {
        let Ended { chronicle, readiness, outage, healed, restarts: _ } = kubeheal;
        let monitor =
            monitor.map(|told| WithMonitor { outage: told.outage, restarts: told.restarts, healed: told.healed });
        let evidence = Evidence {
            chronicle,
            healed: *healed,
            outage: *outage,
            monitor_outage: monitor.map(|monitor| monitor.outage),
            from: story.first_break(),
        };
        Self {
            name: story.name(),
            title: story.title.clone(),
            post_mortem: story.post_mortem.clone(),
            healed: *healed,
            outage: *outage,
            actions: chronicle.actions().len(),
            monitor,
            expectations: story.expect.judge(&evidence),
            services: accounts(story, chronicle),
            timeline: timeline(story, chronicle, readiness),
        }
    }

    /// Whether it ended as it should.
    pub(crate) fn passed(&self) -> bool {
        self.expectations.iter().all(|judged| judged.held)
    }
}
