//! Names, labels, annotations, owners and finalizers.

use serde_json::{Value, json};

use super::rules::{self, Place};
use crate::api::Cause;
use crate::object::{self, items, text};
use crate::resource::Resource;

/// Most bytes of all annotations together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// How often the real server looks at labels when metadata change.
const LOOKS: usize = 4;

/// Everything wrong with a new object's metadata.
pub(super) fn causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_names(resource, object, &mut causes);
    rules::label_map(&object["metadata"]["labels"], &Place::root("metadata.labels"), &mut causes);
    check_annotations(object, &mut causes);
    check_owners(object, &mut causes);
    check_finalizers(resource, object, &mut causes);
    causes
}

/// Everything wrong with a change of metadata.
pub(super) fn update_causes(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for _ in 0..LOOKS {
        rules::label_map(&new["metadata"]["labels"], &Place::root("metadata.labels"), &mut causes);
    }
    check_annotations(new, &mut causes);
    if old["metadata"]["ownerReferences"] != new["metadata"]["ownerReferences"] {
        check_owners(new, &mut causes);
    }
    let before: Vec<&str> = object::finalizers(old).collect();
    let added: Vec<&str> = object::finalizers(new).filter(|finalizer| !before.contains(finalizer)).collect();
    if !added.is_empty() {
        check_finalizers(resource, new, &mut causes);
    }
    if object::is_terminating(old) && !added.is_empty() {
        let added: Vec<String> = added.iter().map(|finalizer| format!("{finalizer:?}")).collect();
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        // The real server validates metadata twice.
        causes.extend(vec![Cause::forbidden("metadata.finalizers", &why); 2]);
    }
    causes
}

fn check_names(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let form: fn(&str) -> Vec<String> = match (resource.group.as_str(), resource.kind.as_str()) {
        ("rbac.authorization.k8s.io", _) => path_segment,
        ("", "Namespace" | "Service") => rules::label,
        _ => rules::subdomain,
    };
    let prefix = text(object, "/metadata/generateName");
    if !prefix.is_empty() {
        for why in rules::prefixed(prefix, form) {
            causes.push(Cause::invalid("metadata.generateName", &json!(prefix), &why));
        }
    }
    for why in form(object::name(object)) {
        causes.push(Cause::invalid("metadata.name", &json!(object::name(object)), &why));
    }
}

/// Whether a text is a DNS subdomain, as the names of most objects are.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    rules::subdomain(text).is_empty()
}

/// A name that can be part of a path.
fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    let found = ["/", "%"].into_iter().filter(|illegal| name.contains(illegal));
    found.map(|illegal| format!("may not contain '{illegal}'")).collect()
}

fn check_annotations(object: &Value, causes: &mut Vec<Cause>) {
    let annotations = object["metadata"]["annotations"].as_object();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        for why in rules::qualified_name(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), &why));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_LIMIT {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"),
            field: "metadata.annotations".into(),
        });
    }
}

fn check_owners(object: &Value, causes: &mut Vec<Cause>) {
    let owners = items(object, "/metadata/ownerReferences");
    for owner in owners {
        for field in ["kind", "name", "uid"] {
            if text(owner, &format!("/{field}")).is_empty() {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    &"".into(),
                    "must not be empty",
                ));
            }
        }
    }
    let mut controllers = owners.iter().filter(|owner| owner["controller"] == true);
    if let (Some(one), Some(other)) = (controllers.next(), controllers.next()) {
        let named = |owner: &Value| format!("{}/{}", text(owner, "/kind"), text(owner, "/name"));
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            named(one),
            named(other)
        );
        causes.push(Cause::invalid("metadata.ownerReferences", &object["metadata"]["ownerReferences"], &why));
    }
}

/// Finalizers are qualified names; those of built-in kinds have a domain or are Kubernetes' own.
fn check_finalizers(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    for finalizer in object::finalizers(object) {
        for why in rules::qualified_name(finalizer) {
            causes.push(Cause::invalid("metadata.finalizers", &json!(finalizer), &why));
        }
    }
    for (index, finalizer) in object::finalizers(object).enumerate() {
        if !resource.custom && rules::unqualified_finalizer(finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(format!("metadata.finalizers[{index}]"), &json!(finalizer), why));
        }
    }
}

/// Everything wrong with the finalizers of a namespace's spec.
pub(super) fn spec_finalizers(namespace: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, finalizer) in items(namespace, "/spec/finalizers").iter().enumerate() {
        let name = finalizer.as_str().unwrap_or_default();
        let mut problems = rules::qualified_name(name);
        if rules::unqualified_finalizer(name) {
            problems.push("name is neither a standard finalizer name nor is it fully qualified".to_owned());
        }
        causes.extend(problems.iter().map(|why| Cause::invalid(format!("spec.finalizers[{index}]"), finalizer, why)));
    }
    causes
}
