//! Dependencies: the services that this one needs, as their own status shows them.

use jiff::{SignedDuration, Timestamp};

use super::reason::Block;

/// One dependency as the status of the named service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It must have been available for this long.
    pub stable: SignedDuration,
    /// What is known of it.
    pub health: DependencyHealth,
    /// It was well once and has no ready pod now.
    pub down: bool,
    /// It is restarted, or will be, because what it depends on recovered.
    pub recovering: bool,
    /// When the latest action on it began, if that is known.
    pub last_action: Option<Timestamp>,
    /// Deepest unavailable service behind it, as `namespace/name`, where that is another one.
    pub root: Option<String>,
}

/// What is known of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyHealth {
    /// Available since then.
    Available(Timestamp),
    /// Not available, or not known to be.
    Unavailable,
    /// There is no service of that name.
    NotFound,
    /// It lives in another namespace and does not allow us to name it.
    NotGranted,
    /// It depends on us, directly or through others.
    Cycle,
}

/// The judgement over all dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    /// Each with whether it is ready.
    pub each: Vec<(Dependency, bool)>,
    /// Why the service is held, if it is.
    pub held: Option<Block>,
}
