//! The memory of a service, read back from its status.
//!
//! A status can have been written by an older or newer kubeheal, or by a person: what cannot be understood is dropped, and
//! the next decision writes it anew.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::status::{self, HealedServiceStatus, MAX_MESSAGE},
    healing::{
        alarm::{Alarm, Subject, Told},
        cause::{Cause, Finding},
        condition::is_unrecovered,
        escalation::Severity,
        log::{Answer, LogRead},
        memory::{
            ActionRecord, Circuit, CircuitState, ContainerMemory, HistoryEntry, InFlight, Memory, Outcome, Progress,
            RollbackRecord,
        },
        plan::{Action, Step},
        reaction::{Change, Phase, Reaction},
        reason::Reason,
        recovery::Recovery,
    },
    publish::cut,
};

/// Longest name of an object, in characters.
const MAX_NAME: usize = 253;
/// Longest UID and digest.
const MAX_UID: usize = 128;
/// Longest name of a container.
const MAX_CONTAINER: usize = 63;
/// Longest step, cause or reason.
const MAX_WORD: usize = 64;

/// What earlier decisions remember.
pub fn recall(status: &HealedServiceStatus) -> Memory {
    let handled = status.handled.clone().unwrap_or_default();
    Memory {
        observed_since: time(status.observed_since.as_ref()),
        healthy_since: time(status.healthy_since.as_ref()),
        unhealthy_since: time(status.unhealthy_since.as_ref()),
        unhealthy_until: time(status.unhealthy_until.as_ref()),
        missing_since: time(status.missing_since.as_ref()),
        last_replicas: status.last_replicas.and_then(|replicas| u32::try_from(replicas).ok()),
        intentional_delete: status.intentional_delete,
        not_before: time(status.not_before.as_ref()),
        refused: status.refused.clone(),
        degraded: status
            .conditions
            .iter()
            .any(|known| known.type_ == status::condition::DEGRADED && is_unrecovered(&known.status, &known.reason)),
        held: status.dependencies.iter().any(|dependency| !dependency.ready),
        released_at: time(status.released_at.as_ref()),
        recovery: status.dependency_recovery.as_ref().map(recovery),
        logs: status.logs.iter().filter_map(log_read).collect(),
        containers: status.containers.iter().filter_map(container).collect(),
        progress: status.progress.as_ref().map(progress),
        findings: status.findings.iter().filter_map(finding).collect(),
        in_flight: status.in_flight.as_ref().and_then(in_flight),
        recent: status.recent_actions.iter().map(|Time(instant)| *instant).collect(),
        actions: status.actions.iter().filter_map(action).collect(),
        rollbacks: status.rollbacks.iter().filter_map(rollback).collect(),
        stable: status.last_stable.as_deref().and_then(|name| short(name, MAX_NAME)),
        circuit: status.circuit.as_ref().map(|known| circuit(known, handled.force_open)).unwrap_or_default(),
        reaction: status.circuit.as_ref().and_then(|known| reaction(known.on_open.as_ref()?)),
        alarms: alarms(&status.alerts),
        history: status.history.iter().filter_map(history).collect(),
        handled_heal_now: handled.heal_now,
        handled_reset: handled.reset_breaker,
        last_action_id: status.last_action_id.unwrap_or(0),
    }
}

fn time(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|Time(instant)| *instant)
}

/// A text no longer than the API takes: what it would not take back must not be remembered, or nothing could be written.
fn short(text: &str, most: usize) -> Option<String> {
    (text.chars().count() <= most).then(|| text.to_owned())
}

/// One of the words that we write: `CamelCase`.
fn word(text: &str) -> Option<String> {
    let is_word = text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    short(text, MAX_WORD).filter(|_| is_word)
}

fn container(known: &status::ContainerMemory) -> Option<ContainerMemory> {
    Some(ContainerMemory {
        uid: short(&known.uid, MAX_UID)?,
        container: short(&known.container, MAX_CONTAINER)?,
        restart_count: u32::try_from(known.restart_count).unwrap_or(0),
        restarts: known.restarts.iter().map(|Time(instant)| *instant).collect(),
        crash_loop_since: time(known.crash_loop_since.as_ref()),
        not_ready_since: time(known.not_ready_since.as_ref()),
        pending_since: time(known.pending_since.as_ref()),
        ready_since: time(known.ready_since.as_ref()),
        forgiven: u32::try_from(known.forgiven_ends).unwrap_or(0),
    })
}

fn progress(known: &status::Progress) -> Progress {
    Progress { mark: known.mark.clone(), since: known.since.0 }
}

fn recovery(known: &status::DependencyRecovery) -> Recovery {
    Recovery {
        down_since: time(known.down_since.as_ref()),
        awaited: known.awaited,
        recovered: time(known.recovered_at.as_ref()),
        pods: known.pods.iter().filter_map(|uid| short(uid, MAX_UID)).collect(),
    }
}

