//! A cluster in memory with the real controller in it, on virtual time.

use kubeheal::controller::Clients;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, WatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use kubeheal::{
    api::{HealedService, status::HealedServiceStatus},
    cluster::decode::Lenient,
    controller::{Controller, Options},
    notify::alert::RetryConfig,
    ops::{clock::Clock, metrics::Metrics, server::Probes},
};
use serde_json::{Value, json};
use tinykube::{Cluster, clock::Clock as ClusterClock};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::support::inbox::Inbox;

/// When every test begins.
pub(crate) const START: &str = "2026-01-05T08:00:00Z";

/// The cluster, the controller, and hands to break things with.
pub(crate) struct World {
    pub(crate) client: Client,
    /// Kept alive: the cluster ends with it.
    _cluster: Cluster,
    clock: Clock,
    /// Where alerts arrive.
    pub(crate) inbox: Inbox,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    shown: Option<(Metrics, Probes)>,
}

impl World {
    /// A cluster with kubeheal at work.
    pub(crate) fn new() -> Self {
        let mut world = Self::without_controller();
        world.start_controller();
        world
    }

    /// A cluster alone.
    pub(crate) fn without_controller() -> Self {
        Self::with_crds(kubeheal::api::crds())
    }

    /// A cluster alone that knows only these kinds of ours.
    pub(crate) fn with_crds(crds: Vec<CustomResourceDefinition>) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let builder = Cluster::builder().clock(ClusterClock::starting_at(start));
        let cluster = crds.into_iter().fold(builder, tinykube::cluster::Builder::crd).start().unwrap();
        let clock = Clock::starting_at(start);
        Self { client: cluster.client(), _cluster: cluster, clock, inbox: Inbox::new(), running: None, shown: None }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn start_controller(&mut self) {
        self.start_controller_with(self.client.clone(), None);
    }

    /// The controller on a client of its own, for one namespace or for all.
    pub(crate) fn start_controller_with(&mut self, client: Client, namespace: Option<&str>) {
        let stop = CancellationToken::new();
        let options = Options {
            namespace: namespace.map(str::to_owned),
            concurrency: 4,
            observe_only: false,
            metrics: Metrics::new(self.clock.now()),
            leader: None,
        };
        let metrics = options.metrics.clone();
        let sender = self.inbox.sender();
        let controller = Controller::notifying(
            Clients { reads: client.clone(), actions: client },
            self.clock.clone(),
            options,
            (sender, RetryConfig::default()),
        );
        self.shown = Some((metrics, controller.probes()));
        self.running = Some((stop.clone(), tokio::spawn(controller.run(stop))));
    }

    /// What the controller's metrics say.
    pub(crate) fn metrics(&self) -> String {
        self.shown.as_ref().unwrap().0.encode()
    }

    /// What `/readyz` of the controller says.
    pub(crate) fn ready(&self) -> Result<(), String> {
        (self.shown.as_ref().unwrap().1.ready)()
    }

