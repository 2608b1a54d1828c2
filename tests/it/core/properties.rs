//! What must hold for one service: the fixpoint, the breaker, the spacing, the way through the status, and the end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kubeheal::status::load;
use kubeheal_core::{
    decide,
    model::{
        decision::{Decision, Intent},
        execution::Execution,
        plan::{Charge, Effect, Plan, Step},
        policy::{Mode, OnOpen, Policy},
        reason::{Block, Reason},
        snapshot::{Container, ContainerState, Diagnosis, Phase, Pod, Snapshot, Workload},
        state::{Attempts, CircuitState, Pause, State},
    },
    settle,
};
use proptest::{collection::vec, prelude::*};

use super::{
    cases,
    policies::policies,
    simulation::{Answer, Simulation, Turn, histories, stored},
};
use crate::support::fixtures::{at, policy, sick, workload};

/// The defaults or anything else.
pub(super) fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(policy()), policies()]
}

fn again(policy: &Policy, turn: &Turn<'_>) -> Decision {
    decide(policy, &Snapshot { state: load(turn.status), ..turn.seen.clone() }, turn.now)
}

/// What is left of a decision without what it plans and says about that.
fn settled(decision: &Decision) -> Decision {
    Decision { intent: Intent::None, conditions: Vec::new(), next_check: None, ..decision.clone() }
}

/// What is planned, if it is an attempt.
fn attempt(decision: &Decision) -> Option<&Plan> {
    decision.plan().filter(|plan| plan.charge == Charge::Attempt)
}

/// Nothing is planned, or only what brings back what an open circuit took away.
pub(super) fn only_gives_back(decision: &Decision) -> bool {
    let step = decision.plan().map(|plan| plan.action.step);
    step.is_none_or(|step| matches!(step, Step::RestoreReplicas | Step::RestoreSelector))
}

/// A ceiling or a window may forbid for ever to scale back what was scaled to zero; it is said, and for people to change.
pub(super) fn lets_give_back(policy: &mut Policy) {
    if policy.breaker.on_open != OnOpen::Hold {
        policy.ceiling = None;
        policy.remediation.windows.clear();
    }
}

fn takes_away(plan: &Plan) -> bool {
    match plan.effect {
        Effect::EvictPod { .. } | Effect::ReplaceWorkload { .. } | Effect::Scale { from: _, to: 0 } => true,
        Effect::CreateWorkload { .. } | Effect::Rollback { .. } | Effect::Scale { .. } | Effect::Select { .. } => false,
    }
}

