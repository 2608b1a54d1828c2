//! Errors of one reconcile. Each says what was being done; the object is named by the log's span.

/// Why a reconcile stopped. All are tried again; none is an answer to a plan (those are `Execution`s).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The status could not be written, so nothing may be done.
    #[error("write the status: {0}")]
    Status(#[source] kube::Error),
    /// Somebody else wrote the object meanwhile: decide again.
    #[error("the object changed while it was reconciled")]
    Conflict,
}