fn log_read(known: &status::LogRead) -> Option<LogRead> {
    let line = |text: &str| crate::diagnosis::line(text, MAX_MESSAGE);
    let told = match (&known.problem, &known.diagnosis) {
        (Some(why), _) => Answer::Unreadable(line(why)),
        (None, Some(name)) => Answer::Line { name: word(name)?, line: line(known.line.as_deref().unwrap_or_default()) },
        (None, None) => Answer::Nothing,
    };
    let (uid, container) = (short(&known.uid, MAX_UID)?, short(&known.container, MAX_CONTAINER)?);
    Some(LogRead { uid, container, end: u32::try_from(known.end).ok()?, told })
}

/// Only what tells a finding from another, and since when it stands; all else is found again.
fn finding(known: &status::Finding) -> Option<Finding> {
    Some(Finding {
        pod: known.pod.clone().unwrap_or_default(),
        uid: known.uid.clone().unwrap_or_default(),
        container: known.container.clone().unwrap_or_default(),
        probe: None,
        cause: Cause::parse(&known.cause)?,
        diagnosis: None,
        since: known.since.0,
        lasting: false,
        acute: false,
        message: String::new(),
    })
}

fn in_flight(known: &status::InFlight) -> Option<InFlight> {
    Some(InFlight {
        id: known.id.max(0),
        action: Action {
            step: Step::parse(&known.step)?,
            target: short(&known.target, MAX_NAME)?,
            target_uid: short(known.target_uid.as_deref().unwrap_or_default(), MAX_UID)?,
        },
        cause: Reason::parse(&known.cause)?,
        started: known.started_at.0,
        verify_by: known.verify_by.0,
        ready_before: u32::try_from(known.ready_before).unwrap_or(0),
    })
}

fn action(known: &status::ActionRecord) -> Option<ActionRecord> {
    Some(ActionRecord { time: known.time.0, outcome: Outcome::parse(&known.outcome)? })
}

fn rollback(known: &status::RollbackRecord) -> Option<RollbackRecord> {
    Some(RollbackRecord {
        time: known.time.0,
        from: short(&known.from, MAX_UID)?,
        to: short(&known.to, MAX_UID)?,
        outcome: Outcome::parse(&known.outcome)?,
    })
}

/// One of each subject: there is no more to know.
fn alarms(known: &[status::AlertStatus]) -> Vec<Alarm> {
    let mut subjects = BTreeSet::new();
    known.iter().filter_map(alarm).filter(|alarm| subjects.insert(alarm.subject)).collect()
}

fn alarm(known: &status::AlertStatus) -> Option<Alarm> {
    let mut names = BTreeSet::new();
    Some(Alarm {
        subject: Subject::parse(&known.subject)?,
        severity: Severity::parse(&known.severity)?,
        reason: word(&known.reason)?,
        since: known.since.0,
        resolved: time(known.resolved_at.as_ref()),
        told: known.sinks.iter().filter(|sink| names.insert(&sink.name)).map(told).collect(),
    })
}

fn told(known: &status::SinkStatus) -> Told {
    let severity = known.severity.as_deref().and_then(Severity::parse);
    Told {
        sink: known.name.clone(),
        at: time(known.notified_at.as_ref()).zip(severity),
        problem: known.problem.as_deref().map(|problem| cut(problem, MAX_MESSAGE)),
    }
}

fn history(known: &status::HistoryEntry) -> Option<HistoryEntry> {
    Some(HistoryEntry {
        time: known.time.0,
        step: word(&known.step)?,
        target: short(known.target.as_deref().unwrap_or_default(), MAX_NAME)?,
        cause: known.cause.as_deref().and_then(word).unwrap_or_default(),
        outcome: Outcome::parse(&known.outcome)?,
        message: known.message.as_deref().map(|message| cut(message, MAX_MESSAGE)),
    })
}

/// Half of a change cannot be taken back: then it is as if somebody else had made it.
fn reaction(known: &status::OnOpenStatus) -> Option<Reaction> {
    let change = match known.action.as_str() {
        "ScaleToZero" => Change::ToZero { replicas: u32::try_from(known.replicas?).ok()? },
        "Fallback" => Change::Diverted { selector: known.selector.clone()?, stand_in: known.stand_in.clone()? },
        _ => return None,
    };
    Some(Reaction {
        change,
        target: known.target.clone(),
        uid: known.target_uid.clone(),
        phase: Phase::parse(&known.phase)?,
        since: known.since.0,
        retry_at: time(known.retry_at.as_ref()),
        refused: known.refused.clone(),
    })
}

fn circuit(known: &status::CircuitStatus, forced: Option<String>) -> Circuit {
    Circuit {
        state: match known.state {
            status::CircuitState::Closed => CircuitState::Closed,
            status::CircuitState::Open => CircuitState::Open,
            status::CircuitState::HalfOpen => CircuitState::HalfOpen,
        },
        openings: u32::try_from(known.openings).unwrap_or(0),
        opened_at: time(known.opened_at.as_ref()),
        retry_at: time(known.retry_at.as_ref()),
        closed_at: time(known.closed_at.as_ref()),
        template: known.last_template.as_deref().and_then(|template| short(template, MAX_UID)),
        forced,
    }
}
