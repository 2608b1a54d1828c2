//! Conditions: what is said in `status.conditions`, in the terms of kstatus.
//!
//! Only type, status, reason and message. When a condition flipped is stamped where it is written.

use crate::{
    gate::{older_service, paused},
    model::{
        alert::Severity,
        condition::{Condition, ConditionType, Truth},
        decision::Intent,
        dependency::Dependencies,
        inputs::Inputs,
        moment::humanize,
        policy::{Mode, SETTLING},
        reason::{Block, Reason},
        snapshot::{BudgetRefusal, Phase, Snapshot, Workload, WorkloadKind},
        state::{CircuitState, InFlight, State},
        verdict::{Escalation, Health, PodCounts, Verdict},
    },
    propose::Situation,
};

/// What conditions are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided<'a> {
    /// What is known of the service.
    pub situation: &'a Situation<'a>,
    /// What is to be done.
    pub intent: &'a Intent,
    /// Why a person is needed, if one is.
    pub escalation: Option<&'a Escalation>,
    /// The state that goes with it.
    pub state: &'a State,
}

impl Decided<'_> {
    fn inputs(&self) -> &Inputs<'_> {
        self.situation.inputs
    }

    fn in_flight(&self) -> Option<&InFlight> {
        self.state.attempts.in_flight.as_ref()
    }

    fn dependencies(&self) -> &Dependencies {
        &self.situation.observed.dependencies
    }

    /// Well, but too short a time after a crash to call it recovered.
    fn is_settling(&self) -> bool {
        let trouble = self.situation.verdict.health == Health::Healthy && !self.situation.findings.is_empty();
        let since = self.state.health.healthy_since.filter(|_| trouble);
        since.is_some_and(|since| !self.inputs().moment.lasts(since, SETTLING))
    }
}

/// All conditions of a decision.
pub(super) fn conditions(decided: &Decided<'_>) -> Vec<Condition> {
    let standing = standing(decided.inputs());
    vec![
        ready(decided, standing.as_ref()),
        available(decided.situation.verdict),
        reconciling(decided),
        stalled(decided),
        degraded(decided),
        circuit_open(decided),
        dependencies_ready(decided.dependencies()),
        remediation_allowed(decided, standing.as_ref()),
    ]
}

fn condition(kind: ConditionType, status: Truth, reason: Reason, message: impl Into<String>) -> Condition {
    Condition { kind, status, reason, message: message.into() }
}

/// What would hold a repair back: said before there is one to hold back.
fn standing(inputs: &Inputs<'_>) -> Option<Block> {
    let held = inputs.policy.held.clone();
    held.or_else(|| older_service(&inputs.snapshot.ownership)).or_else(|| paused(&inputs.policy.cluster))
}

fn ready(decided: &Decided<'_>, standing: Option<&Block>) -> Condition {
    let verdict = decided.situation.verdict;
    let status = match verdict.health {
        Health::Healthy | Health::Idle => Truth::True,
        Health::Degraded | Health::Unhealthy | Health::Starting => Truth::False,
        Health::Unknown => Truth::Unknown,
    };
    condition(ConditionType::Ready, status, verdict.reason, format!("{}{}", verdict.message, doing(decided, standing)))
}

/// Whether it serves, whatever else is wrong.
fn available(verdict: &Verdict) -> Condition {
    let PodCounts { desired, needed, ready, lost, .. } = verdict.pods;
    let (reason, message) = match (verdict.available, verdict.health) {
        (Truth::True, Health::Idle) | (Truth::False, _) | (Truth::Unknown, Health::Unknown | Health::Idle) => {
            (verdict.reason, verdict.message.clone())
        }
        (Truth::True, _) => (Reason::AsExpected, format!("{ready} of {desired} pods ready, {needed} needed")),
        (Truth::Unknown, _) => {
            let message =
                format!("{ready} of {desired} pods ready, {needed} needed; {lost} on a node that does not answer");
            (Reason::NodeLost, message)
        }
    };
    condition(ConditionType::Available, verdict.available, reason, message)
}

