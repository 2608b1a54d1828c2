//! Ownership: of several services that name the same workload, one acts.
//!
//! The oldest does; the others would only double its attempts. What cannot be known from a cache (another kubeheal, which
//! looks after other services) is settled by a Lease, taken before acting.

use crate::model::{
    moment::Moment,
    reason::{Block, Reason},
    snapshot::{Ownership, WorkloadLease},
};

/// Why somebody else's workload is left to them.
pub(super) fn owned_by_another(ownership: &Ownership, moment: &Moment) -> Option<Block> {
    if let Some(block) = older_service(ownership) {
        return Some(block);
    }
    let message = match &ownership.lease {
        WorkloadLease::NotAsked | WorkloadLease::Ours => return None,
        WorkloadLease::Held { lease, by, until } => {
            moment.wake_at(*until);
            format!("{by} holds Lease {lease} until {until:.0}: only one may act on the workload")
        }
        WorkloadLease::Unknown { lease, why } => format!("Lease {lease} could not be taken: {why}"),
    };
    Some(Block::new(Reason::TargetLocked, message))
}

/// That there is an older service for the same workload, which can be said before there is anything to do.
pub fn older_service(ownership: &Ownership) -> Option<Block> {
    let older = ownership.oldest_owner.as_ref()?;
    let message = format!("HealedService {older} names the same workload and is older: only one may act on it");
    Some(Block::new(Reason::TargetLocked, message))
}
