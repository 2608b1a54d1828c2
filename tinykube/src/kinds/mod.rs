//! What is special about a kind: decoding, defaults, validation, grace, and what follows from a write.

pub(crate) mod account;
mod address;
pub(crate) mod definition;
mod empty;
mod event;
pub(crate) mod job;
mod metadata;
pub(crate) mod namespace;
mod network;
mod pod;
mod priority;
pub(crate) mod quota;
mod role;
mod rules;
mod service;
mod storage;
pub(crate) mod time;
mod validate;
mod webhook;
mod workload;

use serde_json::{Value, json};

pub(crate) use self::metadata::is_dns_subdomain;
use crate::api::{Api, Options, Part, Propagation, Status, Warnings};
use crate::object;
use crate::resource::Resource;

/// Brings an object that came from a client into shape: kind and version, unknown fields, defaults.
pub(crate) fn decode(api: &Api, resource: &Resource, object: &mut Value, options: &Options) -> Result<(), Status> {
    let members = object::map(object);
    members.insert("apiVersion".into(), resource.api_version().into());
    members.insert("kind".into(), resource.kind.clone().into());
    if !crate::schema::metadata_is_sound(object) {
        return Err(Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: labels and annotations must be maps of \
             strings, finalizers a list of strings",
            kind = resource.kind,
            version = resource.version
        )));
    }
    if let Some(custom) = api.registry().custom(resource) {
        return custom.schema.decode(resource, object, options);
    }
    if options.manager.is_some() {
        crate::builtin::prune(resource, object, options)?;
    }
    empty::drop_empty(object);
    defaults(resource, object);
    Ok(())
}

fn defaults(resource: &Resource, object: &mut Value) {
    match resource.kind.as_str() {
        "Pod" => pod::defaults(object),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload::defaults(&resource.kind, object),
        "Job" => job::defaults(object),
        "Namespace" => namespace::defaults(object),
        "Service" => service::defaults(object),
        "Endpoints" | "EndpointSlice" | "NetworkPolicy" => network::defaults(&resource.kind, object),
        "Secret" => storage::secret_defaults(object),
        "PersistentVolumeClaim" => storage::claim_defaults(object),
        "HorizontalPodAutoscaler" => workload::autoscaler_defaults(object),
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => role::defaults(&resource.kind, object),
        "CustomResourceDefinition" => definition::defaults(object),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhook::defaults(&resource.kind, object),
        "Event" => event::defaults(resource, object),
        _ => {}
    }
}

/// Whether objects of a kind count the changes of what they want.
pub(crate) fn counts_generation(resource: &Resource) -> bool {
    let counting = matches!(
        resource.kind.as_str(),
        "Deployment"
            | "ReplicaSet"
            | "StatefulSet"
            | "DaemonSet"
            | "Pod"
            | "Job"
            | "PodDisruptionBudget"
            | "EndpointSlice"
            | "NetworkPolicy"
            | "CustomResourceDefinition"
            | "MutatingWebhookConfiguration"
            | "ValidatingWebhookConfiguration"
    );
    counting || resource.custom
}

/// What admission adds to a new object, or why it is not let in.
pub(crate) fn admit(api: &Api, resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
    match resource.kind.as_str() {
        "Pod" => {
            priority::admit(resource, object)?;
            account::admit(api, resource, namespace, object)?;
            pod::tolerate_lost_nodes(object);
        }
        "PersistentVolumeClaim" => storage::protect_claim(object),
        _ => {}
    }
    Ok(())
}

/// What a new object starts with.
pub(crate) fn prepare_create(resource: &Resource, object: &mut Value) {
    if counts_generation(resource) {
        object::entry(object, "metadata").insert("generation".into(), json!(1));
    }
    if resource.status && resource.kind != "Node" {
        object::map(object).shift_remove("status");
    }
    let status = match resource.kind.as_str() {
        "Pod" => json!({"phase": "Pending", "qosClass": pod::quality(object)}),
        "Namespace" => {
            namespace::prepare(object);
            json!({"phase": "Active"})
        }
        "Deployment" | "ResourceQuota" => json!({}),
        "ReplicaSet" => json!({"replicas": 0}),
        "StatefulSet" => json!({"replicas": 0, "availableReplicas": 0}),
        "DaemonSet" => {
            workload::recount_template(&Value::Null, object);
            json!({
                "currentNumberScheduled": 0,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": 0,
                "numberReady": 0,
            })
        }
        "Job" => {
            job::select_own_pods(object);
            json!({})
        }
        "PodDisruptionBudget" => {
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0})
        }
        "Service" => json!({"loadBalancer": {}}),
        "PersistentVolumeClaim" => json!({"phase": "Pending"}),
        "HorizontalPodAutoscaler" => json!({"desiredReplicas": 0, "currentMetrics": null}),
        "CustomResourceDefinition" => definition::new_status(object),
        "Lease" => return storage::hold_no_election(object),
        _ => return,
    };
    object["status"] = status;
}

