//! Clocks that jump and clocks that disagree: they cause no action, and nothing stays broken when they are right again.

use jiff::SignedDuration;
use kubeheal::status::load;
use kubeheal_core::{
    decide,
    model::{
        policy::Policy,
        snapshot::Snapshot,
        state::{CircuitState, Outcome},
    },
};
use proptest::prelude::*;
use serde_json::json;

use super::{
    cases,
    properties::{any_policy, lets_give_back, only_gives_back},
    simulation::{Simulation, Step, histories},
};
use crate::{
    support::fixtures::policy,
    support::scene::{Scene, deployment, end, pod, ready, runs, stamp, waits, with},
};

/// What is left after a time in which the clock was that many seconds ahead.
fn after_a_time_ahead(policy: &Policy, before: &[Step], seconds: i64, meanwhile: &[Step]) -> Simulation {
    let mut simulation = Simulation::new();
    simulation.all(policy, before, |_| {});
    simulation.jump(seconds);
    simulation.all(policy, meanwhile, |_| {});
    simulation.jump(-seconds);
    simulation
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_clock_that_jumps_back_causes_no_action(
        policy in any_policy(), history in histories(80), jump in 1..1_000_000_i64,
    ) {
        let mut policy = policy;
        // An earlier hour may be within a window; that is what windows are for.
        policy.remediation.windows.clear();
        Simulation::new().all(&policy, &history, |turn| {
            let past = turn.now.checked_sub(SignedDuration::from_secs(jump)).unwrap();
            let seen = Snapshot { state: load(turn.status), ..turn.seen.clone() };
            let confused = decide(&policy, &seen, past);
            assert!(confused.plan().is_none(), "{:?}", confused.plan());
        });
    }

    #[test]
    fn what_a_clock_far_ahead_left_behind_holds_no_repair_back_for_ever(
        history in histories(30), ahead in 3600..500_000_000_i64, later in histories(60),
    ) {
        let policy = policy();
        let mut simulation = after_a_time_ahead(&policy, &history, ahead, &later);
        // Longer than the longest time for which a breaker is open, and what a trial takes to prove itself.
        let mut tried = 0;
        simulation.sick(&policy, 5, |turn| tried += usize::from(turn.decision.plan().is_some()));
        prop_assert!(tried > 0, "{:?}", simulation.status);
    }

    #[test]
    fn what_a_clock_far_ahead_left_behind_is_overcome(
        policy in any_policy(), history in histories(30), ahead in 3600..500_000_000_i64, later in histories(30),
    ) {
        let mut policy = policy;
        policy.breaker.latch_after = 0;
        lets_give_back(&mut policy);
        let mut simulation = after_a_time_ahead(&policy, &history, ahead, &later);
        simulation.all(&policy, &history, |_| {});
        simulation.well(&policy, |turn| assert!(only_gives_back(turn.decision), "{:?}", turn.decision.plan()));
        let memory = load(&simulation.status);
        prop_assert_eq!(memory.circuit.state(), CircuitState::Closed);
        prop_assert_eq!(&memory.mitigation, &None, "everything is given back");
        prop_assert!(memory.attempts.in_flight.is_none() && memory.attempts.actions.is_empty() && memory.circuit.openings == 0, "{memory:?}");
    }

    /// The kubelet's clock may be wrong by a day: trouble lasts as long as we have seen it.
    #[test]
    fn a_node_with_a_wrong_clock_is_not_acted_on_any_sooner(skew in -86_400..86_400_i64) {
        let mut scene = Scene::new("Deployment", json!({}));
        scene.has_all(deployment(2, &json!({})));
        let well = |name: &str| {
            let status = json!({"conditions": ready(skew), "containerStatuses": [runs("app", skew, true, 0)]});
            pod(name, &json!({"status": status}))
        };
        scene.has_all([well("app-1-a"), well("app-1-b")]);
        prop_assert!(scene.pass(0, 600).plan().is_none());
        let unready = json!([{
            "type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(600 + skew),
        }]);
        scene.has(pod("app-1-a", &json!({"status": {
            "conditions": unready, "containerStatuses": [runs("app", skew, false, 0)],
        }})));
        let crashed = json!({"lastState": end(1, "Error", 598 + skew, 600 + skew)});
        scene.has(pod("app-1-b", &json!({"status": {
            "conditions": unready, "containerStatuses": [with(waits("app", "CrashLoopBackOff", 1), &crashed)],
        }})));
        let decision = scene.pass(600, 899);
        prop_assert!(decision.state.history.is_empty(), "{:?}", decision.state.history);
    }

    /// Whether a repair has helped is judged by our clock too.
    #[test]
    fn a_repair_proves_itself_on_a_node_with_a_wrong_clock(skew in -86_400..86_400_i64) {
        let mut scene = Scene::new("Deployment", json!({}));
        scene.has_all(deployment(1, &json!({})));
        let one = |name: &str, at: i64, up: bool| {
            let unready = json!([{
                "type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(at + skew),
            }]);
            let conditions = if up { ready(at + skew) } else { unready };
            pod(name, &json!({"status": {"conditions": conditions, "containerStatuses": [runs("app", at + skew, up, 0)]}}))
        };
        scene.has(one("app-1-a", 0, true));
        scene.pass(0, 10);
        scene.has(one("app-1-a", 10, false));
        let mut now = 10;
        // However wrong it is, at last the trouble counts.
        while scene.reconcile(now).plan().is_none() {
            prop_assert!(now < 90_000, "never acted on");
            now += 60;
        }
        scene.loses("app-1-a");
        scene.has(one("app-1-b", now + 20, true));
        let outcome = |scene: &Scene| scene.status().history[0].outcome;
        scene.reconcile(now + 20);
        scene.pass(now + 21, now + 319);
        prop_assert_eq!(outcome(&scene), Outcome::Pending, "it has not been ready for five minutes");
        scene.reconcile(now + 320);
        prop_assert_eq!(outcome(&scene), Outcome::Verified);
    }
}
