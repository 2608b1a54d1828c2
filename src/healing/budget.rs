//! Budgets: how much may happen at once, anywhere, and how fast again here.

use jiff::{SignedDuration, Timestamp};

use super::{
    memory::{MAX_RECENT, Memory},
    policy::{Ceiling, ClusterPolicy, RemediationPolicy, Window},
    reason::{Block, Reason},
    snapshot::Neighbour,
    time::{Wakeups, after, before, clamp, elapsed},
};

/// What a ceiling counts in.
const HOUR: SignedDuration = SignedDuration::from_secs(3600);

/// Remembers that an action begins.
pub fn begin(memory: &mut Memory, now: Timestamp) {
    memory.recent.push(now);
    let surplus = memory.recent.len().saturating_sub(MAX_RECENT);
    memory.recent.drain(..surplus);
}

/// Forgets the last action: the API server refused it, so nothing was done.
pub fn take_back(memory: &mut Memory) {
    memory.recent.pop();
}

/// Forgets actions that no ceiling counts any more.
pub fn forget(memory: &mut Memory, now: Timestamp) {
    memory.recent.retain(|time| elapsed(*time, now) < HOUR);
}

/// Whether a ceiling allows no further action now. What the breaker has forgiven still counts.
pub fn at_ceiling(ceiling: Option<&Ceiling>, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    let Ceiling { actions_per_hour, set_by } = ceiling?;
    if *actions_per_hour == 0 {
        return Some(Block::new(Reason::ActionCeiling, format!("{set_by} allows no action at all")));
    }
    let over = memory.recent.len().checked_sub(*actions_per_hour as usize)?;
    let until = after(*memory.recent.get(over)?, HOUR);
    wakeups.at(until, now);
    let message =
        format!("{set_by} allows {actions_per_hour} actions an hour on one service; the next one at {until:.0}");
    Some(Block::new(Reason::ActionCeiling, message))
}

/// The delay before the next action when `attempts` have been made: exponential, capped, with up to 25 % of jitter that
/// only depends on the object and the attempt, so that tests repeat and neighbours do not march in step.
pub fn backoff(policy: &RemediationPolicy, seed: &str, attempts: u32) -> SignedDuration {
    let (delay, cap) = (pause(policy, attempts), longest_pause(policy));
    let permille = i64::from(fnv1a(seed, attempts) % 501) - 250;
    let jittered = delay + delay * permille / 1000;
    SignedDuration::from_secs(jittered.clamp(1, cap))
}

/// The same in seconds, without jitter.
pub(super) fn pause(policy: &RemediationPolicy, attempts: u32) -> i64 {
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

/// The cluster-wide reasons to wait. `me` is this service's key.
pub fn cluster_holds(
    policy: &ClusterPolicy,
    services: &[Neighbour],
    me: &(String, String),
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    blocks.extend(paused(policy));
    blocks.extend(storm(policy, services, wakeups, now));
    let in_flight = services.iter().filter(|other| other.key != *me && other.in_flight).count();
    if in_flight >= policy.max_in_flight as usize {
        let message = format!("repairs in flight in the cluster: {in_flight}; allowed: {}", policy.max_in_flight);
        blocks.push(Block::new(Reason::ClusterBudget, message));
        wakeups.at(after(now, SignedDuration::from_secs(10)), now);
    }
    let minute = SignedDuration::from_secs(60);
    let mut recent: Vec<_> = services
        .iter()
        .flat_map(|service| service.actions.iter().copied())
        // One from the future is of a moment ago, as far as anybody knows.
        .map(|time| clamp(time, now))
        .filter(|&time| elapsed(time, now) < minute)
        .collect();
    recent.sort_unstable();
    if recent.len() >= policy.max_actions_per_minute as usize {
        let message =
            format!("{} actions in the last minute, {} are allowed", recent.len(), policy.max_actions_per_minute);
        blocks.push(Block::new(Reason::ClusterBudget, message));
        if let Some(&oldest) = recent.first() {
            wakeups.at(after(oldest, minute), now);
        }
    }
    blocks
}

/// Why the whole cluster is held still, if it is.
pub fn paused(policy: &ClusterPolicy) -> Option<Block> {
    let reasons = policy.paused.join("; ");
    let message = format!("healing is paused for the whole cluster: {reasons}");
    (!reasons.is_empty()).then(|| Block::new(Reason::ClusterPaused, message))
}

/// A storm: more services are unhealthy at once than one cause of their own explains. What each remembers of its last
/// unhealthy time is enough to see a storm that has just passed, so nothing needs to remember the storm itself.
pub fn storm(policy: &ClusterPolicy, services: &[Neighbour], wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    let total = services.len();
    let share = (total * policy.storm_percent as usize).div_ceil(100);
    let limit = share.max(policy.storm_minimum as usize);
    let counted = || services.iter().filter(|service| !service.held);
    let unwell_at = |time: Timestamp| {
        counted()
            .filter(|service| {
                let Some(from) = service.unhealthy_since else { return false };
                let until = service.unhealthy_until.filter(|&end| end >= from).unwrap_or(Timestamp::MAX);
                from <= time && time < until
            })
            .count()
    };
    let current = unwell_at(now);
    if current > limit {
        let message =
            format!("{current} of {total} services are unhealthy at once, more than {limit}: something they share is");
        // Others get well without telling us.
        wakeups.at(after(now, SignedDuration::from_secs(30)), now);
        return Some(Block::new(Reason::StormHold, message));
    }
    // The peak within the cool-down lies at the begin of somebody's unhealthy time, or at the begin of the cool-down.
    let begin = before(now, policy.storm_cooldown);
    let last_stormy_end = counted()
        .filter_map(|service| service.unhealthy_since)
        .map(|from| from.max(begin))
        .chain([begin])
        .filter(|&time| unwell_at(time) > limit)
        .filter_map(|time| {
            counted()
                .filter_map(|service| service.unhealthy_until)
                .filter(|&end| end > time && unwell_at(end) <= limit)
                .min()
        })
        .max()?;
    let quiet_at = after(last_stormy_end, policy.storm_cooldown);
    wakeups.at(quiet_at, now);
    (now < quiet_at).then(|| {
        Block::new(
            Reason::StormHold,
            format!("many services were unhealthy at once until {last_stormy_end:.0}; waiting for calm"),
        )
    })
}

/// Whether acting is allowed at this hour.
pub fn outside_windows(windows: &[Window], wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    if windows.is_empty() || windows.iter().any(|window| is_inside(window, now)) {
        return None;
    }
    // Windows begin at full minutes at the earliest: looking again within the hour is near enough and cheap.
    wakeups.at(after(now, SignedDuration::from_secs(60)), now);
    Some(Block::new(Reason::OutsideWindow, "no maintenance window is open now"))
}

fn is_inside(window: &Window, now: Timestamp) -> bool {
    let local = now.to_zoned(window.zone.clone());
    let (time, today) = (local.time(), local.weekday());
    let begins_on = |day: jiff::civil::Weekday| window.days.is_empty() || window.days.contains(&day);
    if window.start <= window.end {
        begins_on(today) && window.start <= time && time < window.end
    } else {
        (begins_on(today) && time >= window.start) || (begins_on(today.previous()) && time < window.end)
    }
}
