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
    if let Some((index, bad)) = manager.chars().enumerate().find(|(_, character)| character.is_control()) {
        let message = format!(
            "Invalid value: {}: invalid character U+{:04X} (at position {index})",
            as_go_quotes(manager),
            u32::from(bad)
        );
        causes.push(Cause { reason: "FieldValueInvalid", message, field: "fieldManager".to_owned() });
    }
    if query.has("dryRun") {
        causes.extend(dry_run_causes(query.get("dryRun")).or_else(|| unset_dry_run(query.get("dryRun"))));
    }
    if kind == "PatchOptions" && query.has("force") && !request.content_type.starts_with("application/apply-patch") {
        causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
    }
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

/// A dry run that is asked for and not named.
fn unset_dry_run(asked: &str) -> Option<Cause> {
    asked.is_empty().then(|| Cause::unsupported("dryRun", &json!([""]), &["All"]))
}

fn as_go_quotes(text: &str) -> String {
    let shown = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        other if other.is_control() => format!("\\x{:02x}", u32::from(other)),
        other => other.to_string(),
    });
    format!("\"{}\"", shown.collect::<String>())
}

/// The only dry run there is goes through every stage.
pub(super) fn dry_run_causes(asked: &str) -> Option<Cause> {
    (!matches!(asked, "" | "All")).then(|| Cause::unsupported("dryRun", &json!([asked]), &["All"]))
}
