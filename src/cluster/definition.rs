//! The definition of a workload: what is compared, what is kept, and what must not be kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::digest;
use kubeheal_core::model::snapshot::Tool;

/// Labels and annotations by which GitOps tools recognise what is theirs. On something that kubeheal creates they would
/// make the tool believe that it made it, and prune it.
const TRACKING: [&str; 7] = [
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Annotation on a workload that is at zero because its circuit opened.
pub(super) const SCALED_DOWN: &str = "kubeheal.dev/scaled-down";

/// Annotations that the workload's own controller writes, and ours.
const DERIVED: [&str; 3] =
    ["deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation", SCALED_DOWN];

/// Digest of what can change in a bare pod: its images.
pub fn pod_digest(uid: &str, images: &[&str]) -> String {
    digest(&json!([uid, images]))
}

/// A workload's spec without the number of replicas, which is not part of what was known to be good.
pub fn essence(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        map.remove("replicas");
    }
    spec
}

/// The tool that manages the object, by the marks it leaves.
pub fn managed_by(labels: &BTreeMap<String, String>, annotations: &BTreeMap<String, String>) -> Option<Tool> {
    let has = |prefix: &str| {
        labels.keys().any(|key| key.starts_with(prefix)) || annotations.keys().any(|key| key.starts_with(prefix))
    };
    if has("argocd.argoproj.io/") {
        Some(Tool::ArgoCd)
    } else if has("kustomize.toolkit.fluxcd.io/") || has("helm.toolkit.fluxcd.io/") {
        Some(Tool::Flux)
    } else if has("meta.helm.sh/") || labels.get("app.kubernetes.io/managed-by").is_some_and(|tool| tool == "Helm") {
        Some(Tool::Helm)
    } else {
        None
    }
}

/// What is kept as last known good: everything a person wrote, nothing that identifies this one object or that others
/// own.
pub fn sanitize(object: &Value) -> Value {
    let mut kept = Map::new();
    for field in ["apiVersion", "kind", "spec"] {
        if let Some(value) = object.get(field) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    let mut metadata = Map::new();
    for field in ["name", "namespace"] {
        if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    for field in ["labels", "annotations"] {
        let Some(map) = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_object) else { continue };
        let own: Map<_, _> = map
            .iter()
            .filter(|(key, _)| !TRACKING.contains(&key.as_str()) && !DERIVED.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !own.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(own));
        }
    }
    kept.insert("metadata".to_owned(), Value::Object(metadata));
    if kept.get("kind").and_then(Value::as_str) == Some("Pod") {
        forget_placement(&mut kept);
    }
    Value::Object(kept)
}

/// A pod's spec says where it ran and how it was looked into, and carries a token volume that the API server adds again.
fn forget_placement(pod: &mut Map<String, Value>) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.remove("nodeName");
    spec.remove("serviceAccount");
    spec.remove("ephemeralContainers");
    let is_token = |item: &Value| {
        item.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("kube-api-access-"))
    };
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_token(volume));
    }
    for group in ["containers", "initContainers"] {
        let Some(containers) = spec.get_mut(group).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|mount| !is_token(mount));
            }
        }
    }
}
