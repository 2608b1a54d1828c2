//! Reporting: what people and receivers of alerts are told.
//!
//! Owns the alerts, and whether the service was said to be degraded.

mod alerts;
mod conditions;

pub use self::conditions::is_unrecovered;
use self::{alerts::Scene, conditions::Decided};
use crate::{
    assess::escalate,
    circuit::summary,
    model::{
        condition::{Condition, ConditionType},
        decision::{Decision, Intent},
        fleet::Fleet,
        snapshot::{Snapshot, Workload},
        state::State,
        verdict::{Health, Verdict},
    },
    propose::Situation,
};

/// What is to be told.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// What is known of the service.
    pub situation: &'a Situation<'a>,
    /// All services, this one as it is now.
    pub fleet: &'a Fleet,
    /// What is to be done.
    pub intent: Intent,
}

/// The decision, with all that is said about it.
pub fn report(report: Report<'_>, mut state: State) -> Decision {
    let Report { situation, fleet, intent } = report;
    let Situation { inputs, observed, findings, verdict, .. } = *situation;
    let escalation = escalate(inputs, fleet, verdict, &state);
    let notices = alerts::update(&Scene { situation, fleet, escalation: escalation.as_ref() }, &mut state);
    let decided = Decided { situation, intent: &intent, escalation: escalation.as_ref(), state: &state };
    let conditions = conditions::conditions(&decided);
    state.health.degraded = is_degraded(&conditions);
    let window = inputs.policy.health.restart_window;
    let restarts = state.observed.containers.iter().map(|record| record.restarts_within(window, inputs.now()));
    Decision {
        verdict: verdict.clone(),
        findings: findings.to_vec(),
        intent,
        dependencies: observed.dependencies.clone(),
        restarts_in_window: restarts.fold(0, u32::saturating_add),
        circuit: summary(&inputs.policy.breaker, &state, inputs.now()),
        record_good: is_new_good(inputs.snapshot, &observed.workload, verdict),
        escalation,
        notices,
        conditions,
        state,
        next_check: inputs.moment.next(),
    }
}

fn is_degraded(conditions: &[Condition]) -> bool {
    let degraded = conditions.iter().find(|one| one.kind == ConditionType::Degraded);
    degraded.is_some_and(|one| is_unrecovered(one.status.as_str(), one.reason.as_str()))
}

/// The workload is as it should be and its definition is new, or was kept with fewer replicas: no more are created again than
/// were kept. Fewer are no news, so that an autoscaler that goes up and down has a definition kept once.
fn is_new_good(snapshot: &Snapshot, workload: &Workload, verdict: &Verdict) -> bool {
    let Workload::Present(workload) = workload else { return false };
    let is_known = snapshot.last_known_good.as_ref().is_some_and(|good| {
        good.definition == workload.definition && good.replicas.is_none_or(|kept| kept >= workload.desired)
    });
    verdict.health == Health::Healthy && workload.rollout.is_settled() && !workload.deleting && !is_known
}
