//! Metrics, as Prometheus reads them.
//!
//! Names of controller-runtime where it has one, so that dashboards made for it fit. Labels are bounded: no pod, no message.
//! Nothing is decided here, and nothing reads a metric back.

mod exposition;
mod notices;
mod services;
mod work;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use exposition::Format;
pub use notices::AlertResult;
use notices::Notices;
use services::{Services, Shown};
use work::Work;

use crate::{api::ReceiverType, controller::queue::Queue};
use kubeheal_core::model::{
    condition::Condition,
    plan::Step,
    reason::{Block, Reason},
    state::{CircuitState, Outcome},
    verdict::Health,
};

/// The `controller` label of the reconcile metrics, and the name of the queue.
const CONTROLLER: &str = "healedservice";
/// The `name` label of the leader metric: the name of the Lease.
const LEASE: &str = crate::ops::leader::LEASE_NAME;

/// Seconds a reconcile may take; the bounds controller-runtime uses, without the finest.
const RECONCILE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];
/// Seconds from unhealthy to healthy: from one restarted pod to an outage of half a day.
const RECOVERY_BUCKETS: [f64; 11] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Done; nothing more to do until something changes.
    Success,
    /// It failed and will be tried again.
    Error,
    /// It asked to run again at a given time.
    RequeueAfter,
}

impl ReconcileResult {
    /// The value of the `result` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

/// What is shown of a decision about one service.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// How the service is.
    pub health: Health,
    /// Its circuit.
    pub circuit: CircuitState,
    /// Its conditions.
    pub conditions: &'a [Condition],
    /// Why nothing happens, when something should.
    pub blocked_by: &'a [Block],
    /// Receivers of alerts that cannot be notified.
    pub undelivered: usize,
}

/// All metrics of the process. Clones count into the same registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reconciles: Counters<1>,
    reconcile_errors: Counter,
    reconcile_seconds: Histogram,
    workers: Gauge,
    max_workers: Gauge,
    leading: Gauges<1>,
    actions: Counters<2>,
    suppressed: Counters<1>,
    evaluations: Counters<1>,
    recovery_seconds: Histogram,
    watches: Gauges<1>,
    watch_errors: Counters<1>,
    undecoded: Gauges<1>,
    notices: Notices,
    services: Services,
    work: Work,
}

impl Metrics {
    /// Registers every metric; `started` is when the process began.
    pub fn new(started: Timestamp) -> Self {
        let mut registry = Registry::default();
        register_process(&mut registry, started);

        let reconciles = Counters::default();
        let reconcile_errors = Counter::default();
        let reconcile_seconds = Histogram::new(RECONCILE_BUCKETS);
        let (workers, max_workers) = (Gauge::default(), Gauge::default());
        // The encoder appends `_total` to counters.
        let controller = registry.sub_registry_with_label(("controller".into(), CONTROLLER.into()));
        controller.register("controller_runtime_reconcile", "Reconciles by result", reconciles.clone());
        controller.register("controller_runtime_reconcile_errors", "Failed reconciles", reconcile_errors.clone());
        controller.register(
            "controller_runtime_reconcile_time_seconds",
            "Seconds a reconcile took",
            reconcile_seconds.clone(),
        );
        controller.register("controller_runtime_active_workers", "Reconciles running", workers.clone());
        controller.register(
            "controller_runtime_max_concurrent_reconciles",
            "Reconciles that may run at once",
            max_workers.clone(),
        );

        let leading = Gauges::default();
        registry.register("leader_election_master_status", "1 while this process leads", leading.clone());
        let actions = Counters::default();
        registry.register("kubeheal_healing_actions", "Healing actions by how they ended", actions.clone());
        let suppressed = Counters::default();
        registry.register("kubeheal_suppressed_actions", "Decisions in which a step was held back", suppressed.clone());
        let evaluations = Counters::default();
        registry.register("kubeheal_evaluations", "Decisions by the health found", evaluations.clone());
        let recovery_seconds = Histogram::new(RECOVERY_BUCKETS);
        registry.register(
            "kubeheal_recovery_duration_seconds",
            "Seconds from unhealthy to healthy",
            recovery_seconds.clone(),
        );
        let watches = Gauges::default();
        registry.register("kubeheal_watch_synced", "1 while a watch delivers", watches.clone());
        let watch_errors = Counters::default();
        registry.register("kubeheal_watch_errors", "Failures of a watch", watch_errors.clone());
        let undecoded = Gauges::default();
        let help = "Objects that are there and cannot be read, so that they are left out";
        registry.register("kubeheal_undecoded_objects", help, undecoded.clone());
        let notices = Notices::register(&mut registry);
        let (services, work) = (Services::default(), Work::default());
        registry.register_collector(Box::new(services.clone()));
        registry.register_collector(Box::new(work.clone()));

        let inner = Inner {
            registry,
            reconciles,
            reconcile_errors,
            reconcile_seconds,
            workers,
            max_workers,
            leading,
            actions,
            suppressed,
            evaluations,
            recovery_seconds,
            watches,
            watch_errors,
            undecoded,
            notices,
            services,
            work,
        };
        inner.show_zeros();
        Self { inner: Arc::new(inner) }
    }

