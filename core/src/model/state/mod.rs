//! What a decision leaves for the next one. It lives in the object's status and nowhere else, so that a restart or a
//! failover of the controller changes nothing.
//!
//! Each part names the stages that change it; all others only read it, and `settle` takes in what came of an action. Bounds
//! keep the status small; what falls out is the oldest.

mod attempts;
mod circuit;
mod dependency;
mod health;
mod history;
mod log_evidence;
mod mitigation;
mod observed;
mod requests;

use jiff::Timestamp;

pub use self::{
    attempts::{
        ActionRecord, Attempts, InFlight, MAX_ACTIONS, MAX_NODES, MAX_RECENT, MAX_ROLLBACKS, NodeRecord, Outcome,
        Pause, RollbackRecord, Unproven,
    },
    circuit::{Circuit, CircuitPhase, CircuitState, Opening},
    dependency::{DependencyRecord, MAX_RESTARTED, PendingRestart},
    health::{Episode, HealthRecord, Shortage},
    history::{History, HistoryEntry, MAX_HISTORY},
    log_evidence::{LogEvidence, LogRead, MAX_LOGS},
    mitigation::{Change, Mitigation, MitigationPhase},
    observed::{
        BootEnd, ContainerRecord, FailedHook, KnownFinding, LONGEST_START, MAX_CONTAINERS, MAX_FINDINGS, MAX_RESTARTS,
        MAX_STARTS, ObservedState, PodRecord, Progress, SeenStarts, SlowestStart,
    },
    requests::Requests,
};
use super::{
    alert::{Alert, MAX_ALERTS, load_alerts},
    bounded::Bounded,
    moment::clamp,
    policy::Policy,
};

/// All that is remembered between two decisions.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What was seen of the workload and its pods. Changed by `observe`; the findings by
    /// `diagnose`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub observed: ObservedState,
    /// How long the service has been healthy or not. Changed by `assess`; `report` notes whether it was
    /// degraded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: HealthRecord,
    /// What was tried, and what is under way. `commit` begins an attempt, `circuit` ends it;
    /// `assess` notes the definition that proved stable.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: Attempts,
    /// The circuit breaker. Changed by `circuit`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub circuit: Circuit,
    /// What was changed because the circuit opened. `commit` begins it, `observe` follows what became
    /// of it, `circuit` drops it once it is obsolete.
    #[serde(default, deserialize_with = "mitigation::read", skip_serializing_if = "Option::is_none")]
    pub mitigation: Option<Mitigation>,
    /// What dependencies did to the service. Changed by `observe`; `circuit` ends a round of restarts that does not help.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dependency: DependencyRecord,
    /// What fires, and who knows. Changed by `report`.
    #[serde(default, skip_serializing_if = "Bounded::is_empty")]
    pub alerts: Bounded<Alert, MAX_ALERTS>,
    /// Annotations that were answered. Changed by `commit`; a reset by `circuit`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub requests: Requests,
    /// For people: what was done. It stands beside the rest in the status.
    #[serde(skip)]
    pub history: History,
}

impl State {
    /// The state as a decision may rely on it, whoever wrote it down: an instant that claims to lie in the future is pulled
    /// back to `now`, and a deadline that lies further ahead than any that this policy sets is pulled back to there. A clock
    /// that was ahead must not hold anything for ever.
    #[must_use]
    pub fn loaded(mut self, policy: &Policy, now: Timestamp) -> Self {
        self.observed.load(now);
        self.health.load(now);
        self.attempts.load(policy, now);
        self.circuit.load(&policy.breaker, now);
        self.mitigation.take_if(|mitigation| !mitigation.is_fit());
        if let Some(mitigation) = &mut self.mitigation {
            mitigation.load(policy, now);
        }
        self.dependency.load(now);
        load_alerts(&mut self.alerts, now);
        self.requests.load();
        self.history.load(now);
        self
    }
}

/// Pulls an instant that claims to lie in the future back to `now`.
fn past(instant: &mut Option<Timestamp>, now: Timestamp) {
    *instant = instant.map(|time| clamp(time, now));
}

fn is_default<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
}