/// What is being done about it: people watch this one line.
fn doing(decided: &Decided<'_>, standing: Option<&Block>) -> String {
    if let Some(in_flight) = decided.in_flight() {
        return format!("; {} of {} is being verified", in_flight.action.step.as_str(), in_flight.action.target);
    }
    let block = decided.intent.blocked_by().first().or(standing);
    block.map(|block| format!("; held: {}", block.reason)).unwrap_or_default()
}

fn reconciling(decided: &Decided<'_>) -> Condition {
    match decided.in_flight() {
        Some(in_flight) => {
            let until = if decided.inputs().now() < in_flight.verify_by {
                format!("until {:.0}", in_flight.verify_by)
            } else {
                "for as long as a pod has time to end or to start".to_owned()
            };
            let (step, target, cause) =
                (in_flight.action.step.as_str(), &in_flight.action.target, in_flight.cause.as_str());
            let message = format!("{step} of {target} ({cause}) is being verified {until}");
            condition(ConditionType::Reconciling, Truth::True, Reason::Verifying, message)
        }
        None => condition(ConditionType::Reconciling, Truth::False, Reason::AsExpected, "nothing in flight"),
    }
}

fn stalled(decided: &Decided<'_>) -> Condition {
    let needs_person = |block: &&Block| {
        matches!(
            block.reason,
            Reason::PolicyNotFound
                | Reason::PolicyInvalid
                | Reason::WorkloadNotFound
                | Reason::NoLastKnownGood
                | Reason::LastKnownGoodRefused
                | Reason::SigningKeyMissing
                | Reason::DependencyUnknown
                | Reason::DependencyCycle
                | Reason::NotGranted
                | Reason::BreakerLatched
        ) || (block.reason == Reason::DisruptionBudget && is_covered_twice(decided))
    };
    let dependency = &decided.dependencies().held;
    let standing = decided.inputs().policy.held.iter().chain(dependency);
    let cause = decided.intent.blocked_by().iter().chain(standing).find(needs_person);
    match cause {
        Some(block) => condition(ConditionType::Stalled, Truth::True, block.reason, &block.message),
        None => match decided.escalation.filter(|known| known.severity == Severity::Critical) {
            Some(known) => condition(ConditionType::Stalled, Truth::True, known.reason, &known.message),
            None => condition(ConditionType::Stalled, Truth::False, Reason::AsExpected, "no person is needed"),
        },
    }
}

/// The pod that is to go is covered by budgets in a way that only a person can change.
fn is_covered_twice(decided: &Decided<'_>) -> bool {
    let target = decided.intent.proposal().and_then(|plan| plan.action.target_uid.as_ref());
    let pod = decided.inputs().snapshot.pods.iter().find(|pod| Some(&pod.uid) == target);
    pod.and_then(|pod| pod.refusal.as_ref()).is_some_and(BudgetRefusal::needs_person)
}

fn degraded(decided: &Decided<'_>) -> Condition {
    let verdict = decided.situation.verdict;
    // A rollout has fewer pods ready by design; it is said by Ready and is no reason for alarm.
    let holds =
        matches!(verdict.health, Health::Degraded | Health::Unhealthy) && verdict.reason != Reason::RolloutInProgress;
    let is_settling = decided.is_settling();
    // A repair under way has not recovered anything yet.
    let repair = decided.in_flight().filter(|_| verdict.health == Health::Starting);
    if holds {
        condition(ConditionType::Degraded, Truth::True, verdict.reason, &verdict.message)
    } else if let Some(repair) = repair {
        condition(ConditionType::Degraded, Truth::True, repair.cause, &verdict.message)
    } else if let Some(finding) = decided.situation.findings.first().filter(|_| is_settling) {
        let message = format!("{}, but not yet for {}: {}", verdict.message, humanize(SETTLING), finding.message);
        condition(ConditionType::Degraded, Truth::True, finding.cause.reason(), message)
    } else if decided.state.health.degraded && !matches!(verdict.health, Health::Healthy | Health::Idle) {
        // Not Ready again: that nothing more is wrong, or can be seen, is no recovery.
        let status = if verdict.health == Health::Unknown { Truth::Unknown } else { Truth::False };
        let message = format!("was degraded and is not ready again: {}", verdict.message);
        condition(ConditionType::Degraded, status, verdict.reason, message)
    } else {
        condition(ConditionType::Degraded, Truth::False, Reason::AsExpected, "not degraded")
    }
}

