//! Why a container waits.

use std::time::Duration;

/// Why a container waits, as its status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Why a container is not created at once.
pub(crate) enum StartProblem {
    /// The image takes this long.
    Pulling(Duration),
    /// Something is missing.
    Missing(Waiting),
}
