//! Since when others can rely on a service, as its status says.

use jiff::Timestamp;
use kubeheal_core::model::{condition::Truth, reason::Reason};

use crate::api::status::{HealedServiceStatus, HealthState, condition};

/// Since when a service has been available; nothing while it is not, or is not known to be.
pub fn available_since(status: &HealedServiceStatus) -> Option<Timestamp> {
    match status.conditions.iter().find(|known| known.type_ == condition::AVAILABLE) {
        Some(known) => (known.status == Truth::True.as_str()).then_some(known.last_transition_time.0),
        None => well_since(status),
    }
}

/// The same in a status that an older build wrote, which says only whether all is as wanted.
fn well_since(status: &HealedServiceStatus) -> Option<Timestamp> {
    match status.health? {
        HealthState::Healthy => status.memory.health.healthy_since,
        HealthState::Idle => {
            let ready = status.conditions.iter().find(|known| known.type_ == condition::READY);
            let completed = ready.filter(|known| known.reason == Reason::Completed.as_str());
            completed.map(|known| known.last_transition_time.0)
        }
        HealthState::Degraded | HealthState::Unhealthy | HealthState::Starting | HealthState::Unknown => None,
    }
}
