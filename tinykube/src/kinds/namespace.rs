//! Namespaces: their finalizer, their label, and what the control plane puts into every one.

use serde_json::{Value, json};

use crate::api::{Api, Status};
use crate::object;
use crate::resource::Resource;

/// The `ConfigMap` with the root certificate.
pub(crate) const ROOT_CA: &str = "kube-root-ca.crt";

/// Namespaces that stay.
const LASTING: [&str; 3] = ["default", "kube-system", "kube-public"];

/// A namespace the cluster needs may not be deleted.
///
/// # Errors
/// 403 with the real server's wording.
pub(super) fn check_deletable(namespaces: &Resource, name: &str) -> Result<(), Status> {
    if !LASTING.contains(&name) {
        return Ok(());
    }
    Err(Status::forbidden(namespaces, name, "this namespace may not be deleted"))
}

/// The name of a namespace is a label of it.
pub(super) fn defaults(object: &mut Value) {
    let name = object::name(object).to_owned();
    if !name.is_empty() {
        object::entry(object, "metadata");
        let labels = object::entry(&mut object["metadata"], "labels");
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

/// A namespace starts with its finalizer.
pub(super) fn prepare(object: &mut Value) {
    defaults(object);
    object::entry(object, "spec").insert("finalizers".into(), json!(["kubernetes"]));
}

/// Only `finalize` changes `spec.finalizers`.
pub(super) fn keep_finalizers(old: &Value, new: &mut Value) {
    if let Some(finalizers) = old["spec"].get("finalizers") {
        object::entry(new, "spec").insert("finalizers".into(), finalizers.clone());
    }
}

/// The service account every namespace gets. A controller manager adds it moments later; here it is there at once, so
/// that nobody has to wait for it before creating pods.
pub(super) fn furnish(api: &Api, namespace: &Value) {
    if object::is_terminating(namespace) {
        return;
    }
    let name = object::name(namespace);
    put_if_missing(
        api,
        "serviceaccounts",
        name,
        json!({
            "kind": "ServiceAccount",
            "apiVersion": "v1",
            "metadata": {"name": "default", "namespace": name},
        }),
    );
}

/// A namespace gets its account again when somebody has deleted it.
pub(super) fn refurnish(api: &Api, namespace: &str) {
    let found = api.resource("", "namespaces").and_then(|namespaces| api.store().get(&namespaces, "", namespace));
    if let Some(found) = found {
        furnish(api, &found.value());
    }
}

/// The root certificate of the cluster, for the pods of a namespace; nothing if it is there.
pub(crate) fn publish(api: &Api, namespace: &str) {
    put_if_missing(
        api,
        "configmaps",
        namespace,
        json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "name": ROOT_CA,
                "namespace": namespace,
                "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when \
                        using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage \
                        is guaranteed across distributions of Kubernetes clusters.",
                },
                "managedFields": [{
                    "manager": "kube-controller-manager",
                    "operation": "Update",
                    "apiVersion": "v1",
                    "time": api.clock().seconds(),
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:data": {".": {}, "f:ca.crt": {}},
                        "f:metadata": {"f:annotations": {".": {}, "f:kubernetes.io/description": {}}},
                    },
                }],
            },
            "data": {"ca.crt": ""},
        }),
    );
}

fn put_if_missing(api: &Api, plural: &str, namespace: &str, mut object: Value) {
    let Some(resource) = api.resource("", plural) else {
        return;
    };
    let name = object::name(&object).to_owned();
    if api.store().get(&resource, namespace, &name).is_none() {
        object["metadata"]["uid"] = api.random().uid().into();
        object["metadata"]["creationTimestamp"] = api.clock().seconds().into();
        api.store().write(&resource, namespace, &name, object);
    }
}
