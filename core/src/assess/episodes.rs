//! How long the service has been healthy or not.

use jiff::Timestamp;

use crate::model::{
    state::{Episode, State},
    verdict::{Health, Verdict},
};

/// Takes in the verdict. A repair in flight still counts as unhealthy.
pub fn track(verdict: &Verdict, state: &mut State, now: Timestamp) {
    let repairs = state.attempts.in_flight.is_some();
    let record = &mut state.health;
    // What cannot be seen changes nothing.
    if verdict.health != Health::Unknown || verdict.short.is_some() {
        record.short = verdict.short;
    }
    if verdict.health == Health::Healthy {
        record.healthy_since.get_or_insert(now);
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
}
