//! Why something did not work, as a sentence for people.

use std::fmt;

/// A sentence: what was being done, what was wrong, and where it helps, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(String);

/// What is done here fails for people only: nothing branches on the kind of failure.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure that says this.
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure(what.into())
    }

    /// The API server refused what was being done.
    pub(crate) fn api(doing: impl fmt::Display, error: &kube::Error) -> Failure {
        Failure(kubeheal::base::error_text::explain(&doing.to_string(), error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An expectation that may fail, with what was seen instead.
pub(crate) fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure(what())) }
}
