//! Status → state.
//!
//! A status can have been written by an older or newer kubeheal, or by a person: what cannot be understood is dropped, and the next
//! decision writes it anew. What is there is made fit for a decision there, by `State::loaded`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kubeheal_core::{
    model::{
        bounded::Bounded,
        plan::Step,
        state::{Attempts, Circuit, CircuitPhase, CircuitState, HealthRecord, Opening, Outcome, State},
    },
    report::is_unrecovered,
};

use crate::api::status::{HealedServiceStatus, condition};

/// What earlier decisions remember.
pub fn load(status: &HealedServiceStatus) -> State {
    let is_old = status.memory == State::default() && !status.conditions.is_empty();
    if is_old {
        return upgrade(status);
    }
    let mut state = State { history: status.history.clone(), ..status.memory.clone() };
    // A definition was trusted for that before it was remembered by itself.
    state.health.proven |= state.attempts.stable.is_some();
    state
}

/// The state of a status that a build without `memory` wrote, or that has lost it: what people read tells enough to hold still. An
/// open circuit stays open, and actions of the last hour count. The service counts as not observed before: what restarted until now is
/// not judged, and annotations that are there are not answered again.
fn upgrade(status: &HealedServiceStatus) -> State {
    let is_action = |step: &str| step.parse::<Step>().is_ok();
    let actions = status.history.iter().filter(|entry| is_action(&entry.step) && entry.outcome != Outcome::Dropped);
    let recent: Bounded<Timestamp, _> = actions.map(|entry| entry.time).collect();
    let degraded = status.conditions.iter().find(|known| known.type_ == condition::DEGRADED);
    State {
        health: HealthRecord {
            degraded: degraded.is_some_and(|known| is_unrecovered(&known.status, &known.reason)),
            ..HealthRecord::default()
        },
        attempts: Attempts { recent, ..Attempts::default() },
        circuit: circuit(status),
        history: status.history.clone(),
        ..State::default()
    }
}

fn circuit(status: &HealedServiceStatus) -> Circuit {
    let Some(known) = &status.circuit else { return Circuit::default() };
    let time = |time: &Option<Time>| time.as_ref().map(|Time(instant)| *instant);
    let opening = Opening::written(time(&known.opened_at), time(&known.retry_at), None);
    let phase = match known.state {
        CircuitState::Closed => CircuitPhase::Closed,
        // A trial that was under way is not known to be over.
        CircuitState::Open | CircuitState::HalfOpen => {
            CircuitPhase::Open { retry_at: time(&known.retry_at).unwrap_or(opening.at), opening }
        }
    };
    Circuit { phase, openings: u32::try_from(known.openings).unwrap_or(0), closed_at: None }
}
