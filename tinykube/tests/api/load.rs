//! Many pods: a write must not cost more because there are many objects.

use std::time::Duration;

use serde_json::json;
use tinykube::Cluster;
use tinykube::api::Options;
use tinykube::clock::Clock;

/// A thousand pods start, and an hour passes with every kind of watch open.
#[tokio::test(start_paused = true)]
async fn a_thousand_pods_live_for_an_hour() {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    let cluster = Cluster::builder().clock(clock).start().unwrap();
    let api = cluster.api();
    let deployments = api.resource("apps", "deployments").unwrap();
    for index in 0..20 {
        let name = format!("d{index}");
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": 50,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "c", "image": "c:1"}]},
                },
            },
        });
        api.create(&deployments, "default", deployment, &Options::by("test")).unwrap();
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let pods = api.resource("", "pods").unwrap();
    let running = api.list(&pods, "default").iter().filter(|pod| pod["status"]["phase"] == "Running").count();
    assert_eq!(running, 1000);
}
