//! The controller: observe → decide → record → execute → report, for one service at a time.
//!
//! Holds no knowledge between two reconciles but caches, which a restart fills again. What a decision must remember is in
//! the status, written *before* the action that it announces.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt, api::PostParams};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use tracing::{Instrument, Span};

use crate::{
    api::{FIELD_MANAGER, HealedService, status::HealedServiceStatus},
    clock::{Clock, Watchman},
    error::Error,
    execute::{Executor, Stay, keep},
    healing::{
        Decision,
        alarm::{self, Notice},
        decide,
        memory::Outcome,
        plan::{Plan, Step},
        policy::{Mode, Policy},
        reason::{Block, Reason},
        settle,
        snapshot::{Snapshot, Workload},
        time::after,
        verify::Execution,
    },
    leader::Leadership,
    metrics::{Metrics, ReconcileResult},
    observe::{
        cache::Caches,
        decode::Lenient,
        log::LogReader,
        policy::Effective,
        record::Key,
        snapshot::{Presence, Sources, snapshot},
        watch::{Shared, watch},
    },
    publish::{
        alert::{Alert, Courier, Desk, Offer, Pace},
        audit,
        event::notices,
        herald::{self, Herald},
        status::{remember, render},
    },
    queue::Queue,
    server::{CircuitReport, Probes},
    telemetry,
};

/// A stream that is behind for longer is said in the status; for shorter, nobody needs to know.
const BEHIND_TOO_LONG: Duration = Duration::from_secs(60);
/// Look again when something could not be read.
const UNREADABLE_RETRY: Duration = Duration::from_secs(10);
/// Longest time between two looks at a service, whatever was decided.
const RESYNC: Duration = Duration::from_secs(600);
/// A look that takes longer is stuck: even replacing a workload is over by then.
const STUCK: Duration = Duration::from_secs(900);
/// First wait after a failed reconcile.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How long Events that wait may take when the controller ends.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Longest wait after a failed reconcile.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// How the controller runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Look after one namespace; `None` is all.
    pub namespace: Option<String>,
    /// Services looked at at the same time, at least 1.
    pub concurrency: usize,
    /// Treat every service as if its mode were Observe.
    pub observe_only: bool,
    /// Where to count.
    pub metrics: Metrics,
    /// Act only while leading; `None` is alone.
    pub leader: Option<Leadership>,
}

/// The controller.
pub struct Controller {
    context: Arc<Context>,
    events: mpsc::Receiver<herald::Message>,
}

/// What one reconcile needs.
struct Context {
    reads: Client,
    executor: Executor,
    logs: LogReader,
    clock: Clock,
    watchman: Watchman,
    options: Options,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    /// Held from the last look at the cluster-wide limits until the intent is recorded and visible to all workers.
    gate: Mutex<()>,
    retries: std::sync::Mutex<BTreeMap<Key, u32>>,
    herald: Herald,
    desk: Arc<Desk>,
    /// Alerts end with the controller, however it ends.
    _desk_ends: DropGuard,
}

/// One look at a service.
struct Look {
    service: Arc<HealedService>,
    effective: Arc<Effective>,
    policy: Policy,
    snapshot: Snapshot,
    decision: Decision,
    now: Timestamp,
    /// Nothing new gets into the namespace any more.
    namespace_ends: bool,
}

/// All that goes wrong in a namespace that is being deleted is meant to.
fn leave_alone(seen: &mut Snapshot) {
    seen.service.deleting = true;
    if matches!(seen.workload, Workload::Present(_)) {
        seen.workload = Workload::Unknown("the namespace is being deleted".to_owned());
    }
}

impl Controller {
    /// A controller that reads through one client and acts through another, which must not retry by itself.
    pub fn new(reads: Client, actions: Client, clock: Clock, options: Options) -> Self {
        Self::telling(reads, actions, clock, options, Courier::over_network(), Pace::default())
    }

