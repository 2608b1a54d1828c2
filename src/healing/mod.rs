//! The decision: `decide(&policy, &snapshot, now)`, a pure function.
//!
//! It must not know Kubernetes, tokio, serde or tracing, must not read a clock and must not remember anything: what it needs
//! to know later it returns as [`Memory`], which lives in the object's status. It cannot fail; what cannot be seen is
//! Unknown, and Unknown never acts. With an unchanged world and an unchanged time it decides the same again and plans nothing
//! more (a fixpoint): the intent of an action is part of the memory before the action is executed.

pub mod alarm;
pub mod amplification;
pub mod breaker;
pub mod budget;
pub mod cause;
pub mod choice;
pub mod condition;
pub mod crash;
pub mod dependency;
pub mod ending;
pub mod escalation;
pub mod findings;
pub mod health;
pub mod hold;
pub mod ladder;
pub mod lock;
pub mod log;
pub mod look;
pub mod memory;
pub mod on_open;
pub mod plan;
pub mod policy;
pub mod reaction;
pub mod readiness;
pub mod reason;
pub mod recovery;
pub mod recreate;
pub mod replacement;
pub mod replicas;
pub mod restarts;
pub mod rollback;
pub mod snapshot;
pub mod start;
pub mod time;
pub mod verify;

use jiff::{SignedDuration, Timestamp};

use self::{
    alarm::{Notice, Scene},
    cause::Finding,
    choice::{Choice, Known, choose},
    condition::{Condition, ConditionType},
    dependency::Dependencies,
    escalation::Escalation,
    health::{Absence, Health, Verdict},
    look::Look,
    memory::{HistoryEntry, InFlight, Memory, Outcome},
    plan::{Charge, Plan, Step},
    policy::{Mode, Policy},
    reason::{Block, Reason},
    snapshot::{Phase, Service, Snapshot, Workload},
    time::{Wakeups, after, elapsed},
    verify::{Excuse, Execution},
};

/// Two live reads must agree, this far apart, before a workload is believed to be gone.
pub const MISSING_CONFIRMATION: SignedDuration = SignedDuration::from_secs(10);
/// The shortest time between two actions on one service; the kubelet is not quicker either.
pub const SPACING: SignedDuration = SignedDuration::from_secs(10);
/// A crash loop looks well between two crashes: what was degraded by one stays so until it has been well for this long.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(60);

/// What was seen, what is to be done, and why not more.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// How the service is.
    pub verdict: Verdict,
    /// What is wrong with which container.
    pub findings: Vec<Finding>,
    /// The step to execute now, its intent already in `memory`.
    pub plan: Option<Plan>,
    /// The step that would be taken if nothing held it back; the same as `plan` when nothing does.
    pub proposal: Option<Plan>,
    /// Why nothing happens, when something should.
    pub blocked_by: Vec<Block>,
    /// The dependencies, judged.
    pub dependencies: Dependencies,
    /// Restarts inside the window, over all containers.
    pub restarts_in_window: u32,
    /// Actions that did not help and count towards opening the breaker.
    pub ineffective: u32,
    /// The workload is as it should be and its definition is new: keep it as last known good.
    pub record_good: bool,
    /// Why a person is told, if one should be.
    pub escalation: Option<Escalation>,
    /// Well, but too short a time after a crash to call it recovered.
    pub settling: bool,
    /// What receivers of alerts are to know.
    pub notices: Vec<Notice>,
    /// Conditions for the status.
    pub conditions: Vec<Condition>,
    /// To be written to the status before the plan is executed.
    pub memory: Memory,
    /// When the decision could change although nothing else does.
    pub next_check: Option<Timestamp>,
}

