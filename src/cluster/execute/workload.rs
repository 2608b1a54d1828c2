//! Writing workloads: create, replace, roll back.
//!
//! Creates only what is not there, deletes and changes only what still has the UID that was judged. Uses no kept definition
//! that this controller has not signed: who may write ControllerRevisions may not write workloads by that.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::ControllerRevision, autoscaling::v2::HorizontalPodAutoscaler};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy},
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cluster::execute::{Executor, keep, namespace};
use crate::{
    api::{FIELD_MANAGER, HealedService},
    base::{error_text::error_text, target_of, written_by_us},
    cluster::{
        decode::Lenient,
        kept::{no_key, refused},
    },
};
use kubeheal_core::model::execution::Execution;

/// How long a replaced workload may take to go away before its successor is created.
const GONE_WITHIN: Duration = Duration::from_secs(120);
/// Tries to write managed fields before they are left as they are.
const RELEASE_TRIES: usize = 5;

impl Executor {
    pub(super) async fn create(
        &self,
        service: &HealedService,
        revision: &str,
        replicas: Option<u32>,
    ) -> Result<Execution, kube::Error> {
        match self.definition(service, revision).await? {
            Ok(definition) => self.create_from(service, definition, replicas).await,
            Err(why) => Ok(Execution::Failed(why)),
        }
    }

    async fn create_from(
        &self,
        service: &HealedService,
        mut definition: Value,
        replicas: Option<u32>,
    ) -> Result<Execution, kube::Error> {
        if let (Some(replicas), true, Some(spec)) =
            (replicas, target_of(service).0.is_scalable(), definition.get_mut("spec").and_then(Value::as_object_mut))
        {
            spec.insert("replicas".to_owned(), json!(replicas));
        }
        let object: DynamicObject = serde_json::from_value(definition).map_err(kube::Error::SerdeError)?;
        match self.workloads(service).create(&written_by_us(), &Lenient(object)).await {
            Ok(Lenient(created)) => {
                self.leave_replicas_to_autoscaler(service, &created).await;
                Ok(Execution::Done)
            }
            // Somebody else brought it back: never touch what exists.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Execution::Vanished),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn replace(
        &self,
        service: &HealedService,
        uid: &str,
        revision: &str,
        replicas: Option<u32>,
    ) -> Result<Execution, kube::Error> {
        // Read once: what was taken away can be brought back, whatever becomes of the revision meanwhile.
        let definition = match self.definition(service, revision).await? {
            Ok(definition) => definition,
            Err(why) => return Ok(Execution::Failed(why)),
        };
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        let options = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        workloads.delete(name, &options).await?;
        let begun = Instant::now();
        while workloads.get_opt(name).await?.is_some_and(|found| found.uid().as_deref() == Some(uid)) {
            if begun.elapsed() > GONE_WITHIN {
                return Ok(Execution::Failed(format!("{name} was deleted and does not go away")));
            }
            sleep(Duration::from_secs(1)).await;
        }
        self.create_from(service, definition, replicas).await
    }

    pub(super) async fn roll_back(
        &self,
        service: &HealedService,
        uid: &str,
        revision: &str,
    ) -> Result<Execution, kube::Error> {
        let definition = match self.definition(service, revision).await? {
            Ok(definition) => definition,
            Err(why) => return Ok(Execution::Failed(why)),
        };
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        let live = workloads.get_opt(name).await?.filter(|live| live.uid().as_deref() == Some(uid));
        let Some(Lenient(mut live)) = live else { return Ok(Execution::Vanished) };
        let template = definition.pointer("/spec/template").cloned().unwrap_or_default();
        live.data["spec"]["template"] = template;
        // The resourceVersion that was read makes this fail if anybody else wrote meanwhile.
        workloads.replace(name, &written_by_us(), &Lenient(live)).await?;
        Ok(Execution::Done)
    }

    /// The kept definition as it stands in the cluster now, or why it must not be used. What is checked is what is returned.
    async fn definition(&self, service: &HealedService, revision: &str) -> Result<Result<Value, String>, kube::Error> {
        let key = match self.keys.key().await {
            Ok(key) => key,
            Err(why) => return Ok(Err(no_key(&why.to_string()))),
        };
        let revisions: Api<Lenient<ControllerRevision>> = Api::namespaced(self.client.clone(), &namespace(service));
        let Some(Lenient(found)) = revisions.get_opt(revision).await? else {
            return Ok(Err(format!("the kept definition {revision} is gone")));
        };
        if let Some(doubt) = keep::read(&found)?.doubt(service, &key) {
            return Ok(Err(refused(revision, &doubt)));
        }
        Ok(Ok(found.data.map(|data| data.0).unwrap_or_default()))
    }

    /// The workload is back, whatever becomes of this: without it, who applies the workload from a file without replicas
    /// would take an autoscaler's number away together with our ownership of it.
    async fn leave_replicas_to_autoscaler(&self, service: &HealedService, created: &DynamicObject) {
        if !target_of(service).0.is_scalable() {
            return;
        }
        let released = match self.autoscaler(service).await {
            Ok(None) => return,
            Ok(Some(_)) => self.release_replicas(service, created).await,
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            tracing::warn!(
                error = error_text(&error),
                "the replicas of the recreated workload stay ours in managedFields"
            );
        }
    }

    /// The autoscaler that sets the replicas of the workload.
    pub(super) async fn autoscaler(&self, service: &HealedService) -> Result<Option<String>, kube::Error> {
        let autoscalers = ApiResource::erase::<HorizontalPodAutoscaler>(&());
        let autoscalers: Api<Lenient<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), &namespace(service), &autoscalers);
        let (kind, (_, name)) = target_of(service);
        let scales = |Lenient(autoscaler): &Lenient<DynamicObject>| {
            let target = autoscaler.data.pointer("/spec/scaleTargetRef");
            target.is_some_and(|target| target["kind"] == kind.as_str() && target["name"] == name)
        };
        let all = autoscalers.list(&ListParams::default()).await?;
        Ok(all.items.iter().find(|one| scales(one)).map(ResourceExt::name_any))
    }

    /// Its own controller writes to a new workload at once, so the first tries may meet a conflict.
    async fn release_replicas(&self, service: &HealedService, created: &DynamicObject) -> Result<(), kube::Error> {
        let workloads = self.workloads(service);
        let mut seen = Some(created.clone());
        for _ in 1..RELEASE_TRIES {
            let Some(object) = seen.filter(|seen| seen.uid() == created.uid()) else { return Ok(()) };
            match self.release_replicas_once(service, &object).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                other => return other,
            }
            seen = workloads.get_opt(&created.name_any()).await?.map(|Lenient(found)| found);
        }
        self.release_replicas_once(service, &seen.unwrap_or_else(|| created.clone())).await
    }

    async fn release_replicas_once(&self, service: &HealedService, created: &DynamicObject) -> Result<(), kube::Error> {
        let mut entries = json!(created.managed_fields());
        for entry in entries.as_array_mut().into_iter().flatten() {
            if entry["manager"] == FIELD_MANAGER
                && let Some(spec) = entry.pointer_mut("/fieldsV1/f:spec").and_then(Value::as_object_mut)
            {
                spec.remove("f:replicas");
            }
        }
        let metadata = json!({
            "uid": created.uid(), "resourceVersion": created.resource_version(), "managedFields": entries,
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        self.workloads(service).patch(&created.name_any(), &params, &patch).await.map(drop)
    }
}
