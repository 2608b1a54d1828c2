//! Alarms: what fires, who has been told of it, and who is to be told now.
//!
//! One alarm a service, whatever number of pods; in a storm one for the whole scope. An alarm begins with trouble that lasts
//! and ends when the service has been well for the stabilization time, so that a service that comes and goes does not page
//! each time. What receivers know is remembered in the status: neither a restart nor a failover pages twice or forgets to
//! say that it is over. Decides whom to tell what; telling, and trying again, is somebody else's.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    budget,
    cause::Finding,
    escalation::{Escalation, Severity},
    health::{Health, Verdict},
    memory::Memory,
    policy::Policy,
    reason::Reason,
    snapshot::{Neighbour, Snapshot},
    time::{Wakeups, after, elapsed},
};

/// A receiver that cannot be told for so long that it is over is not told any more.
const GIVE_UP: SignedDuration = SignedDuration::from_secs(86_400);

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// This service.
    Service,
    /// Many services at once; this one tells for all.
    Storm,
}

impl Subject {
    /// Its name in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Storm => "Storm",
        }
    }

    /// The subject of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Service, Self::Storm].into_iter().find(|subject| subject.as_str() == name)
    }
}

/// A receiver of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name in the spec.
    pub name: String,
    /// Digest of where it is: two services with the same one reach the same receiver.
    pub destination: String,
    /// It is told again by itself as often as it needs; `repeat` is not for it.
    pub kept_alive: bool,
}

/// Who is told, how often, and what became of telling them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// An alarm that stays true is told again after so long.
    pub repeat: SignedDuration,
    /// The receivers.
    pub sinks: Arc<[Sink]>,
    /// What became of notices since the status was last written.
    pub deliveries: Vec<Delivery>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What it is about.
    pub subject: Subject,
    /// How loud.
    pub severity: Severity,
    /// Why it fired, or grew louder.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// What each receiver knows.
    pub told: Vec<Told>,
}

/// What a receiver knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub sink: String,
    /// When it was last told, and how loud; empty if it is not known to have been.
    pub at: Option<(Timestamp, Severity)>,
    /// Why it could not be told.
    pub problem: Option<String>,
}

/// What became of telling a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// About what.
    pub subject: Subject,
    /// To whom.
    pub sink: String,
    /// What happened.
    pub result: Delivered,
}

/// What became of telling a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It knows that it fires, this loud, since then.
    Firing(Timestamp, Severity),
    /// It knows that it is over.
    Resolved,
    /// It could not be told; a sentence says why and what to do.
    Problem(String),
}

/// What a receiver is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// About what.
    pub subject: Subject,
    /// To whom.
    pub sink: String,
    /// How loud.
    pub severity: Severity,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// It does not know yet, or is to be told again.
    pub due: bool,
    /// How loud it was last told of this alarm; empty if it is not known to have been.
    pub knows: Option<Severity>,
}

/// What all alarms of a service look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// What is seen.
    pub snapshot: &'a Snapshot,
    /// All services, this one as it is now.
    pub services: &'a [Neighbour],
    /// How the service is.
    pub verdict: &'a Verdict,
    /// What is wrong.
    pub findings: &'a [Finding],
    /// Why a person is told, if one should be.
    pub escalation: Option<&'a Escalation>,
}

/// Receivers that cannot be told of something.
pub fn undelivered(alarms: &[Alarm]) -> usize {
    let told = alarms.iter().flat_map(|alarm| &alarm.told).filter(|told| told.problem.is_some());
    told.map(|told| told.sink.as_str()).collect::<BTreeSet<_>>().len()
}

/// Takes in what became of earlier notices, lets alarms begin, grow and end, and says who is to be told what.
pub fn follow(scene: &Scene<'_>, memory: &mut Memory, wakeups: &mut Wakeups, now: Timestamp) -> Vec<Notice> {
    let Audience { sinks, deliveries, repeat: _ } = &scene.snapshot.audience;
    for alarm in &mut memory.alarms {
        alarm.told.retain(|told| sinks.iter().any(|sink| sink.name == told.sink));
    }
    for delivery in deliveries {
        take_in(delivery, memory);
    }
    if sinks.is_empty() {
        memory.alarms.clear();
        return Vec::new();
    }
    let is_storm = is_storm(scene, memory, wakeups, now);
    service(scene, is_storm, memory, wakeups, now);
    storm(scene, is_storm, memory, now);
    for alarm in memory.alarms.iter_mut().filter(|alarm| alarm.resolved.is_none()) {
        address(scene, alarm);
    }
    memory.alarms.retain(|alarm| !is_done(alarm, now));
    memory.alarms.iter().flat_map(|alarm| notices(scene, alarm, wakeups, now)).collect()
}

