//! The small companions of pods: disruption budgets, the Events that name a probe, and kept definitions.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;

use super::{
    pod::PodRecord,
    record::{RawMeta, moment, watched},
};
use crate::healing::{
    cause::Probe,
    snapshot::{LastKnownGood, Readiness, Tool},
};

/// A disruption budget in the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawBudget")]
pub struct Budget {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// Pods it covers; none where the selector cannot be read, and then it covers all, to be on the safe side.
    selector: Option<Selector>,
    allowed: i64,
    healthy: i64,
    desired: i64,
    always_allow_unhealthy: bool,
}
watched!(Budget, "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBudget {
    metadata: RawMeta,
    #[serde(default)]
    spec: RawBudgetSpec,
    #[serde(default)]
    status: RawBudgetStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawBudgetSpec {
    selector: Option<LabelSelector>,
    unhealthy_pod_eviction_policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawBudgetStatus {
    disruptions_allowed: i64,
    current_healthy: i64,
    desired_healthy: i64,
}

impl From<RawBudget> for Budget {
    fn from(raw: RawBudget) -> Self {
        Self {
            meta: raw.metadata.object_meta(),
            selector: raw.spec.selector.and_then(|selector| selector.try_into().ok()),
            allowed: raw.status.disruptions_allowed,
            healthy: raw.status.current_healthy,
            desired: raw.status.desired_healthy,
            always_allow_unhealthy: raw.spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow"),
        }
    }
}

impl Budget {
    /// Whether the API server would refuse to evict the pod now, as recorded of the eviction subresource: a pod that is
    /// not ready may go when its budget is met without it.
    pub fn refuses(&self, pod: &PodRecord) -> bool {
        let covers = self.selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels));
        let ready = matches!(pod.pod.ready, Readiness::Ready(_));
        let unready_may_go = self.always_allow_unhealthy || (self.healthy >= self.desired && self.desired > 0);
        covers && self.allowed <= 0 && (ready || !unready_may_go)
    }
}

/// A `Killing` or `Unhealthy` Event of a pod. It names a probe and proves nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawEvent")]
pub struct ProbeEvent {
    /// Name, namespace, UID and resourceVersion of the Event.
    pub meta: ObjectMeta,
    /// UID of the pod.
    pub pod_uid: String,
    /// Name of the container.
    pub container: String,
    /// The probe that it names, if it names one.
    pub probe: Option<Probe>,
    /// When it was last seen.
    pub seen: Option<Timestamp>,
}
watched!(ProbeEvent, "", "v1", "Event", "events");

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    metadata: RawMeta,
    #[serde(default)]
    involved_object: RawInvolved,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    last_timestamp: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawInvolved {
    kind: String,
    uid: String,
    field_path: String,
}

impl From<RawEvent> for ProbeEvent {
    fn from(raw: RawEvent) -> Self {
        let message = raw.message.unwrap_or_default();
        let about_killing = raw.involved_object.kind == "Pod" && raw.reason.as_deref() == Some("Killing");
        // "Container app failed liveness probe, will be restarted", as recorded in `liveness-fails`.
        let probe = [(Probe::Liveness, "failed liveness probe"), (Probe::Startup, "failed startup probe")]
            .into_iter()
            .find(|(_, words)| about_killing && message.contains(words))
            .map(|(probe, _)| probe);
        let path = &raw.involved_object.field_path;
        let container = path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}')).unwrap_or_default();
        Self {
            meta: raw.metadata.object_meta(),
            pod_uid: raw.involved_object.uid,
            container: container.to_owned(),
            probe,
            seen: raw.last_timestamp,
        }
    }
}

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
            managed_by: text(revision_mark::MANAGED_BY).and_then(|tool| Tool::parse(&tool)),
            controlled: text(revision_mark::CONTROLLED).as_deref() == Some("true"),
        };
        Self { meta: raw.metadata.object_meta(), good }
    }
}
