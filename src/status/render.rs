//! Decision → status.
//!
//! Cuts what the schema bounds, keeps `lastTransitionTime` of conditions that did not flip, and writes no default twice.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kubeheal_core::model::{
    self,
    cause::Probe,
    condition::{ConditionType, Truth},
    decision::{CircuitSummary, Decision},
    moment::clamp,
    plan::Plan,
    state::{History, State},
    text::{MAX_MESSAGE, cut},
    verdict::Health,
};

use super::available::available_since;
use crate::api::status::{
    Block, CircuitStatus, DependencyStatus, EffectivePolicy, Finding, HealedServiceStatus, HealthState, LastKnownGood,
    MAX_BLOCKS, MAX_FINDINGS, NextAction, PodCounts, ProbeKind,
};

/// What goes with a decision into the status.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The generation of the object that was judged.
    pub generation: Option<i64>,
    /// The kept definition of the workload.
    pub good: Option<LastKnownGood>,
    /// The settings that apply.
    pub policy: Option<EffectivePolicy>,
}

/// The status that says what was decided. `old` is what stands there now.
pub fn render(decision: &Decision, old: &HealedServiceStatus, beside: Beside, now: Timestamp) -> HealedServiceStatus {
    let Beside { generation, good, policy } = beside;
    let held = decision.proposal().filter(|_| decision.plan().is_none());
    let mut status = HealedServiceStatus {
        observed_generation: generation,
        health: Some(health(decision.verdict.health)),
        conditions: conditions(decision, old, generation, now),
        pods: Some(pods(decision)),
        restarts_in_window: Some(number(decision.restarts_in_window)),
        findings: decision.findings.iter().take(MAX_FINDINGS).map(finding).collect(),
        next_action: held.map(|plan| next(plan, decision)),
        blocked_by: decision.blocked_by().iter().take(MAX_BLOCKS).map(block).collect(),
        dependencies: dependencies(decision),
        last_known_good: good,
        effective_policy: policy,
        ..HealedServiceStatus::default()
    };
    store(&mut status, &decision.state, decision.circuit);
    status
}

/// Puts the state into a status, for a decision or for what became of it.
pub fn store(status: &mut HealedServiceStatus, state: &State, circuit: CircuitSummary) {
    status.circuit = Some(CircuitStatus {
        state: state.circuit.state(),
        ineffective: number(circuit.ineffective),
        openings: number(state.circuit.openings),
        opened_at: state.circuit.opening().map(|opening| Time(opening.at)),
        retry_at: circuit.retry_at.map(Time),
    });
    status.history = state.history.clone();
    status.memory = State { history: History::default(), ..state.clone() };
}

fn conditions(
    decision: &Decision,
    old: &HealedServiceStatus,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let stamp = |condition: &model::condition::Condition| {
        let kind = condition.kind.as_str();
        let status = condition.status.as_str();
        let unflipped = old.conditions.iter().find(|known| known.type_ == kind && known.status == status);
        let since = match (unflipped, condition.kind, condition.status) {
            (Some(known), _, _) => known.last_transition_time.0,
            // An older build did not say it, and it has been so for as long as others could rely on the service.
            (None, ConditionType::Available, Truth::True) => available_since(old).unwrap_or(now),
            (None, _, _) => now,
        };
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: condition.reason.as_str().to_owned(),
            message: cut(&condition.message, MAX_MESSAGE),
            observed_generation: generation,
            // One from the future is another clock's.
            last_transition_time: Time(clamp(since, now)),
        }
    };
    decision.conditions.iter().map(stamp).collect()
}

fn health(health: Health) -> HealthState {
    match health {
        Health::Healthy => HealthState::Healthy,
        Health::Degraded => HealthState::Degraded,
        Health::Unhealthy => HealthState::Unhealthy,
        Health::Starting => HealthState::Starting,
        Health::Idle => HealthState::Idle,
        Health::Unknown => HealthState::Unknown,
    }
}

fn pods(decision: &Decision) -> PodCounts {
    let model::verdict::PodCounts { desired, needed: _, ready, starting, unhealthy, lost: _, unready: _ } =
        decision.verdict.pods;
    PodCounts {
        desired: number(desired),
        ready: number(ready),
        starting: number(starting),
        unhealthy: number(unhealthy),
    }
}

fn finding(found: &model::finding::Finding) -> Finding {
    Finding {
        pod: found.place.uid().map(|_| found.place.object().to_owned()),
        uid: owned(found.place.uid()),
        container: owned(found.place.container()),
        probe: found.probe.map(|probe| match probe {
            Probe::Startup => ProbeKind::Startup,
            Probe::Readiness => ProbeKind::Readiness,
            Probe::Liveness => ProbeKind::Liveness,
        }),
        cause: found.cause.as_str().to_owned(),
        diagnosis: found.diagnosis.clone(),
        since: Time(found.since),
        message: cut(&found.message, MAX_MESSAGE),
    }
}

fn next(plan: &Plan, decision: &Decision) -> NextAction {
    NextAction {
        step: plan.action.step.as_str().to_owned(),
        target: plan.action.target.clone(),
        not_before: decision.state.attempts.pause.as_ref().map(|pause| Time(pause.until())),
    }
}

fn block(block: &model::reason::Block) -> Block {
    Block { reason: block.reason.as_str().to_owned(), message: cut(&block.message, MAX_MESSAGE) }
}

fn dependencies(decision: &Decision) -> Vec<DependencyStatus> {
    let status = |(dependency, ready): &(model::dependency::Dependency, bool)| DependencyStatus {
        name: dependency.name.clone(),
        namespace: dependency.namespace.clone(),
        ready: *ready,
        root: dependency.root.clone(),
    };
    decision.dependencies.each.iter().map(status).collect()
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
