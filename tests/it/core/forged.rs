//! Whatever a status says, by chance or by design: while the world is well nothing is done, and of what is gone no more comes back
//! than was kept.

use kubeheal::{api::status::HealedServiceStatus, status::load};
use kubeheal_core::{
    decide,
    model::{
        dependency::DependencyHealth,
        plan::{Effect, Plan},
        policy::Policy,
        snapshot::{Live, Pod, Snapshot, Termination, Workload, WorkloadKind},
        state::Change,
    },
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    cases,
    properties::any_policy,
    simulation::{receivers, stored},
};
use crate::support::fixtures::{at, database, good, pod, snapshot, workload};

/// Pods of the world.
const PODS: u32 = 3;
/// What it is kept with.
const KEPT: u32 = 10;
/// When somebody looks.
const NOW: i64 = 50_000;

/// Writes what a schema allows, by chance.
struct Forger(u64);

impl Forger {
    /// A number below that one (splitmix64).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn value(&mut self, schema: &Value) -> Value {
        if let Some(allowed) = schema["enum"].as_array() {
            return self.one_of(allowed);
        }
        match schema["type"].as_str() {
            Some("object") => match schema["properties"].as_object() {
                Some(properties) => self.object(properties, &schema["required"]),
                None => self.one_of(&[json!({}), json!({"app": "api"}), json!({"app": "sorry"})]),
            },
            Some("array") => {
                let length = self.below(5);
                (0..length).map(|_| self.value(&schema["items"])).collect()
            }
            Some("boolean") => json!(self.below(2) == 1),
            Some("integer") => {
                let least = schema["minimum"].as_i64().unwrap_or(0);
                let most = schema["maximum"].as_i64().unwrap_or(i64::from(i32::MAX));
                json!(self.one_of(&[0, 1, 2, 3, 50, 1_000_000, i64::from(i32::MAX)]).clamp(least, most))
            }
            Some("string") if schema["format"] == "date-time" => {
                let seconds = self.one_of(&[-86_400, 0, 10, NOW - 3600, NOW - 60, NOW - 1, NOW, NOW + 5, NOW + 86_400]);
                json!(at(seconds))
            }
            _ => json!(self.one_of(&[
                "api",
                "api-0",
                "api-1",
                "uid-api-0",
                "uid-api-1",
                "uid-api",
                "u",
                "app",
                "template",
                "definition",
                "web",
                "Cause",
                "api-kubeheal-1",
                "hook",
                "shop",
                "RestartPod",
                "CrashLoop",
                "Storm",
                "x",
            ])),
        }
    }

    fn object(&mut self, properties: &Map<String, Value>, required: &Value) -> Value {
        let is_required = |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let mut object = Map::new();
        for (name, schema) in properties {
            if is_required(name) || self.below(4) > 0 {
                object.insert(name.clone(), self.value(schema));
            }
        }
        Value::Object(object)
    }
}

/// Any status that the API server takes.
fn any_status() -> impl Strategy<Value = HealedServiceStatus> {
    let crd = serde_json::to_value(kubeheal::api::crds().remove(0)).unwrap();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status").unwrap().clone();
    any::<u64>().prop_map(move |seed| {
        let status = Forger(seed).value(&schema);
        serde_json::from_value(status.clone()).unwrap_or_else(|error| panic!("{error}: {status}"))
    })
}

/// A pod that has seen better and worse, and is well for long.
fn restarted_once(name: &str) -> Pod {
    let mut pod = pod(name, true);
    let container = &mut pod.containers[0];
    container.restart_count = 7;
    let ended = Some(at(-10));
    let reason = "Error".to_owned();
    container.last =
        Some(Termination { exit_code: 1, reason, started: Some(at(-60)), finished: ended, ..Termination::default() });
    pod
}

/// What is seen of a workload that has been well for long, with what the status claims.
fn well(status: &HealedServiceStatus) -> Snapshot {
    let pods = (0..PODS).map(|index| restarted_once(&format!("api-{index}"))).collect();
    let mut seen = snapshot(workload(WorkloadKind::Deployment, PODS), pods);
    // A request that was answered, or not.
    seen.service.heal_now = Some("x".to_owned());
    let dependencies = vec![database(DependencyHealth::Available(at(-3600)))];
    Snapshot { state: load(status), receivers: receivers(), dependencies, last_stable: Some(good()), ..seen }
}

/// The field that a mitigation is said to have changed, as whoever claims it would have it: just so, and nothing on the object says
/// that it was us.
fn live(seen: &Snapshot) -> Live {
    let Some(claimed) = &seen.state.mitigation else { return Live::NotAsked };
    let uid = claimed.uid.clone();
    match (&claimed.change, &seen.workload) {
        (Change::ToZero { .. }, Workload::Present(state)) => {
            Live::Replicas { uid, replicas: state.desired, scaled_from: None }
        }
        (Change::ToZero { .. }, Workload::Missing { .. } | Workload::Unknown(_)) => Live::Missing,
        (Change::Diverted { stand_in, .. }, _) => {
            Live::Service { uid, selector: stand_in.clone(), tool: None, diverted: None }
        }
    }
}

/// What is planned when somebody looks a few times, with what the looks before left.
fn planned(policy: &Policy, mut status: HealedServiceStatus, world: fn(&HealedServiceStatus) -> Snapshot) -> Vec<Plan> {
    let mut plans = Vec::new();
    for later in [0, 1, 30, 60, 600] {
        let mut seen = world(&status);
        seen.live = live(&seen);
        let decision = decide(policy, &seen, at(NOW + later));
        plans.extend(decision.plan().cloned());
        assert!(decision.notices.iter().all(|notice| notice.receiver == "hook"), "{:?}", decision.notices);
        status = stored(&decision, &status, at(NOW + later));
    }
    plans
}

fn at_zero(status: &HealedServiceStatus) -> Snapshot {
    let mut seen = well(status);
    seen.workload = Workload::Present(workload(WorkloadKind::Deployment, 0));
    seen.pods.clear();
    seen
}

fn gone(status: &HealedServiceStatus) -> Snapshot {
    let mut seen = well(status);
    seen.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
    seen.pods.clear();
    seen
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_status_makes_kubeheal_act_on_what_is_well_or_was_scaled_to_zero(
        policy in any_policy(), status in any_status(),
    ) {
        for (name, world) in [("well", well as fn(&HealedServiceStatus) -> Snapshot), ("at zero", at_zero)] {
            let plans = planned(&policy, status.clone(), world);
            prop_assert!(plans.is_empty(), "{}: {:?}", name, plans);
        }
    }

    #[test]
    fn of_what_is_gone_no_more_comes_back_than_was_kept_whatever_a_status_claims(
        policy in any_policy(), status in any_status(),
    ) {
        for plan in planned(&policy, status, gone) {
            let Effect::CreateWorkload { revision, replicas } = &plan.effect else {
                prop_assert!(false, "{:?}", plan);
                continue;
            };
            prop_assert_eq!(revision, &good().revision);
            prop_assert!(replicas.is_none_or(|replicas| replicas <= KEPT), "{:?}", replicas);
        }
    }
}
