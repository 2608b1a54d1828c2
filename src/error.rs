//! Errors of one reconcile. Each says what was being done; the object is named by the log's span.

/// Why a reconcile stopped. All are tried again; none is an answer to a plan (those are `Execution`s).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The status could not be written, so nothing may be done.
    #[error("write the status: {0}")]
    Status(#[source] kube::Error),
    /// Somebody else wrote the object meanwhile: look again.
    #[error("the object changed while it was looked at")]
    Conflict,
}

/// The error itself, in one line.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether nothing can be created because the namespace is being deleted.
pub fn is_namespace_ending(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}
