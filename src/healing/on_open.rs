//! What happens to a workload while its circuit is open, where somebody asked for more than holding still.
//!
//! `ScaleToZero` takes it down, `Fallback` points a Service at a stand-in. How it was before is remembered first and brought
//! back afterwards. Only what serves too few is touched, never what a tool or an autoscaler would set again, and what
//! somebody else writes meanwhile stays. Must not count: nothing here is an attempt, but for the trial that brings a workload
//! back up.

use jiff::{SignedDuration, Timestamp};

use super::{
    health::{Health, PodCounts, Verdict},
    memory::{CircuitState, HistoryEntry, Memory},
    plan::{Action, Charge, Effect, Plan, Step},
    policy::{OnOpen, Policy, RemediationPolicy},
    reaction::{Change, Phase, Reaction, Seen, Selector, look},
    reason::{Block, Reason},
    snapshot::{Live, Snapshot, Workload, WorkloadKind, WorkloadState},
    time::{Wakeups, after},
};

/// What is to be done about an open circuit, beyond holding still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: what the ladder wants counts.
    Nothing,
    /// Nothing, although it was asked for.
    Held(Block),
    /// This, before anything that the ladder wants.
    Step(Plan),
}

impl Wish {
    /// Why nothing is done although it was asked for.
    pub fn held(self) -> Option<Block> {
        match self {
            Self::Held(block) => Some(block),
            Self::Nothing | Self::Step(_) => None,
        }
    }
}

/// How a workload is that we scaled to zero: not idle, for nobody wanted that.
pub fn verdict(replicas: u32) -> Verdict {
    Verdict {
        health: Health::Unhealthy,
        reason: Reason::BreakerOpen,
        message: format!("0 of {replicas} pods ready: scaled to zero while the circuit is open"),
        pods: PodCounts { desired: replicas, ..PodCounts::default() },
        unwell: true,
    }
}

