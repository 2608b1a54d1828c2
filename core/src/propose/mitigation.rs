//! Mitigation: what happens to a workload while its circuit is open, where somebody asked for more than holding still.
//!
//! `ScaleToZero` takes it down, `Fallback` points a Service at a stand-in. How it was before is remembered first and brought
//! back afterwards. Only what serves too few is touched, never what a tool or an autoscaler would set again, and what
//! somebody else writes meanwhile stays. Nothing here is an attempt, but for the trial that brings a workload back up.

use jiff::{SignedDuration, Timestamp};

use super::{Proposal, Situation};
use crate::{
    model::{
        condition::Truth,
        inputs::Inputs,
        moment::after,
        plan::{Action, Charge, Effect, Plan, Selector, Step},
        policy::OnOpen,
        reason::{Block, Reason},
        snapshot::{Live, Workload, WorkloadState},
        state::{Change, CircuitPhase, Mitigation, MitigationPhase, State},
        verdict::{Health, PodCounts, Verdict},
    },
    observe::{Seen, seen},
};

/// What is to be done now.
pub(super) fn propose(situation: &Situation<'_>, state: &State) -> Proposal {
    let opened = matches!(state.circuit.phase, CircuitPhase::Open { .. });
    let Some(mitigation) = &state.mitigation else {
        return if opened { change(situation) } else { Proposal::Nothing };
    };
    if let Some(due) = mitigation.retry_at.filter(|due| !situation.inputs.moment.reached(*due)) {
        return refusal(mitigation, due);
    }
    match mitigation.phase {
        MitigationPhase::Intended if opened => change(situation),
        MitigationPhase::Intended => Proposal::Nothing,
        MitigationPhase::Effective => keep_or_undo(situation, mitigation, state),
        MitigationPhase::Undoing => Proposal::Nothing,
        MitigationPhase::Overruled => {
            let message = format!("somebody else changed {} while the circuit was open: that stays", mitigation.target);
            Proposal::NoStep(Block::new(Reason::OnOpenHeld, message))
        }
    }
}

fn keep_or_undo(situation: &Situation<'_>, mitigation: &Mitigation, state: &State) -> Proposal {
    let live = &situation.inputs.snapshot.live;
    let closed = state.circuit.phase == CircuitPhase::Closed;
    let still = !closed && mitigation.is_asked_for(situation.inputs.policy);
    if let Live::Unreadable(why) = live {
        let message = format!("{} could not be read: {why}", mitigation.target);
        return Proposal::NoStep(Block::new(Reason::OnOpenHeld, message));
    }
    if seen(mitigation, live) != Seen::AsChanged {
        return Proposal::Nothing;
    }
    match &mitigation.change {
        // The trial of an open circuit: nothing else can show whether the workload is well.
        Change::ToZero { .. } if still => step(mitigation.undo(Reason::HalfOpen, Charge::Attempt)),
        Change::Diverted { .. } if still => Proposal::Nothing,
        Change::ToZero { .. } | Change::Diverted { .. } => {
            let cause = if closed { Reason::BreakerClosed } else { Reason::SpecChanged };
            step(mitigation.undo(cause, Charge::Nothing))
        }
    }
}

fn change(situation: &Situation<'_>) -> Proposal {
    let Inputs { policy, snapshot, moment } = *situation.inputs;
    let verdict = situation.verdict;
    match &policy.breaker.on_open {
        OnOpen::Hold => Proposal::Nothing,
        OnOpen::ScaleToZero => match &situation.observed.workload {
            Workload::Present(state) if state.desired > 0 && !state.deleting => scale_to_zero(state, verdict),
            Workload::Present(_) | Workload::Missing { .. } | Workload::Unknown(_) => Proposal::Nothing,
        },
        OnOpen::Fallback { service, selector } => {
            if snapshot.live == Live::NotAsked {
                // The circuit opened with this very decision.
                moment.wake_at(after(moment.now(), SignedDuration::from_secs(1)));
            }
            divert(service, selector, &snapshot.live, verdict)
        }
    }
}

