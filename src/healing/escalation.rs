//! Escalation: when trouble is put to a person although healing goes on.
//!
//! Four rules, the gravest first. Must not hold anything back or cause any action: it only says that a machine alone may not
//! get this right, and why.

use jiff::{SignedDuration, Timestamp};

use super::{
    budget,
    health::{Health, Verdict},
    memory::{Circuit, CircuitState, ContainerMemory, Memory},
    policy::Policy,
    reason::{Block, Reason},
    snapshot::Neighbour,
    time::{Wakeups, after, elapsed, spoken},
};

/// More restarts of one container than this …
pub const BURST_RESTARTS: u32 = 3;
/// … within this time are a burst.
pub const BURST_WINDOW: SignedDuration = SignedDuration::from_secs(300);

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; healing may well end it.
    Warning,
    /// A person should look.
    Critical,
}

impl Severity {
    /// The severity's name in status, alerts and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Warning, Self::Critical].into_iter().find(|severity| severity.as_str() == name)
    }
}

/// Why a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Which rule.
    pub reason: Reason,
    /// How grave it is.
    pub severity: Severity,
    /// What to know, as a sentence.
    pub message: String,
}

impl Escalation {
    fn critical(reason: Reason, message: String) -> Self {
        Self { reason, severity: Severity::Critical, message }
    }
}

/// The gravest rule that holds. `services` are all of them, this one as it is now.
pub fn escalate(
    policy: &Policy,
    services: &[Neighbour],
    verdict: &Verdict,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Escalation> {
    // Held by its dependency, the trouble is the dependency's: one alert for one cause.
    if memory.held || verdict.health == Health::Healthy || verdict.health == Health::Idle {
        return None;
    }
    let storm = several_at_once(policy, services, verdict, wakeups, now);
    let ladder = outlived_the_ladder(&memory.circuit, verdict);
    let long = unhealthy_for_long(policy, verdict, memory, wakeups, now);
    let burst = restart_burst(&memory.containers, wakeups, now);
    storm.or(ladder).or(long).or(burst)
}

/// Something that the services share is broken, and healing each of them does not help.
fn several_at_once(
    policy: &Policy,
    services: &[Neighbour],
    verdict: &Verdict,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Escalation> {
    let Block { message, .. } = budget::storm(&policy.cluster, services, wakeups, now).filter(|_| verdict.unwell)?;
    Some(Escalation::critical(Reason::StormHold, message))
}

/// All rungs were tried, and the trial of an open circuit failed too.
fn outlived_the_ladder(circuit: &Circuit, verdict: &Verdict) -> Option<Escalation> {
    let tried_in_vain = circuit.state == CircuitState::Open && circuit.openings >= 2 && circuit.forced.is_none();
    let message = || format!("healing did not help, {} times over: {}", circuit.openings, verdict.message);
    (tried_in_vain && verdict.unwell).then(|| Escalation::critical(Reason::LadderExhausted, message()))
}

fn unhealthy_for_long(
    policy: &Policy,
    verdict: &Verdict,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Option<Escalation> {
    let (Some(since), None) = (memory.unhealthy_since, memory.unhealthy_until) else { return None };
    wakeups.at(after(since, policy.escalate_after), now);
    let message = || format!("unhealthy for too long, a person should look: {}", verdict.message);
    (elapsed(since, now) >= policy.escalate_after).then(|| Escalation::critical(Reason::Escalated, message()))
}

/// A container restarts faster than somebody on call would want to learn of it from a dashboard.
fn restart_burst(containers: &[ContainerMemory], wakeups: &mut Wakeups, now: Timestamp) -> Option<Escalation> {
    let (container, count) = containers
        .iter()
        .map(|entry| (entry.container.as_str(), restarts_lately(entry, wakeups, now)))
        .max_by_key(|(_, count)| *count)
        .filter(|(_, count)| *count > BURST_RESTARTS)?;
    let message = format!("{container} restarted {count} times within {}", spoken(BURST_WINDOW));
    Some(Escalation { reason: Reason::RestartRate, severity: Severity::Warning, message })
}

fn restarts_lately(entry: &ContainerMemory, wakeups: &mut Wakeups, now: Timestamp) -> u32 {
    let lately = || entry.restarts.iter().filter(|time| elapsed(**time, now) < BURST_WINDOW);
    if let Some(oldest) = lately().next() {
        wakeups.at(after(*oldest, BURST_WINDOW), now);
    }
    u32::try_from(lately().count()).unwrap_or(u32::MAX)
}
