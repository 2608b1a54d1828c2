//! Measures the outage: how long the watched workload has fewer ready pods than it should.
//!
//! Looks at the workload and its pods and knows neither kubeheal nor the monitor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{
    Client, ResourceExt,
    core::{DynamicObject, Selector, SelectorExt},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::target::{self, Target};

/// What was seen of the workload.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    wanted: u32,
    own: Option<Own>,
    pods: BTreeMap<String, Pod>,
    changes: Vec<Change>,
}

/// Which pods are the workload's.
#[derive(Debug)]
enum Own {
    Labelled(Selector),
    Named(String),
}

#[derive(Debug)]
struct Pod {
    ready: bool,
    labels: BTreeMap<String, String>,
}

/// From then on, so many pods were ready and so many wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Since the beginning of the story.
    pub(crate) at: Duration,
    /// Ready pods.
    pub(crate) ready: u32,
    /// Wanted pods.
    pub(crate) wanted: u32,
}

/// Readiness that is being watched.
pub(crate) type Watching = Arc<Mutex<Readiness>>;

impl Readiness {
    /// Watches the workload and the pods around it until dropped.
    pub(crate) async fn watch(client: Client, target: Target, began: Instant, into: Watching) {
        let namespace = target.namespace.clone().unwrap_or_default();
        let only = watcher::Config::default().fields(&format!("metadata.name={}", target.name));
        let workloads = watcher(target.api(&client), only).default_backoff().map(|event| (true, event));
        let pods = watcher(target::api(&client, "Pod", &namespace), watcher::Config::default());
        let pods = pods.default_backoff().map(|event| (false, event));
        let mut changes = futures::stream::select(workloads.boxed(), pods.boxed());
        while let Some((is_workload, event)) = changes.next().await {
            let Ok(event) = event else { continue };
            let mut readiness = into.lock().unwrap_or_else(PoisonError::into_inner);
            if is_workload {
                readiness.see_workload(event);
            } else {
                readiness.see_pod(event);
            }
            readiness.note(began.elapsed());
        }
    }

    /// A workload that is gone should still be what it was.
    fn see_workload(&mut self, event: Event<DynamicObject>) {
        let (Event::Apply(object) | Event::InitApply(object)) = event else { return };
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let wanted = match object.types.as_ref().map(|types| types.kind.as_str()) {
            Some("DaemonSet") => object.data.pointer("/status/desiredNumberScheduled").and_then(Value::as_u64),
            _ => Some(spec.get("replicas").and_then(Value::as_u64).unwrap_or(1)),
        };
        self.wanted = u32::try_from(wanted.unwrap_or(1)).unwrap_or(u32::MAX);
        self.own = match spec.get("selector").cloned() {
            Some(selector) => {
                let selector = serde_json::from_value::<LabelSelector>(selector).ok();
                selector.and_then(|one| one.try_into().ok()).map(Own::Labelled)
            }
            None => Some(Own::Named(object.name_any())),
        };
    }

    fn see_pod(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.pods.clear(),
            Event::InitDone => {}
            Event::Apply(object) | Event::InitApply(object) => {
                let pod = Pod { ready: is_ready(&object), labels: object.labels().clone() };
                self.pods.insert(object.name_any(), pod);
            }
            Event::Delete(object) => {
                self.pods.remove(&object.name_any());
            }
        }
    }

    fn note(&mut self, at: Duration) {
        let own = |(name, pod): &(&String, &Pod)| match &self.own {
            Some(Own::Labelled(selector)) => selector.matches(&pod.labels),
            Some(Own::Named(own)) => own == *name,
            None => false,
        };
        let ready = self.pods.iter().filter(own).filter(|(_, pod)| pod.ready).count();
        let ready = u32::try_from(ready).unwrap_or(u32::MAX);
        let known = self.changes.last().map(|change| (change.ready, change.wanted));
        if known != Some((ready, self.wanted)) {
            self.changes.push(Change { at, ready, wanted: self.wanted });
        }
    }

    /// Everything that changed.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How long fewer pods were ready than wanted, between two moments.
    pub(crate) fn outage(&self, from: Duration, until: Duration) -> Duration {
        let ends = self.changes.iter().skip(1).map(|change| change.at).chain([until]);
        let short = self.changes.iter().zip(ends).filter(|(change, _)| change.ready < change.wanted);
        short.map(|(change, end)| end.min(until).saturating_sub(change.at.max(from))).sum()
    }

    /// Whether all wanted pods are ready, and some are wanted.
    pub(crate) fn is_well(&self) -> bool {
        self.changes.last().is_some_and(|last| last.wanted > 0 && last.ready >= last.wanted)
    }
}

/// A pod that is about to go serves nobody.
fn is_ready(pod: &DynamicObject) -> bool {
    let conditions = pod.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    pod.metadata.deletion_timestamp.is_none() && conditions.is_some_and(|all| all.iter().any(ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outage_is_what_lies_between_the_moments() {
        let change = |at, ready| Change { at: Duration::from_secs(at), ready, wanted: 2 };
        let readiness = Readiness {
            changes: vec![change(0, 0), change(10, 2), change(100, 1), change(130, 2), change(200, 0)],
            ..Readiness::default()
        };
        let outage = |from, until| readiness.outage(Duration::from_secs(from), Duration::from_secs(until)).as_secs();
        assert_eq!(outage(50, 190), 30, "the start before does not count");
        assert_eq!(outage(110, 210), 30, "a part at both ends");
        assert_eq!(outage(0, 300), 10 + 30 + 100);
    }
}
