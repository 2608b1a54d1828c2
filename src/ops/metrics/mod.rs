//! Metrics, as Prometheus reads them: text format 0.0.4.
//!
//! Names of controller-runtime where it has one, so that dashboards made for it fit. Labels are bounded: no pod, no message.
//! Nothing is decided here, and nothing reads a metric back.

mod notices;
mod services;
mod work;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kubeheal_core::model::{
    condition::Condition,
    plan::Step,
    reason::{Block, Reason},
    state::{CircuitState, Outcome},
    verdict::Health,
};
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};
use strum::VariantArray as _;

pub use notices::AlertResult;
use notices::Notices;
use services::{Services, Shown};
use work::Work;

use crate::{api::ReceiverType, controller::queue::Queue};

/// The media type of what [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
/// The `controller` label of the reconcile metrics, and the name of the queue.
const CONTROLLER: &str = "healedservice";
/// The `name` label of the leader metric: the name of the Lease.
const LEASE: &str = crate::ops::leader::LEASE_NAME;

/// Seconds a reconcile may take; the bounds controller-runtime uses, without the finest.
const RECONCILE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];
/// Seconds from unhealthy to healthy: from one restarted pod to an outage of half a day.
const RECOVERY_BUCKETS: [f64; 11] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0];

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
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
        self.into()
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
    reconciles: IntCounterVec,
    reconcile_errors: IntCounter,
    reconcile_seconds: Histogram,
    workers: IntGauge,
    max_workers: IntGauge,
    leading: IntGaugeVec,
    actions: IntCounterVec,
    suppressed: IntCounterVec,
    evaluations: IntCounterVec,
    recovery_seconds: Histogram,
    watches: IntGaugeVec,
    watch_errors: IntCounterVec,
    undecoded: IntGaugeVec,
    notices: Notices,
    services: Services,
    work: Work,
}

/// Registers a metric.
///
/// # Panics
///
/// If its name or labels are none, or it is there already: they are constants, and every test of metrics would fail.
#[expect(clippy::expect_used, reason = "names and labels are constants")]
fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a valid metric");
    registry.register(Box::new(metric.clone())).expect("a metric that is not there yet");
    metric
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

/// Options of a metric about the one controller of this process.
fn of_controller(name: &str, help: &str) -> Opts {
    Opts::new(name, help).const_label("controller", CONTROLLER)
}

impl Metrics {
    /// Registers every metric; `started` is when the process began.
    pub fn new(started: Timestamp) -> Self {
        let registry = Registry::new();
        register_process(&registry, started);
        let inner = Inner {
            reconciles: {
                let options = of_controller("controller_runtime_reconcile_total", "Reconciles by result");
                registered(&registry, IntCounterVec::new(options, &["result"]))
            },
            reconcile_errors: {
                let options = of_controller("controller_runtime_reconcile_errors_total", "Failed reconciles");
                registered(&registry, IntCounter::with_opts(options))
            },
            reconcile_seconds: {
                let options =
                    HistogramOpts::new("controller_runtime_reconcile_time_seconds", "Seconds a reconcile took")
                        .const_label("controller", CONTROLLER)
                        .buckets(RECONCILE_BUCKETS.to_vec());
                registered(&registry, Histogram::with_opts(options))
            },
            workers: {
                let options = of_controller("controller_runtime_active_workers", "Reconciles running");
                registered(&registry, IntGauge::with_opts(options))
            },
            max_workers: {
                let help = "Reconciles that may run at once";
                let options = of_controller("controller_runtime_max_concurrent_reconciles", help);
                registered(&registry, IntGauge::with_opts(options))
            },
            leading: gauges(&registry, "leader_election_master_status", "1 while this process leads", &["name"]),
            actions: {
                let help = "Healing actions by how they ended";
                counters(&registry, "kubeheal_healing_actions_total", help, &["action", "outcome"])
            },
            suppressed: {
                let help = "Decisions in which a step was held back";
                counters(&registry, "kubeheal_suppressed_actions_total", help, &["reason"])
            },
            evaluations: counters(
                &registry,
                "kubeheal_evaluations_total",
                "Decisions by the health found",
                &["health"],
            ),
            recovery_seconds: {
                let options =
                    HistogramOpts::new("kubeheal_recovery_duration_seconds", "Seconds from unhealthy to healthy")
                        .buckets(RECOVERY_BUCKETS.to_vec());
                registered(&registry, Histogram::with_opts(options))
            },
            watches: gauges(&registry, "kubeheal_watch_synced", "1 while a watch delivers", &["resource"]),
            watch_errors: counters(&registry, "kubeheal_watch_errors_total", "Failures of a watch", &["resource"]),
            undecoded: {
                let help = "Objects that are there and cannot be read, so that they are left out";
                gauges(&registry, "kubeheal_undecoded_objects", help, &["resource"])
            },
            notices: Notices::register(&registry),
            services: Services::register(&registry),
            work: Work::register(&registry),
            registry,
        };
        inner.show_zeros();
        Self { inner: Arc::new(inner) }
    }