    /// The same, with another way to reach receivers of alerts.
    pub fn telling(
        reads: Client,
        actions: Client,
        clock: Clock,
        options: Options,
        courier: Courier,
        pace: Pace,
    ) -> Self {
        let queue = Arc::new(Queue::default());
        let shared = Arc::new(Shared::new(queue.clone(), options.metrics.clone()));
        options.metrics.follow(queue.clone());
        let (herald, events) = Herald::new(options.metrics.clone());
        let (leader, waking) = (options.leader.clone(), queue.clone());
        let leading = move || leader.as_ref().is_none_or(Leadership::is_leading);
        let wake = move |key| waking.add(key, Instant::now());
        let metrics = options.metrics.clone();
        let desk = Desk::new(actions.clone(), courier, clock.clone(), pace, metrics, Box::new(leading), wake);
        let context = Context {
            reads,
            logs: LogReader::new(actions.clone(), queue.clone()),
            executor: Executor::new(actions),
            clock,
            watchman: Watchman::default(),
            options,
            shared,
            queue,
            gate: Mutex::new(()),
            retries: std::sync::Mutex::default(),
            herald,
            _desk_ends: desk.ends(),
            desk,
        };
        Self { context: Arc::new(context), events }
    }

    /// What the HTTP port tells.
    pub fn probes(&self) -> Probes {
        let (queue, ready, circuits) =
            (self.context.queue.clone(), self.context.shared.clone(), self.context.shared.clone());
        Probes {
            alive: Arc::new(move || progress(&queue)),
            ready: Arc::new(move || readiness(&ready)),
            circuits: Arc::new(move || circuit_reports(&circuits)),
        }
    }

