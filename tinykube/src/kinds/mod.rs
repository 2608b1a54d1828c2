//! What is special about a kind: decoding, defaults, validation, grace.

use serde_json::{Value, json};

use crate::api::{Api, Options, Part, Status};
use crate::object;
use crate::resource::Resource;

/// Brings an object that came from a client into shape.
pub(crate) fn decode(
    _api: &Api,
    resource: &Resource,
    object: &mut Value,
    _options: &Options,
) -> Result<(), Status> {
    let members = object::map(object);
    members.insert("apiVersion".into(), resource.api_version().into());
    members.insert("kind".into(), resource.kind.clone().into());
    Ok(())
}

/// What a new object starts with.
pub(crate) fn prepare_create(_api: &Api, resource: &Resource, object: &mut Value) {
    let counts = matches!(
        resource.kind.as_str(),
        "Deployment"
            | "ReplicaSet"
            | "StatefulSet"
            | "DaemonSet"
            | "Pod"
            | "PodDisruptionBudget"
            | "CustomResourceDefinition"
    );
    if counts || resource.custom {
        object["metadata"]["generation"] = json!(1);
    }
    if resource.status && resource.kind != "Node" {
        object::map(object).shift_remove("status");
    }
    if resource.is("", "namespaces") {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
    }
}

/// What a change may not touch.
pub(crate) fn prepare_update(
    _api: &Api,
    resource: &Resource,
    part: Part,
    old: &Value,
    new: &mut Value,
) {
    match part {
        Part::Main if resource.status => {
            let members = object::map(new);
            match old.get("status") {
                Some(status) => members.insert("status".into(), status.clone()),
                None => members.shift_remove("status"),
            };
        }
        Part::Main | Part::Scale => {}
        Part::Status => {
            let status = new.get("status").cloned();
            *new = old.clone();
            if let Some(status) = status {
                new["status"] = status;
            }
        }
    }
}

/// Everything wrong with a new object.
pub(crate) fn validate_create(
    _api: &Api,
    _resource: &Resource,
    _object: &Value,
) -> Result<(), Status> {
    Ok(())
}

/// Everything wrong with a change.
pub(crate) fn validate_update(
    _api: &Api,
    _resource: &Resource,
    _part: Part,
    _old: &Value,
    _new: &Value,
) -> Result<(), Status> {
    Ok(())
}

/// Seconds an object stays after its deletion was asked for.
pub(crate) fn grace_period(resource: &Resource, object: &Value, asked: Option<i64>) -> i64 {
    if !resource.is("", "pods")
        || object["spec"]["nodeName"]
            .as_str()
            .is_none_or(str::is_empty)
    {
        return 0;
    }
    if matches!(
        object["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    ) {
        return 0;
    }
    asked
        .or_else(|| object["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30)
        .max(0)
}

/// What changes in an object whose deletion begins.
pub(crate) fn on_terminating(resource: &Resource, object: &mut Value) {
    if resource.is("", "namespaces") {
        object["status"]["phase"] = json!("Terminating");
    }
}

/// What follows from a write.
pub(crate) fn after_write(_api: &Api, _resource: &Resource, _object: &Value) {}

/// What follows from a deletion.
pub(crate) fn after_delete(_api: &Api, _resource: &Resource, _object: &Value) {}
