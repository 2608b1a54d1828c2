//! Workers: each takes the next service that is due, reconciles it, and asks for it again.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{context::Context, error::Error};
use crate::{
    base::Key,
    ops::{metrics::ReconcileResult, telemetry},
};

/// A stream that is behind for longer is said in the status; for shorter, nobody needs to know.
pub(super) const BEHIND_TOO_LONG: Duration = Duration::from_secs(60);
/// First wait after a failed reconcile, and between two while nothing can be reconciled.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait after a failed reconcile.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// A requeue right at a threshold could come a hair early on a coarse clock.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

pub(super) async fn work(context: Arc<Context>, stop: CancellationToken) {
    loop {
        let key = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            key = context.queue.next() => key,
        };
        let wait = context.must_wait(&key);
        let span = if wait.is_some() { Span::none() } else { telemetry::reconcile(&key.0, &key.1) };
        context.options.metrics.worker_started();
        let began = Instant::now();
        let outcome = match wait {
            Some(wait) => Ok(Some(wait)),
            None => Box::pin(context.reconcile(&key)).instrument(span.clone()).await,
        };
        context.options.metrics.worker_finished();
        span.in_scope(|| context.requeue(key, outcome, began.elapsed()));
    }
}

impl Context {
    /// How long nothing is reconciled: somebody else leads, or the caches are not filled yet.
    fn must_wait(&self, key: &Key) -> Option<Duration> {
        let follows = self.options.leader.as_ref().is_some_and(|leader| !leader.is_leading());
        if follows {
            self.alerts.leave(key);
        }
        let is_behind = || self.shared.behind().is_some_and(|(_, since, _)| since < BEHIND_TOO_LONG);
        (follows || is_behind()).then_some(FIRST_RETRY)
    }

    fn requeue(&self, key: Key, outcome: Result<Option<Duration>, Error>, took: Duration) {
        let (result, wait) = match outcome {
            Ok(wait) => {
                self.retries.lock().remove(&key);
                (if wait.is_some() { ReconcileResult::RequeueAfter } else { ReconcileResult::Success }, wait)
            }
            Err(error) => {
                let wait = self.next_retry(&key);
                match error {
                    Error::Conflict => tracing::debug!("{error}"),
                    Error::Status(_) => {
                        telemetry::failed(&error);
                        tracing::warn!(%error, retry_in = ?wait, "reconcile failed");
                    }
                }
                (ReconcileResult::Error, Some(wait))
            }
        };
        self.options.metrics.reconciled(result, took);
        self.queue.done(&key);
        if let Some(wait) = wait {
            self.queue.add(key, Instant::now() + wait.max(SHORTEST_WAIT));
        }
    }

    /// The wait after one more failure in a row.
    fn next_retry(&self, key: &Key) -> Duration {
        let mut retries = self.retries.lock();
        let waits =
            ExponentialBuilder::new().with_min_delay(FIRST_RETRY).with_max_delay(LAST_RETRY).without_max_times();
        retries.entry(key.clone()).or_insert_with(|| waits.build()).next().unwrap_or(LAST_RETRY)
    }
}
