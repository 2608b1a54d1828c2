//! The restart-only monitor of the post-mortems: whatever is not ready is restarted.
//!
//! Remembers the pods it saw last and deletes them. It never creates anything, knows no dependencies, no start-up times
//! and no limits, and does not ask whether it helped.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use kube::{
    Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::story;
use crate::target::{self, Target};

/// A monitor at work.
pub(crate) struct Monitor {
    client: Client,
    workloads: Vec<Target>,
    remembered: BTreeMap<Target, State>,
    restarts: Arc<AtomicU32>,
}

#[derive(Default)]
struct State {
    wanted: u64,
    /// Name and whether it is ready.
    pods: BTreeMap<String, bool>,
}

impl Monitor {
    /// A monitor of these workloads that counts its restarts.
    pub(crate) fn new(client: Client, workloads: Vec<Target>, restarts: Arc<AtomicU32>) -> Self {
        Self { client, workloads, remembered: BTreeMap::new(), restarts }
    }

    /// Looks again and again, until dropped.
    pub(crate) async fn run(mut self, when: story::Monitor, began: Instant) {
        let first = began + when.from.duration() + when.every.duration();
        let mut ticks = interval_at(first, when.every.duration());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::time::sleep_until(began + when.from.duration()).await;
        self.check(false).await;
        loop {
            ticks.tick().await;
            self.check(true).await;
        }
    }

    async fn check(&mut self, may_restart: bool) {
        for workload in self.workloads.clone() {
            let memory = self.store(&workload).await;
            let ready = memory.pods.values().filter(|ready| **ready).count() as u64;
            if !may_restart || ready >= memory.wanted {
                continue;
            }
            let sick: Vec<_> = memory.pods.iter().filter(|(_, ready)| !**ready).map(|(name, _)| name.clone()).collect();
            let pods = target::api(&self.client, "Pod", workload.namespace.as_deref().unwrap_or("default"));
            for pod in sick {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                // Restarting what is gone fails, and the monitor goes on.
                if let Err(error) = pods.delete(&pod, &DeleteParams::default()).await {
                    tracing::debug!(%workload, pod, %error, "the monitor's restart failed");
                }
            }
        }
    }

    /// Sees the workload's pods. Where there are none, those seen last are remembered, as not ready.
    async fn store(&mut self, workload: &Target) -> &State {
        let memory = self.remembered.entry(workload.clone()).or_default();
        let found = workload.api(&self.client).get_opt(&workload.name).await.ok().flatten();
        let selector = found.as_ref().and_then(|object| object.data.pointer("/spec/selector/matchLabels")?.as_object());
        let Some((object, selector)) = found.as_ref().zip(selector) else {
            memory.pods.values_mut().for_each(|ready| *ready = false);
            return memory;
        };
        memory.wanted = object.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let labels: Vec<_> =
            selector.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
        let pods = target::api(&self.client, "Pod", workload.namespace.as_deref().unwrap_or("default"));
        let listed = pods.list(&ListParams::default().labels(&labels.join(","))).await;
        if let Some(pods) = listed.ok().filter(|pods| !pods.items.is_empty()) {
            memory.pods = pods.items.iter().map(|pod| (pod.name_any(), is_ready(&pod.data))).collect();
        } else {
            memory.pods.values_mut().for_each(|ready| *ready = false);
        }
        memory
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}
