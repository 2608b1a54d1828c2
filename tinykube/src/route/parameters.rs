//! The query parameters of writes.

use serde_json::json;

use super::Request;
use crate::api::{Cause, FieldValidation, Options, Status, Warnings};

/// Longest name of a field manager.
const MANAGER_LENGTH: usize = 128;

/// How a write is to be done.
///
/// # Errors
/// 422 with the real server's wording.
pub(super) fn options(request: &Request<'_>) -> Result<Options, Status> {
    let query = &request.query;
    let kind = match request.method {
        "POST" => "CreateOptions",
        "PATCH" => "PatchOptions",
        _ => "UpdateOptions",
    };
    let (manager, validation) = (query.get("fieldManager"), query.get("fieldValidation"));
    let mut causes = Vec::new();
    if manager.len() > MANAGER_LENGTH {
        let message = format!("Too long: may not be more than {MANAGER_LENGTH} bytes");
        causes.push(Cause { reason: "FieldValueTooLong", message, field: "fieldManager".to_owned() });
    }
    causes.extend(dry_run_causes(query.get("dryRun")));
    if !matches!(validation, "" | "Ignore" | "Warn" | "Strict") {
        let supported = ["", "Ignore", "Strict", "Warn"];
        causes.push(Cause::unsupported("fieldValidation", &json!(validation), &supported));
    }
    if !causes.is_empty() {
        return Err(Status::invalid_kind("meta.k8s.io", kind, "", &causes));
    }
    let manager = match manager {
        "" => request.user_agent.split('/').next().filter(|name| !name.is_empty()).unwrap_or("unknown"),
        named => named,
    };
    Ok(Options {
        manager: Some(manager.to_owned()),
        dry_run: !query.get("dryRun").is_empty(),
        validation: match validation {
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        },
        warnings: Warnings::collecting(),
    })
}

/// The only dry run there is goes through every stage.
pub(super) fn dry_run_causes(asked: &str) -> Option<Cause> {
    (!matches!(asked, "" | "All")).then(|| Cause::unsupported("dryRun", &json!([asked]), &["All"]))
}
