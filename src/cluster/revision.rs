//! Kept definitions, as their annotations describe them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubeheal_core::model::snapshot::{LastKnownGood, Tool};
use serde::Deserialize;

use super::record::{RawMeta, watched};

/// A kept definition in the cache: only what its annotations say about it; the definition itself stays in the cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawRevision")]
pub struct Revision {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// What deciding reads.
    pub good: LastKnownGood,
}
watched!(Revision, "apps", "v1", "ControllerRevision", "controllerrevisions");

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
}

#[derive(Debug, Deserialize)]
struct RawRevision {
    metadata: RawMeta,
}

impl From<RawRevision> for Revision {
    fn from(raw: RawRevision) -> Self {
        let text = |key: &str| raw.metadata.annotations.get(key).cloned();
        let good = LastKnownGood {
            revision: raw.metadata.name.clone(),
            definition: text(revision_mark::DEFINITION).unwrap_or_default(),
            template: text(revision_mark::TEMPLATE).unwrap_or_default(),
            recorded: None,
            managed_by: text(revision_mark::MANAGED_BY).and_then(|tool| tool.parse::<Tool>().ok()),
            controlled: text(revision_mark::CONTROLLED).as_deref() == Some("true"),
        };
        Self { meta: raw.metadata.object_meta(), good }
    }
}
