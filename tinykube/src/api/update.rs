//! Changing an object: preconditions, what may not change, defaults, validation, generation, storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::create::check_namespace_matches;
use super::webhooks::{Asked, Operation, Phase, WITHOUT_LABELS};
use super::{Api, Cause, Options, Part, Status, Update};
use crate::resource::{ObjectRef, Resource};
use crate::{kinds, managed, object};

/// Metadata only the server writes.
const SERVER_OWNED: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "generateName",
];

impl Api {
    /// Replaces everything but the status.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn update(&self, target: ObjectRef<'_>, object: Value, options: &Options) -> Result<Arc<Value>, Status> {
        self.replace(target, Part::Main, object, options)
    }

    /// Replaces the status alone.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn update_status(&self, target: ObjectRef<'_>, object: Value, options: &Options) -> Result<Arc<Value>, Status> {
        self.replace(target, Part::Status, object, options)
    }

    /// Changes one part of the stored object in place; always sees the latest version.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn modify(
        &self,
        target: ObjectRef<'_>,
        part: Part,
        options: &Options,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        self.transform(target, part, options, |old| {
            let mut new = Value::clone(old);
            change(&mut new);
            Ok(new)
        })
    }

    fn replace(
        &self,
        target: ObjectRef<'_>,
        part: Part,
        mut object: Value,
        options: &Options,
    ) -> Result<Arc<Value>, Status> {
        let ObjectRef { resource, namespace, name } = target;
        check_namespace_matches(resource, namespace, &mut object)?;
        if object::name(&object).is_empty() {
            let message =
                format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
            return Err(Status::bad_request(message));
        }
        check_name_matches(&mut object, name)?;
        kinds::decode(self, resource, &mut object, options)?;
        if kinds::needs_version(resource) && object::resource_version(&object).is_empty() {
            self.get(resource, namespace, name)?;
            let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
            return Err(Status::invalid_kind(&resource.group, &resource.plural, name, &[cause]));
        }
        self.transform(target, part, options, |_| Ok(object))
    }

    /// Reads, changes by `change` and writes under the write lock.
    pub(crate) fn transform(
        &self,
        target: ObjectRef<'_>,
        part: Part,
        options: &Options,
        change: impl FnOnce(&Arc<Value>) -> Result<Value, Status>,
    ) -> Result<Arc<Value>, Status> {
        let _writing = self.writing();
        let ObjectRef { resource, namespace, name } = target;
        let old = self.get(resource, namespace, name)?;
        let new = change(&old)?;
        self.write_changed(Update { resource, part, options }, &old, new)
    }

    /// Writes `new` over `old`; the caller holds the write lock.
    pub(crate) fn write_changed(&self, update: Update<'_>, old: &Arc<Value>, new: Value) -> Result<Arc<Value>, Status> {
        self.write_owned(update, old, new, |new| managed::updated(self, update, old, new))
    }

    /// The same, where `own` records who owns which field.
    pub(crate) fn write_owned(
        &self,
        update: Update<'_>,
        old: &Arc<Value>,
        mut new: Value,
        own: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        let Update { resource, part, options } = update;
        let (namespace, name) = (object::namespace(old), object::name(old));
        check_name_matches(&mut new, name)?;
        self.ask_about_change(Phase::Mutating, update, old, &new)?;
        check_preconditions(resource, old, &new)?;
        keep_server_owned(old, &mut new);
        // The client owns what it sent and the defaults, not what the kind keeps or adds.
        own(&mut new);
        kinds::prepare_update(self, resource, part, old, &mut new);
        kinds::validate_update(self, resource, part, [old, &new], &options.warnings)?;
        self.ask_about_change(Phase::Validating, update, old, &new)?;
        kinds::allocate(self, resource, old, &mut new, options)?;
        count_generation(resource, part, old, &mut new);
        // Writing what is the same moves an object to the version in which it is to be stored.
        if **old == new && self.is_stored_as_declared(resource, namespace, name) {
            return Ok(old.clone());
        }
        if options.dry_run {
            return Ok(Api::not_stored(resource, new));
        }
        if is_finished(&new) {
            // The deletion shows the object as it was, the answer as it would have become.
            self.take(resource, namespace, name, Value::clone(old));
            return Ok(Arc::new(new));
        }
        Ok(self.put(resource, namespace, name, new))
    }
}

