//! Properties of the decision, over worlds that misbehave at random.

use jiff::{SignedDuration, Timestamp};
use kubeheal::{
    api::{self, status::HealedServiceStatus},
    healing::{
        Decision, decide,
        memory::{CircuitState, Memory},
        policy::{Ceiling, ClusterPolicy, Mode, Policy},
        settle,
        snapshot::{
            Container, ContainerState, Patience, Phase, Pod, Readiness, Rivals, Role, Rollout, Service, Snapshot,
            Termination, Workload, WorkloadKind, WorkloadState,
        },
        verify::Execution,
    },
    observe::{memory::recall, policy::translate},
    publish::status::render,
};
use proptest::prelude::*;

fn policy() -> Policy {
    translate(&api::HealingSettings::default(), &ClusterPolicy::default())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_600_000 + seconds).unwrap()
}

/// What a pod can look like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Well,
    Unready,
    Crashed { restarts: u8, oom: bool },
    Starting,
    NodeLost,
    BadImage,
    Replaced,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        4 => Just(Shape::Well),
        3 => Just(Shape::Unready),
        3 => (1..4_u8, any::<bool>()).prop_map(|(restarts, oom)| Shape::Crashed { restarts, oom }),
        1 => Just(Shape::Starting),
        1 => Just(Shape::NodeLost),
        1 => Just(Shape::BadImage),
        1 => Just(Shape::Replaced),
    ]
}

/// One pod over time.
#[derive(Debug, Clone)]
struct Actor {
    generation: u32,
    restarts: u32,
    since: Timestamp,
}

impl Actor {
    fn pod(&mut self, index: usize, shape: Shape, now: Timestamp) -> Pod {
        if matches!(shape, Shape::Replaced) {
            (self.generation, self.restarts, self.since) = (self.generation + 1, 0, now);
        }
        let mut last = None;
        if let Shape::Crashed { restarts, oom } = shape {
            self.restarts += u32::from(restarts);
            self.since = now;
            let reason = if oom { "OOMKilled" } else { "Error" };
            let (exit_code, reason) = (if oom { 137 } else { 1 }, reason.to_owned());
            last = Some(Termination { exit_code, reason, finished: Some(now), ..Termination::default() });
        }
        let state = match shape {
            Shape::Crashed { .. } => {
                ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() }
            }
            Shape::BadImage => ContainerState::Waiting { reason: "ImagePullBackOff".into(), message: String::new() },
            Shape::Well | Shape::Unready | Shape::Starting | Shape::NodeLost | Shape::Replaced => {
                ContainerState::Running(Some(self.since))
            }
        };
        let container_ready = matches!(shape, Shape::Well | Shape::NodeLost);
        Pod {
            name: format!("api-{index}"),
            uid: format!("uid-{index}-{}", self.generation),
            deleting: false,
            phase: if matches!(shape, Shape::BadImage) { Phase::Pending } else { Phase::Running },
            reason: None,
            ready: match shape {
                Shape::Well => Readiness::Ready(Some(self.since)),
                Shape::NodeLost => Readiness::NotReady(None),
                _ => Readiness::NotReady(Some("ContainersNotReady".into())),
            },
            ready_changed: None,
            unschedulable: None,
            old_revision: false,
            conditions: Vec::new(),
            containers: vec![Container {
                name: "app".into(),
                role: Role::Main,
                ready: container_ready,
                started: !matches!(shape, Shape::Starting),
                restart_count: self.restarts,
                state,
                last,
                startup: matches!(shape, Shape::Starting)
                    .then(|| Patience { least: SignedDuration::from_secs(110), most: SignedDuration::from_secs(120) }),
                liveness: None,
                probe_event: None,
            }],
            refused_by_budget: None,
        }
    }
}

fn snapshot(pods: Vec<Pod>, memory: Memory) -> Snapshot {
    Snapshot {
        service: Service { namespace: "shop".into(), name: "api".into(), uid: "u".into(), ..Service::default() },
        workload: Workload::Present(WorkloadState {
            kind: WorkloadKind::Deployment,
            name: "api".into(),
            uid: "w".into(),
            desired: u32::try_from(pods.len()).unwrap(),
            rollout: Rollout::Complete,
            template: "t".into(),
            deleting: false,
            paused: false,
            intentional_delete: false,
            updated: u32::try_from(pods.len()).unwrap(),
            controlled: false,
            tool: None,
            claims_go_with_it: false,
            replica_failure: None,
            no_probes: false,
            definition: "d".into(),
        }),
        pods,
        dependencies: Vec::new(),
        last_known_good: None,
        last_stable: None,
        rivals: Rivals::default(),
        services: Vec::new(),
        memory,
    }
}

