//! The fields a `HealedService` shares with policies: everything from `mode` to `alerts`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alerts::{Alerts, Escalation};
use super::circuit::CircuitBreaker;
use super::dependency::Dependency;
use super::diagnosis::Diagnosis;
use super::health::HealthCriteria;
use super::remediation::Remediation;

/// How a service is healed: everything from mode to alerts.
// One struct, flattened into HealedService.spec, so that a policy can hold the same fields under the same rules.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "HealingSettings::default")]
#[x_kube(
    validation = Rule::new("self.circuitBreaker.windowSeconds >= self.circuitBreaker.failureThreshold * (self.remediation.verifySeconds + self.remediation.backoff.maxSeconds)")
        // `format`, because the API server cannot bound the length of string(int) and refuses it in a concatenation.
        .message(Message::Expression("'circuitBreaker.windowSeconds is %d, so the circuit could never open: write at least %d, which is failureThreshold × (remediation.verifySeconds + remediation.backoff.maxSeconds)'.format([self.circuitBreaker.windowSeconds, self.circuitBreaker.failureThreshold * (self.remediation.verifySeconds + self.remediation.backoff.maxSeconds)])".into())),
)]
pub struct HealingSettings {
    /// Heal, or Observe: decide and report, never act.
    pub mode: Mode,

    /// Hold still: no check counts and nothing is done. The service is Idle.
    pub suspend: bool,

    /// When a pod, and the workload as a whole, counts as unhealthy.
    pub health: HealthCriteria,

    /// Other `HealedServices` that must be Available before this one is judged or touched.
    // Atomic: a map needs its keys in every entry, and namespace has no default to give, since ours differs by object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub depends_on: Vec<Dependency>,

    /// What may be done to an unhealthy workload.
    pub remediation: Remediation,

    /// When healing stops because it does not help.
    pub circuit_breaker: CircuitBreaker,

    /// How root causes are named.
    pub diagnosis: Diagnosis,

    /// When trouble is put to a person.
    pub escalation: Escalation,

    /// Where alerts go, besides Events and metrics.
    pub alerts: Alerts,
}

/// Whether kubeheal acts.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Decide, report and act.
    #[default]
    Heal,
    /// Decide and report, never act.
    Observe,
}
