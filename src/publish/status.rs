//! Decision → status. The inverse of `observe::memory` for all that must be remembered.
//!
//! Cuts what the schema bounds, keeps `lastTransitionTime` of conditions that did not flip, and writes no default twice.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::status::{
        self, ActionRecord, AlertStatus, Block, CircuitStatus, ContainerMemory, DependencyRecovery, DependencyStatus,
        EffectivePolicy, Finding, Handled, HealedServiceStatus, HealthState, HistoryEntry, InFlight, LastKnownGood,
        MAX_BLOCKS, MAX_FINDINGS, MAX_MESSAGE, NextAction, OnOpenStatus, PodCounts, ProbeKind, RollbackRecord,
        SinkStatus,
    },
    healing::{
        Decision,
        alarm::{Alarm, Told},
        cause::Probe,
        health::Health,
        log::{Answer, LogRead},
        memory::{self, CircuitState, Memory},
        plan::Plan,
        reaction::{Change, Reaction},
        recovery::Recovery,
        time::clamp,
    },
};

/// Longest mark of progress, in characters.
const MAX_MARK: usize = 128;
/// Longest value remembered of an annotation, in characters.
const MAX_ANNOTATION: usize = 1024;

/// The status that says what was decided. `old` is what stands there now.
pub fn render(
    decision: &Decision,
    old: &HealedServiceStatus,
    generation: Option<i64>,
    good: Option<LastKnownGood>,
    policy: Option<EffectivePolicy>,
    now: Timestamp,
) -> HealedServiceStatus {
    let mut status = HealedServiceStatus {
        observed_generation: generation,
        health: Some(health(decision.verdict.health)),
        conditions: conditions(decision, &old.conditions, generation, now),
        pods: Some(pods(decision)),
        restarts_in_window: Some(number(decision.restarts_in_window)),
        findings: decision.findings.iter().take(MAX_FINDINGS).map(finding).collect(),
        next_action: decision.proposal.as_ref().filter(|_| decision.plan.is_none()).map(|plan| next(plan, decision)),
        blocked_by: decision.blocked_by.iter().take(MAX_BLOCKS).map(block).collect(),
        dependencies: dependencies(decision),
        last_known_good: good,
        effective_policy: policy,
        ..HealedServiceStatus::default()
    };
    remember(&mut status, &decision.memory, decision.ineffective);
    status
}

/// Puts the memory into a status, for a decision or for what became of it.
pub fn remember(status: &mut HealedServiceStatus, memory: &Memory, ineffective: u32) {
    let Memory {
        observed_since,
        healthy_since,
        unhealthy_since,
        unhealthy_until,
        missing_since,
        last_replicas,
        intentional_delete,
        not_before,
        refused,
        // Told by the condition Degraded.
        degraded: _,
        // Told by `dependencies`.
        held: _,
        released_at,
        recovery,
        logs,
        containers,
        progress,
        findings: _,
        in_flight,
        actions,
        recent,
        rollbacks,
        stable,
        circuit,
        reaction,
        alarms,
        history,
        handled_heal_now,
        handled_reset,
        last_action_id,
    } = memory;
    status.observed_since = observed_since.map(Time);
    status.healthy_since = healthy_since.map(Time);
    status.unhealthy_since = unhealthy_since.map(Time);
    status.unhealthy_until = unhealthy_until.map(Time);
    status.missing_since = missing_since.map(Time);
    status.last_replicas = last_replicas.map(number);
    status.intentional_delete = *intentional_delete;
    status.not_before = not_before.map(Time);
    status.refused = refused.as_deref().map(|text| cut(text, MAX_MESSAGE));
    status.released_at = released_at.map(Time);
    status.dependency_recovery = recovery.as_ref().map(after_outage);
    status.logs = logs.iter().map(log_read).collect();
    status.containers = containers.iter().map(container).collect();
    status.progress =
        progress.as_ref().map(|known| status::Progress { mark: cut(&known.mark, MAX_MARK), since: Time(known.since) });
    status.in_flight = in_flight.as_ref().map(repair);
    status.actions = actions.iter().map(action).collect();
    status.recent_actions = recent.iter().copied().map(Time).collect();
    status.rollbacks = rollbacks.iter().map(rollback).collect();
    status.last_stable.clone_from(stable);
    status.circuit = Some(CircuitStatus { on_open: reaction.as_ref().map(on_open), ..breaker(circuit, ineffective) });
    status.alerts = alarms.iter().map(alarm).collect();
    status.history = history.iter().map(entry).collect();
    status.handled = handled(handled_heal_now.as_deref(), handled_reset.as_deref(), circuit.forced.as_deref());
    status.last_action_id = Some(*last_action_id).filter(|id| *id > 0);
}

