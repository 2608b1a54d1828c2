//! Nothing is written without a change, and a condition's time moves only when the condition flips.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::StreamExt;
use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, ResourceExt,
    api::{WatchEvent, WatchParams},
    client::Body,
};
use kubeheal::api::{
    HealedService,
    status::{HealedServiceStatus, HealthState},
};
use kubeheal_core::model::state::CircuitState;
use serde_json::json;

use super::is;
use crate::support::world::{World, deployment, service};

/// Every request that writes.
type Writes = Arc<Mutex<Vec<String>>>;

fn noting(inner: Client, writes: &Writes) -> Client {
    let writes = writes.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        if request.method() != Method::GET {
            writes.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        }
        let inner = inner.clone();
        async move { inner.send(request).await }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn a_world_in_which_nothing_happens_is_not_written_to_for_an_hour_whatever_is_wrong_with_it() {
    let mut world = World::without_controller();
    let writes = Writes::default();
    world.start_controller_with(noting(world.client.clone(), &writes), None);
    for (name, script) in
        [("well", "healthy"), ("unready", "not-ready"), ("image", "bad-image"), ("config", "bad-config")]
    {
        let mut broken = deployment(name, 2);
        broken["metadata"]["annotations"] = json!({"tinykube.dev/script": script});
        world.create(broken).await;
        world.create(service(name, json!({"mode": "Observe"}))).await;
    }
    world.create(service("nowhere", json!({"mode": "Observe"}))).await;
    world
        .create(service(
            "held",
            json!({"workloadRef": {"kind": "Deployment", "name": "well"}, "dependsOn": [{"name": "unready"}]}),
        ))
        .await;
    // All that lasts has lasted by then, and people have been told.
    world.pass(3 * 3600).await;
    writes.lock().unwrap().clear();
    world.pass(3600).await;
    assert_eq!(*writes.lock().unwrap(), Vec::<String>::new());
}

/// Type, status and time of each condition.
fn conditions(status: &HealedServiceStatus) -> BTreeMap<String, (String, Timestamp)> {
    let of = |one: &Condition| (one.type_.clone(), (one.status.clone(), one.last_transition_time.0));
    status.conditions.iter().map(of).collect()
}

/// Every status that the service ever has.
fn follow(world: &World, service: &HealedService) -> Arc<Mutex<Vec<HealedServiceStatus>>> {
    let statuses = Arc::<Mutex<Vec<HealedServiceStatus>>>::default();
    let (seen, client, mut version) = (statuses.clone(), world.client.clone(), service.resource_version().unwrap());
    tokio::spawn(async move {
        let services: Api<HealedService> = Api::namespaced(client, "default");
        loop {
            let mut changes = services.watch(&WatchParams::default(), &version).await.unwrap().boxed();
            while let Some(Ok(WatchEvent::Modified(service))) = changes.next().await {
                version = service.resource_version().unwrap();
                seen.lock().unwrap().extend(service.status);
            }
        }
    });
    statuses
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_condition_moves_when_it_flips_and_only_then() {
    let mut world = World::new();
    world.create(deployment("api", 2)).await;
    world.create(service("api", json!({}))).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
    let statuses = follow(&world, &world.service("api").await);
    world.pass(300).await;
    world.break_workload("api", "crash").await;
    world.pass(3600).await;
    world.kill_controller().await;
    world.start_controller();
    world.pass(5400).await;
    world.break_workload("api", "healthy").await;
    world.pass(3 * 3600).await;
    assert_eq!(world.status("api").await.circuit.map(|circuit| circuit.state), Some(CircuitState::Closed));
    let statuses = statuses.lock().unwrap();
    let mut flips = 0;
    for pair in statuses.windows(2) {
        let before = conditions(&pair[0]);
        for (kind, (status, time)) in conditions(&pair[1]) {
            let (known, since) = &before[&kind];
            assert!(*known == status || time >= *since, "{kind}: {known} {since} then {status} {time}");
            assert!(*known != status || time == *since, "{kind}: {known} {since} then {status} {time}");
            flips += usize::from(*known != status);
        }
    }
    assert!(flips > 10 && statuses.len() > 50, "{flips} flips in {} statuses", statuses.len());
}
