//! Budgets: how much may be done on one service and anywhere at once.

use jiff::SignedDuration;

use crate::model::{
    fleet::Fleet,
    moment::{HOUR, MINUTE, Moment, after},
    policy::{Ceiling, ClusterPolicy},
    reason::{Block, Reason},
    state::Attempts,
};

/// Others end their repairs without telling us: they are counted again after so long.
const RECOUNT: SignedDuration = SignedDuration::from_secs(10);

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
    let mut blocks: Vec<Block> = paused(policy).into_iter().chain(fleet.storm(policy, moment)).collect();
    let in_flight = fleet.others_in_flight();
    if in_flight >= policy.max_in_flight as usize {
        let message = format!("repairs in flight in the cluster: {in_flight}; allowed: {}", policy.max_in_flight);
        blocks.push(Block::new(Reason::ClusterBudget, message));
        moment.wake_at(after(moment.now(), RECOUNT));
    }
    let (lately, earliest) = fleet.actions_lately(moment.now());
    if lately >= policy.max_actions_per_minute as usize {
        let message = format!("{lately} actions in the last minute, {} are allowed", policy.max_actions_per_minute);
        blocks.push(Block::new(Reason::ClusterBudget, message));
        if let Some(earliest) = earliest {
            moment.wake_at(after(earliest, MINUTE));
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