/// What an object is let in with, though the real server has something to say about it.
pub(crate) fn warnings(resource: &Resource, object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    match resource.kind.as_str() {
        "Service" if !object::items(spec, "/externalIPs").is_empty() => {
            vec!["spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned()]
        }
        "Pod" => pod::warnings(spec, "spec"),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" => {
            pod::warnings(&spec["template"]["spec"], "spec.template.spec")
        }
        "CustomResourceDefinition" => definition::warnings(&Value::Null, object),
        _ => Vec::new(),
    }
}

/// Gives a valid object what only it may have: the addresses and ports of a service.
///
/// # Errors
/// 422 when another one has it.
pub(crate) fn allocate(
    api: &Api,
    resource: &Resource,
    old: &Value,
    object: &mut Value,
    options: &Options,
) -> Result<(), Status> {
    if resource.is("", "services") { address::allocate(api, resource, old, object, options) } else { Ok(()) }
}

/// What a change may not touch.
pub(crate) fn prepare_update(api: &Api, resource: &Resource, part: Part, old: &Value, new: &mut Value) {
    match part {
        Part::Main if resource.status => {
            let members = object::map(new);
            match old.get("status") {
                Some(status) => members.insert("status".into(), status.clone()),
                None => members.shift_remove("status"),
            };
        }
        Part::Main | Part::Scale => {}
        Part::Status => keep_all_but_status(resource, old, new),
    }
    if resource.custom {
        if let Some(custom) = api.registry().custom(resource) {
            custom.schema.fill(new);
        }
    } else if part != Part::Status && differ(old, new) {
        empty::drop_empty(new);
        defaults(resource, new);
        if resource.kind == "CustomResourceDefinition" {
            definition::remember_storage(new);
        }
    } else {
        empty::drop_empty_metadata(new);
    }
    match resource.kind.as_str() {
        "Namespace" => namespace::keep_finalizers(old, new),
        "Service" => service::follow_type(old, new),
        "DaemonSet" => workload::recount_template(old, new),
        "Lease" => storage::hold_no_election(new),
        _ => {}
    }
}

/// Whether an object wants something else than before, or holds something else.
fn differ(old: &Value, new: &Value) -> bool {
    let own = |object: &'_ Value| {
        let members = object.as_object().into_iter().flatten();
        members.filter(|(key, value)| !matches!(key.as_str(), "metadata" | "status") && !value.is_null()).count()
    };
    let members = old.as_object().into_iter().flatten();
    let mut members = members.filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"));
    own(old) != own(new) || members.any(|(key, value)| new.get(key).unwrap_or(&Value::Null) != value)
}

/// A status write of a built-in kind may also change labels and annotations; one of a custom resource may not.
fn keep_all_but_status(resource: &Resource, old: &Value, new: &mut Value) {
    let status = new.get_mut("status").map(Value::take);
    let metadata = new.get_mut("metadata").map(Value::take);
    *new = old.clone();
    if resource.custom {
        let kept = object::entry(new, "metadata");
        // Who wrote what is known by now.
        match metadata.and_then(|mut metadata| metadata.get_mut("managedFields").map(Value::take)) {
            Some(fields) => kept.insert("managedFields".into(), fields),
            None => kept.shift_remove("managedFields"),
        };
    } else if let Some(metadata) = metadata {
        new["metadata"] = metadata;
        new["metadata"]["ownerReferences"] = old["metadata"]["ownerReferences"].clone();
        if new["metadata"]["ownerReferences"].is_null() {
            object::entry(new, "metadata").shift_remove("ownerReferences");
        }
    }
    let members = object::map(new);
    match status {
        Some(status) if !status.is_null() => members.insert("status".into(), status),
        _ => members.shift_remove("status"),
    };
}

/// Everything wrong with a new object.
pub(crate) fn validate_create(api: &Api, resource: &Resource, object: &Value) -> Result<(), Status> {
    webhook::refuse_conditions(object)?;
    let mut causes = metadata::causes(resource, object);
    causes.extend(validate::causes(resource, object));
    if let Some(custom) = api.registry().custom(resource) {
        causes.extend(custom.schema.causes(&custom.version, object, None, &Warnings::default()));
    }
    refuse_if_any(resource, object, &causes)
}

