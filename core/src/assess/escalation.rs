//! Escalation: when trouble is put to a person although healing goes on.
//!
//! Four rules, the gravest first. Must not hold anything back or cause any action: it only says that a machine alone may not
//! get this right, and why.

use jiff::SignedDuration;

use crate::model::{
    alert::Severity,
    fleet::Fleet,
    inputs::Inputs,
    moment::{Moment, after, humanize},
    reason::{Block, Reason},
    state::{Circuit, CircuitPhase, ContainerRecord, Episode, State},
    verdict::{Escalation, Health, Verdict},
};

/// More restarts of one container than this …
const BURST_RESTARTS: u32 = 3;
/// … within this time are a burst.
const BURST_WINDOW: SignedDuration = SignedDuration::from_secs(300);

/// The gravest rule that holds. `fleet` knows this service as it is now.
pub fn escalate(inputs: &Inputs<'_>, fleet: &Fleet, verdict: &Verdict, state: &State) -> Option<Escalation> {
    // Held by its dependency, the trouble is the dependency's: one alert for one cause.
    if state.dependency.held || verdict.health == Health::Healthy || verdict.health == Health::Idle {
        return None;
    }
    let storm = several_at_once(inputs, fleet, verdict);
    let ladder = outlived_the_ladder(&state.circuit, verdict);
    let long = unhealthy_for_long(inputs, verdict, state.health.ongoing());
    let burst = restart_burst(&state.observed.containers, inputs.moment);
    storm.or(ladder).or(long).or(burst)
}

/// Something that the services share is broken, and healing each of them does not help.
fn several_at_once(inputs: &Inputs<'_>, fleet: &Fleet, verdict: &Verdict) -> Option<Escalation> {
    let storm = fleet.storm(&inputs.policy.cluster, inputs.moment);
    let Block { message, .. } = storm.filter(|_| verdict.counts_as_unhealthy)?;
    Some(Escalation::critical(Reason::StormHold, message))
}

/// All rungs were tried, and the trial of an open circuit failed too.
fn outlived_the_ladder(circuit: &Circuit, verdict: &Verdict) -> Option<Escalation> {
    let is_ineffective = matches!(circuit.phase, CircuitPhase::Open { .. }) && circuit.openings >= 2;
    let message = || format!("healing did not help, {} times over: {}", circuit.openings, verdict.message);
    (is_ineffective && verdict.counts_as_unhealthy).then(|| Escalation::critical(Reason::LadderExhausted, message()))
}

fn unhealthy_for_long(inputs: &Inputs<'_>, verdict: &Verdict, episode: Option<Episode>) -> Option<Escalation> {
    let lasts = inputs.moment.lasts(episode?.since, inputs.policy.escalate_after);
    let message = || format!("unhealthy for too long, a person should look: {}", verdict.message);
    lasts.then(|| Escalation::critical(Reason::Escalated, message()))
}

/// A container restarts faster than somebody on call would want to learn of it from a dashboard.
fn restart_burst(containers: &[ContainerRecord], moment: &Moment) -> Option<Escalation> {
    let (container, count) = containers
        .iter()
        .map(|record| (record.container.as_str(), restarts_lately(record, moment)))
        .max_by_key(|(_, count)| *count)
        .filter(|(_, count)| *count > BURST_RESTARTS)?;
    let message = format!("{container} restarted {count} times within {}", humanize(BURST_WINDOW));
    Some(Escalation { reason: Reason::RestartRate, severity: Severity::Warning, message })
}

fn restarts_lately(record: &ContainerRecord, moment: &Moment) -> u32 {
    let lately = || record.restarts.iter().filter(|time| moment.elapsed(**time) < BURST_WINDOW);
    if let Some(oldest) = lately().next() {
        moment.wake_at(after(*oldest, BURST_WINDOW));
    }
    u32::try_from(lately().count()).unwrap_or(u32::MAX)
}
