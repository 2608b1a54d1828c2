//! What a service's status says to all others.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kubeheal_core::model::{
    alert::{Receiver, Subject},
    fleet::{PeerStatus, Shared},
    plan::Step,
    reason::Reason,
    state::{InFlight, PendingRestart, State},
};

use crate::{
    api::status::{HealedServiceStatus, HealthState, condition},
    status::{available_since, load},
};

/// What is known of a service, from its status. It counts towards a storm if it acts and was well before our eyes.
pub(super) fn peer(
    status: &HealedServiceStatus,
    acts: bool,
    shares: Vec<Shared>,
    receivers: &Arc<[Receiver]>,
) -> PeerStatus {
    let state = load(status);
    let State { health, dependency, attempts, .. } = &state;
    PeerStatus {
        counts: acts && health.proven,
        episode: health.counted(),
        held: dependency.held,
        in_flight: attempts.in_flight.as_ref().map(|repair| repair.started),
        concluded: attempts.concluded,
        actions: attempts.recent.to_vec(),
        notifies_of_storm: notifies_of_storm(&state, receivers),
        receivers: receivers.clone(),
        shares,
    }
}

/// Where a service notifies of a storm that is not over, or is about to.
fn notifies_of_storm(state: &State, receivers: &[Receiver]) -> Vec<String> {
    let ongoing = state.alerts.iter().filter(|alert| alert.subject == Subject::Storm && alert.resolved.is_none());
    let known = ongoing.flat_map(|alert| &alert.receivers);
    known
        .filter_map(|known| receivers.iter().find(|receiver| receiver.name == known.receiver))
        .map(|receiver| receiver.destination.clone())
        .collect()
}

/// It was well once, and nobody answers for it now. What is not known is not down.
pub(super) fn is_down(status: &HealedServiceStatus) -> bool {
    let nobody = status.pods.as_ref().is_some_and(|pods| pods.ready == 0);
    let may_be = match status.health.unwrap_or_default() {
        HealthState::Unhealthy | HealthState::Degraded | HealthState::Starting => true,
        HealthState::Idle => is_scaled_to_zero(status),
        HealthState::Healthy | HealthState::Unknown => false,
    };
    may_be && nobody && status.last_known_good.is_some()
}

/// What dependents read in a status.
pub(super) fn shown_to_others(status: &HealedServiceStatus) -> impl PartialEq + use<> {
    let down = is_down(status);
    (available_since(status), down, is_recovering(status), status.dependencies.clone())
}

/// Its own pods are restarted, or will be, because what it depends on was down.
pub(super) fn is_recovering(status: &HealedServiceStatus) -> bool {
    let is_left = |left: &PendingRestart| left.awaited || !left.pods.is_empty();
    let is_verified = |repair: &InFlight| repair.cause == Reason::DependencyRecovered;
    let State { dependency, attempts, .. } = &status.memory;
    dependency.restart.as_ref().is_some_and(is_left) || attempts.in_flight.as_ref().is_some_and(is_verified)
}

/// When the latest action on it began. Of what is longer ago than an hour only the history tells, and whoever restarts many pods
/// after it asks for longer than that.
pub(super) fn last_action(status: &HealedServiceStatus) -> Option<Timestamp> {
    let made_anew = [Step::RestartPod, Step::RecreateWorkload, Step::Rollback, Step::RestoreReplicas];
    let entries = status.history.0.iter();
    let told = entries.filter(|entry| made_anew.iter().any(|step| step.as_str() == entry.step)).map(|entry| entry.time);
    status.memory.attempts.recent.iter().copied().chain(told).max()
}

fn is_scaled_to_zero(status: &HealedServiceStatus) -> bool {
    let is_it = |known: &Condition| known.type_ == condition::READY && known.reason == Reason::ScaledToZero.as_str();
    status.conditions.iter().any(is_it)
}