fn scale_to_zero(state: &WorkloadState, verdict: &Verdict) -> Proposal {
    let name = &state.name;
    let held =
        |why: String| Proposal::NoStep(Block::new(Reason::OnOpenHeld, format!("{name} is not scaled to zero: {why}")));
    if !state.kind.is_scalable() {
        return held(format!("a {} has no replicas", state.kind.as_str()));
    }
    if let Some(who) = &state.scaled_by {
        return held(format!("{who} sets its replicas"));
    }
    if state.claims_go_when_scaled {
        return held("its claims would be deleted (whenScaled: Delete)".to_owned());
    }
    if let Some(why) = still_serves(verdict) {
        return held(why);
    }
    step(Plan {
        action: Action { step: Step::ScaleToZero, target: name.clone(), target_uid: Some(state.uid.clone()) },
        effect: Effect::Scale { from: state.desired, to: 0 },
        cause: Reason::BreakerOpen,
        charge: Charge::Nothing,
    })
}

fn divert(service: &str, stand_in: &Selector, live: &Live, verdict: &Verdict) -> Proposal {
    let held = |why: String| {
        let message = format!("Service {service} is not pointed at the stand-in: {why}");
        Proposal::NoStep(Block::new(Reason::OnOpenHeld, message))
    };
    let (uid, selector) = match live {
        Live::NotAsked | Live::Replicas { .. } => return Proposal::Nothing,
        Live::Missing => return held("there is none of that name".to_owned()),
        Live::Unreadable(why) => return held(format!("it could not be read: {why}")),
        Live::Service { tool: Some(tool), .. } if tool.undoes_changes() => {
            return held(format!("{} owns it and would undo that", tool.as_str()));
        }
        Live::Service { uid, selector, .. } => (uid, selector),
    };
    if selector.is_empty() {
        return held("it has no selector".to_owned());
    }
    if selector == stand_in {
        return held("it is already, by somebody else".to_owned());
    }
    if let Some(why) = still_serves(verdict) {
        return held(why);
    }
    step(Plan {
        action: Action { step: Step::UseFallback, target: service.to_owned(), target_uid: Some(uid.clone()) },
        effect: Effect::Select { from: selector.clone(), to: stand_in.clone() },
        cause: Reason::BreakerOpen,
        charge: Charge::Nothing,
    })
}

/// Healing that stopped is no reason to take away what still works, or may work in a moment.
fn still_serves(verdict: &Verdict) -> Option<String> {
    let PodCounts { desired, needed, ready, .. } = verdict.pods;
    match (verdict.available, verdict.health) {
        (Truth::False, Health::Unhealthy) => None,
        (Truth::Unknown, _) => Some("it cannot be seen whether it serves".to_owned()),
        (Truth::True | Truth::False, _) if ready >= needed => {
            Some(format!("{ready} of {desired} pods are ready, which is enough"))
        }
        (Truth::True | Truth::False, _) => {
            Some(format!("{ready} of {desired} pods are ready, and what is missing may still come"))
        }
    }
}

/// The last try was refused, and the next one is not due.
fn refusal(mitigation: &Mitigation, due: Timestamp) -> Proposal {
    let Some(why) = &mitigation.refused else { return Proposal::Nothing };
    let what = match (&mitigation.change, mitigation.phase) {
        (Change::ToZero { .. }, MitigationPhase::Intended) => "could not be scaled to zero".to_owned(),
        (Change::ToZero { replicas }, _) => format!("could not be scaled back to {replicas}"),
        (Change::Diverted { .. }, MitigationPhase::Intended) => "could not be pointed at the stand-in".to_owned(),
        (Change::Diverted { .. }, _) => "could not be pointed back".to_owned(),
    };
    let message = format!("{} {what}: {why}; again at {due:.0}", mitigation.target);
    Proposal::NoStep(Block::new(Reason::OnOpenHeld, message))
}

fn step(plan: Plan) -> Proposal {
    Proposal::Step(plan, Vec::new())
}