/// Whether many services are unwell at once. Who has told so must learn when it is over, even when well itself.
fn is_storm(scene: &Scene<'_>, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    if scene.escalation.is_some_and(|escalation| escalation.reason == Reason::StormHold) {
        return true;
    }
    let tells = memory.alarms.iter().any(|alarm| alarm.subject == Subject::Storm);
    tells && budget::storm(&scene.policy.cluster, scene.services, wakeups, now).is_some()
}

fn take_in(delivery: &Delivery, memory: &mut Memory) {
    let Some(alarm) = memory.alarms.iter_mut().find(|alarm| alarm.subject == delivery.subject) else { return };
    let Some(place) = alarm.told.iter().position(|told| told.sink == delivery.sink) else { return };
    let is_over = alarm.resolved.is_some();
    let Some(told) = alarm.told.get_mut(place) else { return };
    match &delivery.result {
        Delivered::Firing(at, severity) => (told.at, told.problem) = (Some((*at, *severity)), None),
        Delivered::Problem(why) => told.problem = Some(why.clone()),
        Delivered::Resolved if is_over => drop(alarm.told.remove(place)),
        // It fired again meanwhile: the receiver knows nothing of that.
        Delivered::Resolved => (told.at, told.problem) = (None, None),
    }
}

/// Writes down who is to be told, before anybody is: whoever may have heard of the alarm must hear of its end.
fn address(scene: &Scene<'_>, alarm: &mut Alarm) {
    for sink in &*scene.snapshot.audience.sinks {
        let concerned = match alarm.subject {
            Subject::Service => true,
            Subject::Storm => is_mine_to_tell(scene, sink),
        };
        if concerned && alarm.told.iter().all(|told| told.sink != sink.name) {
            alarm.told.push(Told { sink: sink.name.clone(), at: None, problem: None });
        }
    }
}

/// The service's own alarm.
fn service(scene: &Scene<'_>, is_storm: bool, memory: &mut Memory, wakeups: &mut Wakeups, now: Timestamp) {
    let trouble = trouble(scene);
    let is_over = trouble.is_none() && is_over(scene, memory, wakeups, now);
    // Who suffers from somebody else's trouble does not add to it.
    let anothers = memory.held || is_storm;
    let begin = memory.unhealthy_since.filter(|_| memory.unhealthy_until.is_none()).unwrap_or(now);
    let known = memory.alarms.iter_mut().find(|alarm| alarm.subject == Subject::Service);
    match (known, trouble) {
        (Some(alarm), Some((severity, reason))) if alarm.resolved.is_none() => raise(alarm, severity, reason),
        (Some(alarm), Some((severity, reason))) if !anothers => {
            begin_again(alarm, fired(Subject::Service, severity, reason, begin));
        }
        (Some(alarm), None) if alarm.resolved.is_none() && is_over => alarm.resolved = Some(now),
        (None, Some((severity, reason))) if !anothers => {
            memory.alarms.push(fired(Subject::Service, severity, reason, begin));
        }
        (Some(_) | None, Some(_) | None) => {}
    }
}

fn fired(subject: Subject, severity: Severity, reason: Reason, since: Timestamp) -> Alarm {
    Alarm { subject, severity, reason: reason.as_str().to_owned(), since, resolved: None, told: Vec::new() }
}

/// Whether those who were not known to have heard of the end had heard of it cannot be told: better twice than never.
fn begin_again(alarm: &mut Alarm, new: Alarm) {
    let unknown = |told: Told| Told { at: None, problem: None, ..told };
    let told = std::mem::take(&mut alarm.told).into_iter().map(unknown).collect();
    *alarm = Alarm { told, ..new };
}

/// An alarm grows louder and never softer until it is over: it would page again at the next turn.
fn raise(alarm: &mut Alarm, severity: Severity, reason: Reason) {
    if severity > alarm.severity {
        alarm.severity = severity;
        reason.as_str().clone_into(&mut alarm.reason);
    }
}

