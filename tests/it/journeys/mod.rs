//! Whole journeys on virtual time: something breaks, and what must come of it.

mod audit;
mod breaker;
mod by_hand;
mod dependencies;
mod fallback;
mod forged;
mod forged_mitigation;
mod limits;
mod logs;
mod namespaces;
mod nodes;
mod owners;
mod policies;
mod process;
mod quiet;
mod recreate;
mod replace;
mod restart;
mod rollback;
mod scale_to_zero;

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use kubeheal_core::model::state::{CircuitState, Mitigation};
use serde_json::{Value, json};

use crate::support::world::{World, deployment, service};

pub(crate) fn is(health: HealthState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.health == Some(health)
}

pub(crate) fn blocked(reason: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.blocked_by.iter().any(|block| block.reason == reason)
}

pub(super) fn circuit(state: CircuitState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.circuit.as_ref().is_some_and(|circuit| circuit.state == state)
}

/// What is done while the circuit is open.
pub(super) fn on_open(status: &HealedServiceStatus) -> Option<&Mitigation> {
    status.memory.mitigation.as_ref()
}

pub(super) fn in_phase(phase: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| on_open(status).is_some_and(|change| change.phase.as_str() == phase)
}

pub(super) fn steps(status: &HealedServiceStatus) -> Vec<&str> {
    let is_action = |step: &&str| ["RestartPod", "RecreateWorkload", "Rollback"].contains(step);
    status.history.iter().map(|entry| entry.step.as_str()).filter(is_action).collect()
}

pub(crate) fn condition<'a>(status: &'a HealedServiceStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    (found.status.as_str(), found.reason.as_str())
}

/// A spec in which everything happens within minutes, as far as the rules of the API allow.
pub(super) fn hasty(on_open: &Value) -> Value {
    json!({
        "health": {"crashLoopSeconds": 20, "notReadySeconds": 20, "restarts": {"threshold": 2, "windowSeconds": 600}},
        "remediation": {
            "verifySeconds": 60, "stabilizationSeconds": 20, "backoff": {"initialSeconds": 5, "maxSeconds": 10},
        },
        "circuitBreaker": {
            "failureThreshold": 2, "windowSeconds": 600, "openSeconds": 120, "maxOpenSeconds": 240, "onOpen": on_open,
        },
    })
}

/// A healthy Deployment of that many pods, and its service.
pub(crate) async fn well(world: &World, name: &str, replicas: u32, spec: Value) {
    world.create(deployment(name, replicas)).await;
    world.create(service(name, spec)).await;
    world.until(name, "healthy", 60, is(HealthState::Healthy)).await;
}
