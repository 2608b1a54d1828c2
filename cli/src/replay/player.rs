//! Plays a recording on its own time through the controller's own turn.
//!
//! Nothing is executed, so that the recording stays what happened. State lives in the `HealedService`'s status, as in a
//! cluster.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;
use kubeheal::{
    api::{HealedService, status::LastKnownGood},
    base::Key,
    cluster::{
        cache::Caches,
        kind::{Kind, Object},
        revision::{Proof, Revision},
        snapshot::Presence,
    },
    controller::turn::{LiveReads, turn},
    status::{Beside, render},
};
use kubeheal_core::model::{decision::Decision, moment::after, policy::Mode, snapshot};
use serde_json::Number;

use super::{
    line::{Line, View},
    trace::{Change, Event, Trace},
};

/// Recordings are ten minutes long; silence at the end belongs to them.
const LENGTH: SignedDuration = SignedDuration::from_secs(600);
/// A status that was written wakes its own service; a decision that does not come to rest after so many rounds is one that
/// the next event will see again.
const ROUNDS: usize = 5;

/// A replay of one service.
pub(crate) struct Player {
    caches: Caches,
    key: Key,
    base: Timestamp,
    shown: Option<View>,
    wake: Option<Timestamp>,
}

impl Player {
    /// A replay of the service, whose namespace is known by now.
    pub(crate) fn new(mut service: HealedService, base: Timestamp) -> Self {
        let key = (service.namespace().unwrap_or_default(), service.name_any());
        service.metadata.uid.get_or_insert_with(|| format!("{}/{}", key.0, key.1));
        service.metadata.generation.get_or_insert(1);
        service.status = None;
        let mut caches = Caches::default();
        let _known = caches.apply(Object::Service(Arc::new(service)));
        Self { caches, key, base, shown: None, wake: None }
    }

    /// Plays all of it. Every change of what kubeheal says is shown.
    pub(crate) fn play<E>(&mut self, trace: Trace, mut show: impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let last = trace.events.last().map_or(SignedDuration::ZERO, |event| event.offset);
        let end = after(self.base, last.max(LENGTH));
        let mut reconciled = false;
        let mut concerned = false;
        let mut events = trace.events.into_iter().peekable();
        while let Some(Event { t, offset, change }) = events.next() {
            let instant = after(self.base, offset);
            self.wake_until(instant, &mut show)?;
            concerned |= self.take_in(change);
            // What comes at the same instant is seen together, as the controller sees nothing before all lists are there.
            let more = events.peek().is_some_and(|next| next.offset == offset);
            if !more && (concerned || !reconciled) {
                (reconciled, concerned) = (true, false);
                self.reconcile(instant, t, &mut show)?;
            }
        }
        self.wake_until(end, &mut show)
    }

    /// Reconciles whenever the last decision asked for it, up to and without an instant.
    fn wake_until<E>(&mut self, end: Timestamp, show: &mut impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<(), E> {
        while let Some(wake) = self.wake.filter(|wake| *wake < end) {
            let millis = wake.duration_since(self.base).as_millis();
            // A recording is at most a year long: far from where a double would round.
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a year fit")]
            let seconds = millis as f64 / 1000.0;
            let t = Number::from_f64(seconds).unwrap_or_else(|| Number::from(0));
            self.reconcile(wake, t, show)?;
        }
        Ok(())
    }

    /// Takes a change in; says whether it concerns our service.
    fn take_in(&mut self, change: Option<Change>) -> bool {
        let touched = match change {
            None => return false,
            Some(Change::Apply(object)) => {
                // What the recorded cluster said about the service itself is not ours.
                if matches!(*object, Object::Service(_)) && object.key() == self.key {
                    return false;
                }
                self.caches.apply(*object)
            }
            Some(Change::Remove(Kind::Service, key)) if key == self.key => return false,
            Some(Change::Remove(kind, key)) => self.caches.remove(kind, &key),
        };
        touched.contains(&self.key)
    }

    /// Observes, decides and records; shows what is new.
    fn reconcile<E>(
        &mut self,
        instant: Timestamp,
        t: Number,
        show: &mut impl FnMut(&Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
        let Some((decision, own_mode)) = self.settle(now) else { return Ok(()) };
        self.wake = decision.next_check.filter(|next| *next > now);
        let view = View::of(&decision, own_mode);
        if self.shown.as_ref() != Some(&view) {
            show(&Line { t, view: &view })?;
            self.shown = Some(view);
        }
        Ok(())
    }

    /// Decides until the status rests.
    fn settle(&mut self, now: Timestamp) -> Option<(Decision, Mode)> {
        let mut decided = self.decide(now)?;
        for _ in 1..ROUNDS {
            if !self.record(&decided.0, now) {
                break;
            }
            decided = self.decide(now)?;
        }
        Some(decided)
    }

    /// Decides without the right to act; says also what the service's own mode is.
    fn decide(&self, now: Timestamp) -> Option<(Decision, Mode)> {
        let service = self.caches.service(&self.key)?;
        // The recording is the API server: what is not in it is not there.
        let presence = if self.caches.workload(&service).is_some() { Presence::Cached } else { Presence::Missing };
        let live = LiveReads { presence, observe_only: true, ..LiveReads::default() };
        let turn = turn(&self.caches, &self.key, &live, now)?;
        Some((turn.decision, turn.seen.effective.policy.mode))
    }

    /// Puts the decision into the status; says whether that changed it.
    fn record(&mut self, decision: &Decision, now: Timestamp) -> bool {
        let Some(service) = self.caches.service(&self.key) else { return false };
        let old = service.status.clone().unwrap_or_default();
        let kept = if decision.record_good { self.keep(&service, now) } else { None };
        let good = kept.or_else(|| old.last_known_good.clone());
        let beside = Beside { generation: service.metadata.generation, good, policy: old.effective_policy.clone() };
        let status = render(decision, &old, beside, now);
        if status == old {
            return false;
        }
        let mut written = HealedService::clone(&service);
        written.status = Some(status);
        let _touched = self.caches.apply(Object::Service(Arc::new(written)));
        true
    }

    /// Keeps the workload's definition, named by its content as in a cluster.
    fn keep(&mut self, service: &HealedService, now: Timestamp) -> Option<LastKnownGood> {
        let workload = self.caches.workload(service)?;
        let revision = format!("{}-kubeheal-{}", self.key.1, workload.state.definition);
        let meta =
            ObjectMeta { name: Some(revision.clone()), namespace: Some(self.key.0.clone()), ..ObjectMeta::default() };
        let good = snapshot::LastKnownGood {
            revision: revision.clone(),
            definition: workload.state.definition.clone(),
            template: workload.state.template.clone(),
            replicas: workload.state.kind.is_scalable().then_some(workload.state.desired),
            recorded: None,
            managed_by: workload.state.tool,
            controlled: workload.state.controlled,
        };
        let _touched = self.caches.apply(Object::Revision(Revision { meta, good, proof: Proof::default() }));
        Some(LastKnownGood { revision, recorded_at: Time(now) })
    }
}
