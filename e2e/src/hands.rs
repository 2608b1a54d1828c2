//! Hands in one namespace: create, change, delete, read, and wait until something is so.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher::watch_object},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::failure::{Failure, Result};

/// For anything to come true. It costs time only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Who changed what, in managed fields.
const MANAGER: &str = "e2e";

/// Hands in a namespace.
#[derive(Clone)]
pub(crate) struct Hands {
    client: Client,
    namespace: String,
}

impl Hands {
    /// Hands in `namespace`.
    pub(crate) fn new(client: Client, namespace: impl Into<String>) -> Hands {
        Hands { client, namespace: namespace.into() }
    }

    /// The API of a kind.
    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let gvk = match kind {
            "HealedService" | "HealingPolicy" => {
                GroupVersionKind::gvk(kubeheal::api::GROUP, kubeheal::api::VERSION, kind)
            }
            "Deployment" | "ReplicaSet" | "ControllerRevision" => GroupVersionKind::gvk("apps", "v1", kind),
            "ValidatingWebhookConfiguration" => GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind),
            "Lease" => GroupVersionKind::gvk("coordination.k8s.io", "v1", kind),
            _ => GroupVersionKind::gvk("", "v1", kind),
        };
        let mut resource = ApiResource::from_gvk(&gvk);
        if kind == "HealingPolicy" {
            "healingpolicies".clone_into(&mut resource.plural);
        }
        if matches!(kind, "Namespace" | "ValidatingWebhookConfiguration") {
            return Api::all_with(self.client.clone(), &resource);
        }
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Creates an object.
    pub(crate) async fn create(&self, object: Value) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let object: DynamicObject = serde_json::from_value(object)
            .map_err(|error| Failure::new(format!("{kind}/{name} is no object: {error}")))?;
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let created = self.api(&kind).create(&params, &object).await;
        created.map(drop).map_err(|error| Failure::api(format!("create {kind}/{name}"), &error))
    }

    /// Waits until the API server would not create an object any more. It hears of new webhooks in its own time.
    pub(crate) async fn until_refused(&self, object: &Value) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| Failure::new(format!("a {kind} is no object: {error}")))?;
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let trying = async {
            while self.api(kind).create(&params, &object).await.is_ok() {
                sleep(PAUSE).await;
            }
        };
        let refused = timeout(PATIENCE, trying).await;
        refused.map_err(|_| Failure::new(format!("a {kind} can be created after {} s", PATIENCE.as_secs())))
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Value) -> Result<()> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.api(kind).patch(name, &params, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| Failure::api(format!("change {kind}/{name}"), &error))
    }

    /// Changes the container `app` of a Deployment's template, and starts a rollout by that.
    pub(crate) async fn patch_template(&self, name: &str, app: &Value) -> Result<()> {
        let mut container = app.clone();
        container["name"] = "app".into();
        let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.api("Deployment").patch(name, &params, &Patch::Strategic(patch)).await;
        patched.map(drop).map_err(|error| Failure::api(format!("change the template of {name}"), &error))
    }

    /// Deletes an object; what it owns goes in the background.
    pub(crate) async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let deleted = self.api(kind).delete(name, &DeleteParams::background()).await;
        deleted.map(drop).map_err(|error| Failure::api(format!("delete {kind}/{name}"), &error))
    }

    /// An object, if it is there.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let found = self.api(kind).get_opt(name).await;
        let found = found.map_err(|error| Failure::api(format!("read {kind}/{name}"), &error))?;
        Ok(found.map(|object| as_json(&object)))
    }

    /// An object that must be there.
    pub(crate) async fn expect(&self, kind: &str, name: &str) -> Result<Value> {
        self.get(kind, name).await?.ok_or_else(|| Failure::new(format!("{kind}/{name} is not there")))
    }

    /// All objects of a kind, or those with a label.
    pub(crate) async fn list(&self, kind: &str, labels: &str) -> Result<Vec<Value>> {
        let found = self.api(kind).list(&ListParams::default().labels(labels)).await;
        let found = found.map_err(|error| Failure::api(format!("list {kind}"), &error))?;
        Ok(found.items.iter().map(as_json).collect())
    }

    /// The pods of an app that are not on their way out.
    pub(crate) async fn pods(&self, app: &str) -> Result<Vec<Value>> {
        let pods = self.list("Pod", &format!("app={app}")).await?;
        Ok(pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect())
    }

    /// Waits until an object, or its absence, is as wanted.
    pub(crate) async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Result<Option<Value>> {
        let mut last = None;
        let looking = async {
            let changes = watch_object(self.api(kind), name).default_backoff();
            pin_mut!(changes);
            while let Some(change) = changes.next().await {
                let Ok(found) = change else { continue };
                last = found.as_ref().map(as_json);
                if wanted(last.as_ref()) {
                    break;
                }
            }
        };
        match timeout(PATIENCE, looking).await {
            Ok(()) => Ok(last),
            Err(_) => {
                let seen = last.map_or_else(|| "it is not there".to_owned(), |last| format!("{last:#}"));
                Err(Failure::new(format!("{kind}/{name} is not {what} after {} s: {seen}", PATIENCE.as_secs())))
            }
        }
    }
}

fn as_json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// What tells an object from another one of the same name.
pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