    /// Runs until told to stop. Then no new look begins, and those under way end.
    pub async fn run(self, stop: CancellationToken) {
        let Self { context, events } = self;
        let herald = AbortOnDropHandle::new(tokio::spawn(herald::write(context.reads.clone(), events)));
        let watching = stop.child_token();
        let namespace = context.options.namespace.clone();
        let (client, shared, until) = (context.reads.clone(), context.shared.clone(), watching.clone());
        let watches = tokio::spawn(async move { watch(client, namespace.as_deref(), shared, until).await });
        let mut workers = JoinSet::new();
        for _ in 0..context.options.concurrency.max(1) {
            workers.spawn(work(context.clone(), stop.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended abnormally, the others go on");
                workers.spawn(work(context.clone(), stop.clone()));
            }
        }
        watching.cancel();
        let _ended = watches.await;
        // No look is under way, so nothing more is to be told. What was is worth a moment.
        drop(context);
        let _told = timeout(LAST_WORDS, herald).await;
    }
}

fn readiness(shared: &Shared) -> Result<(), String> {
    match shared.behind() {
        None => Ok(()),
        Some((kind, _, why)) => Err(format!("the cache of {} is not filled: {why}", kind.as_str())),
    }
}

fn progress(queue: &Queue) -> Result<(), String> {
    match queue.slowest() {
        Some(((namespace, name), took)) if took > STUCK => {
            Err(format!("the look at {namespace}/{name} takes {} s already", took.as_secs()))
        }
        Some(_) | None => Ok(()),
    }
}

fn circuit_reports(shared: &Shared) -> Vec<CircuitReport> {
    let caches = shared.caches();
    let report = |((namespace, name), service): (&Key, &Arc<HealedService>)| {
        let circuit = service.status.as_ref()?.circuit.clone()?;
        Some(CircuitReport::new(namespace.clone(), name.clone(), circuit))
    };
    caches.services().filter_map(report).collect()
}

fn key_of(service: &HealedService) -> Key {
    (service.namespace().unwrap_or_default(), service.name_any())
}

async fn work(context: Arc<Context>, stop: CancellationToken) {
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
    /// How long nothing is looked at: somebody else leads, or the caches are not filled yet.
    fn must_wait(&self, key: &Key) -> Option<Duration> {
        let follows = self.options.leader.as_ref().is_some_and(|leader| !leader.is_leading());
        if follows {
            self.desk.leave(key);
        }
        let is_behind = || self.shared.behind().is_some_and(|(_, since, _)| since < BEHIND_TOO_LONG);
        (follows || is_behind()).then_some(FIRST_RETRY)
    }

    /// One service, start to end. Returns when to look again.
    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, Error> {
        let Some(mut look) = self.look(key).await else {
            self.options.metrics.forget(&key.0, &key.1);
            self.herald.forget(key);
            self.desk.forget(key);
            return Ok(None);
        };
        if look.decision.plan.is_none() {
            let recorded = self.record(&look).await?;
            self.report(&look, &recorded).await;
            return Ok(Some(self.next_look(&look)));
        }
        let recorded = {
            let _gate = self.gate.lock().await;
            // Others may have acted while we waited: look at the shared limits again.
            let Some(again) = self.look(key).await else { return Ok(None) };
            look = self.confirm(again).await;
            self.record(&look).await?
        };
        self.report(&look, &recorded).await;
        if let Some(plan) = look.decision.plan.clone() {
            let execution = self.act(&look, &plan).await;
            audit::acted(&recorded, &look.decision, &plan, &execution);
            Box::pin(self.settle(&look, recorded, &plan, &execution)).await?;
        }
        Ok(Some(self.next_look(&look)))
    }

    /// Observe and decide.
    async fn look(&self, key: &Key) -> Option<Look> {
        let asked_about = self.shared.caches().service(key)?;
        let (presence, stay) = self.ask(&asked_about).await;
        // What cannot be read counts as being deleted: nothing is brought back on a guess.
        let namespace_deleting = stay != Stay::Stays;
        let now = self.clock.now();
        // The object and what it remembers are taken together: its resourceVersion vouches for both when it is written.
        let (service, effective, mut seen) = {
            let caches = self.shared.caches();
            let (service, effective) = (caches.service(key)?, caches.effective(key)?);
            let seen = snapshot(&caches, key, &Sources { presence, namespace_deleting })?;
            (service, effective, seen)
        };
        seen.audience.deliveries = self.desk.news(key);
        let mut policy = effective.policy.clone();
        if self.options.observe_only {
            policy.mode = Mode::Observe;
        }
        if self.distrusts_clock(&policy, now).is_some() {
            let message = "the clock jumped: nothing is done until what is wrong has lasted by its new time";
            policy.held.get_or_insert_with(|| Block::new(Reason::ClockJumped, message));
        }
        if let Some((kind, _, why)) = self.shared.behind() {
            seen.workload = Workload::Unknown(format!("the watch of {} is interrupted: {why}", kind.as_str()));
        }
        let namespace_ends = stay == Stay::Ends || self.namespace_ends(&seen).await;
        if namespace_ends {
            leave_alone(&mut seen);
        }
        self.logs.complete(key, &effective, &mut seen, now);
        seen.live = self.executor.live(&service, &policy, &seen.memory).await;
        let decision = decide(&policy, &seen, now);
        Some(Look { service, effective, policy, snapshot: seen, decision, now, namespace_ends })
    }

    /// Whether the namespace is being deleted, asked where it looks as if: pods go or are missing.
    async fn namespace_ends(&self, seen: &Snapshot) -> bool {
        let Workload::Present(state) = &seen.workload else { return false };
        let pods_go = state.deleting || seen.pods.iter().any(|pod| pod.deleting);
        let too_few = u32::try_from(seen.pods.len()).is_ok_and(|pods| pods < state.desired);
        (pods_go || too_few) && self.executor.namespaces().ask_lately(&seen.service.namespace).await == Stay::Ends
    }

    /// The last questions before acting, asked live. The answers become part of what was seen.
    async fn confirm(&self, mut look: Look) -> Look {
        let Some(plan) = &look.decision.plan else { return look };
        let namespace = look.service.namespace().unwrap_or_default();
        let ends = match self.executor.namespaces().ask(&namespace).await {
            Stay::Stays => false,
            Stay::Ends => true,
            // What would be missed if it did not come back is not taken away.
            Stay::Unclear => plan.effect.replaces(),
        };
        if ends {
            look.namespace_ends = true;
            look.snapshot.service.deleting = true;
            look.decision = decide(&look.policy, &look.snapshot, look.now);
        }
        if look.decision.plan.is_some() {
            let until = after(look.now, look.policy.remediation.verify);
            look.snapshot.rivals.lock = self.executor.lock(&look.service, until, look.now).await;
            look.decision = decide(&look.policy, &look.snapshot, look.now);
        }
        look
    }

    /// A workload that the cache does not have is asked for live: a cache alone never says that something is gone.
    async fn ask(&self, service: &HealedService) -> (Presence, Stay) {
        // What is there and cannot be read is not missing either.
        let is_known = |caches: &Caches| caches.workload(service).is_some() || caches.unreadable(service).is_some();
        if is_known(&self.shared.caches()) {
            return (Presence::Cached, Stay::Stays);
        }
        let presence = self.executor.presence(service).await;
        let stay = match presence {
            Presence::Missing => self.executor.namespaces().ask(&service.namespace().unwrap_or_default()).await,
            Presence::Cached | Presence::NotYetCached | Presence::Unreadable(_) => Stay::Stays,
        };
        (presence, stay)
    }

    /// Writes the decision into the status, if that changes it. The resourceVersion makes a look at an outdated object fail
    /// here, before anything is done.
    async fn record(&self, look: &Look) -> Result<HealedService, Error> {
        telemetry::decided(&look.decision);
        let old = look.service.status.clone().unwrap_or_default();
        let good = match self.keep(look).await {
            Some(kept) => Some(kept),
            None => old.last_known_good.clone(),
        };
        let generation = look.service.metadata.generation;
        let status = render(&look.decision, &old, generation, good, Some(look.effective.said.clone()), look.now);
        let recorded = self.write(&look.service, status).await?;
        self.desk.written(&key_of(&look.service), &look.snapshot.audience.deliveries);
        Ok(recorded)
    }

    async fn keep(&self, look: &Look) -> Option<crate::api::status::LastKnownGood> {
        if !look.decision.record_good {
            return None;
        }
        let workload = self.shared.caches().workload(&look.service)?;
        match keep(&self.executor, &look.service, &workload, look.now).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "the last known good definition could not be kept");
                None
            }
        }
    }

    async fn write(&self, service: &HealedService, status: HealedServiceStatus) -> Result<HealedService, Error> {
        let mut written = service.clone();
        if service.status.as_ref() == Some(&status) {
            return Ok(written);
        }
        written.status = Some(status);
        let api: Api<Lenient<HealedService>> =
            Api::namespaced(self.reads.clone(), &service.namespace().unwrap_or_default());
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match api.replace_status(&service.name_any(), &params, &Lenient(written)).await {
            Ok(Lenient(answer)) => {
                self.shared.wrote(answer.clone());
                Ok(answer)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(Error::Conflict),
            Err(error) => Err(Error::Status(error)),
        }
    }

    /// Carries out the plan, unless the lease is about to run out: then the attempt counts and is not made.
    async fn act(&self, look: &Look, plan: &Plan) -> Execution {
        if self.options.leader.as_ref().is_some_and(|leader| !leader.may_act()) {
            return Execution::Refused("the lease of this controller is about to run out".to_owned());
        }
        self.executor.run(&look.service, plan).await
    }

    async fn settle(
        &self,
        look: &Look,
        recorded: HealedService,
        plan: &Plan,
        execution: &Execution,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let memory = settle(&look.policy, &look.snapshot, &look.decision.memory, plan, execution, now);
        if memory == look.decision.memory {
            return Ok(());
        }
        let old = recorded.status.clone().unwrap_or_default();
        let mut status = old.clone();
        remember(&mut status, &memory, look.decision.ineffective);
        let written = self.write(&recorded, status).await?;
        self.tell(look, &old, &written, now).await;
        Ok(())
    }

    /// Events, metrics and the audit line.
    async fn report(&self, look: &Look, recorded: &HealedService) {
        let old = look.service.status.clone().unwrap_or_default();
        let Decision { verdict, conditions, memory, blocked_by, .. } = &look.decision;
        let (namespace, name) = (recorded.namespace().unwrap_or_default(), recorded.name_any());
        let undelivered = alarm::undelivered(&memory.alarms);
        let (service, circuit) = ((namespace.as_str(), name.as_str()), memory.circuit.state);
        self.options.metrics.decided(service, verdict.health, circuit, conditions, blocked_by, undelivered);
        let blocks_changed = recorded.status.as_ref().is_some_and(|new| new.blocked_by != old.blocked_by);
        let reasons_before: Vec<_> = old.blocked_by.iter().map(|block| block.reason.as_str()).collect();
        if blocks_changed {
            for block in blocked_by {
                self.options.metrics.suppressed(block.reason);
            }
        }
        if !blocked_by.is_empty() && !blocked_by.iter().map(|block| block.reason.as_str()).eq(reasons_before) {
            audit::held_back(recorded, &look.decision);
        }
        if let (Some(since), Some(until), true) = (
            memory.unhealthy_since,
            memory.unhealthy_until,
            old.unhealthy_until.is_none() && old.unhealthy_since.is_some(),
        ) {
            self.options.metrics.recovered(until.duration_since(since).as_secs_f64());
        }
        self.alert(look);
        self.tell(look, &old, recorded, look.now).await;
        if !memory.degraded {
            self.herald.well(&key_of(recorded));
        }
    }

    /// Hands over what receivers of alerts are to know.
    fn alert(&self, look: &Look) {
        let settings = &look.effective.settings.alerts.sinks;
        let receivers = &look.effective.receivers;
        let offer = |notice: &Notice| {
            let (sink, receiver) = settings.iter().zip(&**receivers).find(|(sink, _)| sink.name == notice.sink)?;
            Some(Offer {
                sink: sink.clone(),
                destination: receiver.destination.clone(),
                alert: Alert::of(&look.service, &look.decision, look.policy.mode, notice),
                due: notice.due,
            })
        };
        self.desk.offer(&key_of(&look.service), look.decision.notices.iter().filter_map(offer).collect());
        self.wake_in_storm(look);
    }

    /// Of those who are unwell in a storm the first tells of it: it must look again, now that there is one more.
    fn wake_in_storm(&self, look: &Look) {
        let is_new = look.decision.memory.unhealthy_since != look.snapshot.memory.unhealthy_since;
        let in_storm = look.decision.escalation.as_ref().is_some_and(|told| told.reason == Reason::StormHold);
        if is_new && in_storm {
            let me = key_of(&look.service);
            let unwell = look.snapshot.services.iter().filter(|other| other.unhealthy_until.is_none());
            for other in unwell.filter(|other| other.unhealthy_since.is_some() && other.key != me) {
                self.queue.add(other.key.clone(), Instant::now());
            }
        }
    }

    async fn tell(&self, look: &Look, old: &HealedServiceStatus, written: &HealedService, now: Timestamp) {
        let new = written.status.clone().unwrap_or_default();
        for entry in new.history.iter().filter(|entry| !old.history.contains(entry)) {
            if let (Some(step), Some(outcome)) = (Step::parse(&entry.step), Outcome::parse(&entry.outcome)) {
                self.options.metrics.acted(step, outcome);
            }
        }
        let notices = notices(old, &new);
        let namespace = &look.snapshot.service.namespace;
        // No Event gets into a namespace that ends, and nobody will read it.
        if notices.is_empty()
            || look.namespace_ends
            || self.executor.namespaces().ask_lately(namespace).await == Stay::Ends
        {
            return;
        }
        for notice in notices {
            tracing::info!(reason = notice.reason, action = notice.action, note = notice.note, "notice");
            self.herald.tell(&key_of(&look.service), &look.service, notice, now);
        }
    }

    /// How long the clock is not to be trusted yet: it has jumped, and nothing may seem to last for that alone.
    fn distrusts_clock(&self, policy: &Policy, now: Timestamp) -> Option<Duration> {
        let ago = self.watchman.jumped(now)?;
        let lasting = policy.health.not_ready.max(policy.health.crash_loop);
        Duration::try_from(lasting).unwrap_or_default().checked_sub(ago).filter(|left| !left.is_zero())
    }

    fn next_look(&self, look: &Look) -> Duration {
        if matches!(look.snapshot.workload, Workload::Unknown(_)) {
            return UNREADABLE_RETRY;
        }
        let due = look
            .decision
            .next_check
            .map(|check| check.duration_since(self.clock.now()).max(jiff::SignedDuration::ZERO));
        let due = due.and_then(|due| Duration::try_from(due).ok()).unwrap_or(RESYNC);
        due.min(self.distrusts_clock(&look.policy, self.clock.now()).unwrap_or(RESYNC)).min(RESYNC)
    }

    fn requeue(&self, key: Key, outcome: Result<Option<Duration>, Error>, took: Duration) {
        let mut retries = self.retries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (result, wait) = match outcome {
            Ok(wait) => {
                retries.remove(&key);
                (if wait.is_some() { ReconcileResult::RequeueAfter } else { ReconcileResult::Success }, wait)
            }
            Err(error) => {
                let tries = retries.entry(key.clone()).or_insert(0);
                let wait = FIRST_RETRY.saturating_mul(1 << (*tries).min(10)).min(LAST_RETRY);
                *tries = tries.saturating_add(1);
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
        drop(retries);
        self.options.metrics.reconciled(result, took);
        self.queue.done(&key);
        if let Some(wait) = wait {
            // A wake-up right at a threshold could come a hair early on a coarse clock.
            self.queue.add(key, Instant::now() + wait.max(Duration::from_millis(50)));
        }
    }
}
