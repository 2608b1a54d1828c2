//! A virtual day must pass in seconds, however many probes pass in it.

use std::time::Duration;

use crate::{World, workload};

#[tokio::test(start_paused = true)]
async fn a_day_of_fifty_services_writes_next_to_nothing() {
    let world = World::new();
    for number in 0..50 {
        world.create("apps", "deployments", workload(&format!("service-{number}"), 2, "app:1"));
    }
    world.pass(60).await;
    let ready = world.list("", "pods").iter().filter(|pod| pod["status"]["phase"] == "Running").count();
    assert_eq!(ready, 100);
    let store = world.cluster.api().store().clone();
    let before = store.rv();
    world.pass(86_400).await;
    let api = world.cluster.api();
    let (of_pods, _) = api.store().changes_of(&api.resource("", "pods").unwrap(), before).unwrap();
    assert!(of_pods.is_empty(), "passing probes wrote {} pods", of_pods.len());
    assert!(store.rv() - before < 10_500, "leases and expired events alone, not {}", store.rv() - before);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_never_ready_is_written_once_and_complains_every_five_minutes() {
    let world = World::new();
    let mut sick = workload("sick", 1, "app:1");
    sick["metadata"]["annotations"]["tinykube.dev/script"] = "not-ready".into();
    world.create("apps", "deployments", sick);
    world.pass(600).await;
    let before = world.cluster.api().store().rv();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let api = world.cluster.api();
    let of = |plural: &str| api.store().changes_of(&api.resource("", plural).unwrap(), before).unwrap().0;
    assert_eq!(of("pods").len(), 0);
    let told: Vec<_> =
        of("events").into_iter().filter(|change| change.object.value()["reason"] == "Unhealthy").collect();
    assert!((11..=13).contains(&told.len()), "{}", told.len());
    let count = told.last().unwrap().object.value()["count"].as_i64().unwrap();
    assert!((1900..=2100).contains(&count), "every failure counts: {count}");
}
