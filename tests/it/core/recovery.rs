//! What runs while a dependency is down is restarted after it, one pod after the other; and every reason not to.

use kubeheal::{api::status::HealedServiceStatus, status::load};
use kubeheal_core::{
    decide,
    model::{
        decision::Decision,
        dependency::{Dependency, DependencyHealth},
        execution::Execution,
        policy::{Ceiling, Mode, Policy, Rung},
        reason::Reason,
        snapshot::{ContainerState, Deletion, Pod, Readiness, Rollout, Snapshot, Workload, WorkloadKind},
        state::{CircuitState, Outcome, PendingRestart, State},
    },
    settle,
};

use super::simulation::stored;
use crate::support::fixtures::{at, database, fleet, pod, policy, refusal, snapshot, unhealthy_since, workload};

/// How the dependency is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Db {
    Well {
        since: i64,
    },
    /// Available, and about to restart its own pods.
    Recovering {
        since: i64,
    },
    /// Not available, though somebody answers.
    Weak,
    Down,
}

fn db(how: Db) -> Dependency {
    let (state, down, recovering) = match how {
        Db::Well { since } => (DependencyHealth::Available(at(since)), false, false),
        Db::Recovering { since } => (DependencyHealth::Available(at(since)), false, true),
        Db::Weak => (DependencyHealth::Unavailable, false, false),
        Db::Down => (DependencyHealth::Unavailable, true, false),
    };
    Dependency { down, recovering, ..database(state) }
}

fn asked_for() -> Policy {
    let mut policy = policy();
    policy.remediation.restart_on_recovery = true;
    policy
}

/// What is different.
type Change = fn(&mut Scene);

/// A service through time. What it remembers goes through its status every time, as if the controller restarted.
struct Scene {
    policy: Policy,
    seen: Snapshot,
    status: HealedServiceStatus,
}

impl Scene {
    /// Pods that run since the beginning.
    fn of(pods: u32, policy: Policy) -> Self {
        let pods_seen = (0..pods).map(|index| pod(&format!("api-{index}"), true)).collect();
        let mut scene = Self {
            policy,
            seen: snapshot(workload(WorkloadKind::Deployment, pods), pods_seen),
            status: HealedServiceStatus::default(),
        };
        scene.reconcile(0, Db::Well { since: -3600 });
        scene
    }

    /// The dependency was down for two minutes and is well since second 220.
    fn after_outage(pods: u32, policy: Policy) -> Self {
        let mut scene = Self::of(pods, policy);
        scene.reconcile(100, Db::Down);
        scene.reconcile(200, Db::Down);
        scene.reconcile(220, Db::Well { since: 220 });
        scene
    }

    fn reconcile(&mut self, second: i64, how: Db) -> Decision {
        self.seen.dependencies = vec![db(how)];
        self.reconcile_as_seen(second)
    }

    fn reconcile_as_seen(&mut self, second: i64) -> Decision {
        self.seen.state = load(&self.status);
        self.seen.state.observed.last_replicas = Some(2);
        self.seen.state.observed.since.get_or_insert(at(0));
        let decision = decide(&self.policy, &self.seen, at(second));
        self.status = stored(&decision, &self.status, at(second));
        decision
    }

    /// The same, and what is planned is done: the pod is replaced by another one at once.
    fn act(&mut self, second: i64, how: Db, is_well: bool) -> Option<String> {
        let plan = self.reconcile(second, how).plan().cloned()?;
        self.replace(&plan.action.target, second, is_well);
        Some(plan.action.target)
    }

    fn replace(&mut self, name: &str, second: i64, is_well: bool) {
        let old = self.seen.pods.iter_mut().find(|pod| pod.name == name).unwrap();
        *old = started(&format!("{name}x"), second, is_well);
    }

    fn left(&self) -> usize {
        self.memory().dependency.restart.map_or(0, |recovery| recovery.pods.len())
    }

    fn memory(&self) -> State {
        load(&self.status)
    }
}

fn started(name: &str, second: i64, is_well: bool) -> Pod {
    let mut pod = pod(name, is_well);
    pod.containers[0].state = ContainerState::Running(Some(at(second)));
    pod.ready_changed = Some(at(second));
    if is_well {
        pod.ready = Readiness::Ready(Some(at(second)));
    }
    pod
}

