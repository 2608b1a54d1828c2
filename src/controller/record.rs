//! Recording: the decision is written into the status, before anything is done.

use kube::{Api, ResourceExt};

use super::{context::Context, error::Error, turn::Turn};
use crate::{
    api::{
        HealedService,
        status::{HealedServiceStatus, LastKnownGood},
    },
    base::{key_of, written_by_us},
    cluster::{decode::Lenient, execute::keep},
    ops::telemetry,
    status::{Beside, render},
};

/// The object as it was written. Only `record` makes one, so nothing can be done that was not recorded before.
pub(super) struct Recorded(HealedService);

impl Recorded {
    /// The object as it was written.
    pub(super) fn service(&self) -> &HealedService {
        &self.0
    }
}

impl Context {
    /// Writes the decision into the status, if that changes it. The resourceVersion makes a decision about an outdated object
    /// fail here, before anything is done.
    pub(super) async fn record(&self, seen: &mut Turn) -> Result<Recorded, Error> {
        telemetry::decided(&seen.decision);
        let old = seen.service.status.clone().unwrap_or_default();
        let good = match self.keep(seen).await {
            Some(kept) => Some(kept),
            None => old.last_known_good.clone(),
        };
        let policy = Some(seen.effective.shown.clone());
        let beside = Beside { generation: seen.service.metadata.generation, good, policy };
        let recorded = self.write(&seen.service, render(&seen.decision, &old, beside, seen.now)).await?;
        let key = key_of(&recorded.metadata);
        self.alerts.written(&key, &seen.snapshot.receivers.deliveries);
        self.logs.written(&seen.decision.state.observed.logs);
        Ok(Recorded(recorded))
    }

    /// Keeps the workload's definition, if that is due. Where only a person can make that possible, the decision says so.
    async fn keep(&self, seen: &mut Turn) -> Option<LastKnownGood> {
        if !seen.decision.record_good {
            return None;
        }
        let workload = self.shared.caches().workload(&seen.service)?;
        match keep(&self.executor, &seen.service, &workload, seen.now).await {
            Ok(kept) => kept,
            Err(error) => {
                match error.needs_person() {
                    Some(why) => seen.decision.stall(&why),
                    None => tracing::warn!(%error, "the last known good definition could not be kept"),
                }
                None
            }
        }
    }

    pub(super) async fn write(
        &self,
        service: &HealedService,
        status: HealedServiceStatus,
    ) -> Result<HealedService, Error> {
        let mut written = service.clone();
        if service.status.as_ref() == Some(&status) {
            return Ok(written);
        }
        written.status = Some(status);
        let api: Api<Lenient<HealedService>> =
            Api::namespaced(self.reads.clone(), &service.namespace().unwrap_or_default());
        let params = written_by_us();
        match api.replace_status(&service.name_any(), &params, &Lenient(written)).await {
            Ok(Lenient(answer)) => {
                self.shared.wrote(answer.clone());
                Ok(answer)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(Error::Conflict),
            Err(error) => Err(Error::Status(error)),
        }
    }
}
