//! Says in one line what is wrong between us and the API server, and what a person can do about it.
//!
//! The words only. What follows from an error is decided where it happened.

use std::error::Error;

// Codes are compared, not `Status::is_not_found` and the like: those read the reason alone, which plain text does not have.

/// What went wrong while `doing` something ("listing healedservices"), in one line for people.
pub fn explain(doing: &str, error: &kube::Error) -> String {
    match error {
        // An object that is missing is named in the details; a resource that is unknown is not.
        kube::Error::Api(status)
            if status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty()) =>
        {
            format!("{doing}: the API server does not know this resource: install the CRDs with kubectl apply -k crds")
        }
        kube::Error::Api(status) if status.code == 401 => {
            format!("{doing}: the API server does not accept our credentials: {}", status.message)
        }
        kube::Error::Api(status) if status.code == 403 => {
            format!(
                "{doing}: not permitted: {}: compare the roles in deploy/base/rbac.yaml and deploy/components",
                status.message
            )
        }
        kube::Error::Api(status) => format!("{doing}: the API server answered {}: {}", status.code, status.message),
        kube::Error::Service(_) | kube::Error::HyperError(_) => {
            format!("{doing}: the API server cannot be reached: {}", root(error))
        }
        other => format!("{doing}: {}", one_line(&other.to_string())),
    }
}

/// The error itself, in one line.
pub fn error_text(error: &kube::Error) -> String {
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

/// The innermost error, in its own words: the outer ones only say that there was one, or name the address.
pub fn root(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    one_line(&innermost.to_string())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn explained(status: Status) -> String {
        explain("listing healedservices", &kube::Error::Api(status.boxed()))
    }

    #[test]
    fn a_missing_crd_is_told_from_a_missing_object() {
        // The server answers an unknown path with plain text, which the client wraps.
        let unknown = Status::failure("404 page not found", "Failed to parse error data").with_code(404);
        assert!(explained(unknown).contains("kubectl apply -k crds"));
        let missing = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": 404, "reason": "NotFound",
            "message": "healedservices \"api\" not found", "details": {"name": "api"},
        }));
        assert!(!explained(missing.unwrap()).contains("crds"));
    }

    #[test]
    fn a_missing_permission_names_it_and_where_to_look() {
        let message = "healedservices is forbidden: User \"u\" cannot list";
        let words = explained(Status::failure(message, "Forbidden").with_code(403));
        assert!(words.contains(message) && words.contains("rbac.yaml"), "{words}");
    }
}