/// It waits for something else than its next try after a crash.
fn cannot_start(pod: &Pod) -> bool {
    let waits = |container: &Container| match &container.state {
        ContainerState::Waiting { reason, .. } => reason != "CrashLoopBackOff",
        ContainerState::Running(_) | ContainerState::Terminated(_) | ContainerState::Unknown => false,
    };
    pod.phase == Phase::Pending || pod.containers.iter().any(waits)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_same_world_at_the_same_time_is_decided_the_same_and_plans_nothing_more(
        policy in any_policy(), history in histories(80),
    ) {
        Simulation::new().all(&policy, &history, |turn| {
            let second = again(&policy, turn);
            assert!(second.plan().is_none(), "planned twice: {:?} {:?} then {:?}", turn.decision, turn.decision.plan(), second);
            let same = |one: &Decision| settled(one).state;
            assert_eq!(same(turn.decision), same(&second));
            assert_eq!(turn.decision.verdict, second.verdict);
            assert_eq!(turn.decision.findings, second.findings);
            let status = stored(&second, turn.status, turn.now);
            let third = decide(&policy, &Snapshot { state: load(&status), ..turn.seen.clone() }, turn.now);
            assert_eq!(status, stored(&third, &status, turn.now), "nothing is written without a change");
        });
    }

    #[test]
    fn memory_survives_the_way_through_the_status(policy in any_policy(), history in histories(80)) {
        Simulation::new().all(&policy, &history, |turn| {
            assert_eq!(load(turn.status), turn.decision.state);
        });
    }

    #[test]
    fn an_open_breaker_writes_nothing_and_a_half_open_one_makes_one_trial(
        policy in any_policy(), history in histories(120),
    ) {
        let mut trial = None;
        Simulation::new().all(&policy, &history, |turn| {
            let (before, after) = (&turn.seen.state, &turn.decision.state);
            let tried = attempt(turn.decision);
            assert!(after.circuit.state() != CircuitState::Open || tried.is_none(), "open: {tried:?}");
            assert!(after.circuit.held_open().is_none() || tried.is_none(), "held open by hand");
            if let Some(step) = turn.decision.plan().filter(|_| tried.is_none()).map(|plan| plan.action.step) {
                let takes = matches!(step, Step::ScaleToZero | Step::UseFallback);
                let may = after.circuit.state() == CircuitState::Open && after.circuit.held_open().is_none();
                assert!(!takes || (may && policy.breaker.on_open != OnOpen::Hold), "{step:?}");
            }
            if tried.is_some() {
                let half_open = after.circuit.state() == CircuitState::HalfOpen;
                let this = (after.circuit.openings, turn.now);
                if let Some((openings, time)) = trial.filter(|_| half_open) {
                    // Another one of the same opening is no second trial only if the first was never made.
                    let made = before.attempts.actions.iter().any(|action| action.time == time);
                    assert!(openings != this.0 || !made, "a second trial of opening {openings}");
                }
                trial = half_open.then_some(this);
            }
        });
    }

    #[test]
    fn one_repair_is_in_flight_at_a_time(policy in any_policy(), history in histories(120)) {
        Simulation::new().all(&policy, &history, |turn| {
            let (before, after) = (&turn.seen.state.attempts.in_flight, &turn.decision.state.attempts.in_flight);
            let awaited = before.is_some() && before == after;
            assert!(!awaited || turn.decision.plan().is_none(), "two repairs at once");
            assert!(attempt(turn.decision).is_none() || after.is_some(), "an action without its intent");
        });
    }

    #[test]
    fn no_configuration_acts_on_one_target_twice_within_ten_seconds(
        policy in any_policy(), history in histories(150),
    ) {
        let mut acted: BTreeMap<String, Timestamp> = BTreeMap::new();
        Simulation::new().all(&policy, &history, |turn| {
            let Some(plan) = attempt(turn.decision) else { return };
            let known = acted.insert(plan.action.target.clone(), turn.now);
            let apart = known.map(|known| turn.now.duration_since(known));
            assert!(apart.is_none_or(|apart| apart >= SignedDuration::from_secs(10)), "{plan:?} after {apart:?}");
        });
    }

    #[test]
    fn a_pod_is_restarted_only_for_a_finding_of_its_own_that_a_restart_can_help_or_after_an_outage(
        policy in any_policy(), history in histories(120),
    ) {
        Simulation::new().all(&policy, &history, |turn| {
            let Some(plan) = turn.decision.plan() else { return };
            let Effect::EvictPod { .. } = plan.effect else { return };
            let pod = turn.seen.pods.iter().find(|pod| Some(&pod.uid) == plan.action.target_uid.as_ref()).expect("it is there");
            assert!(!pod.is_deleting(), "it goes already");
            if plan.cause == Reason::DependencyRecovered {
                let recovery = turn.decision.state.dependency.restart.as_ref().expect("an outage");
                assert!(policy.remediation.restart_on_recovery && recovery.pods.contains(&pod.uid), "{recovery:?}");
                assert!(turn.seen.dependencies.iter().all(|one| !one.down), "it is over");
                return;
            }
            let asked = turn.seen.service.heal_now != turn.seen.state.requests.heal_now;
            let why = turn.decision.findings.iter().find(|finding| finding.is_about(pod) && finding.cause.reason() == plan.cause);
            let why = why.expect("a finding of its own");
            assert!(why.restart_may_help && why.active_now && (why.over_threshold || asked), "{why:?}");
        });
    }

    #[test]
    fn nothing_is_taken_away_while_another_pod_of_the_template_cannot_start(
        policy in any_policy(), history in histories(150),
    ) {
        Simulation::new().all(&policy, &history, |turn| {
            let Some(plan) = turn.decision.plan().filter(|plan| takes_away(plan)) else { return };
            let others = turn.seen.pods.iter().filter(|pod| Some(&pod.uid) != plan.action.target_uid.as_ref() && !pod.is_deleting());
            let stuck: Vec<_> = others.filter(|pod| cannot_start(pod)).collect();
            assert!(stuck.is_empty(), "{plan:?} beside {stuck:?}");
        });
    }

    #[test]
    fn a_diagnosis_never_changes_what_is_done(policy in any_policy(), history in histories(80)) {
        Simulation::new().all(&policy, &history, |turn| {
            let mut seen = turn.seen.clone();
            for container in seen.pods.iter_mut().flat_map(|pod| &mut pod.containers) {
                let line = "could not connect to db:5432: connection refused".to_owned();
                let advice = "restart everything".to_owned();
                container.diagnosis = Some(Diagnosis { name: "DatabaseUnreachable".to_owned(), advice, line });
                container.unread = Some("forbidden".to_owned());
            }
            let told = decide(&policy, &seen, turn.now);
            assert_eq!(told.plan(), turn.decision.plan());
            assert_eq!(told.next_check, turn.decision.next_check);
            let quiet = |decision: &Decision| decision.state.clone();
            assert_eq!(quiet(&told), quiet(turn.decision));
        });
    }

    #[test]
    fn each_reason_to_hold_still_holds(
        policy in any_policy(), history in histories(80), reason in 0..6_usize,
    ) {
        Simulation::new().all(&policy, &history, |turn| {
            let (mut policy, mut seen) = (policy.clone(), turn.seen.clone());
            match reason {
                0 => policy.mode = Mode::Observe,
                1 => policy.suspend = true,
                2 => policy.cluster.paused.push("an incident".to_owned()),
                3 => policy.held = Some(Block::new(Reason::PolicyInvalid, "contradictory")),
                4 => seen.service.deleting = true,
                _ => seen.service.force_open = Some("by hand".to_owned()),
            }
            let decision = decide(&policy, &seen, turn.now);
            assert!(decision.plan().is_none(), "{:?}", decision.plan());
        });
    }

    #[test]
    fn a_dependency_that_is_down_holds_the_dependent(policy in any_policy(), history in histories(120)) {
        Simulation::new().all(&policy, &history, |turn| {
            assert!(turn.decision.dependencies.held.is_none() || only_gives_back(turn.decision));
        });
    }

    #[test]
    fn a_ceiling_is_never_passed(policy in policies(), history in histories(150), limit in 0..5_u32) {
        let mut policy = policy;
        policy.ceiling = Some(kubeheal_core::model::policy::Ceiling { actions_per_hour: limit, set_by: "us".to_owned() });
        let mut begun: Vec<Timestamp> = Vec::new();
        Simulation::new().all(&policy, &history, |turn| {
            let Some(answer) = turn.answer else { return };
            let lately = begun.iter().filter(|time| turn.now.duration_since(**time) < SignedDuration::from_hours(1));
            // What an open circuit asks for follows from attempts that were within the ceiling.
            assert!(attempt(turn.decision).is_none() || lately.count() < limit as usize, "more than {limit} of {begun:?}");
            // What was refused, or met nothing there, changed nothing.
            if matches!(answer, Answer::Done | Answer::Failed) {
                begun.push(turn.now);
            }
        });
    }

    #[test]
    fn whatever_happened_lasting_health_ends_closed_and_forgiven(
        policy in any_policy(), history in histories(120),
    ) {
        let mut policy = policy;
        // A latch is a person's to open, and a stabilization longer than the test proves nothing.
        policy.breaker.latch_after = 0;
        lets_give_back(&mut policy);
        let mut simulation = Simulation::new();
        simulation.all(&policy, &history, |_| {});
        simulation.well(&policy, |turn| assert!(only_gives_back(turn.decision), "it is well: {:?}", turn.decision.plan()));
        let memory = load(&simulation.status);
        assert_eq!(memory.circuit.state(), CircuitState::Closed);
        assert!(memory.attempts.actions.is_empty() && memory.attempts.in_flight.is_none() && memory.circuit.openings == 0, "{memory:?}");
        assert_eq!(memory.mitigation, None, "everything is given back");
        assert_eq!(memory.health.ongoing(), None, "no trouble goes on");
    }

    #[test]
    fn a_latch_that_a_person_opens_is_no_different(policy in policies(), history in histories(120)) {
        let mut policy = policy;
        policy.breaker.latch_after = 1;
        lets_give_back(&mut policy);
        let mut simulation = Simulation::new();
        simulation.all(&policy, &history, |_| {});
        simulation.reset();
        simulation.well(&policy, |turn| assert!(only_gives_back(turn.decision), "it is well: {:?}", turn.decision.plan()));
        let memory = load(&simulation.status);
        assert_eq!((memory.circuit.state(), memory.mitigation, memory.attempts.in_flight), (CircuitState::Closed, None, None));
    }

    #[test]
    fn after_lasting_health_an_earlier_policy_decides_nothing_any_more(
        earlier in vec(policies(), 1..4), last in any_policy(), history in histories(60),
    ) {
        let mut last = last;
        last.breaker.latch_after = 0;
        lets_give_back(&mut last);
        let (mut changed, mut fresh) = (Simulation::new(), Simulation::new());
        for policy in &earlier {
            changed.all(policy, &history, |_| {});
        }
        fresh.all(&last, &history, |_| {});
        for simulation in [&mut changed, &mut fresh] {
            simulation.well(&last, |_| {});
        }
        let of = |simulation: &Simulation| {
            let memory = load(&simulation.status);
            let State { circuit, attempts, mitigation, dependency, .. } = memory;
            let Attempts { actions, in_flight, pause, .. } = attempts;
            (circuit.state(), circuit.openings, actions, in_flight, pause, mitigation, dependency.restart)
        };
        assert_eq!(of(&changed), of(&fresh));
    }

    #[test]
    fn what_cannot_be_seen_is_never_acted_on(policy in any_policy(), history in histories(120)) {
        Simulation::new().all(&policy, &history, |turn| {
            let Some(plan) = turn.decision.plan() else { return };
            assert!(!matches!(turn.seen.workload, Workload::Unknown(_)), "it could not be read: {plan:?}");
            let gone = matches!(turn.seen.workload, Workload::Missing { .. });
            assert!(!gone || turn.seen.state.observed.missing_since.is_some(), "one reconcile is not enough: {plan:?}");
            let lost = turn.seen.pods.iter().filter(|pod| pod.is_on_lost_node());
            let drained = turn.seen.pods.iter().filter(|pod| pod.host.drain.is_some());
            let mut left = lost.chain(drained);
            assert!(left.all(|pod| Some(&pod.uid) != plan.action.target_uid.as_ref()), "left to its node: {plan:?}");
        });
    }
}

#[test]
fn a_refused_action_is_not_charged_and_a_failed_one_is() {
    let policy = policy();
    let (seen, now) = (sick(workload(kubeheal_core::model::snapshot::WorkloadKind::Deployment, 1)), at(3000));
    let decision = decide(&policy, &seen, now);
    assert!(decision.plan().is_some(), "unready for so long is acted on: {:?}", decision.blocked_by());
    let plan = decision.plan().unwrap();
    let refused = settle(&policy, &seen, &decision.state, (plan, &Execution::Refused("budget".into())), now);
    assert!(refused.attempts.actions.is_empty() && refused.attempts.in_flight.is_none());
    assert!(matches!(refused.attempts.pause, Some(Pause::Refused { why, .. }) if why == "budget"));
    let failed = settle(&policy, &seen, &decision.state, (plan, &Execution::Failed("forbidden".into())), now);
    assert_eq!(failed.attempts.actions.len(), 1);
    let done = settle(&policy, &seen, &decision.state, (plan, &Execution::Done), now);
    assert_eq!(done, decision.state);
}
