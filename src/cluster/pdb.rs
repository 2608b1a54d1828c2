//! Disruption budgets.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;

use super::{
    pod::PodRecord,
    record::{RawMeta, watched},
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
        let ready = pod.pod.is_ready();
        let unready_may_go = self.always_allow_unhealthy || (self.healthy >= self.desired && self.desired > 0);
        covers && self.allowed <= 0 && (ready || !unready_may_go)
    }
}
