//! A small controller as a client: lists, watches, and brings every `ConfigMap` named in a label up to a number.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, VersionMatch, WatchEvent, WatchParams};
use serde_json::json;
use tinykube::Cluster;
use tinykube::clock::Clock;
use tinykube::faults::{Faults, Plan};
use tower::Layer;

/// What all maps are brought up to.
pub(crate) const GOAL: &str = "3";

const PATIENCE: Duration = Duration::from_secs(1);

/// A cluster without anything that acts by itself.
pub(crate) fn cluster() -> Cluster {
    let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    Cluster::builder().clock(clock).seed(1).without_controllers().start().unwrap()
}

/// The maps of a cluster behind faults.
pub(crate) fn behind(cluster: &Cluster, plan: Plan, seed: u64) -> (Faults, Api<ConfigMap>) {
    let faults = Faults::new(cluster.api(), plan, seed);
    let client = kube::Client::new(faults.layer(cluster.service()), "default");
    (faults, Api::default_namespaced(client))
}

/// A map to be brought up.
pub(crate) fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"n": "0"}})).unwrap()
}

/// Creates maps, then works until all of them are there and up.
pub(crate) async fn work(maps: &Api<ConfigMap>, count: usize) {
    for index in 0..count {
        while let Err(error) = maps.create(&PostParams::default(), &map(&format!("m{index}"))).await {
            if matches!(&error, kube::Error::Api(status) if status.reason == "AlreadyExists") {
                break;
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }
    while !round(maps, count).await.unwrap_or(false) {
        tokio::time::sleep(PATIENCE).await;
    }
}

/// One list and the watch after it; whether all is done.
async fn round(maps: &Api<ConfigMap>, count: usize) -> kube::Result<bool> {
    let any = ListParams { version_match: Some(VersionMatch::NotOlderThan), ..ListParams::default().at("0") };
    let list = maps.list(&any).await?;
    for found in &list.items {
        bring_up(maps, found).await?;
    }
    let latest = maps.list(&ListParams::default()).await?;
    if latest.items.len() == count && latest.items.iter().all(is_up) {
        return Ok(true);
    }
    let from = list.metadata.resource_version.unwrap_or_default();
    let mut events = maps.watch(&WatchParams::default().timeout(20), &from).await?.boxed();
    // A watch that says nothing is given up.
    while let Ok(Ok(Some(event))) = tokio::time::timeout(Duration::from_secs(30), events.try_next()).await {
        match event {
            WatchEvent::Added(found) | WatchEvent::Modified(found) => bring_up(maps, &found).await?,
            WatchEvent::Error(_) => break,
            _ => {}
        }
    }
    Ok(false)
}

fn is_up(map: &ConfigMap) -> bool {
    map.data.as_ref().and_then(|data| data.get("n")).is_some_and(|n| n == GOAL)
}

/// One step up, unless somebody else changed the map.
async fn bring_up(maps: &Api<ConfigMap>, seen: &ConfigMap) -> kube::Result<()> {
    if is_up(seen) {
        return Ok(());
    }
    let n: u32 = seen.data.as_ref().and_then(|data| data.get("n")).map_or(0, |n| n.parse().unwrap());
    let metadata = json!({"resourceVersion": seen.metadata.resource_version});
    let patch = json!({"metadata": metadata, "data": {"n": (n + 1).to_string()}});
    let name = seen.metadata.name.as_deref().unwrap();
    match maps.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        done => done.map(|_| ()),
    }
}