fn conditions(decision: &Decision, old: &[Condition], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let stamp = |condition: &crate::healing::condition::Condition| {
        let kind = condition.kind.as_str();
        let status = condition.status.as_str();
        let unflipped = old.iter().find(|known| known.type_ == kind && known.status == status);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: condition.reason.as_str().to_owned(),
            message: cut(&condition.message, MAX_MESSAGE),
            observed_generation: generation,
            // One from the future is another clock's.
            last_transition_time: Time(unflipped.map_or(now, |known| clamp(known.last_transition_time.0, now))),
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
    let crate::healing::health::PodCounts { desired, ready, starting, unhealthy, lost: _, unready: _ } =
        decision.verdict.pods;
    PodCounts {
        desired: number(desired),
        ready: number(ready),
        starting: number(starting),
        unhealthy: number(unhealthy),
    }
}

fn finding(found: &crate::healing::cause::Finding) -> Finding {
    Finding {
        pod: named(&found.pod),
        uid: named(&found.uid),
        container: named(&found.container),
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
        not_before: decision.memory.not_before.map(Time),
    }
}

fn block(block: &crate::healing::reason::Block) -> Block {
    Block { reason: block.reason.as_str().to_owned(), message: cut(&block.message, MAX_MESSAGE) }
}

fn dependencies(decision: &Decision) -> Vec<DependencyStatus> {
    let status = |(dependency, ready): &(crate::healing::dependency::Dependency, bool)| DependencyStatus {
        name: dependency.name.clone(),
        namespace: dependency.namespace.clone(),
        ready: *ready,
        root: dependency.root.clone(),
    };
    decision.dependencies.each.iter().map(status).collect()
}

fn container(known: &memory::ContainerMemory) -> ContainerMemory {
    ContainerMemory {
        uid: known.uid.clone(),
        container: known.container.clone(),
        restart_count: number(known.restart_count),
        restarts: known.restarts.iter().copied().map(Time).collect(),
        crash_loop_since: known.crash_loop_since.map(Time),
        not_ready_since: known.not_ready_since.map(Time),
        pending_since: known.pending_since.map(Time),
        ready_since: known.ready_since.map(Time),
        forgiven_ends: number(known.forgiven),
    }
}

fn after_outage(recovery: &Recovery) -> DependencyRecovery {
    let Recovery { down_since, awaited, recovered, pods } = recovery;
    DependencyRecovery {
        down_since: down_since.map(Time),
        awaited: *awaited,
        recovered_at: recovered.map(Time),
        pods: pods.clone(),
    }
}

fn log_read(read: &LogRead) -> status::LogRead {
    let LogRead { uid, container, end, told } = read;
    let (diagnosis, line, problem) = match told {
        Answer::Nothing => (None, None, None),
        Answer::Line { name, line } => (Some(name.clone()), Some(cut(line, MAX_MESSAGE)), None),
        Answer::Unreadable(why) => (None, None, Some(cut(why, MAX_MESSAGE))),
    };
    status::LogRead { uid: uid.clone(), container: container.clone(), end: number(*end), diagnosis, line, problem }
}

fn repair(in_flight: &memory::InFlight) -> InFlight {
    InFlight {
        id: in_flight.id,
        step: in_flight.action.step.as_str().to_owned(),
        cause: in_flight.cause.as_str().to_owned(),
        target: in_flight.action.target.clone(),
        target_uid: named(&in_flight.action.target_uid),
        ready_before: number(in_flight.ready_before),
        started_at: Time(in_flight.started),
        verify_by: Time(in_flight.verify_by),
    }
}

fn action(record: &memory::ActionRecord) -> ActionRecord {
    ActionRecord { time: Time(record.time), outcome: record.outcome.as_str().to_owned() }
}

fn rollback(record: &memory::RollbackRecord) -> RollbackRecord {
    let memory::RollbackRecord { time, from, to, outcome } = record;
    RollbackRecord { time: Time(*time), from: from.clone(), to: to.clone(), outcome: outcome.as_str().to_owned() }
}

fn alarm(alarm: &Alarm) -> AlertStatus {
    AlertStatus {
        subject: alarm.subject.as_str().to_owned(),
        severity: alarm.severity.as_str().to_owned(),
        reason: alarm.reason.clone(),
        since: Time(alarm.since),
        resolved_at: alarm.resolved.map(Time),
        sinks: alarm.told.iter().map(told).collect(),
    }
}

fn told(told: &Told) -> SinkStatus {
    SinkStatus {
        name: told.sink.clone(),
        notified_at: told.at.map(|(at, _)| Time(at)),
        severity: told.at.map(|(_, severity)| severity.as_str().to_owned()),
        problem: told.problem.as_deref().map(|text| cut(text, MAX_MESSAGE)),
    }
}

fn entry(entry: &memory::HistoryEntry) -> HistoryEntry {
    HistoryEntry {
        time: Time(entry.time),
        step: entry.step.clone(),
        target: named(&entry.target),
        cause: named(&entry.cause),
        outcome: entry.outcome.as_str().to_owned(),
        message: entry.message.as_deref().map(|text| cut(text, MAX_MESSAGE)),
    }
}

fn breaker(circuit: &memory::Circuit, ineffective: u32) -> CircuitStatus {
    CircuitStatus {
        state: match circuit.state {
            CircuitState::Closed => status::CircuitState::Closed,
            CircuitState::Open => status::CircuitState::Open,
            CircuitState::HalfOpen => status::CircuitState::HalfOpen,
        },
        ineffective: number(ineffective),
        openings: number(circuit.openings),
        opened_at: circuit.opened_at.map(Time),
        retry_at: circuit.retry_at.map(Time),
        closed_at: circuit.closed_at.map(Time),
        last_template: circuit.template.clone(),
        on_open: None,
    }
}

fn on_open(reaction: &Reaction) -> OnOpenStatus {
    let Reaction { change, target, uid, phase, since, retry_at, refused } = reaction;
    let (action, replicas, selectors) = match change {
        Change::ToZero { replicas } => ("ScaleToZero", Some(number(*replicas)), None),
        Change::Diverted { selector, stand_in } => ("Fallback", None, Some((selector.clone(), stand_in.clone()))),
    };
    let (selector, stand_in) = selectors.unzip();
    OnOpenStatus {
        action: action.to_owned(),
        phase: phase.as_str().to_owned(),
        target: target.clone(),
        target_uid: uid.clone(),
        since: Time(*since),
        replicas,
        selector,
        stand_in,
        retry_at: retry_at.map(Time),
        refused: refused.as_deref().map(|text| cut(text, MAX_MESSAGE)),
    }
}

fn handled(heal_now: Option<&str>, reset: Option<&str>, forced: Option<&str>) -> Option<Handled> {
    let kept = |value: Option<&str>| value.map(|value| cut(value, MAX_ANNOTATION));
    let handled = Handled { heal_now: kept(heal_now), reset_breaker: kept(reset), force_open: kept(forced) };
    (handled != Handled::default()).then_some(handled)
}

fn named(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Cuts to a number of characters, with an ellipsis where something was lost.
pub fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}
