//! After an outage of a dependency only what ends from then on is charged, however long the kubelet's back-off from before goes on.

use jiff::SignedDuration;
use kubeheal::{api::status::HealedServiceStatus, status::load};
use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        dependency::DependencyHealth,
        policy::Policy,
        snapshot::{Container, ContainerState, Readiness, Snapshot, Termination, WorkloadKind},
    },
};

use super::simulation::stored;
use crate::support::fixtures::{at, database, pod, policy, snapshot, workload};

/// The dependency is well again.
const RELEASED: i64 = 1_000;

/// A pod that falls while its dependency is down, decided through its status.
struct Scene {
    policy: Policy,
    seen: Snapshot,
    status: HealedServiceStatus,
    /// How much the node's clock is ahead of ours.
    ahead: i64,
}

impl Scene {
    fn new(policy: Policy, ahead: i64) -> Self {
        let seen = snapshot(workload(WorkloadKind::Deployment, 1), vec![pod("api-0", true)]);
        let mut scene = Self { policy, seen, status: HealedServiceStatus::default(), ahead };
        scene.depends(true);
        scene.reconcile(0);
        scene
    }

    fn depends(&mut self, well: bool) {
        let state = if well { DependencyHealth::Available(at(-3600)) } else { DependencyHealth::Unavailable };
        self.seen.dependencies = vec![database(state)];
    }

    fn container(&mut self) -> &mut Container {
        &mut self.seen.pods[0].containers[0]
    }

    fn ready(&mut self, ready: bool, second: i64) {
        let turned = Some(at(second + self.ahead));
        self.seen.pods[0].ready_changed = turned;
        self.seen.pods[0].ready =
            if ready { Readiness::Ready(turned) } else { Readiness::NotReady(Some("ContainersNotReady".to_owned())) };
    }

    /// It ends, for the how many-th time, and waits for the kubelet.
    fn falls(&mut self, second: i64) {
        let end = Termination {
            exit_code: 1,
            reason: "Error".to_owned(),
            message: String::new(),
            started: Some(at(second - 5 + self.ahead)),
            finished: Some(at(second + self.ahead)),
        };
        let container = self.container();
        container.last = Some(end);
        let (reason, message) = ("CrashLoopBackOff".to_owned(), String::new());
        container.state = ContainerState::Waiting { reason, message };
        (container.ready, container.started) = (false, false);
        self.ready(false, second);
        self.reconcile(second);
    }

    /// The kubelet starts it again.
    fn starts(&mut self, second: i64, ready: bool) {
        let since = at(second + self.ahead);
        let container = self.container();
        container.restart_count += 1;
        container.state = ContainerState::Running(Some(since));
        (container.ready, container.started) = (ready, true);
        if ready {
            self.ready(true, second);
        }
        self.reconcile(second);
    }

    fn reconcile(&mut self, second: i64) -> Decision {
        self.seen.state = load(&self.status);
        let decision = decide(&self.policy, &self.seen, at(second));
        self.status = stored(&decision, &self.status, at(second));
        decision
    }

    /// Nothing is done in all the seconds from here to there.
    fn holds(&mut self, from: i64, to: i64, what: &str) {
        for second in from..to {
            let decision = self.reconcile(second);
            assert!(decision.plan().is_none(), "{what}, {second}: {:?} for {:?}", decision.plan(), decision.findings);
        }
    }

    /// When something is done, at the latest.
    fn acts(&mut self, from: i64, to: i64) -> Option<i64> {
        (from..to).find(|second| self.reconcile(*second).plan().is_some())
    }
}

fn policies() -> Vec<(&'static str, Policy)> {
    let mut impatient = policy();
    impatient.health.crash_loop = SignedDuration::from_secs(4);
    impatient.health.restart_threshold = 2;
    vec![("the defaults", policy()), ("no patience at all", impatient)]
}

/// It falls three times while the dependency is down, the last time just before that is over.
fn outage(policy: Policy, ahead: i64) -> Scene {
    let mut scene = Scene::new(policy, ahead);
    scene.depends(false);
    scene.reconcile(800);
    for second in [820, 860, RELEASED - 1] {
        scene.falls(second);
        if second < RELEASED - 1 {
            scene.starts(second + 20, false);
        }
    }
    scene.depends(true);
    scene
}

#[test]
fn what_ended_before_the_dependencies_were_well_is_not_charged_however_long_it_waits() {
    for ahead in [0, 30, -2700] {
        for (what, policy) in policies() {
            let mut scene = outage(policy, ahead);
            // The kubelet's longest back-off, and the time that it takes to notice.
            scene.holds(RELEASED, RELEASED + 315, what);
            scene.starts(RELEASED + 315, true);
            scene.holds(RELEASED + 316, RELEASED + 800, what);
            assert_eq!(scene.reconcile(RELEASED + 800).verdict.health.as_str(), "Healthy", "{what}");
        }
    }
}

#[test]
fn one_more_fall_is_charged_for_itself_alone() {
    let mut scene = outage(policy(), 0);
    scene.holds(RELEASED, RELEASED + 305, "waiting");
    scene.starts(RELEASED + 305, false);
    scene.falls(RELEASED + 310);
    // Not 300 s after the release, but 300 s of its own.
    scene.holds(RELEASED + 311, RELEASED + 610, "a fall of its own");
    assert_eq!(scene.acts(RELEASED + 610, RELEASED + 620), Some(RELEASED + 610));
}

#[test]
fn a_crash_loop_that_goes_on_afterwards_is_charged() {
    for (what, policy) in policies() {
        let threshold = policy.health.restart_threshold;
        let mut scene = outage(policy, 0);
        scene.holds(RELEASED, RELEASED + 20, what);
        let mut falls = 0;
        while scene.status.memory.attempts.in_flight.is_none() {
            assert!(falls <= threshold, "{what}: {falls} falls of its own, and nothing is done");
            let second = RELEASED + 20 + i64::from(falls) * 30;
            scene.starts(second, false);
            scene.falls(second + 5);
            falls += 1;
        }
        assert!(falls > 1, "{what}: not for one that may be the last");
    }
}
