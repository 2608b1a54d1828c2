//! The action rate: limits that each look modest multiply. How often settings would act if nothing but they held them back.
//!
//! Plain arithmetic on a policy. It knows no service.

use jiff::SignedDuration;

use crate::{
    circuit::pause,
    model::{
        moment::HOUR,
        policy::{BreakerPolicy, Policy, SPACING},
    },
};

/// Jitter may shorten a back-off to this part of it.
const SHORTEST: (i64, i64) = (3, 4);

/// The most actions within an hour, on a service on which each action seems to help and nothing lasts. Every opening of the
/// circuit ends in a trial that succeeds, after which as many actions are allowed as before the first.
pub fn actions_in_an_hour(policy: &Policy) -> u32 {
    let Policy { remediation, breaker, .. } = policy;
    let proof = remediation.stabilization.min(remediation.verify).as_secs();
    // A short pause in which all is well may be enough to forget everything.
    let forgets = remediation.reset_after_healthy.as_secs() <= proof;
    let (mut passed, mut actions, mut since_closed, mut open) = (0, 0_u32, 0_u32, breaker.open);
    while passed < HOUR.as_secs() {
        actions = actions.saturating_add(1);
        since_closed = if forgets { 1 } else { since_closed.saturating_add(1) };
        let shortest = pause(remediation, if forgets { 1 } else { actions }) * SHORTEST.0 / SHORTEST.1;
        passed += proof.saturating_add(shortest).max(1);
        if since_closed >= breaker.recurrence_threshold {
            passed = passed.saturating_add(open.as_secs());
            open = open.checked_mul(2).unwrap_or(SignedDuration::MAX).min(breaker.max_open);
            since_closed = 0;
        }
    }
    if remediation.restart_on_recovery {
        // A dependency that comes and goes: what helps is not counted, so that only the proofs take time.
        let after_another =
            u32::try_from((HOUR.as_secs() / (proof + SPACING.as_secs())).saturating_add(1)).unwrap_or(u32::MAX);
        return actions.max(after_another);
    }
    actions
}

/// Whether the circuit can open at all when so many actions an hour are allowed.
pub fn can_open(breaker: &BreakerPolicy, actions_per_hour: u32) -> bool {
    let within = |window: SignedDuration| {
        let hours = window.as_secs().max(1).saturating_add(HOUR.as_secs() - 1) / HOUR.as_secs();
        i64::from(actions_per_hour).saturating_mul(hours)
    };
    i64::from(breaker.failure_threshold) <= within(breaker.window)
        || i64::from(breaker.recurrence_threshold) <= within(breaker.recurrence_window)
}
