//! The process: it dies, stops, and rests, and nothing is lost or done twice.

use kubeheal_core::model::state::Outcome;
use serde_json::json;

use super::{steps, well};
use crate::support::world::World;

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_at_any_moment_neither_acts_twice_nor_forgets() {
    for kill_after in (300..900).step_by(37) {
        let mut world = World::new();
        well(&world, "api", 1, json!({})).await;
        world.break_pods("api", "sick").await;
        world.pass(kill_after).await;
        world.kill_controller().await;
        world.pass(20).await;
        world.start_controller();
        let status =
            world.until("api", "healed", 3600, |s| s.history.iter().any(|e| e.outcome == Outcome::Verified)).await;
        assert_eq!(steps(&status), ["RestartPod"], "killed after {kill_after} s: {:#?}", status.history);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_causes_no_action_and_costs_no_more_than_patience() {
    for by in [7200, -7200] {
        let world = World::new();
        well(&world, "api", 1, json!({})).await;
        world.break_pods("api", "not-ready").await;
        world.pass(60).await;
        world.set_clock(by);
        world.pass(290).await;
        let status = world.status("api").await;
        assert!(steps(&status).is_empty(), "unready for less than 300 s, set by {by}: {:?}", status.history);
        world.until("api", "acted on", 700, |status| steps(status) == ["RestartPod"]).await;
        world.until("api", "healed", 1200, |s| s.history.iter().any(|e| e.outcome == Outcome::Verified)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_told_to_stop_ends_and_begins_nothing_more() {
    let mut world = World::new();
    well(&world, "api", 1, json!({})).await;
    world.break_pods("api", "crash").await;
    world.pass(30).await;
    world.stop_controller().await;
    world.pass(3600).await;
    assert!(steps(&world.status("api").await).is_empty());
    world.start_controller();
    world.until("api", "acted on", 600, |s| steps(s) == ["RestartPod"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_healthy_world_causes_no_writes() {
    let world = World::new();
    well(&world, "api", 3, json!({})).await;
    world.pass(600).await;
    let before = world.service("api").await.metadata.resource_version;
    world.pass(24 * 3600).await;
    assert_eq!(world.service("api").await.metadata.resource_version, before);
}
