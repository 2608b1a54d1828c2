//! What is wrong with objects of built-in kinds.

use serde_json::Value;

use super::event;
use super::rules::{self, Place};
use crate::api::Cause;
use crate::resource::Resource;

/// Everything wrong with an object.
pub(super) fn causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = match resource.kind.as_str() {
        "Event" => event::causes(resource, object),
        "CustomResourceDefinition" => definition(object),
        _ => Vec::new(),
    };
    rules::check(rules::of(resource), object, &Place::root(""), &mut causes);
    causes
}

/// Everything wrong with a change.
pub(super) fn update_causes(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    if resource.kind == "CustomResourceDefinition" {
        return super::definition::update_causes(old, new);
    }
    rules::update::causes(resource, old, new)
}

fn definition(object: &Value) -> Vec<Cause> {
    let problems = crdcheck::problems(object, &crate::schema::declared::problems);
    problems.into_iter().map(|crdcheck::Problem { reason, field, message }| Cause { reason, message, field }).collect()
}