/// Whether the condition Degraded says that what was degraded is not well again.
pub fn is_unrecovered(status: &str, reason: &str) -> bool {
    status != Truth::False.as_str() || reason != Reason::AsExpected.as_str()
}

fn circuit_open(decided: &Decided<'_>) -> Condition {
    let circuit = &decided.state.circuit;
    let block = decided
        .intent
        .blocked_by()
        .iter()
        .find(|block| matches!(block.reason, Reason::BreakerOpen | Reason::BreakerLatched | Reason::ForcedOpen));
    match (circuit.state(), block) {
        (CircuitState::Open, Some(block)) => {
            condition(ConditionType::CircuitOpen, Truth::True, block.reason, &block.message)
        }
        (CircuitState::Open, None) => condition(
            ConditionType::CircuitOpen,
            Truth::True,
            Reason::BreakerOpen,
            "open; nothing is written to the workload",
        ),
        (CircuitState::HalfOpen, _) => {
            condition(ConditionType::CircuitOpen, Truth::False, Reason::HalfOpen, "one trial is allowed")
        }
        (CircuitState::Closed, _) => {
            condition(ConditionType::CircuitOpen, Truth::False, Reason::BreakerClosed, "closed")
        }
    }
}

fn dependencies_ready(dependencies: &Dependencies) -> Condition {
    let kind = ConditionType::DependenciesReady;
    match (&dependencies.held, dependencies.each.is_empty()) {
        (Some(block), _) => condition(kind, Truth::False, block.reason, &block.message),
        (None, true) => condition(kind, Truth::True, Reason::NoDependencies, "depends on nothing"),
        (None, false) => condition(kind, Truth::True, Reason::AllReady, "all are available"),
    }
}

/// Also the place where a workload that cannot heal is warned about before it has to.
fn remediation_allowed(decided: &Decided<'_>, standing: Option<&Block>) -> Condition {
    let kind = ConditionType::RemediationAllowed;
    let in_flight = |block: &&Block| block.reason != Reason::ActionInFlight && block.reason != Reason::BackOff;
    if let Some(block) = decided.intent.blocked_by().iter().find(in_flight).or(standing) {
        return condition(kind, Truth::False, block.reason, &block.message);
    }
    if decided.inputs().policy.mode == Mode::Observe {
        return condition(
            kind,
            Truth::False,
            Reason::Observing,
            "mode is Observe: decisions are reported, not carried out",
        );
    }
    if decided.situation.verdict.health == Health::Idle {
        return condition(kind, Truth::False, decided.situation.verdict.reason, "idle: nothing to heal");
    }
    let warnings = warnings(decided.inputs().snapshot);
    let message = if warnings.is_empty() { "nothing holds a repair back".to_owned() } else { warnings.join("; ") };
    condition(kind, Truth::True, Reason::Allowed, message)
}

/// What would keep the workload from being healed, said while all is still well.
fn warnings(snapshot: &Snapshot) -> Vec<String> {
    let mut warnings = snapshot.service.warnings.clone();
    let Workload::Present(workload) = &snapshot.workload else { return warnings };
    if workload.no_probes {
        warnings.push(format!("{} has no probes: only crashes can be seen", workload.name));
    }
    if workload.paused {
        warnings.push(format!("{} is paused: its controller does not roll out changes", workload.name));
    }
    let mut refused = snapshot.pods.iter().filter_map(|pod| Some((&pod.name, pod.refusal.as_ref()?)));
    // A bare pod is not evicted.
    if let Some((pod, refusal)) =
        refused.find(|(_, refusal)| refusal.needs_person() && workload.kind != WorkloadKind::Pod)
    {
        warnings.push(format!("{pod} cannot be evicted: {refusal}"));
    }
    if workload.kind == WorkloadKind::Pod && snapshot.pods.iter().any(|pod| pod.phase == Phase::Failed) {
        warnings.push("the pod's restartPolicy does not restart it".to_owned());
    }
    warnings
}
