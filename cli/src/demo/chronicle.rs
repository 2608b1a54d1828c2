//! What the `HealedServices` said, and when. Watches from outside, like anybody with `kubectl get -w`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use kubeheal::api::{HealedService, status::HealedServiceStatus};
use kubeheal_core::model::state::HistoryEntry;
use tinykube::kubelet::Span;
use tokio::time::Instant;

/// A status and when it was seen, since the beginning of the story.
type Seen = (Duration, HealedServiceStatus);

/// All statuses of all services, as they were seen.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    services: BTreeMap<String, Vec<Seen>>,
}

/// Something that kubeheal did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Action {
    /// When, by kubeheal's own account.
    pub(crate) time: jiff::Timestamp,
    /// namespace/name of the service.
    pub(crate) service: String,
    /// What.
    pub(crate) step: String,
}

/// A chronicle that is being written.
pub(crate) type Writing = Arc<Mutex<Chronicle>>;

impl Chronicle {
    /// Watches all services until dropped.
    pub(crate) async fn write(client: Client, began: Instant, into: Writing) {
        let services: Api<HealedService> = Api::all(client);
        let mut changes = watcher(services, watcher::Config::default()).default_backoff().applied_objects().boxed();
        while let Some(change) = changes.next().await {
            let Ok(service) = change else { continue };
            let name = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
            let Some(status) = service.status else { continue };
            let mut chronicle = into.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = chronicle.services.entry(name).or_default();
            if seen.last().is_none_or(|(_, last)| *last != status) {
                seen.push((began.elapsed(), status));
            }
        }
    }

    /// The services and what each said, oldest first.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&str, &[Seen])> {
        self.services.iter().map(|(name, seen)| (name.as_str(), seen.as_slice()))
    }

    /// What a service said from a moment on, beginning with what stood then.
    pub(crate) fn of(&self, service: &str, from: Span) -> Vec<(Duration, &HealedServiceStatus)> {
        let seen = self.services.get(service).map(Vec::as_slice).unwrap_or_default();
        let standing = seen.iter().rposition(|(at, _)| *at < from.duration()).unwrap_or(0);
        seen.iter().skip(standing).map(|(at, status)| (*at, status)).collect()
    }

    /// Everything that was done, in the order of time.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut all: Vec<Action> = self.services.keys().flat_map(|service| self.actions_of(service)).collect();
        all.sort_by_key(|action| action.time);
        all
    }

    /// Everything that was done about one service.
    pub(crate) fn actions_of(&self, service: &str) -> Vec<Action> {
        let of =
            |entry: &HistoryEntry| Action { time: entry.time, service: service.to_owned(), step: entry.step.clone() };
        self.history_of(service).iter().filter(|entry| is_step(entry)).map(of).collect()
    }

    /// All that one service's history ever said, each entry as it was last seen. The history of a status is short; all
    /// statuses together are not.
    pub(crate) fn history_of(&self, service: &str) -> Vec<HistoryEntry> {
        let mut all: Vec<HistoryEntry> = Vec::new();
        let same = |a: &HistoryEntry, b: &HistoryEntry| a.time == b.time && a.step == b.step && a.target == b.target;
        for entry in self.services.get(service).into_iter().flatten().flat_map(|(_, status)| &status.history) {
            match all.iter_mut().find(|known| same(known, entry)) {
                Some(known) => known.clone_from(entry),
                None => all.push(entry.clone()),
            }
        }
        all
    }
}

/// Whether the entry is about the workload and not about the circuit or a person's wish.
pub(crate) fn is_step(entry: &HistoryEntry) -> bool {
    entry.step.parse::<kubeheal_core::model::plan::Step>().is_ok()
}
