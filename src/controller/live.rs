//! What is read live before a decision.

use std::time::Duration;

use kubeheal_core::model::{
    moment::after,
    policy::Policy,
    snapshot::{Pod, Workload, WorkloadLease},
};

use super::{
    context::Context,
    turn::{LiveReads, Observation, Turn, observe},
};
use crate::{
    api::HealedService,
    base::{Key, key_of},
    cluster::{cache::Caches, execute::Stay, kept::has_doubts, snapshot::Presence},
};

impl Context {
    /// Reads live what the caches alone do not say, and decides. The caches are locked only while they are read.
    pub(super) async fn decide(&self, key: &Key) -> Option<Turn> {
        let service = self.shared.caches().service(key)?;
        let (presence, namespace) = self.ask_for_workload(&service).await;
        let behind = self.shared.behind();
        let mut live = LiveReads {
            presence,
            namespace,
            signing: self.executor.signing().await,
            deliveries: self.alerts.deliveries(key),
            logs: self.logs.answers(),
            behind: behind.map(|(kind, _, why)| format!("the watch of {} is interrupted: {why}", kind.as_str())),
            observe_only: self.options.observe_only,
            ..LiveReads::default()
        };
        // What is to be asked depends on what is seen.
        let first = observe(&self.shared.caches(), key, &live, self.clock.now())?;
        if has_doubts(&first.snapshot) {
            // Of two replicas the other may have made another key.
            live.signing = self.executor.signing_now().await;
        }
        live.clock_jumped = self.distrusts_clock(&first.policy).is_some();
        live.field = self.executor.live(&service, &first.policy, &first.snapshot.state).await;
        if self.namespace_ends(&first).await {
            live.namespace = Stay::Ends;
        }
        // The object and its state are taken together, and last.
        let seen = observe(&self.shared.caches(), key, &live, self.clock.now())?;
        self.logs.ask(&seen.wanted_logs, key, &seen.effective);
        Some(seen.decide())
    }

    /// The last questions before acting, asked live. It is decided again about the same observation and the answers: what else
    /// changed meanwhile fails at the resourceVersion of the status or at the UID of what is acted on.
    pub(super) async fn confirm(&self, key: &Key, turn: Turn) -> Turn {
        let Some(plan) = turn.decision.plan() else { return turn };
        let stay = match self.executor.namespaces().ask(&key.0).await {
            // What would be missed if it did not come back is not taken away.
            Stay::Unclear if !plan.effect.replaces() => Stay::Stays,
            stay => stay,
        };
        let seen = turn.seen;
        let lease = if stay == Stay::Stays {
            let until = after(seen.now, seen.policy.remediation.verify);
            self.executor.take_lease(&seen.service, until, seen.now).await
        } else {
            WorkloadLease::default()
        };
        seen.confirmed(stay, lease).decide()
    }

    /// A workload that the cache does not have is asked for live: a cache alone never says that something is gone.
    async fn ask_for_workload(&self, service: &HealedService) -> (Presence, Stay) {
        // What is there and cannot be read is not missing either, and what belongs to another is not asked about.
        let key = key_of(&service.metadata);
        let is_known = |caches: &Caches| {
            caches.workload(service).is_some()
                || caches.unreadable(service).is_some()
                || caches.oldest_owner(&key).is_some()
        };
        if is_known(&self.shared.caches()) {
            return (Presence::Cached, Stay::Stays);
        }
        let presence = self.executor.presence(service).await;
        let stay = match presence {
            Presence::Missing => {
                let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
                self.executor.namespaces().ask(namespace).await
            }
            Presence::Cached | Presence::NotYetCached | Presence::Unreadable(_) => Stay::Stays,
        };
        (presence, stay)
    }

    /// Whether the namespace is being deleted, asked where it looks as if: pods go or are missing.
    async fn namespace_ends(&self, seen: &Observation) -> bool {
        let Workload::Present(state) = &seen.snapshot.workload else { return false };
        let pods = &seen.snapshot.pods;
        let pods_go = state.deleting || pods.iter().any(Pod::is_deleting);
        let too_few = u32::try_from(pods.len()).is_ok_and(|pods| pods < state.desired);
        let namespace = &seen.snapshot.service.namespace;
        (pods_go || too_few) && self.executor.namespaces().ask_lately(namespace).await == Stay::Ends
    }

    /// How long the clock is not to be trusted yet: it has jumped, and nothing may seem to last for that alone.
    pub(super) fn distrusts_clock(&self, policy: &Policy) -> Option<Duration> {
        let ago = self.clock_jumps.jumped(self.clock.now())?;
        let lasting = policy.health.not_ready.max(policy.health.crash_loop);
        Duration::try_from(lasting).unwrap_or_default().checked_sub(ago).filter(|left| !left.is_zero())
    }
}
