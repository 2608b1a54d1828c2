//! Keeping the last known good definition, as a `ControllerRevision` that the service owns.
//!
//! Named by its content and signed, so that keeping the same twice is one object, and nobody else can make one. What stands
//! there already under that name is looked at before it counts as kept.

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
    api::{DeleteParams, ListParams, Preconditions},
    core::DynamicObject,
};
use serde_json::Value;

use crate::cluster::execute::{Executor, namespace, signing_key::NoKey};
use crate::{
    api::{HealedService, status::LastKnownGood},
    base::{digest, written_by_us},
    cluster::{
        decode::Lenient,
        definition,
        kept::{no_key, refused},
        revision::{Proof, Revision, identity, replicas, revision_mark},
        signature::{SigningKey, fingerprint},
        workload::WorkloadRecord,
    },
};
use kubeheal_core::model::{
    reason::{Block, Reason},
    snapshot::{self, Tool, WorkloadKind},
};

/// Definitions kept of one service, besides one to roll back to: the newest is used, the others are for people.
const KEPT: usize = 3;
/// Longest part of the service's name in the revision's.
const NAME_PART: usize = 200;
/// Digits of the signature in it.
const SIGNATURE_PART: usize = 16;

/// Why a definition could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The API server did not do it.
    #[error("keep the definition of {workload} as last known good: {source}")]
    Api {
        /// Whose definition.
        workload: String,
        /// What it said.
        source: kube::Error,
    },
    /// There is nothing to sign it with.
    #[error("{0}")]
    NoKey(#[from] NoKey),
    /// Under its name stands something else.
    #[error("ControllerRevision {revision} is in the way: {doubt}")]
    Taken {
        /// Its name.
        revision: String,
        /// What is wrong with it.
        doubt: String,
    },
}

impl KeepError {
    /// What there is to say to a person, where only one can change it.
    pub fn needs_person(&self) -> Option<Block> {
        match self {
            Self::Api { .. } => None,
            Self::NoKey(why) if !why.needs_person => None,
            Self::NoKey(why) => Some(Block::new(Reason::SigningKeyMissing, no_key(&why.to_string()))),
            Self::Taken { revision, doubt } => Some(Block::new(Reason::LastKnownGoodRefused, refused(revision, doubt))),
        }
    }
}

/// Keeps the workload's definition, if it still is the one that was judged. `None` if it has changed meanwhile.
pub async fn keep(
    executor: &Executor,
    service: &HealedService,
    judged: &WorkloadRecord,
    now: Timestamp,
) -> Result<Option<LastKnownGood>, KeepError> {
    let failed = |source| KeepError::Api { workload: judged.state.name.clone(), source };
    let key = executor.keys.key().await?;
    let live = executor.workloads(service).get_opt(&judged.state.name).await.map_err(failed)?;
    let Some(Lenient(live)) = live.filter(|Lenient(live)| is_judged(live, judged)) else { return Ok(None) };
    let object = serde_json::to_value(&live).map_err(kube::Error::SerdeError).map_err(failed)?;
    let kept = Kept { key: &key, judged, definition: definition::sanitize(&object) };
    let revision = kept.revision(service, live.metadata.generation);
    let name = revision.name_any();
    let revisions: Api<Lenient<ControllerRevision>> = Api::namespaced(executor.client.clone(), &namespace(service));
    match revisions.create(&written_by_us(), &Lenient(revision)).await {
        Ok(_) => prune(&revisions, (service, &key), &name).await.map_err(failed)?,
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let Some(Lenient(found)) = revisions.get_opt(&name).await.map_err(failed)? else { return Ok(None) };
            let found = read(&found).map_err(failed)?;
            if let Some(doubt) = found.doubt(service, &key) {
                return Err(KeepError::Taken { revision: name, doubt });
            }
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(Some(LastKnownGood { revision: name, recorded_at: Time(now) }))
}

/// What was found well is what is kept: the same object, with the same definition.
fn is_judged(live: &DynamicObject, judged: &WorkloadRecord) -> bool {
    let (state, uid) = (&judged.state, live.uid().unwrap_or_default());
    let spec = live.data.get("spec").unwrap_or(&Value::Null);
    let now = match state.kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            digest(&definition::essence(spec))
        }
        WorkloadKind::Pod => {
            let containers = spec["containers"].as_array().into_iter().flatten();
            let images: Vec<_> = containers.map(|one| one["image"].as_str().unwrap_or_default()).collect();
            definition::pod_digest(&uid, &images)
        }
    };
    uid == state.uid && now == state.definition
}

