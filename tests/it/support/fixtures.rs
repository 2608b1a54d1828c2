//! Worlds drawn by hand, for tests of the decision alone.

use jiff::{SignedDuration, Timestamp};
use kubeheal::{api, policy::translate, status::Beside};
use kubeheal_core::model::{
    alert::Receivers,
    dependency::{Dependency, DependencyHealth},
    fleet::{Fleet, FleetIndex, PeerStatus},
    policy::{ClusterPolicy, Policy},
    snapshot::{
        BudgetRefusal, Container, ContainerState, LastKnownGood, Live, Node, Origin, Ownership, Phase, Pod, PodEvents,
        Readiness, RestartPolicy, Role, Rollout, Service, Snapshot, Workload, WorkloadKind, WorkloadState,
    },
    state::{ActionRecord, ContainerRecord, Episode, HealthRecord, ObservedState, Outcome, State},
};

/// So many seconds after the beginning of time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_600_000 + seconds).unwrap()
}

/// The defaults.
pub(crate) fn policy() -> Policy {
    translate(&api::HealingSettings::default(), &ClusterPolicy::default())
}

/// A pod with one container that runs since the beginning, ready or not.
pub(crate) fn pod(name: &str, ready: bool) -> Pod {
    Pod {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        node: None,
        host: Node::default(),
        deletion: None,
        phase: Phase::Running,
        reason: None,
        message: None,
        origin: Origin::default(),
        ready: if ready {
            Readiness::Ready(Some(at(0)))
        } else {
            Readiness::NotReady(Some("ContainersNotReady".to_owned()))
        },
        ready_changed: Some(at(0)),
        unschedulable: None,
        scheduling_gates: Vec::new(),
        closed_gates: Vec::new(),
        no_sandbox: false,
        events: PodEvents::default(),
        old_revision: false,
        conditions: Vec::new(),
        containers: vec![Container {
            name: "app".to_owned(),
            role: Role::Main,
            restarts: RestartPolicy::Always,
            ready,
            started: true,
            restart_count: 0,
            state: ContainerState::Running(Some(at(0))),
            last: None,
            startup: None,
            liveness: None,
            probe_event: None,
            failed_pre_stop: None,
            diagnosis: None,
            unread: None,
        }],
        refusal: None,
    }
}

/// A budget that allows nothing.
pub(crate) fn refusal(budget: &str) -> BudgetRefusal {
    BudgetRefusal::NothingAllowed { budget: budget.to_owned(), unready: true }
}

/// A workload as it should be.
pub(crate) fn workload(kind: WorkloadKind, desired: u32) -> WorkloadState {
    WorkloadState {
        kind,
        name: "api".to_owned(),
        uid: "uid-api".to_owned(),
        desired,
        rollout: Rollout::Complete,
        updated: desired,
        template: "template".to_owned(),
        deleting: false,
        paused: false,
        intentional_delete: false,
        controlled: false,
        tool: None,
        scaled_by: None,
        claims_go_with_it: false,
        claims_go_when_scaled: false,
        replica_failure: None,
        all_at_once: false,
        taken_over_by: None,
        ordinals: None,
        no_probes: false,
        definition: "definition".to_owned(),
    }
}

/// The kept definition of that workload.
pub(crate) fn good() -> LastKnownGood {
    LastKnownGood {
        revision: "api-kubeheal-1".to_owned(),
        definition: "definition".to_owned(),
        template: "template".to_owned(),
        replicas: Some(10),
        recorded: Some(at(0)),
        managed_by: None,
        controlled: false,
    }
}

/// A service that was looked at since the beginning.
pub(crate) fn snapshot(state: WorkloadState, pods: Vec<Pod>) -> Snapshot {
    let remembered = State {
        observed: ObservedState { since: Some(at(0)), last_replicas: Some(state.desired), ..ObservedState::default() },
        health: HealthRecord { proven: true, ..HealthRecord::default() },
        ..State::default()
    };
    Snapshot {
        service: Service { namespace: "shop".into(), name: "api".into(), uid: "u".into(), ..Service::default() },
        workload: Workload::Present(state),
        pods,
        dependencies: Vec::new(),
        last_known_good: Some(good()),
        good_refused: None,
        stable_refused: None,
        last_stable: None,
        live: Live::NotAsked,
        ownership: Ownership::default(),
        receivers: Receivers::default(),
        fleet: Fleet::default(),
        state: remembered,
    }
}

/// The same, its pods unready for so long that something must be done.
pub(crate) fn sick(state: WorkloadState) -> Snapshot {
    let pods: Vec<Pod> = (0..state.desired.max(1)).map(|index| pod(&format!("api-{index}"), false)).collect();
    let mut seen = snapshot(state, pods);
    seen.state.observed.containers = seen
        .pods
        .iter()
        .map(|pod| ContainerRecord {
            uid: pod.uid.clone(),
            container: "app".to_owned(),
            not_ready_since: Some(at(0)),
            ..ContainerRecord::default()
        })
        .collect();
    seen
}

/// The service's database. It is down where it is not available.
pub(crate) fn database(health: DependencyHealth) -> Dependency {
    Dependency {
        namespace: "shop".to_owned(),
        name: "db".to_owned(),
        stable: SignedDuration::from_secs(60),
        health,
        down: health == DependencyHealth::Unavailable,
        recovering: false,
        last_action: None,
        root: None,
    }
}

/// So many actions that did not help, the last some minutes ago.
pub(crate) fn ineffective(count: usize, now: Timestamp) -> Vec<ActionRecord> {
    let time = now.checked_sub(SignedDuration::from_mins(11)).unwrap();
    vec![ActionRecord { time, outcome: Outcome::Ineffective }; count]
}

/// All services of the cluster as `shop/api` sees them; each is of that namespace.
pub(crate) fn fleet<'a>(peers: impl IntoIterator<Item = (&'a str, PeerStatus)>) -> Fleet {
    let named = |(name, peer): (&str, PeerStatus)| (("shop".to_owned(), name.to_owned()), peer);
    peers.into_iter().map(named).collect::<FleetIndex>().seen_by(&("shop".to_owned(), "api".to_owned()))
}

/// A service that was well before and is unhealthy since then.
pub(crate) fn unhealthy_since(since: Timestamp) -> PeerStatus {
    PeerStatus { counts: true, episode: Some(Episode { since, until: None }), ..PeerStatus::default() }
}

/// What goes with a decision about the first generation of an object.
pub(crate) fn beside() -> Beside {
    Beside { generation: Some(1), ..Beside::default() }
}
