//! A status that somebody else wrote: garbage, extremes, times from the future, an older or a newer kubeheal. It is
//! tolerated and repaired, and it never makes kubeheal act.

use jiff::SignedDuration;
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use kubeheal::{
    api::{HealedService, status::HealedServiceStatus},
    status::load,
};
use kubeheal_core::{
    decide,
    model::{
        policy::Policy,
        snapshot::{Pod, Readiness, Snapshot, WorkloadKind},
        state::{CircuitState, MAX_ACTIONS, MAX_CONTAINERS, MAX_HISTORY},
    },
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use tinykube::Cluster;

use super::{
    cases,
    properties::{any_policy, lets_give_back, only_gives_back},
    simulation::{PODS, Simulation, histories, receivers, stored},
};
use crate::support::fixtures::{at, pod, policy, snapshot, workload};

/// What is done to which leaf.
type Corruption = (usize, usize);

/// A status as it came about, and what somebody made of it.
fn corrupted() -> impl Strategy<Value = (Policy, HealedServiceStatus)> {
    (any_policy(), histories(60), vec((0..200_usize, 0..8_usize), 1..40)).prop_map(|(policy, history, corruptions)| {
        let mut simulation = Simulation::new();
        simulation.all(&policy, &history, |_| {});
        let status = corrupt(&simulation.status, &corruptions);
        (policy, status)
    })
}

/// Each corruption that still is a status is kept.
fn corrupt(status: &HealedServiceStatus, corruptions: &[Corruption]) -> HealedServiceStatus {
    let mut value = serde_json::to_value(status).unwrap();
    for &(leaf, kind) in corruptions {
        let mut worse = value.clone();
        let mut left = leaf % leaves(&value).max(1);
        change(&mut worse, &mut left, kind);
        if serde_json::from_value::<HealedServiceStatus>(worse.clone()).is_ok() {
            value = worse;
        }
    }
    serde_json::from_value(value).unwrap()
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(leaves).sum::<usize>(),
        Value::Array(items) => 1 + items.iter().map(leaves).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// Changes the leaf, list or object of that number.
fn change(value: &mut Value, left: &mut usize, kind: usize) {
    if *left == 0 {
        spoil(value, kind);
        *left = usize::MAX;
        return;
    }
    *left -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Object(fields) => fields.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for one in inner {
        if *left == usize::MAX {
            return;
        }
        change(one, left, kind);
    }
}

fn spoil(value: &mut Value, kind: usize) {
    let long = "x".repeat(5000);
    let words = ["", "\u{0}\n\u{1b}[31m💥", long.as_str(), "RestartPod", "Pending", "Verified", "Open", "app"];
    let times = [
        "0001-01-01T00:00:00Z".to_owned(),
        "9999-12-30T00:00:00Z".to_owned(),
        at(-86_400).to_string(),
        at(86_400).to_string(),
        at(1_000_000).to_string(),
        at(0).to_string(),
        at(60).to_string(),
        at(3600).to_string(),
    ];
    let numbers = [-1, 0, 1, 7, 1000, i64::from(i32::MAX), i64::MAX, i64::MIN];
    *value = match &*value {
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!(times[kind]),
        Value::String(_) => json!(words[kind]),
        Value::Number(_) => json!(numbers[kind]),
        Value::Bool(flag) => json!(!flag),
        Value::Array(items) if kind < 4 => Value::Array(items.iter().cycle().take(items.len() * 60).cloned().collect()),
        Value::Array(_) => json!([]),
        Value::Object(fields) => {
            let left = fields.iter().enumerate().filter(|(index, _)| index % 8 != kind);
            Value::Object(left.map(|(_, (name, value))| (name.clone(), value.clone())).collect::<Map<_, _>>())
        }
        Value::Null => json!(0),
    };
}

/// Pods that are ready since the beginning, or unready since ten seconds.
fn pods(ready: bool, now: i64) -> Vec<Pod> {
    (0..PODS)
        .map(|index| {
            let mut pod = pod(&format!("api-{index}"), ready);
            // As the histories name them, so that what they left is about these.
            pod.uid = format!("uid-{index}-0");
            pod.ready_changed = Some(at(if ready { 0 } else { now - 10 }));
            if ready {
                pod.ready = Readiness::Ready(Some(at(0)));
            }
            pod
        })
        .collect()
}

fn seen(ready: bool, now: i64, status: &HealedServiceStatus) -> Snapshot {
    let state = workload(WorkloadKind::Deployment, u32::try_from(PODS).unwrap());
    Snapshot { state: load(status), receivers: receivers(), ..snapshot(state, pods(ready, now)) }
}

/// Pods that are unready for ten seconds are nothing yet, and none is restarted because a dependency was down: that outage is
/// known from the status alone.
fn only_acts_on_what_is_seen(policy: &mut Policy) {
    policy.health.not_ready = policy.health.not_ready.max(SignedDuration::from_secs(60));
    policy.remediation.restart_on_recovery = false;
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn it_never_makes_kubeheal_act((mut policy, status) in corrupted(), now in 40_000..90_000_i64) {
        only_acts_on_what_is_seen(&mut policy);
        for ready in [true, false] {
            let mut status = status.clone();
            for later in 0..4 {
                // The pods are unready for ten seconds each time somebody reconciles.
                let decision = decide(&policy, &seen(ready, now + later, &status), at(now + later));
                prop_assert!(only_gives_back(&decision), "ready: {ready}, reconcile {later}: {:?}", decision.plan());
                status = stored(&decision, &status, at(now + later));
            }
        }
    }

    #[test]
    fn it_is_repaired_by_the_next_reconcile((policy, status) in corrupted(), now in 40_000..90_000_i64) {
        let decision = decide(&policy, &seen(true, now, &status), at(now));
        let repaired = stored(&decision, &status, at(now));
        let memory = load(&repaired);
        prop_assert!(memory.attempts.actions.len() <= MAX_ACTIONS && memory.history.len() <= MAX_HISTORY);
        prop_assert!(memory.observed.containers.len() <= MAX_CONTAINERS);
        let past = [memory.observed.since, memory.health.healthy_since, memory.health.episode.map(|episode| episode.since), memory.circuit.closed_at];
        prop_assert!(past.into_iter().flatten().all(|time| time <= at(now)), "{past:?}");
        let again = decide(&policy, &seen(true, now, &repaired), at(now));
        prop_assert_eq!(stored(&again, &repaired, at(now)), repaired, "and then it rests");
    }

    #[test]
    fn lasting_health_ends_closed_whatever_it_says((mut policy, status) in corrupted()) {
        let mut simulation = Simulation::new();
        simulation.status = status;
        lets_give_back(&mut policy);
        only_acts_on_what_is_seen(&mut policy);
        simulation.well(&policy, |turn| assert!(only_gives_back(turn.decision), "{:?}", turn.decision.plan()));
        let memory = load(&simulation.status);
        prop_assert_eq!(memory.circuit.state(), CircuitState::Closed);
        prop_assert!(memory.attempts.in_flight.is_none() && memory.attempts.actions.is_empty() && memory.circuit.openings == 0, "{memory:?}");
    }
}

#[test]
fn what_is_written_over_it_is_accepted_by_the_api_server() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (_alive, services, service) = runtime.block_on(async {
        let cluster = Cluster::builder().crd(kubeheal::api::crds().remove(0)).without_controllers().start().unwrap();
        let services: Api<HealedService> = Api::namespaced(cluster.client(), "default");
        let object =
            json!({"metadata": {"name": "api"}, "spec": {"workloadRef": {"kind": "Deployment", "name": "api"}}});
        let spec = serde_json::from_value(object["spec"].clone()).unwrap();
        let metadata = ObjectMeta { name: Some("api".to_owned()), ..ObjectMeta::default() };
        let service = HealedService { metadata, spec, status: None };
        let service = services.create(&PostParams::default(), &service).await.unwrap();
        (cluster, services, service)
    });
    let now = 50_000;
    let written = |policy: &Policy, ready: bool, status: &HealedServiceStatus| {
        let decision = decide(policy, &seen(ready, now, status), at(now));
        let written = HealedService { status: Some(stored(&decision, status, at(now))), ..service.clone() };
        runtime.block_on(async {
            let current = services.get("api").await.unwrap();
            let written = HealedService { metadata: current.metadata, ..written };
            services.replace_status("api", &PostParams::default(), &written).await.map(drop)
        })
    };
    let mut runner = TestRunner::new(cases(60));
    let outcome = runner.run(&corrupted(), |(policy, status)| {
        for ready in [true, false] {
            let answer = written(&policy, ready, &status);
            prop_assert!(answer.is_ok(), "{answer:?}");
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_request_that_was_there_before_the_service_was_first_seen_is_not_answered() {
    for (observed, expected) in [(None, false), (Some(at(0)), true)] {
        let mut seen = seen(false, 100, &HealedServiceStatus::default());
        seen.state.observed.since = observed;
        seen.service.heal_now = Some("now".to_owned());
        let now = at(100);
        let before = now.checked_sub(SignedDuration::from_secs(60)).unwrap();
        seen.pods.iter_mut().for_each(|pod| pod.ready_changed = Some(before));
        for pod in &seen.pods {
            let known = kubeheal_core::model::state::ContainerRecord {
                uid: pod.uid.clone(),
                container: "app".to_owned(),
                not_ready_since: Some(before),
                ..Default::default()
            };
            seen.state.observed.containers.push(known);
        }
        let decision = decide(&policy(), &seen, now);
        assert_eq!(decision.plan().is_some(), expected, "{:?}", decision.blocked_by());
        assert_eq!(decision.state.requests.heal_now.as_deref(), Some("now"), "once and for all");
    }
}
