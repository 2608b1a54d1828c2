//! Budgets: how much may be done on one service and anywhere at once.

use jiff::SignedDuration;

use crate::model::{
    fleet::{Fleet, share},
    moment::{HOUR, MINUTE, Moment, after},
    policy::{Ceiling, ClusterPolicy},
    reason::{Block, Reason},
    state::Attempts,
};

/// Others end their repairs without telling us: they are counted again after so long.
const RECOUNT: SignedDuration = SignedDuration::from_secs(10);
/// What a namespace gave back it leaves to others for so long: time enough to count again.
const COURTESY: SignedDuration = SignedDuration::from_secs(30);

/// Whether a ceiling allows no further action now. What the breaker has forgiven still counts.
pub(super) fn at_ceiling(ceiling: Option<&Ceiling>, attempts: &Attempts, moment: &Moment) -> Option<Block> {
    let Ceiling { actions_per_hour, set_by } = ceiling?;
    if *actions_per_hour == 0 {
        return Some(Block::new(Reason::ActionCeiling, format!("{set_by} allows no action at all")));
    }
    let over = attempts.recent.len().checked_sub(*actions_per_hour as usize)?;
    let until = after(*attempts.recent.get(over)?, HOUR);
    moment.wake_at(until);
    let message =
        format!("{set_by} allows {actions_per_hour} actions an hour on one service; the next one at {until:.0}");
    Some(Block::new(Reason::ActionCeiling, message))
}

/// The cluster-wide reasons to wait. The fleet knows this service as it is now.
pub(super) fn of_cluster(policy: &ClusterPolicy, fleet: &Fleet, moment: &Moment) -> Vec<Block> {
    let storm = fleet.storm(policy, moment);
    let budgets = places(policy, fleet, moment).into_iter().chain(rate(policy, fleet, moment));
    let budgets = budgets.map(|message| Block::new(Reason::ClusterBudget, message));
    paused(policy).into_iter().chain(storm).chain(budgets).collect()
}

/// Why no further repair may be in flight. Each namespace has its share, and leaves the last place to others for a moment after it
/// had one.
fn places(policy: &ClusterPolicy, fleet: &Fleet, moment: &Moment) -> Option<String> {
    let (limit, now) = (policy.max_in_flight as usize, moment.now());
    let used = fleet.in_flight(limit, now);
    let shares = !fleet.is_alone();
    if used.all() >= limit {
        moment.wake_at(after(now, RECOUNT));
        return Some(format!("repairs in flight in the cluster: {}; allowed: {limit}", used.all()));
    }
    if shares && used.own >= share(limit) {
        moment.wake_at(after(now, RECOUNT));
        return Some(format!(
            "repairs in flight in this namespace: {}; its share of {limit} is {}",
            used.own,
            share(limit)
        ));
    }
    if !shares || used.all() + 1 < limit || !fleet.others_are_in_trouble() {
        return None;
    }
    let until = after(fleet.last_concluded(now)?, COURTESY);
    let message = format!("the last place is left to services of other namespaces until {until:.0}");
    (!moment.reached(until)).then_some(message)
}

/// Why no further action may begin. What a namespace did is counted for a moment longer while others want to act too.
fn rate(policy: &ClusterPolicy, fleet: &Fleet, moment: &Moment) -> Option<String> {
    let (limit, now) = (policy.max_actions_per_minute as usize, moment.now());
    let used = fleet.actions_within(MINUTE, limit, now);
    if used.all() >= limit {
        if let Some(earliest) = used.earliest {
            moment.wake_at(after(earliest, MINUTE));
        }
        return Some(format!("{} actions in the last minute, {limit} are allowed", used.all()));
    }
    if fleet.is_alone() {
        return None;
    }
    let share = share(limit);
    let courtesy = if fleet.others_are_in_trouble() { COURTESY } else { SignedDuration::ZERO };
    let until = after(fleet.own_action(share)?.min(now), MINUTE).checked_add(courtesy).ok()?;
    let message = format!("this namespace has used its share of {limit} actions a minute, {share}, until {until:.0}");
    (!moment.reached(until)).then_some(message)
}

/// Why the whole cluster is held still, if it is.
pub fn paused(policy: &ClusterPolicy) -> Option<Block> {
    let reasons = policy.paused.join("; ");
    let message = format!("healing is paused for the whole cluster: {reasons}");
    (!reasons.is_empty()).then(|| Block::new(Reason::ClusterPaused, message))
}