/// Decides. Total and deterministic.
pub fn decide(policy: &Policy, snapshot: &Snapshot, now: Timestamp) -> Decision {
    let mut wakeups = Wakeups::default();
    let mut memory = snapshot.memory.clone().clamped(now).with_near_deadlines(policy, now);
    budget::forget(&mut memory, now);
    memory.end_pause(now);

    reaction::follow(snapshot, &mut memory, now);
    let down = reaction::down(snapshot, &memory).filter(|_| !policy.suspend);
    let missing = follow_workload(&snapshot.workload, down, &mut memory, &mut wakeups, now);
    let dependencies = dependency::judge(&snapshot.dependencies, &mut wakeups, now);
    recovery::follow(policy, snapshot, &dependencies, &mut memory, &mut wakeups, now);
    follow_dependencies(&dependencies, &mut memory, now);
    let calm = policy.remediation.stabilization;
    memory.containers = restarts::remember(&memory, &snapshot.pods, &policy.health, calm, now);
    memory.observed_since.get_or_insert(now);
    let snapshot = &*replicas::follow(snapshot, &policy.health, &mut memory, &mut wakeups, now);
    let look = Look { memory: &memory, policy: &policy.health, calm, now };
    let findings = match down {
        Some(_) => Vec::new(),
        None => findings::findings(&look, &snapshot.workload, &snapshot.pods, &mut wakeups),
    };
    memory.findings.clone_from(&findings);
    let verdict = match down {
        Some(replicas) => on_open::verdict(replicas),
        None => {
            let absence = Absence::of(missing, &memory);
            let look = Look { memory: &memory, policy: &policy.health, calm, now };
            health::sum(policy, &look, &snapshot.workload, &snapshot.pods, &findings, absence, &mut wakeups)
        }
    };

    let excuse = excuse(&snapshot.service, &verdict, missing, &dependencies);
    let seed = &snapshot.service.uid;
    verify::judge(policy, &snapshot.workload, &snapshot.pods, excuse, seed, &mut memory, &mut wakeups, now);
    restarts::end_proof(&mut memory);
    follow_health(&verdict, &mut memory, now);
    rollback::follow(policy, snapshot, &verdict, &mut memory, &mut wakeups, now);
    breaker::advance(policy, &snapshot.service, &snapshot.workload, verdict.health, &mut memory, &mut wakeups, now);

    reaction::tidy(policy, snapshot, &mut memory);

    let asked = is_asked(snapshot, &memory);
    let down = down.is_some();
    let known = Known { snapshot, findings: &findings, verdict: &verdict, missing, down, asked };
    let was = memory.circuit.state;
    let mut choice = weigh(policy, &known, &dependencies, &mut memory, &mut wakeups, now);
    if was != memory.circuit.state {
        // One more attempt would have been one too many, and an open circuit may ask for something else.
        choice = weigh(policy, &known, &dependencies, &mut memory, &mut wakeups, now);
    }
    let Choice { proposal, mut blocked_by, aside } = choice;
    answer_request(snapshot, asked, &blocked_by, proposal.is_some(), &mut memory, now);
    let plan = proposal.clone().filter(|_| blocked_by.is_empty() && policy.mode == Mode::Heal);
    if let Some(plan) = &plan {
        begin(
            policy,
            snapshot,
            plan,
            ready_besides(plan, snapshot, &verdict, &findings),
            &mut memory,
            &mut wakeups,
            now,
        );
    }
    blocked_by.extend(aside.filter(|_| plan.is_none()));

    let record_good = is_new_good(snapshot, &verdict);
    let me = (snapshot.service.namespace.clone(), snapshot.service.name.clone());
    let services = hold::with_own_trouble(&snapshot.services, &me, &memory);
    let escalation = escalation::escalate(policy, &services, &verdict, &memory, &mut wakeups, now);
    let settling = is_settling(&verdict, &findings, &memory, &mut wakeups, now);
    let scene = Scene {
        policy,
        snapshot,
        services: &services,
        verdict: &verdict,
        findings: &findings,
        escalation: escalation.as_ref(),
    };
    let notices = alarm::follow(&scene, &mut memory, &mut wakeups, now);
    let restarts_in_window = memory
        .containers
        .iter()
        .map(|entry| restarts::in_window(entry, policy.health.restart_window, now))
        .fold(0, u32::saturating_add);
    let mut decision = Decision {
        verdict,
        findings,
        plan,
        proposal,
        blocked_by,
        dependencies,
        restarts_in_window,
        ineffective: breaker::ineffective(&policy.breaker, &memory, now),
        record_good,
        escalation,
        settling,
        notices,
        conditions: Vec::new(),
        memory,
        next_check: wakeups.earliest(),
    };
    decision.conditions = condition::conditions(&decision, policy, &snapshot.rivals, &warnings(snapshot));
    let degraded = decision.conditions.iter().find(|one| one.kind == ConditionType::Degraded);
    decision.memory.degraded =
        degraded.is_some_and(|one| condition::is_unrecovered(one.status.as_str(), one.reason.as_str()));
    decision
}

