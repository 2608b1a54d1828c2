//! Alerts: what fires, who has been notified of it, and who is to be notified now.
//!
//! One alert a service, whatever number of pods; in a storm one for the whole scope. An alert begins with trouble that lasts
//! and ends when the service has been well for the stabilization time, so that a service that comes and goes does not page
//! each time. What receivers know is remembered in the status: neither a restart nor a failover pages twice or forgets to
//! say that it is over. Decides whom to notify of what; notifying, and trying again, is somebody else's.

use jiff::{SignedDuration, Timestamp};

use crate::{
    model::{
        alert::{
            Alert, Delivered, Delivery, MAX_ALERTS, Notice, Notified, Receiver, ReceiverState, Receivers, Severity,
            Subject,
        },
        bounded::Bounded,
        fleet::Fleet,
        inputs::Inputs,
        moment::{after, elapsed},
        reason::Reason,
        state::State,
        verdict::{Escalation, Health},
    },
    propose::Situation,
};

/// A receiver that cannot be told for so long that it is over is not notified any more.
const GIVE_UP: SignedDuration = SignedDuration::from_secs(86_400);

/// What all alerts of a service are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    /// What is known of the service.
    pub situation: &'a Situation<'a>,
    /// All services, this one as it is now.
    pub fleet: &'a Fleet,
    /// Why a person is needed, if one is.
    pub escalation: Option<&'a Escalation>,
}

impl Scene<'_> {
    fn inputs(&self) -> &Inputs<'_> {
        self.situation.inputs
    }

    fn receivers(&self) -> &Receivers {
        &self.inputs().snapshot.receivers
    }
}

/// Takes in what became of earlier notices, lets alerts begin, grow and end, and says who is to be told what.
pub(super) fn update(scene: &Scene<'_>, state: &mut State) -> Vec<Notice> {
    let now = scene.inputs().now();
    let Receivers { list, deliveries, repeat: _ } = scene.receivers();
    for alert in &mut state.alerts {
        alert.receivers.retain(|known| list.iter().any(|receiver| receiver.name == known.receiver));
    }
    for delivery in deliveries {
        take_in(delivery, &mut state.alerts);
    }
    if list.is_empty() {
        state.alerts.clear();
        return Vec::new();
    }
    let is_storm = is_storm(scene, &state.alerts);
    update_own(scene, is_storm, state);
    update_storm(scene, is_storm, &mut state.alerts);
    for alert in state.alerts.iter_mut().filter(|alert| alert.resolved.is_none()) {
        address(scene, alert);
    }
    state.alerts.retain(|alert| !is_done(alert, now));
    state.alerts.iter().flat_map(|alert| notices(scene, alert)).collect()
}

/// Whether many services are unhealthy at once. Who has notified of it must learn when it is over, even when well itself.
fn is_storm(scene: &Scene<'_>, alerts: &[Alert]) -> bool {
    if scene.escalation.is_some_and(|escalation| escalation.reason == Reason::StormHold) {
        return true;
    }
    let notifies = alerts.iter().any(|alert| alert.subject == Subject::Storm);
    notifies && scene.fleet.storm(&scene.inputs().policy.cluster, scene.inputs().moment).is_some()
}

fn take_in(delivery: &Delivery, alerts: &mut [Alert]) {
    let Some(alert) = alerts.iter_mut().find(|alert| alert.subject == delivery.subject) else { return };
    let is_it = |known: &&mut ReceiverState| known.receiver == delivery.receiver;
    let is_over = alert.resolved.is_some();
    let Some(known) = alert.receivers.iter_mut().find(is_it) else { return };
    match &delivery.result {
        Delivered::Firing(at, severity) => {
            (known.notified, known.problem) = (Some(Notified { at: *at, severity: *severity }), None);
        }
        Delivered::Problem(why) => known.problem = Some(why.clone()),
        Delivered::Resolved if is_over => alert.receivers.retain(|known| known.receiver != delivery.receiver),
        // It fired again meanwhile: the receiver knows nothing of that.
        Delivered::Resolved => (known.notified, known.problem) = (None, None),
    }
}

/// Writes down who is to be notified, before anybody is: whoever may have heard of the alert must hear of its end.
fn address(scene: &Scene<'_>, alert: &mut Alert) {
    for receiver in &*scene.receivers().list {
        let concerned = match alert.subject {
            Subject::Service => true,
            Subject::Storm => notifies_of_storm(scene, receiver),
        };
        if concerned && alert.receivers.iter().all(|known| known.receiver != receiver.name) {
            let receiver = receiver.name.clone();
            alert.receivers.push(ReceiverState { receiver, notified: None, problem: None });
        }
    }
}

/// The service's own alert.
fn update_own(scene: &Scene<'_>, is_storm: bool, state: &mut State) {
    let now = scene.inputs().now();
    let trouble = trouble(scene);
    let is_over = trouble.is_none() && is_over(scene, state);
    // Who suffers from somebody else's trouble does not add to it.
    let anothers = state.dependency.held || is_storm;
    let begin = state.health.ongoing().map_or(now, |episode| episode.since);
    let known = state.alerts.iter_mut().find(|alert| alert.subject == Subject::Service);
    match (known, trouble) {
        (Some(alert), Some((severity, reason))) if alert.resolved.is_none() => raise(alert, severity, reason),
        (Some(alert), Some((severity, reason))) if !anothers => {
            begin_again(alert, fired(Subject::Service, severity, reason, begin));
        }
        (Some(alert), None) if alert.resolved.is_none() && is_over => alert.resolved = Some(now),
        (None, Some((severity, reason))) if !anothers => {
            state.alerts.push(fired(Subject::Service, severity, reason, begin));
        }
        (Some(_) | None, Some(_) | None) => {}
    }
}

