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

/// An API error in one line for people: what was being done, what was wrong and what to do about it.
pub fn explain(doing: &str, error: &kube::Error) -> String {
    let advice = match error {
        kube::Error::Api(status) => match status.code {
            401 => ": the credentials are not accepted, check the service account or kubeconfig",
            403 => ": grant the permission, see deploy/base/rbac.yaml",
            404 => ": it does not exist, are the CRDs installed (kubectl apply -f crds/)?",
            _ => "",
        },
        kube::Error::HyperError(_) | kube::Error::Service(_) => ": is the API server reachable?",
        _ => "",
    };
    format!("{doing}: {}{advice}", said(error))
}

/// The error itself, in one line.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}
