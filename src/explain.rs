//! Says in one line what is wrong between us and the API server, and what a person can do about it.
//!
//! The words only. What follows from an error is decided where it happened.

use std::error::Error as _;

/// What went wrong while `doing` something ("listing healedservices"), in one line for people.
pub fn explain(doing: &str, error: &kube::Error) -> String {
    match error {
        // An object that is missing is named in the details; a resource that is unknown is not.
        kube::Error::Api(status)
            if status.is_not_found() && status.details.as_ref().is_none_or(|details| details.name.is_empty()) =>
        {
            format!("{doing}: the API server does not know this resource: install the CRDs with kubectl apply -k crds")
        }
        kube::Error::Api(status) if status.code == 401 => {
            format!("{doing}: the API server does not accept our credentials: {}", status.message)
        }
        kube::Error::Api(status) if status.is_forbidden() => {
            format!("{doing}: not permitted: {}: compare the roles in deploy/base/rbac.yaml", status.message)
        }
        kube::Error::Api(status) => format!("{doing}: the API server answered {}: {}", status.code, status.message),
        kube::Error::Service(_) | kube::Error::HyperError(_) => {
            format!("{doing}: the API server cannot be reached: {}", root(error))
        }
        other => format!("{doing}: {}", one_line(&other.to_string())),
    }
}

/// The innermost error: the outer ones only say that there was one.
fn root(error: &kube::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = inner.to_string();
        source = inner.source();
    }
    one_line(&words)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
