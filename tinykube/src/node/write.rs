//! What a node writes about its pods: Events, the status, the removal.

use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::Value;

use super::kind::Kind;
use crate::correlator::Telling;
use crate::object;

/// As real kubelets are called in managed fields.
pub(super) const MANAGER: &str = "kubelet";
/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How many names are tried for an Event.
const NAMES: u32 = 8;

/// To be written about one pod.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) tellings: Vec<Telling>,
    /// A patch of the status.
    pub(super) status: Option<Value>,
    pub(super) remove: bool,
}

impl Letter {
    pub(super) fn is_empty(&self) -> bool {
        self.tellings.is_empty() && self.status.is_none() && !self.remove
    }
}

/// Writes all of it; the pod as it is afterwards, if its status was written.
pub(super) async fn write(client: Client, letter: &Letter) -> Result<Option<Value>, kube::Error> {
    for telling in &letter.tellings {
        // Events are best effort: one that cannot be written (its namespace is going away) is lost.
        if let Err(error) = tell(&client, telling).await {
            tracing::debug!(event = object::name(&telling.event), %error, "event not written");
        }
    }
    let pods: Api<DynamicObject> = Api::namespaced_with(client, &letter.namespace, &Kind::pods().api);
    let mut written = None;
    if let Some(status) = &letter.status {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let pod = pods.patch_status(&letter.name, &params, &Patch::Strategic(status)).await?;
        written = serde_json::to_value(pod).ok();
    }
    if letter.remove {
        let uid = Some(letter.uid.clone());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() }.grace_period(0);
        match pods.delete(&letter.name, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => drop(other?),
        }
    }
    Ok(written)
}

async fn tell(client: &Client, telling: &Telling) -> Result<(), kube::Error> {
    let events: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), object::namespace(&telling.event), &Kind::events().api);
    if telling.again {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match events.patch(object::name(&telling.event), &params, &Patch::Merge(telling.update())).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => return other.map(|_| ()),
        }
    }
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    for attempt in 0..NAMES {
        let event = serde_json::from_value(telling.renamed(attempt)).map_err(kube::Error::SerdeError)?;
        match events.create(&params, &event).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            other => return other.map(|_| ()),
        }
    }
    Ok(())
}
