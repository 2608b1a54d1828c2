//! How long the service has been healthy or not.

use crate::model::{
    condition::Truth,
    inputs::Inputs,
    state::{Episode, State},
    verdict::{Health, Verdict},
};

/// Takes in the verdict. A repair in flight still counts as unhealthy, though not towards a storm once enough pods are ready.
pub fn track(inputs: &Inputs<'_>, verdict: &Verdict, state: &mut State) {
    let now = inputs.now();
    let repairs = state.attempts.in_flight.is_some();
    let record = &mut state.health;
    // What cannot be seen changes nothing.
    if verdict.health != Health::Unknown || verdict.short.is_some() {
        record.short = verdict.short;
    }
    if verdict.health == Health::Healthy {
        let since = *record.healthy_since.get_or_insert(now);
        record.proven = record.proven || inputs.moment.lasts(since, inputs.policy.remediation.stabilization);
    } else {
        record.healthy_since = None;
    }
    let ongoing = record.ongoing();
    let goes_on = match verdict.health {
        _ if verdict.counts_as_unhealthy => true,
        // What cannot be seen changes nothing.
        Health::Unknown => ongoing.is_some(),
        Health::Healthy | Health::Unhealthy | Health::Degraded | Health::Starting | Health::Idle => {
            ongoing.is_some() && repairs
        }
    };
    match (ongoing, goes_on) {
        (None, true) => record.episode = Some(Episode { since: now, until: None }),
        (Some(episode), false) => record.episode = Some(Episode { until: Some(now), ..episode }),
        (Some(_), true) | (None, false) => {}
    }
    if verdict.counts_as_unhealthy {
        record.serves_again = None;
    } else if goes_on && verdict.available == Truth::True {
        record.serves_again.get_or_insert(now);
    }
}
