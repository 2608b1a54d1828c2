//! Reporting: Events, alerts, metrics and the audit line.

use jiff::Timestamp;
use kubeheal_core::model::{
    alert::{Notice, undelivered},
    moment::Moment,
    plan::Step,
    reason::Reason,
    state::Episode,
};
use tokio::time::Instant;

use super::{context::Context, record::Recorded, turn::Turn};
use crate::{
    api::{HealedService, status::HealedServiceStatus},
    base::key_of,
    cluster::execute::Stay,
    notify::{
        alert::{AlertMessage, AlertRequest},
        audit,
        event::drafts,
    },
    ops::metrics::Decided,
};

impl Context {
    /// Tells what was decided.
    pub(super) async fn report(&self, seen: &Turn, recorded: &Recorded) {
        let recorded = recorded.service();
        let old = seen.service.status.clone().unwrap_or_default();
        self.count(seen, &old, recorded);
        let reasons_before = old.blocked_by.iter().map(|block| block.reason.as_str());
        let blocked_by = seen.decision.blocked_by();
        let is_news = !blocked_by.iter().map(|block| block.reason.as_str()).eq(reasons_before);
        if !blocked_by.is_empty() && is_news {
            audit::held_back(recorded, &seen.decision);
        }
        self.alert(seen);
        self.tell(seen, &old, recorded, seen.now).await;
        if !seen.decision.state.health.degraded {
            self.recorder.well(&key_of(&recorded.metadata));
        }
    }

    fn count(&self, seen: &Turn, old: &HealedServiceStatus, recorded: &HealedService) {
        let (metrics, decision) = (&self.options.metrics, &seen.decision);
        let service = &seen.snapshot.service;
        metrics.decided(
            (&service.namespace, &service.name),
            &Decided {
                health: decision.verdict.health,
                circuit: decision.state.circuit.state(),
                conditions: &decision.conditions,
                blocked_by: decision.blocked_by(),
                undelivered: undelivered(&decision.state.alerts),
            },
        );
        // What is written is cut to what the status holds, so that only written things compare.
        let written = recorded.status.as_ref().map(|status| &status.blocked_by[..]).unwrap_or_default();
        if written != old.blocked_by {
            for block in decision.blocked_by() {
                metrics.suppressed(block.reason);
            }
        }
        let was_ongoing = old.memory.health.ongoing().is_some();
        if let Some(Episode { since, until: Some(until) }) = decision.state.health.episode.filter(|_| was_ongoing) {
            metrics.recovered(until.duration_since(since).as_secs_f64());
        }
    }

    /// Hands over what receivers of alerts are to know.
    fn alert(&self, seen: &Turn) {
        let settings = &seen.effective.settings.alerts.receivers;
        let receivers = &seen.effective.receivers;
        let request = |notice: &Notice| {
            let mut pairs = settings.iter().zip(&**receivers);
            let (written, receiver) = pairs.find(|(written, _)| written.name == notice.receiver)?;
            Some(AlertRequest {
                receiver: written.clone(),
                destination: receiver.destination.clone(),
                hosts: seen.effective.receiver_hosts.clone(),
                alert: AlertMessage::of(&seen.service, &seen.decision, seen.policy.mode, notice),
                due: notice.due,
            })
        };
        let requests = seen.decision.notices.iter().filter_map(request).collect();
        self.alerts.request(&key_of(&seen.service.metadata), requests);
        self.wake_in_storm(seen);
    }

    /// Of those that are unhealthy in a storm the first notifies of it: it must be reconciled, now that there is one more.
    fn wake_in_storm(&self, seen: &Turn) {
        let since = |episode: Option<Episode>| episode.map(|episode| episode.since);
        let is_new = since(seen.decision.state.health.episode) != since(seen.snapshot.state.health.episode);
        let in_storm = seen.decision.escalation.as_ref().is_some_and(|known| known.reason == Reason::StormHold);
        if is_new && in_storm {
            let me = key_of(&seen.service.metadata);
            let scope = seen.snapshot.fleet.scope(&seen.policy.cluster, &Moment::new(seen.now));
            for other in seen.snapshot.fleet.unhealthy(scope).filter(|other| **other != me) {
                self.queue.add(other.clone(), Instant::now());
            }
        }
    }

    /// Events about what changed in the status.
    pub(super) async fn tell(&self, seen: &Turn, old: &HealedServiceStatus, written: &HealedService, now: Timestamp) {
        let new = written.status.clone().unwrap_or_default();
        for entry in new.history.iter().filter(|entry| !old.history.contains(entry)) {
            if let Ok(step) = entry.step.parse::<Step>() {
                self.options.metrics.acted(step, entry.outcome);
            }
        }
        let drafts = drafts(old, &new);
        let namespace = &seen.snapshot.service.namespace;
        // No Event gets into a namespace that ends, and nobody will read it.
        if drafts.is_empty()
            || seen.namespace_ends
            || self.executor.namespaces().ask_lately(namespace).await == Stay::Ends
        {
            return;
        }
        for draft in drafts {
            tracing::info!(reason = draft.reason, action = draft.action, note = draft.note, "event");
            self.recorder.tell(&key_of(&seen.service.metadata), &seen.service, draft, now);
        }
    }
}