/// What there is to be told, if anything: what lasts, or what a rule of escalation says. Not each stumble.
fn trouble(scene: &Scene<'_>) -> Option<(Severity, Reason)> {
    // All that goes wrong in what is being deleted is meant to.
    if scene.snapshot.service.deleting {
        return None;
    }
    let own = |escalation: &&Escalation| escalation.reason != Reason::StormHold;
    if let Some(Escalation { severity, reason, message: _ }) = scene.escalation.filter(own) {
        return Some((*severity, *reason));
    }
    let counts = match scene.verdict.health {
        Health::Unhealthy => true,
        Health::Degraded => {
            let said = matches!(scene.verdict.reason, Reason::RolloutStuck | Reason::QuotaExceeded | Reason::NodeLost);
            said || scene.findings.iter().any(|finding| finding.lasting)
        }
        Health::Healthy | Health::Starting | Health::Idle | Health::Unknown => false,
    };
    counts.then_some((Severity::Warning, scene.verdict.reason))
}

/// Well for the stabilization time, or nothing is wanted any more.
fn is_over(scene: &Scene<'_>, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    match (scene.verdict.health, memory.healthy_since) {
        (Health::Idle, _) => true,
        (Health::Healthy, Some(since)) => {
            let calm = scene.policy.remediation.stabilization;
            if !memory.alarms.is_empty() {
                wakeups.at(after(since, calm), now);
            }
            elapsed(since, now) >= calm
        }
        (Health::Healthy | Health::Degraded | Health::Unhealthy | Health::Starting | Health::Unknown, _) => false,
    }
}

/// The alarm about many services, on one that tells of it.
fn storm(scene: &Scene<'_>, is_storm: bool, memory: &mut Memory, now: Timestamp) {
    let fired = || fired(Subject::Storm, Severity::Critical, Reason::StormHold, now);
    let known = memory.alarms.iter_mut().find(|alarm| alarm.subject == Subject::Storm);
    match (known, is_storm) {
        (Some(alarm), false) if alarm.resolved.is_none() => alarm.resolved = Some(now),
        (Some(alarm), true) if alarm.resolved.is_some() => begin_again(alarm, fired()),
        (None, true) if scene.snapshot.audience.sinks.iter().any(|sink| is_mine_to_tell(scene, sink)) => {
            memory.alarms.push(fired());
        }
        (Some(_) | None, true | false) => {}
    }
}

/// Whether this service tells a receiver of a storm: nobody else does, and of those who are unwell and share the receiver
/// it comes first.
fn is_mine_to_tell(scene: &Scene<'_>, sink: &Sink) -> bool {
    let me = (&scene.snapshot.service.namespace, &scene.snapshot.service.name);
    let others = || scene.services.iter().filter(|other| (&other.key.0, &other.key.1) != me);
    let shares = |other: &Neighbour| other.sinks.iter().any(|one| one.destination == sink.destination);
    let first = |other: &Neighbour| (&other.key.0, &other.key.1) < me && is_unwell(other) && shares(other);
    let tells = |other: &Neighbour| other.tells_of_storm.contains(&sink.destination);
    scene.verdict.unwell && !others().any(|other| tells(other) || first(other))
}

fn is_unwell(other: &Neighbour) -> bool {
    other.unhealthy_since.is_some() && other.unhealthy_until.is_none() && !other.held
}

/// Whether there is nobody left to be told of it.
fn is_done(alarm: &Alarm, now: Timestamp) -> bool {
    let Some(resolved) = alarm.resolved else { return false };
    alarm.told.is_empty() || elapsed(resolved, now) >= GIVE_UP
}

fn notices(scene: &Scene<'_>, alarm: &Alarm, wakeups: &mut Wakeups, now: Timestamp) -> Vec<Notice> {
    let mut notices = Vec::new();
    for told in &alarm.told {
        let Some(sink) = scene.snapshot.audience.sinks.iter().find(|sink| sink.name == told.sink) else { continue };
        let due = match (alarm.resolved, told.at) {
            (Some(_), _) | (None, None) => true,
            (None, Some((_, severity))) if severity < alarm.severity => true,
            (None, Some((at, _))) => is_due_again(scene, sink, at, wakeups, now),
        };
        notices.push(Notice {
            subject: alarm.subject,
            sink: sink.name.clone(),
            severity: alarm.severity,
            reason: alarm.reason.clone(),
            since: alarm.since,
            resolved: alarm.resolved,
            due,
            knows: told.at.map(|(_, severity)| severity),
        });
    }
    notices
}

fn is_due_again(scene: &Scene<'_>, sink: &Sink, told: Timestamp, wakeups: &mut Wakeups, now: Timestamp) -> bool {
    if sink.kept_alive {
        return false;
    }
    let due = after(told, scene.snapshot.audience.repeat);
    wakeups.at(due, now);
    now >= due
}