const WELL: Db = Db::Well { since: 220 };

#[test]
fn after_an_outage_every_pod_is_restarted_once_and_the_breaker_counts_none_of_them() {
    let mut scene = Scene::after_outage(8, asked_for());
    assert!(scene.reconcile(279, WELL).plan().is_none(), "well for less than a minute");
    let mut restarted = Vec::new();
    for second in (280..6000).step_by(10) {
        let target = scene.act(second, WELL, true);
        restarted.extend(target.map(|target| (second, target)));
    }
    let mut names: Vec<_> = restarted.iter().map(|(_, name)| name.clone()).collect();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), restarted.len()), (8, 8), "{restarted:?}");
    assert!(restarted.windows(2).all(|two| two[1].0 - two[0].0 >= 300), "each proves itself first: {restarted:?}");
    let memory = scene.memory();
    assert_eq!(
        (memory.circuit.state(), memory.attempts.actions.len(), memory.dependency.restart),
        (CircuitState::Closed, 0, None)
    );
    let told: Vec<_> =
        memory.history.iter().map(|entry| (entry.cause.as_deref().unwrap_or_default(), entry.outcome)).collect();
    assert_eq!(told, [("DependencyRecovered", Outcome::Verified); 8], "and nothing about a breaker");
}

#[test]
fn what_is_ready_besides_the_pod_itself_is_what_must_be_surpassed() {
    let decision = Scene::after_outage(3, asked_for()).reconcile(280, WELL);
    assert_eq!(decision.state.attempts.in_flight.map(|in_flight| in_flight.ready_before), Some(2));
}

#[test]
fn a_dependency_that_restarted_its_own_pods_while_it_served_is_followed_by_those_that_ran_meanwhile() {
    let since = at(-3600);
    for (last_action, expected) in [(None, 0), (Some(at(-10)), 0), (Some(at(150)), 2), (Some(at(190)), 3)] {
        let mut scene = Scene::of(4, asked_for());
        // One started after the restart of the dependency's last pod, and one shortly before it.
        scene.seen.pods[0] = started("api-0", 195, true);
        scene.seen.pods[1] = started("api-1", 170, true);
        let served = Dependency { last_action, ..database(DependencyHealth::Available(since)) };
        for (second, recovering) in [(200, true), (500, false)] {
            scene.seen.dependencies = vec![Dependency { recovering, ..served.clone() }];
            scene.reconcile_as_seen(second);
        }
        assert_eq!(scene.left(), expected, "{last_action:?}");
    }
}

#[test]
fn pods_that_are_not_ready_come_first() {
    let mut scene = Scene::after_outage(3, asked_for());
    scene.seen.pods[2] = pod("api-2", false);
    assert_eq!(scene.act(280, WELL, true).as_deref(), Some("api-2"));
}

#[test]
fn nothing_is_restarted_for_less_than_an_outage_or_without_being_asked() {
    let off = policy();
    let mut no_rung = asked_for();
    no_rung.remediation.ladder = vec![Rung::RecreateWorkload];
    let blip: &[(i64, Db)] =
        &[(100, Db::Down), (125, WELL), (150, Db::Down), (175, WELL), (190, Db::Down), (219, WELL)];
    let weak: &[(i64, Db)] = &[(100, Db::Weak), (200, Db::Weak)];
    let down: &[(i64, Db)] = &[(100, Db::Down), (200, Db::Down)];
    for (what, policy, reconciles) in [
        ("blips", asked_for(), blip),
        ("somebody answered all the time", asked_for(), weak),
        ("not asked for", off, down),
        ("not allowed to restart", no_rung, down),
    ] {
        let mut scene = Scene::of(2, policy);
        for (second, how) in reconciles {
            scene.reconcile(*second, *how);
        }
        for second in [220, 280, 400, 4000] {
            assert_eq!(scene.act(second, WELL, true), None, "{what}");
        }
        assert_eq!(scene.memory().dependency.restart, None, "{what}");
    }
}

#[test]
fn observing_says_what_it_would_do() {
    let mut scene = Scene::after_outage(1, Policy { mode: Mode::Observe, ..asked_for() });
    let decision = scene.reconcile(280, WELL);
    assert_eq!(decision.proposal().map(|plan| plan.cause), Some(Reason::DependencyRecovered));
    assert_eq!(decision.plan(), None);
}

