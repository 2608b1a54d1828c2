//! Nodes at work: what changes in one reaches the services on it, and where they may not be read healing goes on.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use kubeheal::api::status::HealthState;
use serde_json::json;

use super::{blocked, condition, is, policies::refusing, steps, well};
use crate::support::world::{World, deployment, service};

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cordoned_holds_repairs_until_it_is_uncordoned() {
    let world = World::new();
    well(&world, "api", 1, json!({})).await;
    let node = world.pods("api").await[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    world.patch("Node", &node, json!({"spec": {"unschedulable": true}})).await;
    world.break_pods("api", "not-ready").await;
    let held = world.until("api", "held", 3600, blocked("NodeDraining")).await;
    let why = held.blocked_by.iter().find(|block| block.reason == "NodeDraining").unwrap();
    assert!(why.message.contains(&format!("is on node {node}, which is cordoned")), "{}", why.message);
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
    world.patch("Node", &node, json!({"spec": {"unschedulable": null}})).await;
    world.until("api", "acted on at once", 10, |s| !steps(s).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn where_nodes_may_not_be_read_healing_goes_on_and_it_is_counted() {
    let mut world = World::without_controller();
    let code = Arc::new(AtomicU16::new(500));
    world.create(deployment("api", 1)).await;
    world.create(service("api", json!({}))).await;
    world.start_controller_with(refusing(world.client.clone(), "/nodes", code.clone()), None);
    world.pass(600).await;
    // An API server that is ill may know something that we must know.
    let status = world.status("api").await;
    assert_eq!(status.health, Some(HealthState::Unknown));
    assert_eq!(condition(&status, "Ready").0, "Unknown");
    let before = failures(&world);
    // One that says no, or knows no nodes, will not say more.
    for no in [403, 404] {
        code.store(no, Ordering::Relaxed);
        world.until("api", "healthy", 300, is(HealthState::Healthy)).await;
        world.break_pods("api", "not-ready").await;
        let before = steps(&world.status("api").await).len();
        world.until("api", "healed", 3600, |s| steps(s).len() > before).await;
        world.until("api", "well again", 3600, is(HealthState::Healthy)).await;
    }
    world.ready().unwrap();
    assert!(failures(&world) > before + 10, "{before}, {}", failures(&world));
}

/// How often the watch of nodes failed.
fn failures(world: &World) -> u64 {
    let metrics = world.metrics();
    let of_nodes = |line: &&str| line.starts_with(r#"kubeheal_watch_errors_total{resource="nodes"}"#);
    metrics.lines().find(of_nodes).and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}
