//! What one reconcile needs.

use std::{collections::BTreeMap, sync::Arc};

use backon::ExponentialBackoff;
use kube::Client;
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::DropGuard;

use super::{Clients, Options, queue::Queue};
use crate::{
    base::Key,
    cluster::{execute::Executor, log::LogReader, watch::Shared},
    notify::{
        alert::{AlertDispatcher, Environment, HttpSender, RetryConfig},
        recorder::{EventRecorder, PendingEvent},
    },
    ops::{
        clock::{Clock, ClockJumpDetector},
        leader::Leadership,
    },
};

/// What one reconcile needs.
pub(super) struct Context {
    pub(super) reads: Client,
    pub(super) executor: Executor,
    pub(super) logs: LogReader,
    pub(super) clock: Clock,
    pub(super) clock_jumps: ClockJumpDetector,
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue>,
    /// Held from the last judgement on the cluster-wide limits until the intent is recorded and visible to all workers.
    pub(super) limits: tokio::sync::Mutex<()>,
    pub(super) retries: Mutex<BTreeMap<Key, ExponentialBackoff>>,
    pub(super) recorder: EventRecorder,
    pub(super) alerts: Arc<AlertDispatcher>,
    /// Alerts end with the controller, however it ends.
    _alerts_end: DropGuard,
}

impl Context {
    /// What reconciles need, and the Events that they leave to be written.
    pub(super) fn new(
        clients: Clients,
        clock: Clock,
        options: Options,
        (sender, retry): (HttpSender, RetryConfig),
    ) -> (Self, mpsc::Receiver<PendingEvent>) {
        let Clients { reads, actions } = clients;
        let queue = Arc::new(Queue::default());
        let shared = Arc::new(Shared::new(queue.clone(), options.metrics.clone()));
        options.metrics.follow(queue.clone());
        let (recorder, events) = EventRecorder::new(options.metrics.clone());
        let (leader, waking) = (options.leader.clone(), queue.clone());
        let alerts = AlertDispatcher::new(Environment {
            secrets: actions.clone(),
            sender,
            clock: clock.clone(),
            retry,
            metrics: options.metrics.clone(),
            leading: Box::new(move || leader.as_ref().is_none_or(Leadership::is_leading)),
            wake: Box::new(move |key| waking.add(key, Instant::now())),
        });
        let context = Self {
            reads,
            logs: LogReader::new(actions.clone(), queue.clone()),
            executor: Executor::new(actions),
            clock,
            clock_jumps: ClockJumpDetector::default(),
            options,
            shared,
            queue,
            limits: tokio::sync::Mutex::default(),
            retries: Mutex::default(),
            recorder,
            _alerts_end: alerts.ends(),
            alerts,
        };
        (context, events)
    }
}