#[test]
fn what_started_after_the_recovery_has_found_the_dependency() {
    for (what, change) in [
        ("replaced", (|scene: &mut Scene| scene.replace("api-1", 230, true)) as Change),
        ("restarted by the kubelet", |scene| {
            scene.seen.pods[1].containers[0].state = ContainerState::Running(Some(at(230)));
        }),
        ("about to be started again", |scene| {
            let reason = "CrashLoopBackOff".to_owned();
            scene.seen.pods[1].containers[0].state = ContainerState::Waiting { reason, message: String::new() };
        }),
        ("leaving", |scene| scene.seen.pods[1].deletion = Some(Deletion::default())),
    ] {
        let mut scene = Scene::after_outage(2, asked_for());
        change(&mut scene);
        scene.reconcile(280, WELL);
        assert_eq!(scene.left(), 1, "{what} before the round");

        let mut scene = Scene::after_outage(2, asked_for());
        scene.seen.pods[0].refusal = Some(refusal("budget"));
        scene.reconcile(280, WELL);
        assert_eq!(scene.left(), 2);
        change(&mut scene);
        scene.reconcile(290, WELL);
        assert_eq!(scene.left(), 1, "{what} during the round");
    }
}

#[test]
fn the_first_restart_that_does_not_prove_itself_ends_the_round_and_is_charged() {
    let mut scene = Scene::after_outage(3, asked_for());
    assert!(scene.act(280, WELL, false).is_some());
    let decision = scene.reconcile(280 + 600, WELL);
    assert_eq!((decision.circuit.ineffective, scene.left()), (1, 0));
    let mut more = Vec::new();
    for second in (890..3000).step_by(10) {
        more.extend(scene.reconcile(second, WELL).plan().map(|plan| plan.cause));
    }
    assert!(!more.contains(&Reason::DependencyRecovered), "{more:?}");
}

#[test]
fn a_restart_that_the_server_refuses_for_good_ends_the_round_and_one_for_now_does_not() {
    for (execution, left, charged) in [
        (Execution::Failed("forbidden".into()), 0, 1),
        (Execution::Refused("budget".into()), 2, 0),
        (Execution::Vanished, 2, 0),
    ] {
        let mut scene = Scene::after_outage(2, asked_for());
        let decision = scene.reconcile(280, WELL);
        let plan = decision.plan().unwrap();
        let memory = settle(&scene.policy, &scene.seen, &decision.state, (plan, &execution), at(280));
        let still = memory.dependency.restart.map_or(0, |recovery| recovery.pods.len());
        assert_eq!((still, memory.attempts.actions.len()), (left, charged), "{execution:?}");
    }
}

#[test]
fn whatever_holds_back_a_repair_holds_back_this_one() {
    let table: [(Reason, Change); 9] = [
        (Reason::DisruptionBudget, |scene| {
            scene.seen.pods.iter_mut().for_each(|pod| pod.refusal = Some(refusal("budget")));
        }),
        (Reason::ServiceDeleting, |scene| scene.seen.service.deleting = true),
        (Reason::RolloutInProgress, |scene| {
            let state = workload(WorkloadKind::Deployment, 2);
            scene.seen.workload = Workload::Present(kubeheal_core::model::snapshot::WorkloadState {
                rollout: Rollout::InProgress,
                ..state
            });
        }),
        (Reason::ForcedOpen, |scene| scene.seen.service.force_open = Some("by hand".to_owned())),
        (Reason::ActionCeiling, |scene| {
            scene.policy.ceiling = Some(Ceiling { actions_per_hour: 0, set_by: "ceilings".to_owned() });
        }),
        (Reason::ClusterPaused, |scene| scene.policy.cluster.paused = vec!["upgrade".to_owned()]),
        (Reason::TargetLocked, |scene| scene.seen.ownership.oldest_owner = Some("older".to_owned())),
        (Reason::NotYet, |scene| scene.seen.pods.push(started("api-new", 275, false))),
        (Reason::StormHold, |_| {}),
    ];
    for (reason, change) in table {
        let mut scene = Scene::after_outage(2, asked_for());
        change(&mut scene);
        if reason == Reason::StormHold {
            scene.seen.fleet = fleet(["a", "b", "c", "d"].map(|name| (name, unhealthy_since(at(200)))));
        }
        let decision = scene.reconcile(280, WELL);
        let told: Vec<_> = decision.blocked_by().iter().map(|block| block.reason).collect();
        assert!(told.contains(&reason), "{reason}: {told:?}");
        assert_eq!(decision.plan(), None, "{reason}");
        assert_eq!(scene.left(), 2, "{reason}: it is put off, not forgotten");
    }
}