    /// A reconcile ended.
    pub fn reconciled(&self, result: ReconcileResult, took: Duration) {
        self.inner.reconciles.with_label_values(&[result.as_str()]).inc();
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
        self.inner.actions.with_label_values(&[step.as_str(), outcome.as_str()]).inc();
    }

    /// A step was held back.
    pub fn suppressed(&self, reason: Reason) {
        self.inner.suppressed.with_label_values(&[reason.as_str()]).inc();
    }

    /// A decision was made about a service; its series show it until the next one or [`Metrics::forget`].
    pub fn decided(&self, (namespace, name): (&str, &str), decided: &Decided<'_>) {
        let Decided { health, circuit, conditions, blocked_by, undelivered } = *decided;
        self.inner.evaluations.with_label_values(&[health.as_str()]).inc();
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
        self.inner.watches.with_label_values(&[resource]).set(i64::from(synced));
        self.inner.watch_errors.with_label_values(&[resource]);
        self.inner.undecoded.with_label_values(&[resource]);
    }

    /// So many objects of a kind are there and cannot be read.
    pub fn undecoded(&self, resource: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.inner.undecoded.with_label_values(&[resource]).set(count);
    }

    /// A watch failed.
    pub fn watch_failed(&self, resource: &'static str) {
        self.inner.watch_errors.with_label_values(&[resource]).inc();
    }

    /// This process leads, or does not; then what it decided is out of date, and another process shows the services.
    pub fn leading(&self, leading: bool) {
        self.inner.leading.with_label_values(&[LEASE]).set(i64::from(leading));
        if !leading {
            self.inner.services.forget_all();
        }
    }

    /// Shows how this queue is worked off.
    pub fn follow(&self, queue: Arc<Queue>) {
        self.inner.work.follow(queue);
    }

    /// Everything as text.
    pub fn encode(&self) -> String {
        self.inner.work.refresh();
        let _shown = self.inner.services.refresh();
        let encoded = TextEncoder::new().encode_to_string(&self.inner.registry.gather());
        encoded.unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be written");
            String::new()
        })
    }
}

impl Inner {
    /// Series that exist from the start, so that the first increase is seen as one.
    fn show_zeros(&self) {
        for result in ReconcileResult::VARIANTS {
            self.reconciles.with_label_values(&[result.as_str()]);
        }
        for &step in Step::ALL {
            use Outcome::{Dropped, Failed, Ineffective, Pending, Verified};
            for outcome in [Pending, Verified, Ineffective, Failed, Dropped] {
                self.actions.with_label_values(&[step.as_str(), outcome.as_str()]);
            }
        }
        self.leading.with_label_values(&[LEASE]);
    }
}

fn register_process(registry: &Registry, started: Timestamp) {
    let help = "When the process began, in seconds since 1970";
    registered(registry, Gauge::new("process_start_time_seconds", help)).set(started.as_duration().as_secs_f64());
    let build = gauges(registry, "kubeheal_build_info", "The version that runs", &["version"]);
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
}
