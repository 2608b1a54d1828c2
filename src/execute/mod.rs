//! Execute: a plan → API calls, each with preconditions.
//!
//! Every write names the UID that the decision was about, so a lost reply or a stale cache can never hit a successor. Must
//! not decide: an answer of the API server is translated, never interpreted.

mod keep;

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, EvictParams, PostParams, Preconditions, PropagationPolicy},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    api::{FIELD_MANAGER, HealedService},
    error::said,
    healing::{
        plan::{Effect, Plan},
        snapshot::WorkloadKind,
        verify::Execution,
    },
    observe::{cache::target_of, snapshot::Presence},
};

pub use keep::{KeepError, keep};

/// How long a replaced workload may take to go away before its successor is created.
const GONE_WITHIN: Duration = Duration::from_secs(120);

/// Carries out plans. Its client must not retry by itself: a refused eviction is an answer, not a hiccup.
#[derive(Clone)]
pub struct Executor {
    client: Client,
}

impl Executor {
    /// An executor on a client that does not retry.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whether the workload exists, asked live.
    pub async fn presence(&self, service: &HealedService) -> Presence {
        match self.workloads(service).get_metadata_opt(&service.spec.workload_ref.name).await {
            Ok(None) => Presence::Missing,
            Ok(Some(_)) => Presence::NotYetCached,
            Err(error) => Presence::Unreadable(said(&error)),
        }
    }

    /// Whether the namespace is being deleted, asked live. What cannot be read counts as being deleted: fail closed.
    pub async fn is_namespace_deleting(&self, namespace: &str) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.get_metadata_opt(namespace).await {
            Ok(Some(found)) => found.metadata.deletion_timestamp.is_some(),
            Ok(None) | Err(_) => true,
        }
    }

    /// Carries out one plan.
    pub async fn run(&self, service: &HealedService, plan: &Plan) -> Execution {
        let done = match &plan.effect {
            Effect::EvictPod { delete_if_refused } => {
                self.evict(service, &plan.action.target, &plan.action.target_uid, *delete_if_refused).await
            }
            Effect::CreateWorkload { revision, replicas } => self.create(service, revision, *replicas).await,
            Effect::ReplaceWorkload { revision, replicas } => {
                self.replace(service, &plan.action.target_uid, revision, *replicas).await
            }
            Effect::Rollback { revision } => self.roll_back(service, &plan.action.target_uid, revision).await,
        };
        done.unwrap_or_else(|error| translate(&error))
    }

    /// The real API server charges a disruption budget before it checks the UID, so the pod is looked at first.
    async fn evict(
        &self,
        service: &HealedService,
        name: &str,
        uid: &str,
        delete_if_refused: bool,
    ) -> Result<Execution, kube::Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace(service));
        match pods.get_metadata_opt(name).await? {
            Some(pod) if pod.uid().as_deref() == Some(uid) && pod.metadata.deletion_timestamp.is_none() => {}
            Some(_) | None => return Ok(Execution::Vanished),
        }
        let same = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let options = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
        let eviction = EvictParams { delete_options: Some(options.clone()), ..EvictParams::default() };
        match pods.evict(name, &eviction).await.map_err(|error| (translate(&error), error)) {
            Ok(_) => Ok(Execution::Done),
            Err((Execution::Refused(_), kube::Error::Api(status))) if delete_if_refused && status.code == 429 => {
                pods.delete(name, &options).await?;
                Ok(Execution::Done)
            }
            Err((translated, _)) => Ok(translated),
        }
    }

    async fn create(
        &self,
        service: &HealedService,
        revision: &str,
        replicas: Option<u32>,
    ) -> Result<Execution, kube::Error> {
        let Some(mut definition) = self.definition(service, revision).await? else {
            return Ok(Execution::Failed(format!("the kept definition {revision} is gone")));
        };
        let scalable = matches!(target_of(service).0, WorkloadKind::Deployment | WorkloadKind::StatefulSet);
        if let (Some(replicas), true, Some(spec)) =
            (replicas, scalable, definition.get_mut("spec").and_then(Value::as_object_mut))
        {
            spec.insert("replicas".to_owned(), json!(replicas));
        }
        let object: DynamicObject = serde_json::from_value(definition).map_err(kube::Error::SerdeError)?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.workloads(service).create(&params, &object).await {
            Ok(_) => Ok(Execution::Done),
            // Somebody else brought it back: never touch what exists.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Execution::Vanished),
            Err(error) => Err(error),
        }
    }

    async fn replace(
        &self,
        service: &HealedService,
        uid: &str,
        revision: &str,
        replicas: Option<u32>,
    ) -> Result<Execution, kube::Error> {
        if self.definition(service, revision).await?.is_none() {
            return Ok(Execution::Failed(format!("the kept definition {revision} is gone")));
        }
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        let options = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        workloads.delete(name, &options).await?;
        let begun = Instant::now();
        while workloads.get_metadata_opt(name).await?.is_some_and(|found| found.uid().as_deref() == Some(uid)) {
            if begun.elapsed() > GONE_WITHIN {
                return Ok(Execution::Failed(format!("{name} was deleted and does not go away")));
            }
            sleep(Duration::from_secs(1)).await;
        }
        self.create(service, revision, replicas).await
    }

    async fn roll_back(&self, service: &HealedService, uid: &str, revision: &str) -> Result<Execution, kube::Error> {
        let Some(definition) = self.definition(service, revision).await? else {
            return Ok(Execution::Failed(format!("the kept definition {revision} is gone")));
        };
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        let live = workloads.get_opt(name).await?.filter(|live| live.uid().as_deref() == Some(uid));
        let Some(mut live) = live else { return Ok(Execution::Vanished) };
        let template = definition.pointer("/spec/template").cloned().unwrap_or_default();
        live.data["spec"]["template"] = template;
        // The resourceVersion that was read makes this fail if anybody else wrote meanwhile.
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        workloads.replace(name, &params, &live).await?;
        Ok(Execution::Done)
    }

    async fn definition(&self, service: &HealedService, revision: &str) -> Result<Option<Value>, kube::Error> {
        let revisions: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &namespace(service));
        Ok(revisions.get_opt(revision).await?.and_then(|found| found.data).map(|data| data.0))
    }

    fn workloads(&self, service: &HealedService) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &namespace(service), &resource(target_of(service).0))
    }
}

/// The API resource of a kind of workload.
fn resource(kind: WorkloadKind) -> ApiResource {
    let (group, plural) = match kind {
        WorkloadKind::Deployment => ("apps", "deployments"),
        WorkloadKind::StatefulSet => ("apps", "statefulsets"),
        WorkloadKind::DaemonSet => ("apps", "daemonsets"),
        WorkloadKind::Pod => ("", "pods"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind.as_str()), plural)
}

fn namespace(service: &HealedService) -> String {
    service.namespace().unwrap_or_default()
}

/// What an error means for the attempt. A reply that was lost is a refusal: the UID precondition makes trying again safe.
fn translate(error: &kube::Error) -> Execution {
    match error {
        kube::Error::Api(status) => match status.code {
            404 | 409 => Execution::Vanished,
            429 | 500..=599 => Execution::Refused(said(error)),
            _ => Execution::Failed(said(error)),
        },
        _ => Execution::Refused(said(error)),
    }
}
