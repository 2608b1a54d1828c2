//! Disruption budgets, and what the API server would make of them if a pod were evicted now.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;

use super::{
    pod::PodRecord,
    record::{RawMeta, watched},
};
use crate::diagnosis::line;
use kubeheal_core::model::snapshot::{BudgetRefusal, Phase};

/// Longest name of a budget, in characters: as long as a name may be.
const MAX_NAME: usize = 253;

/// A disruption budget in the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawBudget")]
pub struct Budget {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    covers: Covers,
    allowed: i64,
    healthy: i64,
    desired: i64,
    /// Its spec is newer than its counts.
    uncounted: bool,
    always_allow_unhealthy: bool,
}
watched!(Budget, "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");

/// The pods that a budget covers.
#[derive(Debug, Clone)]
enum Covers {
    /// It has no selector.
    Nothing,
    /// Those with these labels; an empty selector covers all of the namespace.
    Selected(Selector),
    /// It has a selector that we do not understand. Its no holds for every pod, to be on the safe side; that it covers a pod
    /// beside another budget is not said.
    Unreadable,
}

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
    observed_generation: i64,
    disruptions_allowed: i64,
    current_healthy: i64,
    desired_healthy: i64,
}

impl From<RawBudget> for Budget {
    fn from(raw: RawBudget) -> Self {
        let covers = match raw.spec.selector.map(Selector::try_from) {
            None => Covers::Nothing,
            Some(Ok(selector)) => Covers::Selected(selector),
            Some(Err(_)) => Covers::Unreadable,
        };
        Self {
            meta: raw.metadata.object_meta(),
            covers,
            allowed: raw.status.disruptions_allowed,
            healthy: raw.status.current_healthy,
            desired: raw.status.desired_healthy,
            uncounted: raw.status.observed_generation < raw.metadata.generation,
            always_allow_unhealthy: raw.spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow"),
        }
    }
}

/// Why the API server would refuse to evict the pod now, asked in its own order: of a pod that has not begun or is over no
/// budget is asked, of any other there must not be two.
pub(super) fn refusal<'a>(
    budgets: impl Iterator<Item = (&'a str, &'a Budget)>,
    pod: &PodRecord,
) -> Option<BudgetRefusal> {
    if needs_no_budget(pod) {
        return None;
    }
    let named = |(name, budget): (&str, &'a Budget)| (line(name, MAX_NAME), budget);
    let covering: Vec<(String, &Budget)> = budgets.filter(|(_, budget)| budget.may_cover(pod)).map(named).collect();
    let certain = covering.iter().filter(|(_, budget)| budget.is_readable());
    let budgets: Vec<String> = certain.map(|(name, _)| name.clone()).collect();
    if budgets.len() > 1 {
        return Some(BudgetRefusal::Several { budgets });
    }
    covering.into_iter().find_map(|(name, budget)| budget.refuses(name, pod.pod.is_ready()))
}

/// Such a pod serves nobody.
fn needs_no_budget(pod: &PodRecord) -> bool {
    match pod.pod.phase {
        Phase::Pending | Phase::Succeeded | Phase::Failed => true,
        Phase::Running | Phase::Unknown => pod.pod.is_deleting(),
    }
}

impl Budget {
    fn may_cover(&self, pod: &PodRecord) -> bool {
        match &self.covers {
            Covers::Nothing => false,
            Covers::Selected(selector) => selector.matches(&pod.labels),
            Covers::Unreadable => true,
        }
    }

    fn is_readable(&self) -> bool {
        match self.covers {
            Covers::Nothing | Covers::Selected(_) => true,
            Covers::Unreadable => false,
        }
    }

    /// A pod that is not ready may go when the budget is met without it, however old the counts are; only what is taken from
    /// the budget needs counts of its newest spec.
    fn refuses(&self, name: String, ready: bool) -> Option<BudgetRefusal> {
        let met = self.healthy >= self.desired && self.desired > 0;
        if !ready && (self.always_allow_unhealthy || met) {
            return None;
        }
        if self.uncounted {
            return Some(BudgetRefusal::NotCounted { budget: name });
        }
        (self.allowed <= 0).then_some(BudgetRefusal::NothingAllowed { budget: name, unready: !ready })
    }
}