    /// A reconcile ended.
    pub fn reconciled(&self, result: ReconcileResult, took: Duration) {
        self.inner.reconciles.get_or_create(&[("result", result.as_str())]).inc();
        self.inner.reconcile_seconds.observe(took.as_secs_f64());
        if result == ReconcileResult::Error {
            self.inner.reconcile_errors.inc();
        }
    }

    /// How many reconciles may run at once.
    pub fn max_workers(&self, count: usize) {
        self.inner.max_workers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A reconcile began.
    pub fn worker_started(&self) {
        self.inner.workers.inc();
    }

    /// A reconcile that began is over, however it ended.
    pub fn worker_finished(&self) {
        self.inner.workers.dec();
    }

    /// An action ended, or began if `outcome` is `Pending`.
    pub fn acted(&self, step: Step, outcome: Outcome) {
        self.inner.actions.get_or_create(&action_labels(step, outcome)).inc();
    }

    /// A step was held back.
    pub fn suppressed(&self, reason: Reason) {
        self.inner.suppressed.get_or_create(&[("reason", reason.as_str())]).inc();
    }

    /// A decision was made about a service; its series show it until the next one or [`Metrics::forget`].
    pub fn decided(&self, (namespace, name): (&str, &str), decided: &Decided<'_>) {
        let Decided { health, circuit, conditions, blocked_by, undelivered } = *decided;
        self.inner.evaluations.get_or_create(&[("health", health.as_str())]).inc();
        let conditions = conditions.iter().map(|condition| (condition.kind, condition.status)).collect();
        let held_back = blocked_by.iter().map(|block| block.reason).collect();
        let shown = Shown { circuit, conditions, held_back, undelivered };
        self.inner.services.show((namespace.to_owned(), name.to_owned()), shown);
    }

    /// A service is well again, so many seconds after it was not.
    pub fn recovered(&self, seconds: f64) {
        self.inner.recovery_seconds.observe(seconds);
    }

    /// A service was deleted: its series end.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.inner.services.forget(&(namespace.to_owned(), name.to_owned()));
    }

    /// An alert was sent, or was not.
    pub fn alerted(&self, kind: ReceiverType, result: AlertResult) {
        self.inner.notices.alerted(kind, result);
    }

    /// An Event was not written because there were too many.
    pub fn event_dropped(&self) {
        self.inner.notices.event_dropped();
    }

    /// A watch delivers, or does not.
    pub fn watch(&self, resource: &'static str, synced: bool) {
        self.inner.watches.get_or_create(&[("resource", resource)]).set(i64::from(synced));
        drop(self.inner.watch_errors.get_or_create(&[("resource", resource)]));
        drop(self.inner.undecoded.get_or_create(&[("resource", resource)]));
    }

    /// So many objects of a kind are there and cannot be read.
    pub fn undecoded(&self, resource: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.inner.undecoded.get_or_create(&[("resource", resource)]).set(count);
    }

    /// A watch failed.
    pub fn watch_failed(&self, resource: &'static str) {
        self.inner.watch_errors.get_or_create(&[("resource", resource)]).inc();
    }

    /// This process leads, or does not; then what it decided is out of date, and another process shows the services.
    pub fn leading(&self, leading: bool) {
        self.inner.leading.get_or_create(&[("name", LEASE)]).set(i64::from(leading));
        if !leading {
            self.inner.services.forget_all();
        }
    }

    /// Shows how this queue is worked off.
    pub fn follow(&self, queue: Arc<Queue>) {
        self.inner.work.follow(queue);
    }

    /// Everything as text.
    pub fn encode(&self, format: Format) -> String {
        let mut text = String::new();
        // Writing to a String fails only if a metric does; what was written until then is better than nothing.
        if let Err(error) = text::encode(&mut text, &self.inner.registry) {
            tracing::error!(%error, "the metrics cannot be written in full");
        }
        format.of(text)
    }
}

impl Inner {
    /// Series that exist from the start, so that the first increase is seen as one.
    fn show_zeros(&self) {
        use ReconcileResult::{Error, RequeueAfter, Success};
        for result in [Success, Error, RequeueAfter] {
            drop(self.reconciles.get_or_create(&[("result", result.as_str())]));
        }
        for &step in Step::ALL {
            use Outcome::{Dropped, Failed, Ineffective, Pending, Verified};
            for outcome in [Pending, Verified, Ineffective, Failed, Dropped] {
                drop(self.actions.get_or_create(&action_labels(step, outcome)));
            }
        }
        drop(self.leading.get_or_create(&[("name", LEASE)]));
    }
}

fn action_labels(step: Step, outcome: Outcome) -> Labels<2> {
    [("action", step.as_str()), ("outcome", outcome.as_str())]
}

fn register_process(registry: &mut Registry, started: Timestamp) {
    let start = Gauge::<f64, AtomicU64>::default();
    start.set(started.as_duration().as_secs_f64());
    registry.register("process_start_time_seconds", "When the process began, in seconds since 1970", start);
    // The encoder appends `_info`.
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("kubeheal_build", "The version that runs", build);
}