/// What is to be done now.
pub fn wish(
    policy: &Policy,
    snapshot: &Snapshot,
    verdict: &Verdict,
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Wish {
    // Not by a person, who may want nothing to be touched.
    let opened = memory.circuit.state == CircuitState::Open && memory.circuit.forced.is_none();
    let Some(reaction) = &memory.reaction else {
        return if opened { react(policy, snapshot, verdict, wakeups, now) } else { Wish::Nothing };
    };
    if let Some(due) = reaction.retry_at.filter(|due| now < *due) {
        wakeups.at(due, now);
        return refusal(reaction, due);
    }
    match reaction.phase {
        Phase::Intended if opened => react(policy, snapshot, verdict, wakeups, now),
        Phase::Intended => Wish::Nothing,
        Phase::InForce => keep_or_undo(policy, snapshot, reaction, memory),
        Phase::Undoing => Wish::Nothing,
        Phase::Overruled => {
            let message = format!("somebody else changed {} while the circuit was open: that stays", reaction.target);
            Wish::Held(Block::new(Reason::OnOpenHeld, message))
        }
    }
}

fn keep_or_undo(policy: &Policy, snapshot: &Snapshot, reaction: &Reaction, memory: &Memory) -> Wish {
    let closed = memory.circuit.state == CircuitState::Closed;
    let still = !closed && reaction.is_asked_for(policy);
    if let Live::Unreadable(why) = &snapshot.live {
        let message = format!("{} could not be read: {why}", reaction.target);
        return Wish::Held(Block::new(Reason::OnOpenHeld, message));
    }
    if look(reaction, &snapshot.live) != Seen::AsChanged {
        return Wish::Nothing;
    }
    match &reaction.change {
        // The trial of an open circuit: nothing else can show whether the workload is well.
        Change::ToZero { .. } if still => Wish::Step(reaction.undo(Reason::HalfOpen, Charge::Attempt)),
        Change::Diverted { .. } if still => Wish::Nothing,
        Change::ToZero { .. } | Change::Diverted { .. } => {
            let cause = if closed { Reason::BreakerClosed } else { Reason::SpecChanged };
            Wish::Step(reaction.undo(cause, Charge::Nothing))
        }
    }
}

fn react(policy: &Policy, snapshot: &Snapshot, verdict: &Verdict, wakeups: &mut Wakeups, now: Timestamp) -> Wish {
    match &policy.breaker.on_open {
        OnOpen::Hold => Wish::Nothing,
        OnOpen::ScaleToZero => match &snapshot.workload {
            Workload::Present(state) if state.desired > 0 && !state.deleting => scale_to_zero(state, verdict),
            Workload::Present(_) | Workload::Missing { .. } | Workload::Unknown(_) => Wish::Nothing,
        },
        OnOpen::Fallback { service, selector } => {
            if snapshot.live == Live::NotAsked {
                // The circuit opened with this very look.
                wakeups.at(after(now, SignedDuration::from_secs(1)), now);
            }
            divert(service, selector, &snapshot.live, verdict)
        }
    }
}

fn scale_to_zero(state: &WorkloadState, verdict: &Verdict) -> Wish {
    let name = &state.name;
    let held = |why: String| Wish::Held(Block::new(Reason::OnOpenHeld, format!("{name} is not scaled to zero: {why}")));
    match state.kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet => {}
        WorkloadKind::DaemonSet | WorkloadKind::Pod => {
            return held(format!("a {} has no replicas", state.kind.as_str()));
        }
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
    Wish::Step(Plan {
        action: Action { step: Step::ScaleToZero, target: name.clone(), target_uid: state.uid.clone() },
        effect: Effect::Scale { from: state.desired, to: 0 },
        cause: Reason::BreakerOpen,
        charge: Charge::Nothing,
    })
}

fn divert(service: &str, stand_in: &Selector, live: &Live, verdict: &Verdict) -> Wish {
    let held = |why: String| {
        let message = format!("Service {service} is not pointed at the stand-in: {why}");
        Wish::Held(Block::new(Reason::OnOpenHeld, message))
    };
    let (uid, selector) = match live {
        Live::NotAsked | Live::Replicas { .. } => return Wish::Nothing,
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
    Wish::Step(Plan {
        action: Action { step: Step::UseFallback, target: service.to_owned(), target_uid: uid.clone() },
        effect: Effect::Select { from: selector.clone(), to: stand_in.clone() },
        cause: Reason::BreakerOpen,
        charge: Charge::Nothing,
    })
}

/// Healing that stopped is no reason to take away what still works.
fn still_serves(verdict: &Verdict) -> Option<String> {
    let PodCounts { desired, ready, .. } = verdict.pods;
    (verdict.health != Health::Unhealthy).then(|| format!("{ready} of {desired} pods are ready, which is enough"))
}

/// Writes the intent into the memory.
pub fn begin(policy: &RemediationPolicy, plan: &Plan, memory: &mut Memory, now: Timestamp) {
    let retry_at = Some(after(now, policy.backoff_initial));
    let change = match &plan.effect {
        Effect::Scale { from, to: 0 } => Change::ToZero { replicas: *from },
        Effect::Select { from, to } if plan.action.step == Step::UseFallback => {
            Change::Diverted { selector: from.clone(), stand_in: to.clone() }
        }
        Effect::Scale { .. } | Effect::Select { .. } => {
            if let Some(reaction) = &mut memory.reaction {
                reaction.enter(Phase::Undoing, now);
                reaction.retry_at = retry_at;
            }
            return note(plan, memory, now);
        }
        Effect::EvictPod { .. }
        | Effect::CreateWorkload { .. }
        | Effect::ReplaceWorkload { .. }
        | Effect::Rollback { .. } => return,
    };
    let Action { target, target_uid, .. } = plan.action.clone();
    let again = memory.reaction.is_some();
    let phase = Phase::Intended;
    memory.reaction = Some(Reaction { change, target, uid: target_uid, phase, since: now, retry_at, refused: None });
    if !again {
        note(plan, memory, now);
    }
}

/// Tells people, once, with what they need to take it back by hand. A trial is told by who counts it.
fn note(plan: &Plan, memory: &mut Memory, now: Timestamp) {
    if plan.charge != Charge::Nothing {
        return;
    }
    let said = |selector: &Selector| {
        selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    let message = match &plan.effect {
        Effect::Scale { from, to } => Some(format!("from {from} to {to} replicas")),
        Effect::Select { from, to } => Some(format!("selector from {} to {}", said(from), said(to))),
        Effect::EvictPod { .. }
        | Effect::CreateWorkload { .. }
        | Effect::ReplaceWorkload { .. }
        | Effect::Rollback { .. } => None,
    };
    memory.record(HistoryEntry::pending(plan, message, now));
}

/// The last try was refused, and the next one is not due.
fn refusal(reaction: &Reaction, due: Timestamp) -> Wish {
    let Some(why) = &reaction.refused else { return Wish::Nothing };
    let what = match (&reaction.change, reaction.phase) {
        (Change::ToZero { .. }, Phase::Intended) => "could not be scaled to zero".to_owned(),
        (Change::ToZero { replicas }, _) => format!("could not be scaled back to {replicas}"),
        (Change::Diverted { .. }, Phase::Intended) => "could not be pointed at the stand-in".to_owned(),
        (Change::Diverted { .. }, _) => "could not be pointed back".to_owned(),
    };
    let message = format!("{} {what}: {why}; again at {due:.0}", reaction.target);
    Wish::Held(Block::new(Reason::OnOpenHeld, message))
}