#[test]
fn a_dependency_that_is_itself_restarted_is_waited_for() {
    let mut scene = Scene::of(1, asked_for());
    // It never was down: it is well, and its own dependency has recovered.
    for second in [300, 400, 1000] {
        assert_eq!(scene.act(second, Db::Recovering { since: -3600 }, true), None);
    }
    assert_eq!(scene.act(1100, Db::Well { since: 1090 }, true), None, "restarted, and not yet well for a minute");
    assert_eq!(scene.act(1150, Db::Well { since: 1090 }, true).as_deref(), Some("api-0"));
}

#[test]
fn a_second_outage_pauses_the_round_and_takes_in_what_was_restarted_before() {
    let mut scene = Scene::after_outage(2, asked_for());
    assert!(scene.act(280, WELL, true).is_some());
    scene.reconcile(300, Db::Down);
    assert_eq!(scene.left(), 1, "a blip changes nothing");
    scene.reconcile(310, Db::Well { since: 310 });
    assert_eq!(scene.left(), 1);
    scene.reconcile(700, Db::Down);
    assert_eq!(scene.act(800, Db::Down, true), None);
    scene.reconcile(820, Db::Well { since: 820 });
    scene.reconcile(880, Db::Well { since: 820 });
    assert_eq!(scene.left(), 2);
}

#[test]
fn pods_that_cannot_be_seen_are_not_forgotten() {
    let mut scene = Scene::after_outage(2, asked_for());
    scene.seen.pods[0].refusal = Some(refusal("budget"));
    scene.reconcile(280, WELL);
    let (workload, pods) = (scene.seen.workload.clone(), std::mem::take(&mut scene.seen.pods));
    scene.seen.workload = Workload::Unknown("the watch is interrupted".to_owned());
    scene.reconcile(290, WELL);
    assert_eq!(scene.left(), 2);
    (scene.seen.workload, scene.seen.pods) = (workload, pods);
    scene.seen.pods[0].refusal = None;
    assert!(scene.act(300, WELL, true).is_some());
}

/// Whoever may write the status alone claims an outage, over and over.
#[test]
fn an_outage_that_the_dependencies_do_not_show_restarts_nothing() {
    let claims = [
        PendingRestart { awaited: true, ..PendingRestart::default() },
        PendingRestart { down_since: Some(at(0)), ..PendingRestart::default() },
        PendingRestart {
            recovered: Some(at(1000)),
            pods: vec!["uid-api-0".to_owned(), "uid-api-1".to_owned()],
            ..PendingRestart::default()
        },
        PendingRestart {
            recovered: None,
            pods: vec!["uid-api-0".to_owned(), "uid-api-1".to_owned()],
            ..PendingRestart::default()
        },
    ];
    for claim in claims {
        let mut scene = Scene::of(2, asked_for());
        for look in 0..50 {
            scene.status.memory.dependency.restart = Some(claim.clone());
            let decision = scene.reconcile(1000 + 60 * look, Db::Well { since: -3600 });
            assert_eq!(decision.plan(), None, "{claim:?}");
        }
    }
    // What is older than the dependency's own recovery is restarted once, and no more.
    let mut scene = Scene::of(2, asked_for());
    let mut restarted = 0;
    for look in 0..50 {
        let second = 1000 + 60 * look;
        let pods = scene.seen.pods.iter().map(|pod| pod.uid.clone()).collect();
        scene.status.memory.dependency.restart =
            Some(PendingRestart { recovered: Some(at(second)), pods, ..PendingRestart::default() });
        restarted += usize::from(scene.act(second, Db::Well { since: 500 }, true).is_some());
    }
    assert_eq!(restarted, 2);
}
