//! Conditions: what is said in `status.conditions`, in the terms of kstatus.
//!
//! Only type, status, reason and message. When a condition flipped is stamped where it is written.

use super::{
    Decision, SETTLING,
    budget::paused,
    escalation::Severity,
    health::Health,
    lock,
    memory::CircuitState,
    policy::{Mode, Policy},
    reason::{Block, Reason},
    snapshot::Rivals,
    time::spoken,
};

/// The condition types, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// All that is wanted is ready.
    Ready,
    /// A repair is in flight.
    Reconciling,
    /// A person is needed.
    Stalled,
    /// Less than wanted.
    Degraded,
    /// The breaker lets nothing through.
    CircuitOpen,
    /// Everything this depends on is well.
    DependenciesReady,
    /// Nothing holds a repair back.
    RemediationAllowed,
}

impl ConditionType {
    /// The type's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Degraded => "Degraded",
            Self::CircuitOpen => "CircuitOpen",
            Self::DependenciesReady => "DependenciesReady",
            Self::RemediationAllowed => "RemediationAllowed",
        }
    }
}

/// `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl Truth {
    /// The status' name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// All conditions of a decision.
pub fn conditions(decision: &Decision, policy: &Policy, rivals: &Rivals, warnings: &[String]) -> Vec<Condition> {
    let standing = standing(policy, rivals);
    vec![
        ready(decision, standing.as_ref()),
        reconciling(decision),
        stalled(decision, policy),
        degraded(decision),
        circuit_open(decision),
        dependencies_ready(decision),
        remediation_allowed(decision, policy, standing.as_ref(), warnings),
    ]
}

fn condition(kind: ConditionType, status: Truth, reason: Reason, message: impl Into<String>) -> Condition {
    Condition { kind, status, reason, message: message.into() }
}

/// What would hold a repair back: said before there is one to hold back.
fn standing(policy: &Policy, rivals: &Rivals) -> Option<Block> {
    policy.held.clone().or_else(|| lock::elder(rivals)).or_else(|| paused(&policy.cluster))
}

fn ready(decision: &Decision, standing: Option<&Block>) -> Condition {
    let verdict = &decision.verdict;
    let status = match verdict.health {
        Health::Healthy | Health::Idle => Truth::True,
        Health::Degraded | Health::Unhealthy | Health::Starting => Truth::False,
        Health::Unknown => Truth::Unknown,
    };
    condition(ConditionType::Ready, status, verdict.reason, format!("{}{}", verdict.message, doing(decision, standing)))
}

/// What is being done about it: people watch this one line.
fn doing(decision: &Decision, standing: Option<&Block>) -> String {
    if let Some(in_flight) = &decision.memory.in_flight {
        return format!("; {} of {} must prove itself", in_flight.action.step.as_str(), in_flight.action.target);
    }
    let block = decision.blocked_by.first().or(standing);
    block.map(|block| format!("; held: {}", block.reason)).unwrap_or_default()
}

fn reconciling(decision: &Decision) -> Condition {
    match &decision.memory.in_flight {
        Some(in_flight) => {
            let message = format!(
                "{} of {} because of {}; to be proved by {:.0}",
                in_flight.action.step.as_str(),
                in_flight.action.target,
                in_flight.cause.as_str(),
                in_flight.verify_by
            );
            condition(ConditionType::Reconciling, Truth::True, Reason::Verifying, message)
        }
        None => condition(ConditionType::Reconciling, Truth::False, Reason::AsExpected, "nothing in flight"),
    }
}

