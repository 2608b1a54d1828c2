//! Whole journeys on virtual time: something breaks, and what must come of it.

mod audit;
mod breaker;
mod dependencies;
mod limits;
mod owners;
mod policies;
mod process;
mod recreate;
mod replace;
mod restart;
mod rollback;

use kubeheal::api::status::{HealedServiceStatus, HealthState};
use serde_json::Value;

use crate::world::{World, deployment, service};

pub(crate) fn is(health: HealthState) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.health == Some(health)
}

pub(crate) fn blocked(reason: &'static str) -> impl Fn(&HealedServiceStatus) -> bool {
    move |status| status.blocked_by.iter().any(|block| block.reason == reason)
}

pub(super) fn steps(status: &HealedServiceStatus) -> Vec<&str> {
    let is_action = |step: &&str| ["RestartPod", "RecreateWorkload", "Rollback"].contains(step);
    status.history.iter().map(|entry| entry.step.as_str()).filter(is_action).collect()
}

pub(super) fn condition<'a>(status: &'a HealedServiceStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    (found.status.as_str(), found.reason.as_str())
}

/// A healthy Deployment of that many pods, and its service.
pub(crate) async fn well(world: &World, name: &str, replicas: u32, spec: Value) {
    world.create(deployment(name, replicas)).await;
    world.create(service(name, spec)).await;
    world.until(name, "healthy", 60, is(HealthState::Healthy)).await;
}