/// Through the status and back, as in the cluster.
fn stored(decision: &Decision, old: &HealedServiceStatus, now: Timestamp) -> HealedServiceStatus {
    render(decision, old, Some(1), None, None, now)
}

fn history() -> impl Strategy<Value = Vec<(u16, Vec<Shape>)>> {
    proptest::collection::vec((1..600_u16, proptest::collection::vec(shape(), 2)), 1..120)
}

/// Plays a history and hands every decision to `check`.
fn play(history: &[(u16, Vec<Shape>)], check: impl FnMut(&Snapshot, &Decision, &HealedServiceStatus, Timestamp)) {
    play_under(&policy(), history, check);
}

fn play_under(
    policy: &Policy,
    history: &[(u16, Vec<Shape>)],
    mut check: impl FnMut(&Snapshot, &Decision, &HealedServiceStatus, Timestamp),
) {
    let mut status = HealedServiceStatus::default();
    let mut actors = vec![Actor { generation: 0, restarts: 0, since: at(0) }; 2];
    let mut time = 0;
    for (wait, shapes) in history {
        time += i64::from(*wait);
        let now = at(time);
        let pods = actors.iter_mut().enumerate().map(|(index, actor)| actor.pod(index, shapes[index], now)).collect();
        let seen = snapshot(pods, recall(&status));
        let decision = decide(policy, &seen, now);
        let next = stored(&decision, &status, now);
        check(&seen, &decision, &next, now);
        status = next;
        if let Some(plan) = &decision.plan {
            // The eviction worked: the pod comes back as another.
            let index = plan.action.target.rsplit('-').next().unwrap().parse::<usize>().unwrap();
            actors[index] = Actor { generation: actors[index].generation + 1, restarts: 0, since: now };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_world_at_the_same_time_is_decided_the_same_and_plans_nothing_more(history in history()) {
        play(&history, |seen, decision, status, now| {
            let again = decide(&policy(), &Snapshot { memory: recall(status), ..seen.clone() }, now);
            assert!(again.plan.is_none(), "planned twice: {:?} then {:?}", decision.plan, again.plan);
            let once = Decision { plan: None, proposal: None, blocked_by: vec![], conditions: vec![], ..decision.clone() };
            let twice = Decision { plan: None, proposal: None, blocked_by: vec![], conditions: vec![], ..again.clone() };
            assert_eq!(once.memory, twice.memory);
            assert_eq!(once.verdict, twice.verdict);
            assert_eq!(&once.findings, &twice.findings);
            let third = decide(&policy(), &Snapshot { memory: recall(&stored(&again, status, now)), ..seen.clone() }, now);
            assert_eq!(stored(&again, status, now), stored(&third, &stored(&again, status, now), now), "a fixpoint");
        });
    }

    #[test]
    fn an_open_breaker_plans_nothing_and_one_repair_is_in_flight_at_a_time(history in history()) {
        play(&history, |seen, decision, _, _| {
            let open = decision.memory.circuit.state == CircuitState::Open;
            assert!(!open || decision.plan.is_none());
            let awaited = seen.memory.in_flight.is_some() && decision.memory.in_flight == seen.memory.in_flight;
            assert!(!awaited || decision.plan.is_none(), "two repairs at once");
        });
    }

    #[test]
    fn a_pod_is_acted_on_at_most_once_in_ten_seconds_and_never_while_its_cause_forbids_it(history in history()) {
        let mut acted: Vec<(String, Timestamp)> = Vec::new();
        play(&history, |_, decision, _, now| {
            let Some(plan) = &decision.plan else { return };
            let finding = decision.findings.iter().find(|finding| finding.uid == plan.action.target_uid).unwrap();
            assert!(finding.cause.restart_helps() && finding.lasting, "{finding:?}");
            let soon = acted.iter().any(|(pod, time)| *pod == plan.action.target && now.duration_since(*time) < SignedDuration::from_secs(10));
            assert!(!soon, "{} again within ten seconds", plan.action.target);
            acted.push((plan.action.target.clone(), now));
        });
    }

    #[test]
    fn no_hour_sees_more_actions_than_the_ceiling_allows(history in history(), ceiling in 1..5_u32) {
        // As eager as settings can be, so that the ceiling is what holds.
        let mut settings = api::HealingSettings::default();
        settings.health.not_ready_seconds = 1;
        settings.health.restarts.threshold = 1;
        settings.remediation.stabilization_seconds = 0;
        settings.remediation.verify_seconds = 1;
        settings.remediation.reset_after_healthy_seconds = 60;
        settings.remediation.backoff = api::Backoff { initial_seconds: 1, factor: 1, max_seconds: 1 };
        settings.circuit_breaker.failure_threshold = 50;
        settings.circuit_breaker.recurrence.threshold = 50;
        let ceiling = Ceiling { actions_per_hour: ceiling, set_by: "ClusterHealingPolicy/default".into() };
        let limited = Policy { ceiling: Some(ceiling.clone()), ..translate(&settings, &ClusterPolicy::default()) };
        let mut acted = Vec::new();
        play_under(&limited, &history, |_, decision, _, now| {
            if decision.plan.is_some() {
                acted.push(now);
            }
            let hour = acted.iter().filter(|time| now.duration_since(**time) < SignedDuration::from_hours(1)).count();
            assert!(hour <= ceiling.actions_per_hour as usize, "{hour} actions in the hour before {now}");
        });
    }

    #[test]
    fn memory_survives_the_way_through_the_status(history in history()) {
        play(&history, |_, decision, status, _| {
            let back = recall(status);
            assert_eq!(Memory { findings: vec![], ..back }, Memory { findings: vec![], ..decision.memory.clone() });
        });
    }

    #[test]
    fn whatever_happened_lasting_health_ends_closed_and_forgiven(history in history()) {
        let mut last = None;
        play(&history, |_, _, status, now| last = Some((status.clone(), now)));
        let (mut status, mut now) = last.unwrap();
        for _ in 0..600 {
            now = now.checked_add(SignedDuration::from_secs(60)).unwrap();
            let mut actor = Actor { generation: 99, restarts: 0, since: at(0) };
            let pods = (0..2).map(|index| actor.pod(index, Shape::Well, now)).collect();
            let decision = decide(&policy(), &snapshot(pods, recall(&status)), now);
            assert!(decision.plan.is_none());
            status = stored(&decision, &status, now);
        }
        let memory = recall(&status);
        assert_eq!(memory.circuit.state, CircuitState::Closed);
        assert!(memory.actions.is_empty() && memory.in_flight.is_none() && memory.circuit.openings == 0);
    }

    #[test]
    fn clocks_that_jump_back_cause_no_action(history in history(), jump in 1..1_000_000_i64) {
        play(&history, |seen, decision, status, now| {
            let past = now.checked_sub(SignedDuration::from_secs(jump)).unwrap();
            let confused = decide(&policy(), &Snapshot { memory: recall(status), ..seen.clone() }, past);
            assert!(decision.plan.is_none() || confused.plan.is_none());
        });
    }
}

#[test]
fn a_refused_action_is_not_charged_and_a_failed_one_is() {
    let policy = policy();
    let mut actor = Actor { generation: 0, restarts: 0, since: at(0) };
    let mut memory = Memory::default();
    let mut planned = None;
    for minute in 0..20 {
        let now = at(minute * 60);
        let pods = vec![actor.pod(0, Shape::Unready, now)];
        let seen = snapshot(pods, memory.clone());
        let decision = decide(&policy, &seen, now);
        memory = decision.memory.clone();
        if decision.plan.is_some() {
            planned = Some((seen, decision, now));
            break;
        }
    }
    let (seen, decision, now) = planned.expect("unready for minutes is acted on");
    assert_eq!(policy.mode, Mode::Heal);
    let refused = settle(&policy, &seen, &decision.memory, &Execution::Refused("budget".into()), now);
    assert!(refused.actions.is_empty() && refused.in_flight.is_none());
    assert_eq!(refused.refused.as_deref(), Some("budget"));
    let failed = settle(&policy, &seen, &decision.memory, &Execution::Failed("forbidden".into()), now);
    assert_eq!(failed.actions.len(), 1);
    let done = settle(&policy, &seen, &decision.memory, &Execution::Done, now);
    assert_eq!(done, decision.memory);
}
