//! Who gets the traffic of a service, by its `EndpointSlices` and by the older Endpoints.

use std::sync::Arc;

use serde_json::{Value, json};
use tinykube::api::DeleteOptions;

use crate::World;

fn service(world: &World) {
    let port = json!({"name": "web", "port": 80, "targetPort": "http"});
    let spec = json!({"selector": {"app": "web"}, "ports": [port]});
    world.create("", "services", json!({"metadata": {"name": "web"}, "spec": spec}));
}

fn deployment(world: &World, replicas: i64) {
    let port = json!({"name": "http", "containerPort": 8080});
    let probe = json!({"httpGet": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 1});
    let container = json!({"name": "app", "image": "app:1", "ports": [port], "readinessProbe": probe});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let selector = json!({"matchLabels": {"app": "web"}});
    let spec = json!({"replicas": replicas, "selector": selector, "template": template});
    world.create("apps", "deployments", json!({"metadata": {"name": "web"}, "spec": spec}));
}

fn slice(world: &World) -> Arc<Value> {
    let slices = world.list("discovery.k8s.io", "endpointslices");
    assert_eq!(slices.len(), 1, "one slice for one set of ports: {slices:?}");
    slices[0].clone()
}

/// Whether each of the endpoints is ready, and how many addresses the older object has of either kind.
fn traffic(world: &World) -> (Vec<bool>, usize, usize) {
    let slice = slice(world);
    let endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
    let old = world.get("", "endpoints", "web").unwrap();
    let addresses = |list: &str| old["subsets"][0][list].as_array().map_or(0, Vec::len);
    let ready = endpoints.iter().map(|endpoint| endpoint["conditions"]["ready"] == true).collect();
    (ready, addresses("addresses"), addresses("notReadyAddresses"))
}

#[tokio::test(start_paused = true)]
async fn pods_get_traffic_while_they_are_ready() {
    let world = World::new();
    service(&world);
    world.pass(1).await;
    assert!(slice(&world)["endpoints"].is_null(), "nobody yet");
    deployment(&world, 2);
    world.pass(20).await;
    assert_eq!(traffic(&world), (vec![true, true], 2, 0));
    let shown = slice(&world);
    assert_eq!(shown["ports"], json!([{"name": "web", "protocol": "TCP", "port": 8080}]), "the port of the container");
    assert_eq!(shown["metadata"]["labels"]["kubernetes.io/service-name"], "web");
    let script = |text: &str| {
        let text = text.to_owned();
        world.change("apps", "deployments", "web", move |object| {
            object["metadata"]["annotations"]["tinykube.dev/script"] = text.clone().into();
        });
    };
    script("not-ready");
    world.pass(20).await;
    assert_eq!(traffic(&world), (vec![false, false], 0, 2));
    script("healthy");
    world.pass(20).await;
    assert_eq!(traffic(&world), (vec![true, true], 2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_ends_gets_no_traffic_and_endpoints_go_with_their_service() {
    let world = World::new();
    service(&world);
    deployment(&world, 1);
    world.pass(20).await;
    world.change("apps", "deployments", "web", |object| object["spec"]["replicas"] = 0.into());
    world.pass(60).await;
    assert_eq!(traffic(&world), (vec![], 0, 0));
    let api = world.cluster.api();
    let services = api.resource("", "services").unwrap();
    api.delete(&services, "test", "web", &DeleteOptions::default()).unwrap();
    world.pass(5).await;
    assert!(world.list("discovery.k8s.io", "endpointslices").is_empty());
    assert!(world.get("", "endpoints", "web").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_selector_has_the_endpoints_it_is_given() {
    let world = World::new();
    world.create("", "services", json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}));
    let given = json!([{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 80, "protocol": "TCP"}]}]);
    world.create("", "endpoints", json!({"metadata": {"name": "web"}, "subsets": given}));
    world.pass(10).await;
    assert_eq!(world.get("", "endpoints", "web").unwrap()["subsets"], given);
}
