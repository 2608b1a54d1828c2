//! Holding back: every reason not to take a step now that does not depend on what the step is for.
//!
//! Must not choose steps; those reasons that belong to one step stand where it is chosen.

use jiff::Timestamp;

use super::{
    SPACING, breaker, budget,
    dependency::Dependencies,
    lock,
    look::Look,
    memory::Memory,
    plan::{Charge, Plan, Step},
    policy::Policy,
    reason::{Block, Reason},
    replacement,
    snapshot::{Neighbour, Snapshot},
    time::{Wakeups, after},
};

/// Why the step must wait. `asked` is that a person wants it now.
pub fn reasons(
    policy: &Policy,
    snapshot: &Snapshot,
    plan: &Plan,
    dependencies: &Dependencies,
    asked: bool,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Vec<Block> {
    let mut blocks: Vec<Block> = policy.held.iter().cloned().collect();
    if snapshot.service.deleting {
        blocks.push(Block::new(Reason::ServiceDeleting, "the HealedService or its namespace is being deleted"));
    }
    if let Some((reason, message)) = dependencies.held.as_ref().filter(|_| !gives_back(plan)) {
        blocks.push(Block::new(*reason, message.clone()));
    }
    let look = Look { memory, policy: &policy.health, calm: policy.remediation.stabilization, now };
    blocks.extend(replacement::doubt(&look, snapshot, plan, wakeups));
    blocks.extend(lock::hold(&snapshot.rivals, wakeups, now));
    if let Some(in_flight) = &memory.in_flight {
        let message =
            format!("{} of {} must prove itself first", in_flight.action.step.as_str(), in_flight.action.target);
        blocks.push(Block::new(Reason::ActionInFlight, message));
    }
    if plan.charge == Charge::Attempt {
        blocks.extend(as_attempt(policy, snapshot, plan, asked, blocks.is_empty(), memory, wakeups, now));
    }
    let me = (snapshot.service.namespace.clone(), snapshot.service.name.clone());
    let services = with_own_trouble(&snapshot.services, &me, memory);
    blocks.extend(budget::cluster_holds(&policy.cluster, &services, &me, wakeups, now));
    blocks.extend(budget::outside_windows(&policy.remediation.windows, wakeups, now));
    blocks
}

/// What holds back an attempt, and not what only follows from attempts that failed.
fn as_attempt(
    policy: &Policy,
    snapshot: &Snapshot,
    plan: &Plan,
    asked: bool,
    free_so_far: bool,
    memory: &mut Memory,
    wakeups: &mut Wakeups,
    now: Timestamp,
) -> Vec<Block> {
    let counts = plan.cause != Reason::DependencyRecovered;
    if counts && free_so_far && breaker::trips_on_recurrence(policy, memory, now) {
        breaker::open(policy, &snapshot.workload, memory, now);
        wakeups.at(memory.circuit.retry_at.unwrap_or(now), now);
    }
    let mut blocks: Vec<Block> = breaker::hold(&policy.breaker, &memory.circuit).into_iter().collect();
    blocks.extend(budget::at_ceiling(policy.ceiling.as_ref(), memory, wakeups, now));
    blocks.extend(back_off(asked, memory, wakeups, now).or_else(|| spacing(memory, wakeups, now)));
    blocks
}

/// It only takes back what we did ourselves.
fn gives_back(plan: &Plan) -> bool {
    match plan.action.step {
        Step::RestoreReplicas | Step::RestoreSelector => plan.charge == Charge::Nothing,
        Step::RestartPod | Step::RecreateWorkload | Step::Rollback | Step::ScaleToZero | Step::UseFallback => false,
    }
}

/// All services, this one as it is known to be now and not as its last status said.
pub(super) fn with_own_trouble(services: &[Neighbour], me: &(String, String), memory: &Memory) -> Vec<Neighbour> {
    let mut services = services.to_vec();
    if let Some(own) = services.iter_mut().find(|service| service.key == *me) {
        own.unhealthy_since = memory.unhealthy_since;
        own.unhealthy_until = memory.unhealthy_until;
    }
    services
}

fn back_off(asked: bool, memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    let until = memory.not_before?;
    wakeups.at(until, now);
    (now < until).then_some(())?;
    match &memory.refused {
        Some(why) => Some(Block::new(Reason::Refused, format!("the API server refused: {why}; again at {until:.0}"))),
        None if asked => None,
        None => Some(Block::new(Reason::BackOff, format!("waiting until {until:.0} after the last action"))),
    }
}

/// Whatever the policy and whoever asks: two actions on one service are never closer than this.
fn spacing(memory: &Memory, wakeups: &mut Wakeups, now: Timestamp) -> Option<Block> {
    let until = after(*memory.recent.last()?, SPACING);
    wakeups.at(until, now);
    (now < until).then(|| Block::new(Reason::BackOff, format!("waiting until {until:.0} after the last action")))
}
