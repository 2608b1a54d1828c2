//! The answer to a request that failed, worded as the real server words it.

use serde_json::{Map, Value, json};

use crate::resource::Resource;

/// A failed request: HTTP status code, reason and message, as `metav1.Status` carries them.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, empty if there is none.
    pub reason: &'static str,
    /// What went wrong, for people.
    pub message: String,
    /// Name, kind and causes, if any.
    pub details: Option<Box<Value>>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
}

/// One thing wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// What is wrong, without the path.
    pub message: String,
    /// Where.
    pub field: String,
}

impl Cause {
    /// `Invalid value: value: why`.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Cause {
        Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {value}: {why}"), field: field.into() }
    }

    /// `Required value: why`; `why` may be empty.
    pub fn required(field: impl Into<String>, why: &str) -> Cause {
        Cause {
            reason: "FieldValueRequired",
            message: if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") },
            field: field.into(),
        }
    }

    /// `Forbidden: why`.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Cause {
        Cause { reason: "FieldValueForbidden", message: format!("Forbidden: {why}"), field: field.into() }
    }

    /// `Unsupported value: value: supported values: …`.
    pub fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Cause {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
            field: field.into(),
        }
    }

    fn line(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

impl Status {
    /// A status without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status { code, reason, message: message.into(), details: None, retry_after: None }
    }

    /// The same with details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Status {
        self.details = Some(Box::new(details));
        self
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// 404 of an object.
    pub fn not_found(resource: &Resource, name: &str) -> Status {
        let message = format!("{} {name:?} not found", resource.qualified());
        Status::new(404, "NotFound", message).with_details(details(name, &resource.group, &resource.plural))
    }

    /// 404 of a path nobody serves.
    pub fn no_such_path() -> Status {
        let message = "the server could not find the requested resource";
        Status::new(404, "NotFound", message).with_details(json!({}))
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Status {
        let message = format!("{} {name:?} already exists", resource.qualified());
        Status::new(409, "AlreadyExists", message).with_details(details(name, &resource.group, &resource.plural))
    }

    /// 409: written meanwhile, or a precondition that does not hold.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Status {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Status::new(409, "Conflict", message).with_details(details(name, &resource.group, &resource.plural))
    }

    /// 409 because the resource version sent is not the latest.
    pub fn modified(resource: &Resource, name: &str) -> Status {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Status::conflict(resource, name, why)
    }

    /// 410: what was asked is forgotten.
    pub fn expired(message: impl Into<String>) -> Status {
        Status::new(410, "Expired", message)
    }

    /// 403 with the reason why.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Status {
        let qualified = resource.qualified();
        let message = if name.is_empty() {
            format!("{qualified} is forbidden: {why}")
        } else {
            format!("{qualified} {name:?} is forbidden: {why}")
        };
        Status::new(403, "Forbidden", message).with_details(details(name, &resource.group, &resource.plural))
    }

    /// 405.
    pub fn method_not_allowed() -> Status {
        let message = "the server does not allow this method on the requested resource";
        Status::new(405, "MethodNotAllowed", message).with_details(json!({}))
    }

    /// 422 with everything that is wrong.
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Status {
        Status::invalid_kind(&resource.group, &resource.kind, name, causes)
    }

    /// 422 of an object that is not a resource, such as list options.
    pub fn invalid_kind(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Status {
        let mut lines: Vec<String> = Vec::new();
        for line in causes.iter().map(Cause::line) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let lines = if let [line] = &lines[..] { line.clone() } else { format!("[{}]", lines.join(", ")) };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut details = details(name, group, kind);
        details["causes"] = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        Status::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {lines}")).with_details(details)
    }

    /// 501: a real server would answer, this one does not.
    pub fn not_implemented(what: &str) -> Status {
        let message = format!("tinykube does not implement {what}; see its README for what it does");
        Status::new(501, "NotImplemented", message)
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Status {
        Status::new(500, "InternalError", message)
    }

    /// As `metav1.Status` in JSON.
    pub fn to_json(&self) -> Value {
        let mut status = Map::new();
        status.insert("kind".into(), "Status".into());
        status.insert("apiVersion".into(), "v1".into());
        status.insert("metadata".into(), json!({}));
        status.insert("status".into(), "Failure".into());
        status.insert("message".into(), self.message.clone().into());
        if !self.reason.is_empty() {
            status.insert("reason".into(), self.reason.into());
        }
        if let Some(details) = &self.details {
            status.insert("details".into(), (**details).clone());
        }
        status.insert("code".into(), self.code.into());
        Value::Object(status)
    }
}

/// `details` as the real server fills them: empty members are left out.
pub(crate) fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.into(), value.into());
        }
    }
    Value::Object(details)
}
