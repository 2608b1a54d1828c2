//! What came of one journey.

use std::time::Duration;

use crate::stage::Marks;

/// What came of a journey.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: &'static str,
    /// What had to be true.
    pub(crate) what: &'static str,
    /// How it went, where that is not always the same.
    pub(crate) note: Option<&'static str>,
    /// Its moments.
    pub(crate) marks: Marks,
    /// How long it took, cleaning up included.
    pub(crate) total: Duration,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
}
