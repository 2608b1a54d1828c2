//! What the controllers do with workloads, seen through the objects of a cluster on a paused runtime.

#![allow(clippy::unwrap_used, clippy::panic, clippy::semicolon_if_nothing_returned)]

mod containers;
mod deployments;
mod endpoints;
mod evictions;
mod jobs;
mod lifecycle;
mod nodes;
mod tokens;
mod virtual_day;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::{DeleteOptions, Options, Part};
use tinykube::clock::Clock;
use tinykube::cluster::Builder;

/// A cluster with a namespace `test`, and shortcuts to it.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
}

impl World {
    pub(crate) fn new() -> World {
        World::of(Cluster::builder())
    }

    pub(crate) fn of(builder: Builder) -> World {
        let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let world = World { cluster: builder.clock(clock).start().unwrap() };
        world.create("", "namespaces", json!({"metadata": {"name": "test"}}));
        world
    }

    pub(crate) fn create(&self, group: &str, plural: &str, object: Value) -> Arc<Value> {
        let api = self.cluster.api();
        let resource = api.resource(group, plural).unwrap();
        let namespace = if resource.namespaced { "test" } else { "" };
        api.create(&resource, namespace, object, &Options::default())
            .unwrap_or_else(|status| panic!("{}", status.message))
    }

    pub(crate) fn get(&self, group: &str, plural: &str, name: &str) -> Option<Arc<Value>> {
        let api = self.cluster.api();
        let resource = api.resource(group, plural).unwrap();
        let namespace = if resource.namespaced { "test" } else { "" };
        api.get(&resource, namespace, name).ok()
    }

    pub(crate) fn list(&self, group: &str, plural: &str) -> Vec<Arc<Value>> {
        let api = self.cluster.api();
        api.list(&api.resource(group, plural).unwrap(), "test")
    }

    pub(crate) fn pods(&self) -> Vec<String> {
        self.list("", "pods").iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn change(&self, group: &str, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let api = self.cluster.api();
        let resource = api.resource(group, plural).unwrap();
        let namespace = if resource.namespaced { "test" } else { "" };
        api.modify(resource.named(namespace, name), Part::Main, &Options::default(), change).unwrap();
    }

    pub(crate) fn delete(&self, group: &str, plural: &str, name: &str, options: &DeleteOptions) {
        let api = self.cluster.api();
        let resource = api.resource(group, plural).unwrap();
        let namespace = if resource.namespaced { "test" } else { "" };
        api.delete(&resource, namespace, name, options).unwrap();
    }

    /// Lets so many seconds pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// A workload of one container.
pub(crate) fn workload(name: &str, replicas: i64, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app",
                    "image": image,
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5},
                    "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2},
                }]},
            },
        },
    })
}
