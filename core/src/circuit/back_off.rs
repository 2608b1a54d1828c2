//! Back-off: how long to wait before the next action.

use jiff::SignedDuration;

use crate::model::policy::RemediationPolicy;

/// The delay before the next action when `attempts` have been made: exponential, capped, with up to 25 % of jitter that
/// only depends on the object and the attempt, so that tests repeat and services do not march in step.
pub fn back_off(policy: &RemediationPolicy, seed: &str, attempts: u32) -> SignedDuration {
    let (delay, cap) = (pause(policy, attempts), longest_pause(policy));
    let permille = i64::from(fnv1a(seed, attempts) % 501) - 250;
    let jittered = delay + delay * permille / 1000;
    SignedDuration::from_secs(jittered.clamp(1, cap))
}

/// The same in seconds, without jitter.
pub fn pause(policy: &RemediationPolicy, attempts: u32) -> i64 {
    let factor = i64::from(policy.backoff_factor.max(1));
    let mut delay = policy.backoff_initial.as_secs().max(1);
    for _ in 1..attempts.min(64) {
        delay = delay.saturating_mul(factor).min(longest_pause(policy));
    }
    delay
}

fn longest_pause(policy: &RemediationPolicy) -> i64 {
    policy.backoff_max.as_secs().max(policy.backoff_initial.as_secs()).max(1)
}

/// FNV-1a: stable across releases and machines, unlike the standard library's hasher.
fn fnv1a(text: &str, number: u32) -> u32 {
    text.bytes()
        .chain(number.to_le_bytes())
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
