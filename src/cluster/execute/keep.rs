//! Keeping the last known good definition, as a `ControllerRevision` that the service owns.
//!
//! Named by its content, so that keeping the same twice is one object.

use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{
        apis::meta::v1::{ObjectMeta, Time},
        runtime::RawExtension,
    },
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams},
};

use crate::cluster::execute::{Executor, namespace};
use crate::{
    api::{HealedService, status::LastKnownGood},
    base::written_by_us,
    cluster::{decode::Lenient, definition, revision::revision_mark, workload::WorkloadRecord},
};
use kubeheal_core::model::snapshot::Tool;

/// Definitions kept of one service, besides one to roll back to: the newest is used, the others are for people.
const KEPT: usize = 3;
/// Longest part of the service's name in the revision's.
const NAME_PART: usize = 200;

/// Why a definition could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("keep the definition of {workload} as last known good: {source}")]
pub struct KeepError {
    workload: String,
    source: kube::Error,
}

/// Keeps the workload's definition, if it still is the one that was judged. `None` if it has changed meanwhile.
pub async fn keep(
    executor: &Executor,
    service: &HealedService,
    judged: &WorkloadRecord,
    now: Timestamp,
) -> Result<Option<LastKnownGood>, KeepError> {
    let failed = |source| KeepError { workload: judged.state.name.clone(), source };
    let live = executor.workloads(service).get_opt(&judged.state.name).await.map_err(failed)?;
    let Some(Lenient(live)) = live.filter(|live| live.uid().as_deref() == Some(judged.state.uid.as_str())) else {
        return Ok(None);
    };
    let object = serde_json::to_value(&live).map_err(kube::Error::SerdeError).map_err(failed)?;
    let revision = revision(service, judged, live.metadata.generation, &object);
    let name = revision.name_any();
    let revisions: Api<Lenient<ControllerRevision>> = Api::namespaced(executor.client.clone(), &namespace(service));
    let params = written_by_us();
    match revisions.create(&params, &Lenient(revision)).await {
        Ok(_) => prune(&revisions, service, &name).await.map_err(failed)?,
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(Some(LastKnownGood { revision: name, recorded_at: Time(now) }))
}

fn revision(
    service: &HealedService,
    judged: &WorkloadRecord,
    generation: Option<i64>,
    object: &serde_json::Value,
) -> ControllerRevision {
    let short: String = service.name_any().chars().take(NAME_PART).collect();
    let annotations = [
        (revision_mark::DEFINITION, judged.state.definition.clone()),
        (revision_mark::TEMPLATE, judged.state.template.clone()),
        (revision_mark::MANAGED_BY, judged.state.tool.map(Tool::as_str).unwrap_or_default().to_owned()),
        (revision_mark::CONTROLLED, judged.state.controlled.to_string()),
    ];
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!("{short}-kubeheal-{}", judged.state.definition)),
            namespace: service.namespace(),
            labels: Some([(revision_mark::LABEL.to_owned(), service.uid().unwrap_or_default())].into()),
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            owner_references: service.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(definition::sanitize(object))),
        revision: generation.unwrap_or(1).max(1),
    }
}

async fn prune(
    revisions: &Api<Lenient<ControllerRevision>>,
    service: &HealedService,
    newest: &str,
) -> Result<(), kube::Error> {
    let own = format!("{}={}", revision_mark::LABEL, service.uid().unwrap_or_default());
    let mut kept = revisions.list(&ListParams::default().labels(&own)).await?.items;
    kept.sort_by_key(|revision| std::cmp::Reverse(revision.creation_timestamp()));
    // The one to roll back to may be old.
    let stable = service.status.as_ref().and_then(|status| status.memory.attempts.stable.clone());
    let is_needed = |name: &str| name == newest || stable.as_deref() == Some(name);
    let old = kept.iter().filter(|revision| !is_needed(&revision.name_any())).skip(KEPT - 1);
    for revision in old {
        match revisions.delete(&revision.name_any(), &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