    /// Ends the controller as SIGTERM would.
    pub(crate) async fn stop_controller(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.cancel();
            task.await.unwrap();
        }
    }

    /// Ends the controller as SIGKILL would.
    pub(crate) async fn kill_controller(&mut self) {
        if let Some((_, task)) = self.running.take() {
            task.abort();
            let _killed = task.await;
        }
    }

    /// Somebody sets the controller's clock.
    pub(crate) fn set_clock(&self, by: i64) {
        self.clock.set(jiff::SignedDuration::from_secs(by));
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        if ["ClusterHealingPolicy", "CustomResourceDefinition", "Node"].contains(&kind) {
            return Api::all_with(self.client.clone(), &resource(kind));
        }
        Api::namespaced_with(self.client.clone(), "default", &resource(kind))
    }

    pub(crate) async fn create(&self, object: Value) {
        let kind = object["kind"].as_str().unwrap().to_owned();
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        self.api(&kind).create(&PostParams::default(), &object).await.unwrap();
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::background()).await.unwrap();
    }

    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Value) {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Makes the running pods of an app misbehave; pods that replace them are well.
    pub(crate) async fn break_pods(&self, app: &str, script: &str) {
        for pod in self.pods(app).await {
            let name = pod["metadata"]["name"].as_str().unwrap();
            self.patch("Pod", name, json!({"metadata": {"annotations": {"tinykube.dev/script": script}}})).await;
        }
    }

    /// Makes all pods of a Deployment misbehave, present and future.
    pub(crate) async fn break_workload(&self, name: &str, script: &str) {
        let patch = json!({"metadata": {"annotations": {"tinykube.dev/script": script}}});
        self.patch("Deployment", name, patch).await;
    }

    pub(crate) async fn pods(&self, app: &str) -> Vec<Value> {
        let params = kube::api::ListParams::default().labels(&format!("app={app}"));
        let pods = self.api("Pod").list(&params).await.unwrap().items;
        pods.iter().map(|pod| serde_json::to_value(pod).unwrap()).collect()
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.api(kind).get_opt(name).await.unwrap().map(|found| serde_json::to_value(found).unwrap())
    }

    /// What the Events of that reason say.
    pub(crate) async fn events(&self, reason: &str) -> Vec<String> {
        // They are written by a task of its own.
        self.pass(1).await;
        let all = self.list("Event").await;
        let of = all.iter().filter(|event| event["reason"] == reason);
        of.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// All objects of a kind.
    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        let all = self.api(kind).list(&kube::api::ListParams::default()).await.unwrap().items;
        all.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Sets replicas through the scale subresource, as somebody else.
    pub(crate) async fn scale_as(&self, manager: &str, kind: &str, name: &str, replicas: u32) {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.api(kind).patch_scale(name, &params, &patch).await.unwrap();
    }

    pub(crate) async fn service(&self, name: &str) -> HealedService {
        let services: Api<Lenient<HealedService>> = Api::namespaced(self.client.clone(), "default");
        services.get(name).await.unwrap().0
    }

    pub(crate) async fn status(&self, name: &str) -> HealedServiceStatus {
        self.service(name).await.status.unwrap_or_default()
    }

    /// Waits until the service is another than this.
    async fn change(&self, service: &HealedService) {
        let services: Api<Lenient<HealedService>> = Api::namespaced(self.client.clone(), "default");
        let only = WatchParams::default().fields(&format!("metadata.name={}", service.name_any()));
        let changes = services.watch(&only, &service.resource_version().unwrap()).await.unwrap();
        changes.boxed().next().await;
    }

    /// Waits until the status is as wanted; fails with the last status after `limit` seconds.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        limit: u64,
        wanted: impl Fn(&HealedServiceStatus) -> bool,
    ) -> HealedServiceStatus {
        let deadline = Instant::now() + Duration::from_secs(limit);
        while Instant::now() <= deadline {
            let service = self.service(name).await;
            let status = service.status.clone().unwrap_or_default();
            if wanted(&status) {
                // What was announced is done a moment after.
                self.pass(1).await;
                return status;
            }
            let _changed = timeout_at(deadline + Duration::from_millis(1), self.change(&service)).await;
        }
        let status = serde_json::to_string_pretty(&self.status(name).await).unwrap();
        panic!("after {limit} s {name} still is not {what}: {status}");
    }
}

pub(crate) fn resource(kind: &str) -> ApiResource {
    let gvk = match kind {
        "CustomResourceDefinition" => GroupVersionKind::gvk("apiextensions.k8s.io", "v1", kind),
        "HealedService" | "HealingPolicy" | "ClusterHealingPolicy" => {
            GroupVersionKind::gvk("kubeheal.dev", "v1alpha1", kind)
        }
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ControllerRevision" => {
            GroupVersionKind::gvk("apps", "v1", kind)
        }
        "PodDisruptionBudget" => GroupVersionKind::gvk("policy", "v1", kind),
        "HorizontalPodAutoscaler" => GroupVersionKind::gvk("autoscaling", "v2", kind),
        "Lease" => GroupVersionKind::gvk("coordination.k8s.io", "v1", kind),
        _ => GroupVersionKind::gvk("", "v1", kind),
    };
    ApiResource::from_gvk(&gvk)
}

/// A Deployment with a readiness and a liveness probe.
pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": "app", "image": "busybox:1.37",
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5},
                        "livenessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 10},
                    }],
                },
            },
        },
    })
}

/// A policy of that kind.
pub(crate) fn policy(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": "kubeheal.dev/v1alpha1", "kind": kind, "metadata": {"name": name}});
    object["spec"] = spec;
    object
}

/// A service with the defaults, changed by `spec`.
pub(crate) fn service(name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService",
        "metadata": {"name": name},
        "spec": {"workloadRef": {"kind": "Deployment", "name": name}},
    });
    if let (Some(target), Value::Object(more)) = (object["spec"].as_object_mut(), spec) {
        target.extend(more);
    }
    object
}
