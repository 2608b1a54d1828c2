//! The circuit breaker: when trying again does more harm than good.
//!
//! Closed, Open, HalfOpen are this service's *healing*, not its traffic: Open means that nothing is written to the workload.

use jiff::{SignedDuration, Timestamp};

use super::{
    health::Health,
    memory::{ActionRecord, Circuit, CircuitState, HistoryEntry, MAX_ACTIONS, Memory, Outcome},
    policy::{BreakerPolicy, Policy},
    reason::{Block, Reason},
    snapshot::{Service, Workload},
    time::{Wakeups, after, elapsed},
};

/// Everything that happens to the breaker without a new action: commands, self-recovery, the end of the open time, a new
/// pod template, the reset after lasting health.
pub fn advance(
    policy: &Policy,
    service: &Service,
    workload: &Workload,
    health: Health,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    obey(service, workload, memory, now);
    if memory.circuit.forced.is_some() {
        return;
    }
    recover(policy, health, memory, wakeups, now);
    allow_trial(&policy.breaker, workload, memory, wakeups, now);
    forget(policy, health, memory, wakeups, now);
}

/// Commands given by annotation, each handled once.
fn obey(service: &Service, workload: &Workload, memory: &mut Memory, now: Timestamp) {
    if service.reset_breaker.is_some() && service.reset_breaker != memory.handled_reset {
        let before = std::mem::take(&mut memory.circuit);
        memory.circuit = match before.forced {
            // Who holds it open lets go of it.
            Some(_) => Circuit { openings: 0, closed_at: Some(now), ..before },
            None => Circuit { closed_at: Some(now), ..Circuit::default() },
        };
        memory.end_back_off();
        note(memory, "ResetBreaker", Outcome::Verified, now);
    }
    memory.handled_reset.clone_from(&service.reset_breaker);
    match (&service.force_open, &memory.circuit.forced) {
        (Some(reason), known) if Some(reason) != known.as_ref() => {
            let first = known.is_none();
            memory.circuit.forced = Some(reason.clone());
            memory.circuit.state = CircuitState::Open;
            memory.circuit.retry_at = None;
            if first {
                memory.circuit.opened_at = Some(now);
                memory.circuit.template = template(workload);
                note(memory, "ForceOpen", Outcome::Verified, now);
            }
        }
        (None, Some(_)) => {
            memory.circuit.forced = None;
            close(memory, now);
            note(memory, "ForceOpenEnded", Outcome::Verified, now);
        }
        _ => {}
    }
}

/// Well by itself for the stabilization time closes an open breaker.
fn recover(policy: &Policy, health: Health, memory: &mut Memory, wakeups: &mut Wakeups, now: Timestamp) {
    if memory.circuit.state == CircuitState::Closed || health != Health::Healthy {
        return;
    }
    let Some(since) = memory.healthy_since else { return };
    let due = after(since, policy.remediation.stabilization);
    wakeups.at(due, now);
    if now >= due && memory.in_flight.is_none() {
        close(memory, now);
        note(memory, "CircuitClosed", Outcome::Verified, now);
    }
}

/// After the open time, or for a new pod template, one trial.
fn allow_trial(
    policy: &BreakerPolicy,
    workload: &Workload,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    if memory.circuit.state != CircuitState::Open {
        return;
    }
    let current = template(workload);
    let changed = current.is_some() && memory.circuit.template.is_some() && current != memory.circuit.template;
    let latched = policy.latch_after > 0 && memory.circuit.openings >= policy.latch_after;
    let retry_at = memory.circuit.retry_at.unwrap_or(now);
    if !latched {
        wakeups.at(retry_at, now);
    }
    if changed || (!latched && now >= retry_at) {
        memory.circuit.state = CircuitState::HalfOpen;
        memory.circuit.template = current.or(memory.circuit.template.take());
        memory.end_back_off();
        note(memory, "CircuitHalfOpen", Outcome::Verified, now);
    }
}

/// Lasting health clears the attempts and the multiplier.
fn forget(policy: &Policy, health: Health, memory: &mut Memory, wakeups: &mut Wakeups, now: Timestamp) {
    let longest = policy.breaker.window.max(policy.breaker.recurrence_window);
    memory.actions.retain(|action| elapsed(action.time, now) < longest);
    if memory.actions.is_empty() && memory.circuit.openings == 0 {
        return;
    }
    let Some(since) = memory.healthy_since.filter(|_| health == Health::Healthy) else { return };
    let due = after(since, policy.remediation.reset_after_healthy);
    wakeups.at(due, now);
    if now >= due && memory.in_flight.is_none() {
        memory.actions.clear();
        memory.circuit.openings = 0;
        memory.not_before = None;
    }
}

/// Counts an action that begins now.
pub fn begin(memory: &mut Memory, now: Timestamp) {
    memory.actions.push(ActionRecord { time: now, outcome: Outcome::Pending });
    let surplus = memory.actions.len().saturating_sub(MAX_ACTIONS);
    memory.actions.drain(..surplus);
}