/// Everything wrong with a change.
pub(crate) fn validate_update(
    api: &Api,
    resource: &Resource,
    part: Part,
    [old, new]: [&Value; 2],
    warnings: &Warnings,
) -> Result<(), Status> {
    webhook::refuse_conditions(new)?;
    let mut causes = Vec::new();
    if old["metadata"] != new["metadata"] {
        causes.extend(metadata::update_causes(resource, old, new));
    }
    if let Some(custom) = api.registry().custom(resource) {
        if (part == Part::Status && old.get("status") != new.get("status"))
            || (part != Part::Status && old.get("spec") != new.get("spec"))
            || resource.custom && old != new
        {
            causes.extend(custom.schema.causes(&custom.version, new, Some(old), warnings));
        }
    } else if part == Part::Status {
        if resource.kind == "Job" {
            causes.extend(job::status_causes(&new["status"]));
        }
    } else if differ(old, new) {
        causes.extend(validate::causes(resource, new));
        // A name that does not fit any more is that of a group or plural that was changed.
        causes.retain(|cause| cause.field != "metadata.name");
        causes.extend(validate::update_causes(resource, old, new));
    }
    refuse_if_any(resource, new, &causes)?;
    if part == Part::Main && resource.kind == "CustomResourceDefinition" {
        for warning in definition::warnings(old, new) {
            warnings.add(warning);
        }
    }
    Ok(())
}

fn refuse_if_any(resource: &Resource, object: &Value, causes: &[crate::api::Cause]) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let name = object::name(object);
    // Events are validated as the core group's, whichever API they came by.
    let group = if resource.kind == "Event" { "" } else { &resource.group };
    Err(Status::invalid_kind(group, &resource.kind, name, causes))
}

/// Everything wrong with the finalizers of a namespace's spec.
pub(crate) fn validate_finalizers(resource: &Resource, namespace: &Value) -> Result<(), Status> {
    refuse_if_any(resource, namespace, &metadata::spec_finalizers(namespace))
}

/// Whether an update must say which version it changes.
pub(crate) fn needs_version(resource: &Resource) -> bool {
    let versioned = matches!(
        resource.kind.as_str(),
        "Lease"
            | "PodDisruptionBudget"
            | "CustomResourceDefinition"
            | "MutatingWebhookConfiguration"
            | "ValidatingWebhookConfiguration"
    );
    resource.custom || versioned
}

/// Seconds an object stays after its deletion was asked for.
pub(crate) fn grace_period(resource: &Resource, object: &Value, asked: Option<i64>) -> i64 {
    if resource.is("", "pods") { pod::grace_period(object, asked) } else { 0 }
}

/// What changes in an object whose deletion begins.
pub(crate) fn on_terminating(resource: &Resource, object: &mut Value) {
    if resource.is("", "namespaces") {
        object["status"]["phase"] = json!("Terminating");
        object::entry(object, "metadata").shift_remove("deletionGracePeriodSeconds");
    }
}

/// An object of a kind that has its own way to begin to end, as it is then.
pub(crate) fn begin_deletion(api: &Api, resource: &Resource, object: &Value) -> Option<Value> {
    (is_definition(resource) && !object::is_terminating(object)).then(|| definition::termination::mark(api, object))
}

pub(crate) fn is_definition(resource: &Resource) -> bool {
    resource.is("apiextensions.k8s.io", "customresourcedefinitions")
}

/// Why nothing new of a kind gets in.
///
/// # Errors
/// 403 when its definition is being deleted.
pub(crate) fn check_creatable(api: &Api, resource: &Resource, name: &str) -> Result<(), Status> {
    if !api.registry().is_terminating(resource) {
        return Ok(());
    }
    let why = "create not allowed while custom resource definition is terminating";
    Err(Status::forbidden(resource, name, why))
}

/// Why an object may not be deleted, whoever asks.
///
/// # Errors
/// 403 with the real server's wording.
pub(crate) fn check_deletable(resource: &Resource, name: &str) -> Result<(), Status> {
    if resource.is("", "namespaces") { namespace::check_deletable(resource, name) } else { Ok(()) }
}

/// What happens to dependents when nobody says.
pub(crate) fn default_propagation(resource: &Resource) -> Option<Propagation> {
    (resource.kind == "Job").then_some(Propagation::Orphan)
}

/// What follows from a write.
pub(crate) fn after_write(api: &Api, resource: &Resource, object: &Value) {
    match resource.kind.as_str() {
        "CustomResourceDefinition" => definition::written(api, resource, object),
        "Namespace" => namespace::furnish(api, object),
        "ClusterRole" => role::aggregate(api, resource),
        _ => {}
    }
}

/// What follows from a deletion.
pub(crate) fn after_delete(api: &Api, resource: &Resource, object: &Value) {
    match resource.kind.as_str() {
        "CustomResourceDefinition" => definition::removed(api, resource, object),
        "ServiceAccount" => namespace::refurnish(api, object::namespace(object)),
        "ClusterRole" => role::aggregate(api, resource),
        _ => {}
    }
}
