//! The lock on a workload: of several services that name the same one, one acts.
//!
//! The eldest does; the others would only double its attempts. What cannot be known from a cache (another kubeheal, which
//! looks after other services) is settled by a Lease, taken before acting. Must not decide what is done.

use jiff::Timestamp;

use super::{
    reason::{Block, Reason},
    snapshot::{Lock, Rivals},
    time::Wakeups,
};

/// Why somebody else's workload is left to them.
pub fn hold(rivals: &Rivals, wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    if let Some(block) = elder(rivals) {
        return Some(block);
    }
    let message = match &rivals.lock {
        Lock::NotAsked | Lock::Ours => return None,
        Lock::Held { lease, by, until } => {
            wakeups.at(*until, now);
            format!("{by} holds Lease {lease} until {until:.0}: only one may act on the workload")
        }
        Lock::Unknown { lease, why } => format!("Lease {lease} could not be taken: {why}"),
    };
    Some(Block::new(Reason::TargetLocked, message))
}

/// That there is an older service for the same workload, which can be said before there is anything to do.
pub fn elder(rivals: &Rivals) -> Option<Block> {
    let elder = rivals.elder.as_ref()?;
    let message = format!("HealedService {elder} names the same workload and is older: only one may act on it");
    Some(Block::new(Reason::TargetLocked, message))
}
