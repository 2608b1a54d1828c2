//! What happens to the circuit without a new action: commands, recovery by itself, the end of the open time, a new pod template,
//! the reset after lasting health.

use jiff::Timestamp;

use super::{close, opening, template};
use crate::{
    model::{
        inputs::Inputs,
        moment::after,
        policy::Policy,
        snapshot::Snapshot,
        state::{CircuitPhase, CircuitState, MitigationPhase, Opening, State},
        verdict::Health,
    },
    observe::{Seen, seen},
};

/// Everything that happens to the breaker without a new action: commands, self-recovery, the end of the open time, a new
/// pod template, the reset after lasting health.
pub fn advance(inputs: &Inputs<'_>, health: Health, state: &mut State) {
    obey(inputs, state);
    if state.circuit.held_open().is_some() {
        return;
    }
    let healthy_since = state.health.healthy_since.filter(|_| health == Health::Healthy);
    recover(inputs, healthy_since, state);
    allow_trial(inputs, state);
    forget(inputs, healthy_since, state);
}

/// Commands given by annotation, each handled once. A reset that was there before the service was first observed is not ours to
/// answer: it came with a backup, or was answered in a status that somebody wiped.
fn obey(inputs: &Inputs<'_>, state: &mut State) {
    let (Snapshot { service, workload, .. }, now) = (inputs.snapshot, inputs.now());
    let was_observed = inputs.snapshot.state.observed.since.is_some();
    let is_new = service.reset_breaker.is_some() && service.reset_breaker != state.requests.reset_breaker;
    if is_new && was_observed {
        state.circuit.openings = 0;
        state.circuit.closed_at = Some(now);
        // Who holds it open lets go of it.
        if state.circuit.held_open().is_none() {
            state.circuit.phase = CircuitPhase::Closed;
        }
        state.attempts.end_back_off();
        state.history.note("ResetBreaker", now);
    }
    state.requests.reset_breaker.clone_from(&service.reset_breaker);
    match (&service.force_open, &mut state.circuit.phase) {
        (Some(wanted), CircuitPhase::HeldOpen { reason, .. }) => reason.clone_from(wanted),
        (Some(reason), phase) => {
            *phase = CircuitPhase::HeldOpen { opening: opening(workload, now), reason: reason.clone() };
            state.history.note("ForceOpen", now);
        }
        (None, CircuitPhase::HeldOpen { .. }) => {
            close(&mut state.circuit, now);
            state.history.note("ForceOpenEnded", now);
        }
        (None, _) => {}
    }
}

/// Well by itself for the stabilization time closes an open breaker.
fn recover(inputs: &Inputs<'_>, healthy_since: Option<Timestamp>, state: &mut State) {
    if state.circuit.state() == CircuitState::Closed {
        return;
    }
    let Some(since) = healthy_since else { return };
    let is_well = inputs.moment.reached(after(since, inputs.policy.remediation.stabilization));
    if is_well && state.attempts.in_flight.is_none() {
        close(&mut state.circuit, inputs.now());
        state.history.note("CircuitClosed", inputs.now());
    }
}

/// After the open time, or for a new pod template, one trial.
fn allow_trial(inputs: &Inputs<'_>, state: &mut State) {
    let is_latched = state.circuit.is_latched(&inputs.policy.breaker);
    let CircuitPhase::Open { opening, retry_at } = &state.circuit.phase else { return };
    let current = template(&inputs.snapshot.workload);
    let changed = current.is_some() && opening.template.is_some() && current != opening.template;
    let is_due = !is_latched && inputs.moment.reached(*retry_at);
    if changed || is_due {
        let tried = Opening { at: opening.at, template: current.or_else(|| opening.template.clone()) };
        state.circuit.phase = CircuitPhase::HalfOpen { opening: tried };
        state.attempts.end_back_off();
        state.history.note("CircuitHalfOpen", inputs.now());
    }
}

/// Lasting health clears the attempts and the multiplier.
fn forget(inputs: &Inputs<'_>, healthy_since: Option<Timestamp>, state: &mut State) {
    let Policy { breaker, remediation, .. } = inputs.policy;
    let (attempts, longest) = (&mut state.attempts, breaker.window.max(breaker.recurrence_window));
    attempts.actions.retain(|action| inputs.moment.elapsed(action.time) < longest);
    if attempts.actions.is_empty() && state.circuit.openings == 0 {
        return;
    }
    let Some(since) = healthy_since else { return };
    if inputs.moment.reached(after(since, remediation.reset_after_healthy)) && attempts.in_flight.is_none() {
        attempts.actions.clear();
        attempts.nodes.clear();
        attempts.pause = None;
        state.circuit.openings = 0;
    }
}

/// Forgets a mitigation that has no meaning any more once the circuit's state is known.
pub fn drop_obsolete_mitigation(inputs: &Inputs<'_>, state: &mut State) {
    let circuit = state.circuit.state();
    state.mitigation.take_if(|mitigation| match mitigation.phase {
        MitigationPhase::Overruled => circuit == CircuitState::Closed || !mitigation.is_asked_for(inputs.policy),
        MitigationPhase::Intended => {
            let wanted = circuit == CircuitState::Open && mitigation.is_asked_for(inputs.policy);
            !wanted && seen(mitigation, &inputs.snapshot.live) == Seen::AsBefore
        }
        MitigationPhase::Effective | MitigationPhase::Undoing => false,
    });
}
