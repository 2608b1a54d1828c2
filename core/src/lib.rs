//! The decision: `decide(&policy, &snapshot, now)`, a pure function.
//!
//! ```text
//! Snapshot + State ─ observe ─ diagnose ─ assess ─ verify ─ circuit ─ propose ─ gate ─ commit ─ report ─▶ Decision
//! ```
//!
//! It knows no Kubernetes client, runtime or log, reads no clock and remembers nothing: what must be known later is
//! [`State`], which lives in the object's status. It cannot fail; what cannot be seen is Unknown, and Unknown never acts. With
//! an unchanged world and an unchanged time it decides the same again and plans nothing more: the intent of an action is part
//! of the state before the action is carried out.
//!
//! Each stage reads what the stages before it found. [`State`] names for each of its parts the stages that may change it.

pub mod action_rate;
pub mod assess;
pub mod circuit;
pub mod commit;
pub mod diagnose;
pub mod gate;
pub mod model;
pub mod observe;
pub mod propose;
pub mod report;
mod settle;
pub mod verify;

use jiff::Timestamp;

pub use self::settle::settle;
use self::{
    commit::Weighed,
    gate::Gate,
    model::{
        decision::Decision, fleet::Fleet, inputs::Inputs, moment::Moment, plan::Plan, policy::Policy, reason::Block,
        snapshot::Snapshot, state::State,
    },
    propose::{Proposal, Situation, leave_out_the_passing},
    report::Report,
};

/// Decides. Total and deterministic.
pub fn decide(policy: &Policy, snapshot: &Snapshot, now: Timestamp) -> Decision {
    let moment = Moment::new(now);
    let inputs = &Inputs { policy, snapshot, moment: &moment };
    let mut state = snapshot.state.clone().loaded(policy, now);
    state.attempts.expire(now);
    circuit::give_time_to_replace(inputs, &mut state);

    let observed = &observe::observe(inputs, &mut state);
    let findings = diagnose::diagnose(inputs, observed, &mut state);
    let verdict = assess::assess(inputs, observed, &state, &findings);
    if let Some(outcome) = verify::verify(inputs, observed, &verdict, &state) {
        circuit::conclude(policy, snapshot, outcome, &mut state, now);
    }
    observe::end_proof(&mut state);
    assess::track_episodes(inputs, &verdict, &mut state);
    assess::track_stable(inputs, &observed.workload, &verdict, &mut state);
    circuit::advance(inputs, verdict.health, &mut state);
    circuit::drop_obsolete_mitigation(inputs, &mut state);
    circuit::follow_unproven(inputs, verdict.health, &mut state);

    let requested = commit::is_requested(snapshot, &state);
    let fleet = &snapshot.fleet.with_own(state.health.counted());
    let situation = &Situation { inputs, observed, findings: &findings, verdict: &verdict, requested };
    let weighed = weigh(situation, fleet, &mut state);
    commit::answer(snapshot, requested, &weighed, &mut state, now);
    let intent = commit::commit(situation, weighed, &mut state);
    state.observed.keep_most_troubled();
    report::report(Report { situation, fleet, intent }, state)
}

/// What would be done next, and all that holds it back. Between the two the circuit opens if one more attempt would be one too
/// many.
fn weigh(situation: &Situation<'_>, fleet: &Fleet, state: &mut State) -> Weighed {
    let Situation { inputs, observed, requested, .. } = *situation;
    let gate = &Gate { inputs, observed, fleet, requested };
    let note = match situation.mitigation(state) {
        Proposal::Step(plan, own) => return hold(gate, plan, own, None, state),
        Proposal::NoStep(block) => Some(block),
        Proposal::Nothing => None,
    };
    let (plan, own) = match situation.repair(state) {
        Proposal::Step(plan, own) => (plan, own),
        Proposal::NoStep(block) => return Weighed { proposal: None, blocked_by: vec![block], note },
        Proposal::Nothing => return Weighed { note, ..Weighed::default() },
    };
    if gate.standing(&plan, state).is_empty() && circuit::trip_on_recurrence(inputs, &plan, state) {
        // An open circuit may ask for something else.
        return match situation.mitigation(state) {
            Proposal::Step(plan, own) => hold(gate, plan, own, None, state),
            Proposal::NoStep(block) => hold(gate, plan, own, Some(block), state),
            Proposal::Nothing => hold(gate, plan, own, None, state),
        };
    }
    hold(gate, plan, own, note, state)
}

/// The step with all that holds it back: what holds every step first, then `own`.
fn hold(gate: &Gate<'_>, plan: Plan, own: Vec<Block>, note: Option<Block>, state: &State) -> Weighed {
    let mut blocked_by = gate.standing(&plan, state);
    blocked_by.extend(gate.limits(&plan, state));
    blocked_by.extend(own);
    leave_out_the_passing(&mut blocked_by);
    Weighed { proposal: Some(plan), blocked_by, note }
}
