//! Kept definitions, as their annotations describe them, and what shows that kubeheal kept them.
//!
//! Who may write ControllerRevisions may write anything into them. So nothing in one is believed that is not signed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kubeheal_core::model::snapshot::{LastKnownGood, Tool, WorkloadKind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    record::{RawMeta, watched},
    signature::{SigningKey, fingerprint},
};
use crate::{api::HealedService, base::target_of};

/// A kept definition in the cache: only what its annotations say about it, and what proves them; the definition itself stays in
/// the cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawRevision")]
pub struct Revision {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// What deciding reads.
    pub good: LastKnownGood,
    /// What shows that kubeheal kept it.
    pub proof: Proof,
}
watched!(Revision, "apps", "v1", "ControllerRevision", "controllerrevisions");

/// What shows that kubeheal kept a definition, and of what.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// UID of the controller among its owners.
    pub owner: Option<String>,
    /// UID of the service that it is marked for.
    pub marked_for: Option<String>,
    /// UID of the workload that it was read from.
    pub workload: String,
    /// Of which workload the definition is: `apiVersion`, `kind`, namespace and name.
    pub of: Value,
    /// Fingerprint of the whole definition.
    pub content: String,
    /// The signature under all of it.
    pub signature: Option<String>,
}

/// Labels and annotations of the ControllerRevisions that kubeheal keeps.
pub mod revision_mark {
    /// Label that all of them carry.
    pub const LABEL: &str = "kubeheal.dev/last-known-good";
    /// Annotation: digest of the whole definition.
    pub const DEFINITION: &str = "kubeheal.dev/definition";
    /// Annotation: digest of the pod template.
    pub const TEMPLATE: &str = "kubeheal.dev/template";
    /// Annotation: the GitOps tool that owned the workload.
    pub const MANAGED_BY: &str = "kubeheal.dev/managed-by";
    /// Annotation: the workload had a controller owner.
    pub const CONTROLLED: &str = "kubeheal.dev/controlled";
    /// Annotation: UID of the workload.
    pub const WORKLOAD: &str = "kubeheal.dev/workload-uid";
    /// Annotation: the signature.
    pub const SIGNATURE: &str = "kubeheal.dev/signature";
}

#[derive(Debug, Deserialize)]
struct RawRevision {
    metadata: RawMeta,
    #[serde(default)]
    data: Value,
}

impl From<RawRevision> for Revision {
    fn from(raw: RawRevision) -> Self {
        let text = |key: &str| raw.metadata.annotations.get(key).cloned();
        let good = LastKnownGood {
            revision: raw.metadata.name.clone(),
            definition: text(revision_mark::DEFINITION).unwrap_or_default(),
            template: text(revision_mark::TEMPLATE).unwrap_or_default(),
            replicas: replicas(&raw.data),
            recorded: None,
            managed_by: text(revision_mark::MANAGED_BY).and_then(|tool| tool.parse::<Tool>().ok()),
            controlled: text(revision_mark::CONTROLLED).as_deref() == Some("true"),
        };
        let proof = Proof {
            owner: raw.metadata.controller(),
            marked_for: raw.metadata.labels.get(revision_mark::LABEL).cloned(),
            workload: text(revision_mark::WORKLOAD).unwrap_or_default(),
            of: identity(&raw.data),
            content: fingerprint(&raw.data),
            signature: text(revision_mark::SIGNATURE),
        };
        Self { meta: raw.metadata.object_meta(), good, proof }
    }
}

impl Revision {
    /// Why it must not be used for the service; `None` if this controller kept it, of the workload that the service names, and
    /// nobody changed it since.
    pub fn doubt(&self, service: &HealedService, key: &SigningKey) -> Option<String> {
        let Proof { owner, marked_for, of, signature, .. } = &self.proof;
        let uid = service.uid().filter(|uid| !uid.is_empty());
        let (kind, (_, name)) = target_of(service);
        if uid.is_none() || *owner != uid {
            return Some("it does not belong to this HealedService".to_owned());
        }
        if *marked_for != uid {
            return Some("its marks are not of this HealedService".to_owned());
        }
        if *of != wanted(service) {
            return Some(format!("it holds another workload than {} {name}", kind.as_str()));
        }
        let Some(signature) = signature else {
            return Some("it has no signature: an older kubeheal kept it, or somebody else made it".to_owned());
        };
        let is_signed = key.has_signed(&self.signed_for(service), signature);
        let why = "its signature is wrong: somebody made or changed it, or the key is a new one";
        (!is_signed).then(|| why.to_owned())
    }

    /// The signature that it is to have.
    pub fn signature(&self, service: &HealedService, key: &SigningKey) -> String {
        key.sign(&self.signed_for(service))
    }

    /// All that must not be another one. Changing what is in here makes what older versions signed worthless.
    fn signed_for(&self, service: &HealedService) -> Value {
        let LastKnownGood { definition, template, managed_by, controlled, revision: _, replicas: _, recorded: _ } =
            &self.good;
        let Proof { workload, content, owner: _, marked_for: _, of: _, signature: _ } = &self.proof;
        json!({
            "for": "kubeheal.dev/last-known-good/v1",
            "service": service.uid(),
            "of": wanted(service),
            "workload": workload,
            "definition": definition,
            "template": template,
            "managedBy": managed_by.map(Tool::as_str),
            "controlled": controlled,
            "content": content,
        })
    }
}

/// How many replicas a definition asks for. It is part of its content.
pub fn replicas(definition: &Value) -> Option<u32> {
    definition.pointer("/spec/replicas").and_then(Value::as_u64).and_then(|replicas| u32::try_from(replicas).ok())
}

/// Of which workload a definition is.
pub fn identity(definition: &Value) -> Value {
    json!({
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "namespace": definition["metadata"]["namespace"],
        "name": definition["metadata"]["name"],
    })
}

/// The workload that the service names.
fn wanted(service: &HealedService) -> Value {
    let (kind, (namespace, name)) = target_of(service);
    let group = match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => "apps/v1",
        WorkloadKind::Pod => "v1",
    };
    json!({"apiVersion": group, "kind": kind.as_str(), "namespace": namespace, "name": name})
}