impl Api {
    fn ask_about_change(&self, phase: Phase, update: Update<'_>, old: &Value, new: &Value) -> Result<(), Status> {
        let both = [new, old];
        let (subresource, objects) = match update.part {
            Part::Main => ("", &both[..]),
            Part::Status => ("status", &both[..]),
            Part::Scale => ("scale", WITHOUT_LABELS),
        };
        let target = ObjectRef::of(update.resource, old);
        self.ask_webhooks(phase, &Asked { target, subresource, operation: Operation::Update, objects })
    }
}

/// The name of the object, if it has one, must be that of the request; it is filled in.
pub(crate) fn check_name_matches(object: &mut Value, name: &str) -> Result<(), Status> {
    let metadata = object::entry(object, "metadata");
    match metadata.get("name").and_then(Value::as_str).unwrap_or_default() {
        "" => {
            metadata.insert("name".into(), name.into());
            Ok(())
        }
        given if given == name => Ok(()),
        given => Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
    }
}

/// A resource version or UID sent along must be that of the stored object.
fn check_preconditions(resource: &Resource, old: &Value, new: &Value) -> Result<(), Status> {
    let name = object::name(old);
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(old) {
        let key = storage_key(resource, object::namespace(old), name);
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(old)
        );
        return Err(Status::conflict(resource, name, &why));
    }
    let rv = object::resource_version(new);
    if rv.parse::<u64>().is_err() && !rv.is_empty() {
        return Err(Status::new(500, "", format!("strconv.ParseUint: parsing {rv:?}: invalid syntax")));
    }
    if !rv.is_empty() && rv != "0" && rv != object::resource_version(old) {
        return Err(Status::modified(resource, name));
    }
    Ok(())
}

fn storage_key(resource: &Resource, namespace: &str, name: &str) -> String {
    let group =
        if resource.group.contains('.') && resource.custom { format!("{}/", resource.group) } else { String::new() };
    if namespace.is_empty() {
        format!("/registry/{group}{}/{name}", resource.plural)
    } else {
        format!("/registry/{group}{}/{namespace}/{name}", resource.plural)
    }
}

fn keep_server_owned(old: &Value, new: &mut Value) {
    let kept: Vec<(&str, Option<Value>)> =
        SERVER_OWNED.iter().map(|key| (*key, old["metadata"].get(key).cloned())).collect();
    let rv = old["metadata"]["resourceVersion"].clone();
    let metadata = object::entry(new, "metadata");
    for (key, value) in kept {
        match value {
            Some(value) => metadata.insert(key.into(), value),
            None => metadata.shift_remove(key),
        };
    }
    metadata.insert("resourceVersion".into(), rv);
}

/// The generation counts changes of what is wanted, never of the status or of metadata.
fn count_generation(resource: &Resource, part: Part, old: &Value, new: &mut Value) {
    if part == Part::Status || !kinds::counts_generation(resource) {
        return;
    }
    if wanted(resource, old) != wanted(resource, new) {
        new["metadata"]["generation"] = (object::generation(old) + 1).into();
    }
}

/// What of an object is wanted, as opposed to observed.
fn wanted<'a>(resource: &Resource, object: &'a Value) -> BTreeMap<&'a str, &'a Value> {
    let members = object.as_object().into_iter().flatten();
    let members = members.map(|(key, value)| (key.as_str(), value));
    members
        .filter(|(key, _)| !matches!(*key, "metadata" | "apiVersion" | "kind"))
        .filter(|(key, _)| !(*key == "status" && resource.status))
        .collect()
}

/// A terminating object without finalizers and without a grace period to wait for is gone.
fn is_finished(object: &Value) -> bool {
    object::is_terminating(object)
        && object::finalizers(object).next().is_none()
        && object::items(object, "/spec/finalizers").is_empty()
        && object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
}
