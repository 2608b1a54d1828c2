//! Availability: whether the service serves, whatever else is wrong with it.

use crate::model::{
    condition::Truth,
    reason::Reason,
    verdict::{Health, PodCounts},
};

/// Whether enough pods are ready. What is starting does not serve yet, and what cannot be seen may.
pub(super) fn available(health: Health, reason: Reason, pods: &PodCounts) -> Truth {
    match health {
        Health::Unknown => Truth::Unknown,
        // A pod that ended well has done what others need of it; a suspended service is not looked at.
        Health::Idle if reason == Reason::Completed => Truth::True,
        Health::Idle if reason == Reason::Suspended => Truth::Unknown,
        Health::Idle => Truth::False,
        Health::Healthy | Health::Degraded | Health::Unhealthy | Health::Starting => by_pods(pods),
    }
}

fn by_pods(pods: &PodCounts) -> Truth {
    // Where none is needed, none is unhealthy; without any nobody answers.
    let needed = pods.needed.max(1);
    if pods.ready >= needed {
        Truth::True
    } else if pods.ready + pods.lost >= needed {
        Truth::Unknown
    } else {
        Truth::False
    }
}
