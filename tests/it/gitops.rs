//! What GitOps tools make of a HealedService, asked at real moments of its life.
//!
//! Flux's CEL runs here; Argo CD's Lua runs in `tests/packaging`, on the same moments, which it reads from a file.

use std::{collections::BTreeMap, path::Path};

use cel::{Context, Program, Value as CelValue};
use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::CircuitState;
use serde_json::{Value, json};

use crate::{
    journeys::{blocked, is, well},
    support::world::{World, deployment, service},
};

/// Where `tests/packaging` finds the moments.
const MOMENTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/moments.json");

/// The whole object as a tool sees it.
async fn seen(world: &World, name: &str) -> Value {
    world.get("HealedService", name).await.unwrap()
}

/// Every kind of moment, by name.
async fn moments() -> BTreeMap<&'static str, Value> {
    let mut moments = BTreeMap::new();
    let mut world = World::without_controller();
    world.create(service("api", json!({}))).await;
    moments.insert("unseen", seen(&world, "api").await);
    let mut slow = deployment("api", 2);
    slow["metadata"]["annotations"] = json!({"tinykube.dev/script": "app: {listensAfter: 15s}"});
    world.create(slow).await;
    world.start_controller();
    world.until("api", "starting", 5, is(HealthState::Starting)).await;
    moments.insert("starting", seen(&world, "api").await);
    world.until("api", "healthy", 90, is(HealthState::Healthy)).await;
    moments.insert("healthy", seen(&world, "api").await);

    world.stop_controller().await;
    world.patch("HealedService", "api", json!({"spec": {"mode": "Observe"}})).await;
    moments.insert("changed", seen(&world, "api").await);
    world.start_controller();
    world.patch("HealedService", "api", json!({"spec": {"mode": "Heal", "suspend": true}})).await;
    world.until("api", "idle", 30, is(HealthState::Idle)).await;
    moments.insert("suspended", seen(&world, "api").await);
    world.patch("HealedService", "api", json!({"spec": {"suspend": false}})).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;

    world.break_workload("api", "crash").await;
    world.until("api", "repaired", 3_600, |status| status.memory.attempts.in_flight.is_some()).await;
    moments.insert("repaired", seen(&world, "api").await);
    let open = |state| {
        move |status: &kubeheal::api::status::HealedServiceStatus| {
            status.circuit.as_ref().is_some_and(|circuit| circuit.state == state)
        }
    };
    world.until("api", "given up", 3 * 3_600, open(CircuitState::Open)).await;
    moments.insert("given-up", seen(&world, "api").await);

    well(&world, "idle", 1, json!({})).await;
    world.patch("Deployment", "idle", json!({"spec": {"replicas": 0}})).await;
    world.until("idle", "idle", 60, is(HealthState::Idle)).await;
    moments.insert("scaled-to-zero", seen(&world, "idle").await);

    world.create(service("nobody", json!({}))).await;
    world.until("nobody", "without a workload", 120, blocked("WorkloadNotFound")).await;
    moments.insert("without-workload", seen(&world, "nobody").await);
    moments
}

/// `healthCheckExprs` of the example.
fn expressions() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gitops/flux/shop.yaml");
    let example: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let checks = &example["spec"]["healthCheckExprs"][0];
    assert_eq!(checks["kind"], "HealedService");
    checks.clone()
}

/// Flux asks one after the other; what cannot be answered, as no status is there, is in progress.
fn flux(object: &Value) -> &'static str {
    let checks = expressions();
    for (field, verdict) in [("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")] {
        let program = Program::compile(checks[field].as_str().unwrap()).unwrap();
        let mut context = Context::default();
        for (name, value) in object.as_object().unwrap() {
            context.add_variable(name.as_str(), cel::to_value(value).unwrap()).unwrap();
        }
        match program.execute(&context) {
            Ok(CelValue::Bool(true)) => return verdict,
            Ok(CelValue::Bool(false)) => {}
            Ok(other) => panic!("{field} is no yes or no but {other:?}"),
            Err(error) => {
                assert!(object.get("status").is_none(), "{field} has no answer: {error}");
                return "InProgress";
            }
        }
    }
    "InProgress"
}

#[tokio::test(start_paused = true)]
async fn flux_sees_each_moment_as_it_is() {
    let moments = moments().await;
    std::fs::write(MOMENTS, serde_json::to_vec_pretty(&moments).unwrap()).unwrap();
    let verdicts: BTreeMap<&str, &str> = moments.iter().map(|(name, object)| (*name, flux(object))).collect();
    let expected = BTreeMap::from([
        ("unseen", "InProgress"),
        ("starting", "InProgress"),
        ("healthy", "Current"),
        ("changed", "InProgress"),
        ("suspended", "Current"),
        ("repaired", "InProgress"),
        ("given-up", "Failed"),
        ("scaled-to-zero", "Current"),
        ("without-workload", "Failed"),
    ]);
    assert_eq!(verdicts, expected, "{moments:#?}");
}