/// A revision as the caches know it.
pub(super) fn read(found: &ControllerRevision) -> Result<Revision, kube::Error> {
    let found = serde_json::to_value(found).map_err(kube::Error::SerdeError)?;
    serde_json::from_value(found).map_err(kube::Error::SerdeError)
}

/// What is to be kept.
struct Kept<'a> {
    key: &'a SigningKey,
    judged: &'a WorkloadRecord,
    definition: Value,
}

impl Kept<'_> {
    fn revision(self, service: &HealedService, generation: Option<i64>) -> ControllerRevision {
        let state = &self.judged.state;
        let signature = self.signature(service);
        let short: String = service.name_any().chars().take(NAME_PART).collect();
        let name = format!("{short}-kubeheal-{}-{}", state.definition, &signature[..SIGNATURE_PART]);
        let annotations = [
            (revision_mark::DEFINITION, state.definition.clone()),
            (revision_mark::TEMPLATE, state.template.clone()),
            (revision_mark::MANAGED_BY, state.tool.map(Tool::as_str).unwrap_or_default().to_owned()),
            (revision_mark::CONTROLLED, state.controlled.to_string()),
            (revision_mark::WORKLOAD, state.uid.clone()),
            (revision_mark::SIGNATURE, signature),
        ];
        ControllerRevision {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: service.namespace(),
                labels: Some([(revision_mark::LABEL.to_owned(), service.uid().unwrap_or_default())].into()),
                annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
                owner_references: service.controller_owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some(RawExtension(self.definition)),
            revision: generation.unwrap_or(1).max(1),
        }
    }

    fn signature(&self, service: &HealedService) -> String {
        let state = &self.judged.state;
        let good = snapshot::LastKnownGood {
            revision: String::new(),
            definition: state.definition.clone(),
            template: state.template.clone(),
            replicas: replicas(&self.definition),
            recorded: None,
            managed_by: state.tool,
            controlled: state.controlled,
        };
        let proof = Proof {
            workload: state.uid.clone(),
            of: identity(&self.definition),
            content: fingerprint(&self.definition),
            ..Proof::default()
        };
        Revision { meta: ObjectMeta::default(), good, proof }.signature(service, self.key)
    }
}

/// Takes away what is not needed any more. What does not belong to the service is nobody's to delete, whatever its marks say,
/// and what was not signed pushes nothing out that was.
async fn prune(
    revisions: &Api<Lenient<ControllerRevision>>,
    (service, key): (&HealedService, &SigningKey),
    newest: &str,
) -> Result<(), kube::Error> {
    let own = format!("{}={}", revision_mark::LABEL, service.uid().unwrap_or_default());
    let mut kept = Vec::new();
    for Lenient(found) in revisions.list(&ListParams::default().labels(&own)).await?.items {
        let known = read(&found)?;
        if known.proof.owner == service.uid() {
            let is_ours = known.doubt(service, key).is_none();
            kept.push((is_ours, found.creation_timestamp(), found));
        }
    }
    kept.sort_by(|one, other| (other.0, &other.1).cmp(&(one.0, &one.1)));
    // The one to roll back to may be old.
    let stable = service.status.as_ref().and_then(|status| status.memory.attempts.stable.clone());
    let is_needed = |name: &str| name == newest || stable.as_deref() == Some(name);
    let old = kept.iter().filter(|(_, _, revision)| !is_needed(&revision.name_any())).skip(KEPT - 1);
    for (_, _, revision) in old {
        let same = Preconditions { uid: revision.uid(), resource_version: None };
        let options = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
        match revisions.delete(&revision.name_any(), &options).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
