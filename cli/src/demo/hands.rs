//! Hands that put a story's objects into the cluster and break them.

use kube::{
    Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::Value;

use super::story::{Breakage, namespace_of};
use crate::target::{self, Target};

const MANAGER: &str = "story";

/// Why something in a story could not be done, as a sentence.
pub(super) type Problem = String;

/// Creates an object, or makes it look like this if it is there.
pub(super) async fn apply(client: &Client, object: &Value) -> Result<(), Problem> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let api = target::api(client, kind, namespace_of(object));
    let typed: DynamicObject =
        serde_json::from_value(object.clone()).map_err(|error| format!("this is no object: {error}"))?;
    let name = typed.name_any();
    let failed =
        |error: kube::Error| format!("apply {kind}/{name}: {}", kubeheal::base::error_text::error_text(&error));
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &typed).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let params = PatchParams::default();
            api.patch(&name, &params, &Patch::Merge(object)).await.map(drop).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Breaks something.
pub(super) async fn break_it(client: &Client, breakage: &Breakage) -> Result<(), Problem> {
    match breakage {
        Breakage::Delete(target) => delete(client, target).await,
        Breakage::Apply(objects) => {
            for object in objects {
                apply(client, object).await?;
            }
            Ok(())
        }
        Breakage::Patch(target, with) => patch(client, target, with).await,
        Breakage::PatchPods(workload, with) => {
            for pod in pods_of(client, workload).await? {
                patch(client, &pod, with).await?;
            }
            Ok(())
        }
    }
}

async fn delete(client: &Client, target: &Target) -> Result<(), Problem> {
    let deleted = target.api(client).delete(&target.name, &DeleteParams::background()).await;
    deleted.map(drop).map_err(|error| format!("delete {target}: {}", kubeheal::base::error_text::error_text(&error)))
}

async fn patch(client: &Client, target: &Target, with: &Value) -> Result<(), Problem> {
    let patched = target.api(client).patch(&target.name, &PatchParams::default(), &Patch::Merge(with)).await;
    patched.map(drop).map_err(|error| format!("patch {target}: {}", kubeheal::base::error_text::error_text(&error)))
}

/// The running pods of a workload: those that it controls, directly or through a ReplicaSet.
pub(crate) async fn pods_of(client: &Client, workload: &Target) -> Result<Vec<Target>, Problem> {
    let failed = |error: kube::Error| format!("{workload}: {}", kubeheal::base::error_text::error_text(&error));
    let found = workload.api(client).get(&workload.name).await.map_err(failed)?;
    if workload.kind == "Pod" {
        return Ok(vec![workload.clone()]);
    }
    let namespace = workload.namespace.as_deref().unwrap_or("default");
    let mut owners: Vec<String> = found.uid().into_iter().collect();
    if workload.kind == "Deployment" {
        let sets = target::api(client, "ReplicaSet", namespace).list(&ListParams::default()).await.map_err(failed)?;
        owners.extend(
            sets.iter().filter(|set| is_controlled(set, &owners)).filter_map(ResourceExt::uid).collect::<Vec<_>>(),
        );
    }
    let pods = target::api(client, "Pod", namespace).list(&ListParams::default()).await.map_err(failed)?;
    let own = pods.iter().filter(|pod| is_controlled(pod, &owners) && pod.metadata.deletion_timestamp.is_none());
    Ok(own.filter_map(|pod| Target::of("Pod", Some(namespace.to_owned()), pod.name_any())).collect())
}

fn is_controlled(object: &DynamicObject, owners: &[String]) -> bool {
    object.owner_references().iter().any(|owner| owner.controller == Some(true) && owners.contains(&owner.uid))
}
