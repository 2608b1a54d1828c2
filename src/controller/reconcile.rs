//! One reconcile: decide, record, report, act, settle.

use std::time::Duration;

use kubeheal_core::{
    circuit::summary,
    model::{execution::Execution, plan::Plan, snapshot::Workload},
    settle,
};

use super::{context::Context, error::Error, record::Recorded, turn::Turn};
use crate::{base::Key, notify::audit, status::store};

/// Requeue when something could not be read.
const UNREADABLE_RETRY: Duration = Duration::from_secs(10);
/// Requeue when a definition can be kept or used once a person has made that possible, which no watch shows.
const UNSIGNED_RETRY: Duration = Duration::from_secs(60);
/// Longest time between two reconciles of a service, whatever was decided.
const RESYNC: Duration = Duration::from_secs(600);

impl Context {
    /// One service, start to end. Returns when to reconcile it again.
    pub(super) async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, Error> {
        let Some(mut seen) = self.decide(key).await else {
            self.forget(key);
            let unreadable = self.shared.caches().undecoded_service(key);
            if let Some(why) = unreadable {
                self.say_unreadable(key, &why).await?;
            }
            return Ok(None);
        };
        if seen.decision.plan().is_none() {
            let recorded = self.record(&mut seen).await?;
            self.report(&seen, &recorded).await;
            return Ok(Some(self.next_reconcile(&seen)));
        }
        let Some((seen, recorded)) = Box::pin(self.decide_alone(key)).await? else { return Ok(None) };
        self.report(&seen, &recorded).await;
        if let Some(plan) = seen.decision.plan() {
            let execution = self.act(&seen, &recorded, plan).await;
            audit::acted(recorded.service(), &seen.decision, plan, &execution);
            Box::pin(self.settle(&seen, recorded, plan, &execution)).await?;
        }
        Ok(Some(self.next_reconcile(&seen)))
    }

    fn forget(&self, key: &Key) {
        self.options.metrics.forget(&key.0, &key.1);
        self.recorder.forget(key);
        self.alerts.forget(key);
    }

    /// Decides again while no other worker can begin anything, asks what must be asked before acting, and records the intent.
    async fn decide_alone(&self, key: &Key) -> Result<Option<(Turn, Recorded)>, Error> {
        let _alone = self.limits.lock().await;
        // Others may have acted while we waited: the shared limits are judged again.
        let Some(again) = self.decide(key).await else { return Ok(None) };
        let mut seen = self.confirm(key, again).await;
        let recorded = self.record(&mut seen).await?;
        Ok(Some((seen, recorded)))
    }

    /// Carries out the plan, unless the lease is about to run out: then nothing is done, and nothing charged.
    async fn act(&self, seen: &Turn, _intent: &Recorded, plan: &Plan) -> Execution {
        if self.options.leader.as_ref().is_some_and(|leader| !leader.may_act()) {
            return Execution::Refused("the lease of this controller is about to run out".to_owned());
        }
        self.executor.run(&seen.service, plan).await
    }

    async fn settle(&self, seen: &Turn, recorded: Recorded, plan: &Plan, execution: &Execution) -> Result<(), Error> {
        let now = self.clock.now();
        let state = settle(&seen.policy, &seen.snapshot, &seen.decision.state, (plan, execution), now);
        if state == seen.decision.state {
            return Ok(());
        }
        let old = recorded.service().status.clone().unwrap_or_default();
        let mut status = old.clone();
        store(&mut status, &state, summary(&seen.policy.breaker, &state, now));
        let written = self.write(recorded.service(), status).await?;
        self.tell(seen, &old, &written, now).await;
        Ok(())
    }

    fn next_reconcile(&self, seen: &Turn) -> Duration {
        // Who is not the first for its workload is woken once it is.
        let is_its_own = seen.snapshot.ownership.oldest_owner.is_none();
        if is_its_own && matches!(seen.snapshot.workload, Workload::Unknown(_)) {
            return UNREADABLE_RETRY;
        }
        let due = seen.decision.next_check.map(|check| check.duration_since(self.clock.now()));
        let due = due.map_or(RESYNC, |due| Duration::try_from(due).unwrap_or_default());
        let due = if seen.decision.waits_for_key() { due.min(UNSIGNED_RETRY) } else { due };
        due.min(self.distrusts_clock(&seen.policy).unwrap_or(RESYNC)).min(RESYNC)
    }
}
