//! kube's own runtime over the in-process service, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use serde_json::json;
use tinykube::Cluster;
use tinykube::clock::Clock;

fn cluster() -> Cluster {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    Cluster::builder().clock(clock).seed(7).without_controllers().start().unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "0"}})).unwrap()
}

/// A controller that writes and asks to be called again passes a day in a moment, with the same count each time.
async fn reconciles_in_a_day() -> u32 {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    maps.create(&PostParams::default(), &config_map("counted")).await.unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let mine = watcher::Config::default().fields("metadata.name=counted").timeout(60);
    let controller = Controller::new(maps.clone(), mine).run(
        |map, context: Arc<(Api<ConfigMap>, Arc<AtomicU32>)>| async move {
            let (maps, count) = &*context;
            let seen = count.fetch_add(1, Ordering::Relaxed) / 20;
            let patch = Patch::Merge(json!({"data": {"k": seen.to_string()}}));
            let name = map.metadata.name.clone().unwrap_or_default();
            maps.patch(&name, &PatchParams::default(), &patch).await?;
            Ok::<_, kube::Error>(Action::requeue(Duration::from_mins(1)))
        },
        |_, _, _| Action::requeue(Duration::from_secs(5)),
        Arc::new((maps.clone(), count.clone())),
    );
    let day = Duration::from_hours(24);
    let _ = tokio::time::timeout(day, controller.for_each(|_| std::future::ready(()))).await;
    count.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_controller_passes_a_day_the_same_way_twice() {
    let (first, second) = (reconciles_in_a_day().await, reconciles_in_a_day().await);
    assert!((1440..1700).contains(&first), "{first} reconciles");
    assert_eq!(first, second);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_starts_anew_when_its_history_is_forgotten() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    maps.create(&PostParams::default(), &config_map("early")).await.unwrap();
    let config = watcher::Config::default().timeout(30);
    let mut stream = Box::pin(watcher(maps.clone(), config).default_backoff().applied_objects());
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first.metadata.name.as_deref(), Some("early"));
    maps.create(&PostParams::default(), &config_map("late")).await.unwrap();
    cluster.api().store().compact(u64::MAX);
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("late") {
        let Ok(map) = stream.next().await.unwrap() else { continue };
        seen.push(map.metadata.name.unwrap());
    }
    assert_eq!(seen, ["early", "late"]);
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_of_one_moment() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    for name in ["a", "b", "c"] {
        maps.create(&PostParams::default(), &config_map(name)).await.unwrap();
    }
    let mut page = maps.list(&ListParams::default().limit(2)).await.unwrap();
    maps.delete("c", &DeleteParams::default()).await.unwrap();
    let mut names: Vec<String> = Vec::new();
    loop {
        names.extend(page.items.iter().filter_map(|map| map.metadata.name.clone()));
        let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) else { break };
        page = maps.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn typed_objects_survive_the_way_there_and_back() {
    let cluster =
        Cluster::builder().clock(Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap())).start().unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client());
    let wanted: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:1"}]},
            },
        },
    }))
    .unwrap();
    deployments.create(&PostParams::default(), &wanted).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let found = deployments.get_status("web").await.unwrap();
    assert_eq!(found.status.unwrap().ready_replicas, Some(2));
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let running = pods.list(&ListParams::default().labels("app=web").fields("status.phase=Running")).await.unwrap();
    assert_eq!(running.items.len(), 2);
    let evicted = running.items[0].metadata.name.clone().unwrap();
    pods.evict(&evicted, &kube::api::EvictParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    let names: Vec<_> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .filter_map(|pod| pod.metadata.name)
        .collect();
    assert!(names.len() == 2 && !names.contains(&evicted), "{names:?} after the eviction of {evicted}");
}