fn stalled(decision: &Decision, policy: &Policy) -> Condition {
    let needs_person = |block: &&Block| {
        matches!(
            block.reason,
            Reason::PolicyNotFound
                | Reason::PolicyInvalid
                | Reason::WorkloadNotFound
                | Reason::NoLastKnownGood
                | Reason::DependencyUnknown
                | Reason::DependencyCycle
                | Reason::NotGranted
                | Reason::BreakerLatched
        )
    };
    let dependency = decision.dependencies.held.as_ref().map(|(reason, text)| Block::new(*reason, text.clone()));
    let standing = policy.held.iter().chain(&dependency);
    let cause = decision.blocked_by.iter().chain(standing).find(needs_person);
    match cause {
        Some(block) => condition(ConditionType::Stalled, Truth::True, block.reason, &block.message),
        None => match decision.escalation.as_ref().filter(|told| told.severity == Severity::Critical) {
            Some(told) => condition(ConditionType::Stalled, Truth::True, told.reason, &told.message),
            None => condition(ConditionType::Stalled, Truth::False, Reason::AsExpected, "no person is needed"),
        },
    }
}

fn degraded(decision: &Decision) -> Condition {
    let verdict = &decision.verdict;
    // A rollout has fewer pods ready by design; it is said by Ready and is no reason for alarm.
    let holds =
        matches!(verdict.health, Health::Degraded | Health::Unhealthy) && verdict.reason != Reason::RolloutInProgress;
    // A repair under way has not recovered anything yet.
    let repair = decision.memory.in_flight.as_ref().filter(|_| verdict.health == Health::Starting);
    if holds {
        condition(ConditionType::Degraded, Truth::True, verdict.reason, &verdict.message)
    } else if let Some(repair) = repair {
        condition(ConditionType::Degraded, Truth::True, repair.cause, &verdict.message)
    } else if let Some(finding) = decision.findings.first().filter(|_| decision.settling) {
        let message = format!("{}, but not yet for {}: {}", verdict.message, spoken(SETTLING), finding.message);
        condition(ConditionType::Degraded, Truth::True, finding.cause.reason(), message)
    } else if decision.memory.degraded && !matches!(verdict.health, Health::Healthy | Health::Idle) {
        // Not Ready again: that nothing more is wrong, or can be seen, is no recovery. The reason says so to the next look.
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

fn circuit_open(decision: &Decision) -> Condition {
    let circuit = &decision.memory.circuit;
    let block = decision
        .blocked_by
        .iter()
        .find(|block| matches!(block.reason, Reason::BreakerOpen | Reason::BreakerLatched | Reason::ForcedOpen));
    match (circuit.state, block) {
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

fn dependencies_ready(decision: &Decision) -> Condition {
    match (&decision.dependencies.held, decision.dependencies.each.is_empty()) {
        (Some((reason, message)), _) => condition(ConditionType::DependenciesReady, Truth::False, *reason, message),
        (None, true) => {
            condition(ConditionType::DependenciesReady, Truth::True, Reason::NoDependencies, "depends on nothing")
        }
        (None, false) => condition(ConditionType::DependenciesReady, Truth::True, Reason::AllReady, "all are healthy"),
    }
}

/// Also the place where a workload that cannot heal is warned about before it has to.
fn remediation_allowed(
    decision: &Decision,
    policy: &Policy,
    standing: Option<&Block>,
    warnings: &[String],
) -> Condition {
    let kind = ConditionType::RemediationAllowed;
    let in_flight = |block: &&Block| block.reason != Reason::ActionInFlight && block.reason != Reason::BackOff;
    if let Some(block) = decision.blocked_by.iter().find(in_flight).or(standing) {
        return condition(kind, Truth::False, block.reason, &block.message);
    }
    if policy.mode == Mode::Observe {
        return condition(
            kind,
            Truth::False,
            Reason::Observing,
            "mode is Observe: decisions are reported, not carried out",
        );
    }
    if decision.verdict.health == Health::Idle {
        return condition(kind, Truth::False, decision.verdict.reason, "idle: nothing to heal");
    }
    let message = if warnings.is_empty() { "nothing holds a repair back".to_owned() } else { warnings.join("; ") };
    condition(kind, Truth::True, Reason::Allowed, message)
}
