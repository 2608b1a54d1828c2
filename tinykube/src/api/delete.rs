//! Deleting: preconditions, grace periods, finalizers, and what is to happen to dependents.

use std::sync::Arc;

use serde_json::{Value, json};

use super::status::details;
use super::webhooks::{Asked, Operation};
use super::{Api, DeleteOptions, Deletion, Propagation, Status};
use crate::resource::{ObjectRef, Resource};
use crate::{kinds, object};

impl Api {
    /// Deletes an object, or starts to.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deletion, Status> {
        let _writing = self.writing();
        let old = self.deletable(resource.named(namespace, name), options)?;
        let target = resource.named(namespace, name);
        self.ask_all_webhooks(&Asked { target, subresource: "", operation: Operation::Delete, objects: &[&old] })?;
        Ok(self.end(resource, &old, options))
    }

    /// The object that is to be deleted, if it may be; the caller holds the write lock.
    pub(super) fn deletable(&self, target: ObjectRef<'_>, options: &DeleteOptions) -> Result<Arc<Value>, Status> {
        let ObjectRef { resource, namespace, name } = target;
        kinds::check_deletable(resource, name)?;
        let old = self.get(resource, namespace, name)?;
        check_preconditions(resource, &old, options)?;
        Ok(old)
    }

    /// Deletes what is there, or starts to; the caller holds the write lock.
    pub(super) fn end(&self, resource: &Resource, old: &Arc<Value>, options: &DeleteOptions) -> Deletion {
        let (namespace, name) = (object::namespace(old), object::name(old));
        if let Some(ending) = kinds::begin_deletion(self, resource, old) {
            let ending = if options.dry_run {
                Api::not_stored(resource, ending)
            } else {
                self.put(resource, namespace, name, ending)
            };
            return Deletion::Pending(ending);
        }
        let mut new = Value::clone(old);
        let decided = object::is_terminating(old);
        let default = kinds::default_propagation(resource).filter(|_| !decided);
        set_finalizers(&mut new, options.propagation.or(default));
        let grace = kinds::grace_period(resource, old, options.grace_period_seconds);
        let waits = object::finalizers(&new).next().is_some()
            || !object::items(&new, "/spec/finalizers").is_empty()
            || grace > 0;
        if !waits {
            // A pod that may go at once is marked all the same, so that its last state says so.
            if resource.is("", "pods") {
                self.mark_terminating(resource, old, &mut new, grace);
            }
            if options.dry_run {
                return Deletion::Gone(Api::not_stored(resource, new));
            }
            if **old != new && resource.is("", "pods") {
                new = Value::clone(&self.put(resource, namespace, name, new));
            }
            return Deletion::Gone(self.take(resource, namespace, name, new));
        }
        self.mark_terminating(resource, old, &mut new, grace);
        if **old == new || options.dry_run {
            return Deletion::Pending(if options.dry_run { Api::not_stored(resource, new) } else { old.clone() });
        }
        Deletion::Pending(self.put(resource, namespace, name, new))
    }

    /// Sets the deletion timestamp, or brings it forward when less grace is given than before.
    fn mark_terminating(&self, resource: &Resource, old: &Value, new: &mut Value, grace: i64) {
        let before = old["metadata"]["deletionGracePeriodSeconds"].as_i64();
        if kinds::is_definition(resource) && object::is_terminating(old) {
            // The first deletion of a definition sets none.
            object::entry(new, "metadata").insert("deletionGracePeriodSeconds".into(), grace.into());
            return;
        }
        if object::is_terminating(old) && before.is_none_or(|before| grace >= before) {
            return;
        }
        // Less grace brings the end forward; it still counts from the first request.
        let known = object::text(old, "/metadata/deletionTimestamp").parse().ok();
        let from = known.map_or_else(|| self.clock().now(), |end: jiff::Timestamp| later(end, -before.unwrap_or(0)));
        let when = later(from, grace);
        let metadata = object::entry(new, "metadata");
        metadata.insert("deletionTimestamp".into(), when.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
        let generation = metadata.get("generation").and_then(Value::as_i64);
        if let Some(generation) = generation.filter(|_| !object::is_terminating(old)) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        kinds::on_terminating(resource, new);
    }
}

fn later(moment: jiff::Timestamp, seconds: i64) -> jiff::Timestamp {
    moment.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(moment)
}

fn check_preconditions(resource: &Resource, old: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let name = object::name(old);
    if kinds::is_definition(resource) {
        return check_definition(resource, old, options);
    }
    let refuse = |why: String| {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified_kind());
        Status::new(409, "Conflict", message).with_details(details(name, &resource.group, &resource.kind))
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != object::uid(old)) {
        return Err(refuse(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). \
             The object might have been deleted and then recreated",
            object::uid(old)
        )));
    }
    let rv = options.resource_version.as_deref();
    if let Some(rv) = rv.filter(|rv| *rv != object::resource_version(old)) {
        return Err(refuse(format!(
            "the ResourceVersion in the precondition ({rv}) does not match the ResourceVersion in record ({}). \
             The object might have been modified",
            object::resource_version(old)
        )));
    }
    Ok(())
}

/// The same of a definition, which the real server words otherwise.
fn check_definition(resource: &Resource, old: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let asked = [
        ("UID", options.uid.as_deref(), object::uid(old)),
        ("ResourceVersion", options.resource_version.as_deref(), object::resource_version(old)),
    ];
    for (what, given, there) in asked {
        if let Some(given) = given.filter(|given| *given != there) {
            let why = format!("Precondition failed: {what} in precondition: {given}, {what} in object meta: {there}");
            return Err(Status::conflict(resource, object::name(old), &why));
        }
    }
    Ok(())
}

/// Propagation is a finalizer that the garbage collector works off.
fn set_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let wanted = match propagation {
        Some(Propagation::Foreground) => Some("foregroundDeletion"),
        Some(Propagation::Orphan) => Some("orphan"),
        Some(Propagation::Background) => None,
        None => return,
    };
    let mut finalizers: Vec<String> = object::finalizers(object).map(str::to_owned).collect();
    finalizers.retain(|finalizer| finalizer != "foregroundDeletion" && finalizer != "orphan");
    finalizers.extend(wanted.map(str::to_owned));
    let metadata = object::entry(object, "metadata");
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(finalizers));
    }
}
