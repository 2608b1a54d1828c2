//! Whether what was kept may be used: only what this controller signed.

use kubeheal_core::model::{
    reason::{Block, Reason},
    snapshot::{LastKnownGood, Snapshot},
};

use super::{cache::Caches, revision::Revision, signature::SigningKey};
use crate::{api::HealedService, base::Key};

/// What is known of the key that kept definitions are signed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signing {
    /// Nobody asked: nothing is carried out that depends on it.
    #[default]
    NotAsked,
    /// It is there.
    Key(SigningKey),
    /// It could be neither read nor made.
    NoKey(String),
}

/// The kept definitions that the status names, as far as they may be used. What a status says is no proof.
pub fn read_kept(caches: &Caches, key: &Key, signing: &Signing, seen: &mut Snapshot) {
    let Some(service) = caches.service(key) else { return };
    let status = service.status.as_ref();
    let good = status.and_then(|status| status.last_known_good.as_ref());
    let stable = status.and_then(|status| status.memory.attempts.stable.as_deref());
    let read = |revision: Option<&str>| match revision {
        Some(revision) => kept(caches.revision(&key.0, revision), revision, &service, signing).map(Some),
        None => Ok(None),
    };
    (seen.last_known_good, seen.good_refused) = usable(read(good.map(|good| good.revision.as_str())));
    (seen.last_stable, seen.stable_refused) = usable(read(stable));
    if let Some(known) = &mut seen.last_known_good {
        known.recorded = good.map(|good| good.recorded_at.0);
    }
}

fn usable(read: Result<Option<LastKnownGood>, Block>) -> (Option<LastKnownGood>, Option<Block>) {
    match read {
        Ok(good) => (good, None),
        Err(why) => (None, Some(why)),
    }
}

fn kept(
    found: Option<&Revision>,
    name: &str,
    service: &HealedService,
    signing: &Signing,
) -> Result<LastKnownGood, Block> {
    let Some(revision) = found else {
        let message =
            format!("ControllerRevision {name}, in which its definition was kept, is gone or has lost its label");
        return Err(Block::new(Reason::NoLastKnownGood, message));
    };
    match signing {
        Signing::NotAsked => Ok(revision.good.clone()),
        Signing::NoKey(why) => Err(Block::new(Reason::SigningKeyMissing, no_key(why))),
        Signing::Key(key) => match revision.doubt(service, key) {
            None => Ok(revision.good.clone()),
            Some(doubt) => Err(Block::new(Reason::LastKnownGoodRefused, refused(name, &doubt))),
        },
    }
}

/// What there is to say of a kept definition that is not used, and what to do.
pub fn refused(revision: &str, doubt: &str) -> String {
    format!(
        "the definition in ControllerRevision {revision} is not used: {doubt}; delete it: what runs is kept anew once it is healthy"
    )
}

/// What there is to say where there is no key.
pub fn no_key(why: &str) -> String {
    format!("no definition is kept or used without the key that signs them: {why}")
}

/// Whether a signature was found to be wrong, as all are once there is another key.
pub fn has_doubts(seen: &Snapshot) -> bool {
    let refused = seen.good_refused.iter().chain(&seen.stable_refused);
    refused.into_iter().any(|block| block.reason == Reason::LastKnownGoodRefused)
}