fn is_settling(
    verdict: &Verdict,
    findings: &[Finding],
    memory: &Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> bool {
    let trouble = verdict.health == Health::Healthy && !findings.is_empty();
    let Some(since) = memory.healthy_since.filter(|_| trouble) else { return false };
    wakeups.at(after(since, SETTLING), now);
    elapsed(since, now) < SETTLING
}

/// The memory after the API server answered. To be written when it differs from what the decision already wrote.
pub fn settle(
    policy: &Policy,
    snapshot: &Snapshot,
    decided: &Memory,
    plan: &Plan,
    execution: &Execution,
    now: Timestamp,
) -> Memory {
    let mut memory = decided.clone();
    reaction::settle(&policy.remediation, plan, &mut memory, execution, now);
    if plan.charge == Charge::Nothing {
        if matches!(execution, Execution::Refused(_) | Execution::Vanished) {
            budget::take_back(&mut memory);
        }
        return memory;
    }
    verify::settle(policy, &snapshot.workload, &snapshot.service.uid, &mut memory, execution, now);
    memory
}

/// Remembers what must be known once the workload is gone, and believes in its absence only the second time.
fn follow_workload(
    workload: &Workload,
    down: Option<u32>,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> bool {
    match workload {
        Workload::Present(state) => {
            memory.missing_since = None;
            memory.last_replicas = down.or(Some(state.desired));
            memory.intentional_delete = state.intentional_delete;
            false
        }
        Workload::Missing { .. } => {
            let since = *memory.missing_since.get_or_insert(now);
            wakeups.at(after(since, MISSING_CONFIRMATION), now);
            elapsed(since, now) >= MISSING_CONFIRMATION
        }
        Workload::Unknown(_) => false,
    }
}

/// A dependent is not charged for its dependencies: when they get well, its own patience begins anew.
fn follow_dependencies(dependencies: &Dependencies, memory: &mut Memory, now: Timestamp) {
    let held = dependencies.held.is_some();
    if memory.held && !held {
        memory.released_at = Some(now);
    }
    memory.held = held;
}

fn follow_health(verdict: &Verdict, memory: &mut Memory, now: Timestamp) {
    if verdict.health == Health::Healthy {
        memory.healthy_since.get_or_insert(now);
    } else {
        memory.healthy_since = None;
    }
    let was_unhealthy = memory.unhealthy_since.is_some() && memory.unhealthy_until.is_none();
    let is_unhealthy = match verdict.health {
        _ if verdict.unwell => true,
        // What cannot be seen changes nothing; a repair in flight still counts as unhealthy.
        Health::Unknown => was_unhealthy,
        Health::Healthy | Health::Unhealthy | Health::Degraded | Health::Starting | Health::Idle => {
            was_unhealthy && memory.in_flight.is_some()
        }
    };
    match (was_unhealthy, is_unhealthy) {
        (false, true) => (memory.unhealthy_since, memory.unhealthy_until) = (Some(now), None),
        (true, false) => memory.unhealthy_until = Some(now),
        (true, true) | (false, false) => {}
    }
}

fn excuse(service: &Service, verdict: &Verdict, missing: bool, dependencies: &Dependencies) -> Excuse {
    match verdict.health {
        _ if service.deleting => Excuse::NothingWanted,
        _ if missing => Excuse::GoneAgain,
        Health::Idle => Excuse::NothingWanted,
        _ if dependencies.held.is_some() => Excuse::Held,
        _ => Excuse::None,
    }
}

/// What comes and goes with every crash is worth saying only when nothing else is in the way.
fn leave_out_the_passing(blocked_by: &mut Vec<Block>) {
    if blocked_by.len() > 1 {
        blocked_by.retain(|block| block.reason != Reason::NotYet);
    }
}

/// A request that was there before the service was first looked at is not ours to answer: it came with a backup, or was
/// answered in a status that somebody wiped.
fn is_asked(snapshot: &Snapshot, memory: &Memory) -> bool {
    let is_new = snapshot.service.heal_now != memory.handled_heal_now;
    snapshot.service.heal_now.is_some() && is_new && snapshot.memory.observed_since.is_some()
}

/// A request by annotation is answered once, whatever comes of it.
fn answer_request(
    snapshot: &Snapshot,
    asked: bool,
    blocked_by: &[Block],
    has_step: bool,
    memory: &mut Memory,
    now: Timestamp,
) {
    let is_new = snapshot.service.heal_now.is_some() && snapshot.service.heal_now != memory.handled_heal_now;
    memory.handled_heal_now.clone_from(&snapshot.service.heal_now);
    if !is_new {
        return;
    }
    let (cause, outcome) = match blocked_by.first() {
        _ if !asked => (Reason::NotYet.as_str(), Outcome::Dropped),
        Some(block) => (block.reason.as_str(), Outcome::Dropped),
        None if has_step => (Reason::Allowed.as_str(), Outcome::Verified),
        None => (Reason::NotNeeded.as_str(), Outcome::Dropped),
    };
    memory.record(HistoryEntry {
        time: now,
        step: "HealNow".into(),
        target: String::new(),
        cause: cause.into(),
        outcome,
        message: None,
    });
}

/// What would be done next, and all that holds it back.
fn weigh(
    policy: &Policy,
    known: &Known<'_>,
    dependencies: &Dependencies,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Choice {
    let mut choice = choose(policy, known, memory, wakeups, now);
    if let Some(plan) = &choice.proposal {
        let held = hold::reasons(policy, known.snapshot, plan, dependencies, known.asked, memory, wakeups, now);
        choice.blocked_by.splice(0..0, held);
        leave_out_the_passing(&mut choice.blocked_by);
    }
    choice
}

/// Pods that are ready, the target not counted.
fn ready_besides(plan: &Plan, snapshot: &Snapshot, verdict: &Verdict, findings: &[Finding]) -> u32 {
    let is_target = |pod: &&snapshot::Pod| pod.uid == plan.action.target_uid;
    let target = snapshot.pods.iter().find(is_target).filter(|pod| health::is_well(pod, findings));
    verdict.pods.ready.saturating_sub(u32::from(target.is_some()))
}

/// Writes the intent into the memory: from here on the attempt counts.
fn begin(
    policy: &Policy,
    snapshot: &Snapshot,
    plan: &Plan,
    ready: u32,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) {
    budget::begin(memory, now);
    on_open::begin(&policy.remediation, plan, memory, now);
    if plan.charge == Charge::Nothing {
        return;
    }
    let verify_by = after(now, policy.remediation.verify);
    memory.last_action_id = memory.last_action_id.saturating_add(1);
    memory.in_flight = Some(InFlight {
        id: memory.last_action_id,
        action: plan.action.clone(),
        cause: plan.cause,
        started: now,
        verify_by,
        ready_before: ready,
    });
    memory.not_before = None;
    memory.refused = None;
    memory.record(HistoryEntry::pending(plan, None, now));
    match plan.action.step {
        Step::RestartPod
        | Step::RecreateWorkload
        | Step::ScaleToZero
        | Step::RestoreReplicas
        | Step::UseFallback
        | Step::RestoreSelector => {}
        Step::Rollback => rollback::begin(snapshot, memory, now),
    }
    breaker::begin(memory, now);
    // From now on readiness must be remembered: the repair has to prove itself.
    memory.containers =
        restarts::remember(memory, &snapshot.pods, &policy.health, policy.remediation.stabilization, now);
    wakeups.at(verify_by, now);
}

fn is_new_good(snapshot: &Snapshot, verdict: &Verdict) -> bool {
    let Workload::Present(state) = &snapshot.workload else { return false };
    let known = snapshot.last_known_good.as_ref().is_some_and(|good| good.definition == state.definition);
    verdict.health == Health::Healthy && state.rollout == snapshot::Rollout::Complete && !state.deleting && !known
}

/// What would keep the workload from being healed, said while all is still well.
fn warnings(snapshot: &Snapshot) -> Vec<String> {
    let mut warnings = snapshot.service.warnings.clone();
    let Workload::Present(state) = &snapshot.workload else { return warnings };
    if state.no_probes {
        warnings.push(format!("{} has no probes: only crashes can be seen", state.name));
    }
    if state.paused {
        warnings.push(format!("{} is paused: its controller does not roll out changes", state.name));
    }
    if state.kind == snapshot::WorkloadKind::Pod && snapshot.pods.iter().any(|pod| pod.phase == Phase::Failed) {
        warnings.push("the pod's restartPolicy does not restart it".to_owned());
    }
    warnings
}
