//! Creating an object: who and where it is, defaults, validation, storage.

use std::sync::Arc;

use serde_json::Value;

use super::webhooks::{Asked, Operation, Phase};
use super::{Api, Cause, Options, Status};
use crate::resource::Resource;
use crate::{kinds, managed, object};

/// How often a generated name is drawn again when it is taken.
const NAME_ATTEMPTS: usize = 8;

/// Length of the random part of a generated name.
const SUFFIX: usize = 5;

/// The longest generated name, after which the given part is cut.
const NAME_LENGTH: usize = 63;

/// An object to be created, and where.
pub(crate) struct NewObject<'a> {
    pub(crate) resource: &'a Resource,
    /// Empty for cluster-scoped ones.
    pub(crate) namespace: &'a str,
    pub(crate) object: Value,
}

impl Api {
    /// Creates an object; `namespace` is empty for cluster-scoped ones.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        object: Value,
        options: &Options,
    ) -> Result<Arc<Value>, Status> {
        self.create_with(NewObject { resource, namespace, object }, options, |object| {
            managed::created(self, resource, object, options);
        })
    }

    /// The same, where `own` records who owns which field.
    pub(crate) fn create_with(
        &self,
        new: NewObject<'_>,
        options: &Options,
        own: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        let NewObject { resource, namespace, mut object } = new;
        check_namespace_matches(resource, namespace, &mut object)?;
        kinds::decode(self, resource, &mut object, options)?;
        let _writing = self.writing();
        kinds::check_creatable(self, resource, object::name(&object))?;
        self.check_namespace_accepts(resource, namespace, &object)?;
        let versioned = !matches!(object::resource_version(&object), "" | "0") && options.manager.is_some();
        self.name_new_object(resource, namespace, &mut object)?;
        self.stamp_new_object(&mut object);
        // The client owns what it sent and the defaults, not what admission and the kind add.
        own(&mut object);
        kinds::admit(self, resource, namespace, &mut object)?;
        self.ask_about_new(Phase::Mutating, resource, namespace, &object)?;
        kinds::prepare_create(resource, &mut object);
        kinds::validate_create(self, resource, &object)?;
        self.ask_about_new(Phase::Validating, resource, namespace, &object)?;
        let name = object::name(&object).to_owned();
        if let Some(there) = self.store().get(resource, namespace, &name) {
            let mut taken = Status::already_exists(resource, &name);
            if object::is_terminating(&there.value()) {
                taken.message = format!("object is being deleted: {}", taken.message);
            }
            return Err(taken);
        }
        let counted = kinds::quota::admit(self, resource, namespace, &object)?;
        if versioned {
            return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        kinds::allocate(self, resource, &Value::Null, &mut object, options)?;
        for warning in kinds::warnings(resource, &object) {
            options.warnings.add(warning);
        }
        if options.dry_run {
            return Ok(Api::not_stored(resource, object));
        }
        kinds::quota::count(self, counted);
        Ok(self.put(resource, namespace, &name, object))
    }

    fn ask_about_new(&self, phase: Phase, resource: &Resource, namespace: &str, object: &Value) -> Result<(), Status> {
        let target = resource.named(namespace, object::name(object));
        self.ask_webhooks(phase, &Asked { target, subresource: "", operation: Operation::Create, objects: &[object] })
    }

    /// A namespace must exist and not be going away before anything is created in it.
    pub(super) fn check_namespace_accepts(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
    ) -> Result<(), Status> {
        let Some(namespaces) = self.resource("", "namespaces").filter(|_| resource.namespaced) else {
            return Ok(());
        };
        let Some(found) = self.store().get(&namespaces, "", namespace) else {
            return Err(Status::not_found(&namespaces, namespace));
        };
        if !object::is_terminating(&found.value()) {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut status = Status::forbidden(resource, object::name(object), &why);
        if let Some(details) = &mut status.details {
            details["causes"] = serde_json::json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        Err(status)
    }

    fn name_new_object(&self, resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
        if !object::name(object).is_empty() {
            return Ok(());
        }
        let prefix = object::text(object, "/metadata/generateName").to_owned();
        if prefix.is_empty() {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Status::invalid(resource, "", &[cause]));
        }
        let kept: String = prefix.chars().take(NAME_LENGTH - SUFFIX).collect();
        for _ in 0..NAME_ATTEMPTS {
            let name = format!("{kept}{}", self.random().suffix(SUFFIX));
            let taken = self.store().get(resource, namespace, &name).is_some();
            object["metadata"]["name"] = Value::String(name);
            if !taken {
                break;
            }
        }
        Ok(())
    }

    fn stamp_new_object(&self, object: &mut Value) {
        let uid = self.random().uid();
        let now = self.clock().seconds();
        let metadata = object::entry(object, "metadata");
        for server_owned in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            metadata.remove(server_owned);
        }
        metadata.insert("uid".into(), uid.into());
        metadata.insert("creationTimestamp".into(), now.into());
    }
}

/// The namespace of the object, if it names one, must be that of the request; it is filled in.
pub(super) fn check_namespace_matches(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let metadata = object::entry(object, "metadata");
    if !resource.namespaced {
        metadata.remove("namespace");
        return Ok(());
    }
    match metadata.get("namespace").and_then(Value::as_str).unwrap_or_default() {
        "" => {
            metadata.insert("namespace".into(), namespace.into());
            Ok(())
        }
        given if given == namespace => Ok(()),
        _ => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}