/// Takes note of how the action in flight ended, and trips or closes.
pub fn conclude(policy: &Policy, workload: &Workload, memory: &mut Memory, outcome: Outcome, now: Timestamp) {
    if let Some(action) = memory.actions.last_mut().filter(|action| action.outcome == Outcome::Pending) {
        action.outcome = outcome;
    }
    if outcome == Outcome::Dropped {
        memory.actions.retain(|action| action.outcome != Outcome::Dropped);
        return;
    }
    if memory.circuit.forced.is_some() {
        return;
    }
    let effective = match outcome {
        Outcome::Verified => true,
        Outcome::Ineffective | Outcome::Failed => false,
        Outcome::Pending | Outcome::Dropped => return,
    };
    match (memory.circuit.state, effective) {
        (CircuitState::HalfOpen, true) => {
            close(memory, now);
            note(memory, "CircuitClosed", Outcome::Verified, now);
        }
        (CircuitState::HalfOpen, false) => open(policy, workload, memory, now),
        (CircuitState::Closed, false)
            if ineffective(&policy.breaker, memory, now) >= policy.breaker.failure_threshold =>
        {
            open(policy, workload, memory, now);
        }
        (CircuitState::Closed | CircuitState::Open, _) => {}
    }
}

/// Whether one more action would be one too many: opens the breaker instead.
pub fn trips_on_recurrence(policy: &Policy, memory: &Memory, now: Timestamp) -> bool {
    let BreakerPolicy { recurrence_threshold, recurrence_window, .. } = policy.breaker;
    memory.circuit.state == CircuitState::Closed
        && counted(memory, recurrence_window, now).count() >= recurrence_threshold as usize
}

/// Opens the breaker, each time for twice as long.
pub fn open(policy: &Policy, workload: &Workload, memory: &mut Memory, now: Timestamp) {
    let circuit = &mut memory.circuit;
    let doublings = circuit.openings.min(30);
    let seconds = policy.breaker.open.as_secs().saturating_mul(1_i64 << doublings);
    let length = SignedDuration::from_secs(seconds).min(policy.breaker.max_open);
    circuit.state = CircuitState::Open;
    circuit.openings = circuit.openings.saturating_add(1);
    circuit.opened_at = Some(now);
    circuit.retry_at = Some(after(now, length));
    circuit.template = template(workload);
    note(memory, "CircuitOpened", Outcome::Verified, now);
}

fn close(memory: &mut Memory, now: Timestamp) {
    memory.circuit = Circuit {
        state: CircuitState::Closed,
        // The multiplier outlives the closing: only lasting health clears it.
        openings: memory.circuit.openings,
        closed_at: Some(now),
        ..Circuit::default()
    };
}

/// Why the breaker lets nothing through, if it does not.
pub fn hold(policy: &BreakerPolicy, circuit: &Circuit) -> Option<Block> {
    if let Some(reason) = &circuit.forced {
        return Some(Block::new(Reason::ForcedOpen, format!("held open by annotation: {reason}")));
    }
    match circuit.state {
        CircuitState::Closed | CircuitState::HalfOpen => None,
        CircuitState::Open if policy.latch_after > 0 && circuit.openings >= policy.latch_after => {
            let message = format!("opened {} times: a person must set kubeheal.dev/reset-breaker", circuit.openings);
            Some(Block::new(Reason::BreakerLatched, message))
        }
        CircuitState::Open => {
            let until = circuit.retry_at.map(|time| format!("; one trial at {time:.0}")).unwrap_or_default();
            Some(Block::new(Reason::BreakerOpen, format!("actions did not help{until}")))
        }
    }
}

/// Ineffective actions that count now.
pub fn ineffective(policy: &BreakerPolicy, memory: &Memory, now: Timestamp) -> u32 {
    let count = counted(memory, policy.window, now)
        .filter(|action| matches!(action.outcome, Outcome::Ineffective | Outcome::Failed))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Actions inside the window and after the last closing: what was forgiven is not counted again.
fn counted(memory: &Memory, window: SignedDuration, now: Timestamp) -> impl Iterator<Item = &ActionRecord> {
    let closed_at = memory.circuit.closed_at;
    memory.actions.iter().filter(move |action| {
        elapsed(action.time, now) < window && closed_at.is_none_or(|closed| action.time >= closed)
    })
}

fn template(workload: &Workload) -> Option<String> {
    match workload {
        Workload::Present(state) => Some(state.template.clone()),
        Workload::Missing { .. } | Workload::Unknown(_) => None,
    }
}

fn note(memory: &mut Memory, step: &str, outcome: Outcome, now: Timestamp) {
    memory.record(HistoryEntry {
        time: now,
        step: step.into(),
        target: String::new(),
        cause: String::new(),
        outcome,
        message: None,
    });
}
