//! `kubeheal wait`: returns when a service is healthy and stable, and says why it is not.

use std::time::Duration;

use kubeheal::{clock::Clock, wait::until_stable};
use serde_json::json;
use tokio::time::Instant;

use crate::world::{World, deployment, service};

fn clock(world: &World) -> Clock {
    world.clock()
}

#[tokio::test(start_paused = true)]
async fn it_returns_when_the_service_has_been_healthy_for_a_minute() {
    let world = World::new();
    world.create(deployment("db", 1)).await;
    world.create(service("db", json!({}))).await;
    let begun = Instant::now();
    let mut said = Vec::new();
    let waited =
        until_stable(world.client.clone(), clock(&world), "default", "db", None, |why| said.push(why.to_owned()));
    assert_eq!(waited.await, Ok(()));
    assert!(begun.elapsed() >= Duration::from_secs(60) && begun.elapsed() < Duration::from_secs(90));
    assert!(said.last().unwrap().contains("healthy, but not yet for 1m"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_in_time_and_says_why() {
    let world = World::new();
    let minute = Some(Duration::from_secs(60));
    let nobody = until_stable(world.client.clone(), clock(&world), "default", "nobody", minute, |_| ()).await;
    assert_eq!(nobody.unwrap_err(), "there is no HealedService default/nobody");
    let mut broken = deployment("db", 1);
    broken["metadata"]["annotations"] = json!({"tinykube.dev/script": "crash"});
    world.create(broken).await;
    world.create(service("db", json!({}))).await;
    let begun = Instant::now();
    let sick = until_stable(world.client.clone(), clock(&world), "default", "db", minute, |_| ()).await.unwrap_err();
    assert!(sick.starts_with("default/db is ") && sick.contains("0 of 1 pods ready"), "{sick}");
    assert!(begun.elapsed() >= Duration::from_secs(60) && begun.elapsed() < Duration::from_secs(70));
}
