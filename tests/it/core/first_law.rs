//! The first law, and the clocks that go with it: nothing is given up for a hope that has just failed, no start is cut short, and
//! nobody is "starting" for ever.

use jiff::{SignedDuration, Timestamp};
use kubeheal_core::model::{
    plan::{Effect, Step},
    policy::Policy,
    reason::Reason,
    snapshot::{ContainerState, Pod, Workload, living},
    state::Outcome,
    verdict::Health,
};
use proptest::prelude::*;

use super::{
    cases,
    properties::any_policy,
    simulation::{Simulation, Turn, histories},
};

/// The pod that would be evicted now.
fn evicted<'a>(turn: &Turn<'a>) -> Option<&'a Pod> {
    let plan = turn.decision.plan()?;
    let Effect::EvictPod { .. } = plan.effect else { return None };
    turn.seen.pods.iter().find(|pod| Some(&pod.uid) == plan.action.target_uid.as_ref())
}

/// What came after the last restart, which did not help, was not ready since: nothing was proved.
fn is_proved(turn: &Turn<'_>, failed: Timestamp) -> bool {
    let Workload::Present(workload) = &turn.seen.workload else { return false };
    let younger = || turn.seen.pods.iter().filter(|pod| pod.is_living() && pod.origin.created > Some(failed));
    let none_is_wanted = younger().next().is_none() && living(&turn.seen.pods) >= workload.desired;
    turn.decision.verdict.health == Health::Healthy || younger().any(Pod::is_ready) || none_is_wanted
}

/// The longest that any pod of this world may take to start.
fn longest_start(policy: &Policy, turn: &Turn<'_>) -> SignedDuration {
    let probe = SignedDuration::from_secs(120);
    let known = turn.decision.state.observed.slowest_start("app");
    policy.health.startup_grace.max(probe).max(known)
}

/// Whether nothing is ready that is wanted, and all of it can be seen.
fn is_short(policy: &Policy, turn: &Turn<'_>) -> bool {
    let Workload::Present(workload) = &turn.seen.workload else { return false };
    let wanted = workload.desired > 0 && policy.health.min_ready.of(workload.desired) > 0 && !policy.suspend;
    let ready = turn.seen.pods.iter().any(|pod| pod.is_ready() && pod.is_living());
    let lost = turn.seen.pods.iter().any(Pod::is_on_lost_node);
    wanted && !ready && !lost && turn.decision.state.mitigation.is_none()
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn after_a_restart_that_did_not_help_no_other_pod_is_given_up_before_one_that_came_later_was_ready(
        policy in any_policy(), history in histories(60),
    ) {
        let mut restarted = None;
        let mut failed: Option<Timestamp> = None;
        let mut check = |turn: &Turn<'_>| {
            let actions = &turn.decision.state.attempts.actions;
            let is_over = turn.decision.state.attempts.in_flight.is_none();
            if let Some(time) = restarted.filter(|_| is_over || turn.decision.plan().is_some()) {
                let outcome = actions.iter().find(|action| action.time == time).map(|action| action.outcome);
                if outcome == Some(Outcome::Ineffective) {
                    failed = Some(time);
                }
                restarted = None;
            }
            failed = failed.filter(|time| !is_proved(turn, *time));
            if let (Some(pod), Some(time)) = (evicted(turn), failed) {
                let came_later = pod.origin.created > Some(time);
                assert!(came_later, "{} is given up, and nothing was ready since {time}", pod.name);
            }
            let restarts = turn.decision.plan().is_some_and(|plan| plan.action.step == Step::RestartPod);
            if restarts {
                restarted = Some(turn.now);
            }
        };
        let mut simulation = Simulation::new();
        simulation.all(&policy, &history, &mut check);
        // And then nothing gets ready, whatever is done.
        simulation.sick(&policy, 6, &mut check);
    }

    #[test]
    fn no_start_is_cut_short(policy in any_policy(), history in histories(150)) {
        Simulation::new().all(&policy, &history, |turn| {
            let Some(pod) = evicted(turn) else { return };
            let cause = turn.decision.plan().map(|plan| plan.cause);
            let of_run = [Reason::CrashLoop, Reason::OOMKilled, Reason::LivenessFailed, Reason::StartupFailed, Reason::ReadinessFailed];
            if !of_run.iter().any(|one| Some(*one) == cause) {
                return;
            }
            for container in &pod.containers {
                let known = turn.decision.state.observed.container(&pod.uid, &container.name);
                let Some(known) = known.filter(|known| !known.was_ready && !container.ready) else { continue };
                let allowed = policy.health.startup_grace.max(container.startup.map(|probe| probe.most).unwrap_or_default());
                let runs = matches!(container.state, ContainerState::Running(_));
                let lasts = known.runs_since.is_some_and(|since| turn.now.duration_since(since) < allowed);
                assert!(!(runs && lasts), "{} may start until {allowed:?} are over: {known:?}", pod.name);
            }
        });
    }

    #[test]
    fn a_service_that_nobody_answers_for_is_unhealthy_in_the_end_whichever_pods_come_and_go(
        policy in any_policy(), history in histories(150),
    ) {
        let mut since: Option<Timestamp> = None;
        Simulation::new().all(&policy, &history, |turn| {
            since = is_short(&policy, turn).then(|| since.unwrap_or(turn.now));
            let released = turn.decision.state.dependency.released_at;
            let Some(begin) = since.map(|since| since.max(released.unwrap_or(since))) else { return };
            let patience = policy.health.not_ready + longest_start(&policy, turn);
            let lasted = turn.now.duration_since(begin);
            let health = turn.decision.verdict.health;
            assert!(lasted <= patience || health == Health::Unhealthy, "{health:?} after {lasted:?} of {patience:?}");
        });
    }
}