fn fired(subject: Subject, severity: Severity, reason: Reason, since: Timestamp) -> Alert {
    Alert {
        subject,
        severity,
        reason: reason.as_str().to_owned(),
        since,
        resolved: None,
        receivers: Bounded::default(),
    }
}

/// Whether those who were not known to have heard of the end had heard of it cannot be told: better twice than never.
fn begin_again(alert: &mut Alert, new: Alert) {
    let unknown = |known: ReceiverState| ReceiverState { notified: None, problem: None, ..known };
    let receivers = std::mem::take(&mut alert.receivers).into_iter().map(unknown).collect();
    *alert = Alert { receivers, ..new };
}

/// An alert grows louder and never softer until it is over: it would page again at the next turn.
fn raise(alert: &mut Alert, severity: Severity, reason: Reason) {
    if severity > alert.severity {
        alert.severity = severity;
        reason.as_str().clone_into(&mut alert.reason);
    }
}

/// What there is to be said, if anything: what lasts, or what a rule of escalation says. Not each stumble.
fn trouble(scene: &Scene<'_>) -> Option<(Severity, Reason)> {
    // All that goes wrong in what is being deleted is meant to.
    if scene.inputs().snapshot.service.deleting {
        return None;
    }
    let own = |escalation: &&Escalation| escalation.reason != Reason::StormHold;
    if let Some(Escalation { severity, reason, message: _ }) = scene.escalation.filter(own) {
        return Some((*severity, *reason));
    }
    let counts = match scene.situation.verdict.health {
        Health::Unhealthy => true,
        Health::Degraded => {
            let said = matches!(
                scene.situation.verdict.reason,
                Reason::RolloutStuck | Reason::QuotaExceeded | Reason::NodeLost | Reason::NodeDraining
            );
            said || scene.situation.findings.iter().any(|finding| finding.over_threshold)
        }
        Health::Healthy | Health::Starting | Health::Idle | Health::Unknown => false,
    };
    counts.then_some((Severity::Warning, scene.situation.verdict.reason))
}

/// Well for the stabilization time, or nothing is wanted any more.
fn is_over(scene: &Scene<'_>, state: &State) -> bool {
    let stabilization = scene.inputs().policy.remediation.stabilization;
    match (scene.situation.verdict.health, state.health.healthy_since) {
        (Health::Idle, _) => true,
        (Health::Healthy, Some(since)) if state.alerts.is_empty() => {
            scene.inputs().moment.elapsed(since) >= stabilization
        }
        (Health::Healthy, Some(since)) => scene.inputs().moment.lasts(since, stabilization),
        (Health::Healthy | Health::Degraded | Health::Unhealthy | Health::Starting | Health::Unknown, _) => false,
    }
}

/// The alert about many services, on one that notifies of it.
fn update_storm(scene: &Scene<'_>, is_storm: bool, alerts: &mut Bounded<Alert, MAX_ALERTS>) {
    let now = scene.inputs().now();
    let fired = || fired(Subject::Storm, Severity::Critical, Reason::StormHold, now);
    let known = alerts.iter_mut().find(|alert| alert.subject == Subject::Storm);
    match (known, is_storm) {
        (Some(alert), false) if alert.resolved.is_none() => alert.resolved = Some(now),
        (Some(alert), true) if alert.resolved.is_some() => begin_again(alert, fired()),
        (None, true) if scene.receivers().list.iter().any(|receiver| notifies_of_storm(scene, receiver)) => {
            alerts.push(fired());
        }
        (Some(_) | None, true | false) => {}
    }
}

/// Whether this service notifies a receiver of a storm: nobody else does, and of those that are unhealthy and share the
/// receiver it comes first.
fn notifies_of_storm(scene: &Scene<'_>, receiver: &Receiver) -> bool {
    let inputs = scene.inputs();
    let scope = || scene.fleet.scope(&inputs.policy.cluster, inputs.moment);
    scene.situation.verdict.counts_as_unhealthy && scene.fleet.is_first_at(&receiver.destination, scope())
}

/// Whether there is nobody left to be notified of it.
fn is_done(alert: &Alert, now: Timestamp) -> bool {
    let Some(resolved) = alert.resolved else { return false };
    alert.receivers.is_empty() || elapsed(resolved, now) >= GIVE_UP
}

fn notices(scene: &Scene<'_>, alert: &Alert) -> Vec<Notice> {
    let mut notices = Vec::new();
    for known in &alert.receivers {
        let mut receivers = scene.receivers().list.iter();
        let Some(receiver) = receivers.find(|receiver| receiver.name == known.receiver) else { continue };
        let due = match (alert.resolved, known.notified) {
            (Some(_), _) | (None, None) => true,
            (None, Some(known)) if known.severity < alert.severity => true,
            (None, Some(known)) => is_due_again(scene, receiver, known.at),
        };
        notices.push(Notice {
            subject: alert.subject,
            receiver: receiver.name.clone(),
            severity: alert.severity,
            reason: alert.reason.clone(),
            since: alert.since,
            resolved: alert.resolved,
            due,
            knows: known.notified.map(|known| known.severity),
        });
    }
    notices
}

fn is_due_again(scene: &Scene<'_>, receiver: &Receiver, notified: Timestamp) -> bool {
    !receiver.kept_alive && scene.inputs().moment.reached(after(notified, scene.receivers().repeat))
}
