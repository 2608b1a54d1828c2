//! Workloads: Deployments, StatefulSets, DaemonSets and the ReplicaSets between a Deployment and its pods.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::base::digest;
use crate::cluster::{
    controller_ref::ControllerRef,
    definition,
    record::{RawCondition, RawMeta, watched},
};
use crate::{api::annotation, diagnosis::line};
use kubeheal_core::model::snapshot::{Hold, Ordinals, Rollout, WorkloadKind, WorkloadState};

/// Longest reason for missing pods, in characters.
const MAX_FAILURE: usize = 512;

/// What is kept of a workload of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadRecord {
    /// What deciding reads.
    pub state: WorkloadState,
    /// Where its pods are being taken (StatefulSets only).
    pub update: Option<Update>,
    /// The labels that it selects its pods by (Deployments only); empty where it asks for more than equality.
    pub(super) selects: BTreeMap<String, String>,
}

/// The update of a StatefulSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Revision that the pods had before it.
    pub from: String,
    /// Revision that new pods get.
    pub to: String,
    /// Pods with a lower ordinal are meant to stay as they are.
    pub from_ordinal: i64,
    /// Pods are replaced when somebody deletes them, and not before.
    pub on_delete: bool,
}

impl Update {
    /// Whether the pod should have been replaced by one of the new revision.
    pub fn leaves_behind(&self, pod: &str, revision: &str) -> bool {
        revision != self.to && !self.on_delete && self.reaches(pod)
    }

    /// The revision of the pod that replaces this one.
    pub fn replaces_with(&self, pod: &str) -> &str {
        if self.on_delete || self.reaches(pod) { &self.to } else { &self.from }
    }

    fn reaches(&self, pod: &str) -> bool {
        Ordinals::of(pod).is_some_and(|ordinal| ordinal >= self.from_ordinal)
    }
}

/// A Deployment in the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Raw<RawDeploymentStatus>")]
pub struct Deployment {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// What is kept of it.
    pub record: WorkloadRecord,
}
watched!(Deployment, "apps", "v1", "Deployment", "deployments");

/// A StatefulSet in the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Raw<RawStatefulSetStatus>")]
pub struct StatefulSet {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// What is kept of it.
    pub record: WorkloadRecord,
}
watched!(StatefulSet, "apps", "v1", "StatefulSet", "statefulsets");

/// A DaemonSet in the cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Raw<RawDaemonSetStatus>")]
pub struct DaemonSet {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// What is kept of it.
    pub record: WorkloadRecord,
}
watched!(DaemonSet, "apps", "v1", "DaemonSet", "daemonsets");

/// A ReplicaSet in the cache: the link between a Deployment and its pods, and why it makes none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "RawReplicaSet")]
pub struct ReplicaSet {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// UID of its Deployment.
    pub controller: Option<String>,
    /// The same, as people know it; another kind of controller makes ReplicaSets too.
    pub(super) belongs_to: Option<ControllerRef>,
    /// Labels of the pods that it keeps for another kind of controller; none where it is a Deployment's, or wants no pods.
    pub(super) runs_for_another: BTreeMap<String, String>,
    /// Why it cannot create pods. Its Deployment says so later, and not at all while it is paused.
    pub failure: Option<String>,
}
watched!(ReplicaSet, "apps", "v1", "ReplicaSet", "replicasets");

#[derive(Debug, Deserialize)]
struct RawReplicaSet {
    metadata: RawMeta,
    #[serde(default)]
    spec: RawReplicaSetSpec,
    #[serde(default)]
    status: RawReplicaSetStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawReplicaSetSpec {
    replicas: i64,
    template: RawTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawTemplate {
    metadata: RawMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawReplicaSetStatus {
    conditions: Vec<RawCondition>,
}

impl From<RawReplicaSet> for ReplicaSet {
    fn from(raw: RawReplicaSet) -> Self {
        let belongs_to = ControllerRef::of(&raw.metadata.owner_references);
        let for_another = belongs_to.as_ref().is_some_and(|owner| !owner.is_healed()) && raw.spec.replicas > 0;
        Self {
            meta: raw.metadata.object_meta(),
            controller: raw.metadata.controller(),
            belongs_to,
            runs_for_another: if for_another { raw.spec.template.metadata.labels } else { BTreeMap::new() },
            failure: replica_failure(&raw.status.conditions),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(bound = "Status: DeserializeOwned + Default")]
struct Raw<Status> {
    metadata: RawMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawDeploymentStatus {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    conditions: Vec<RawCondition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawStatefulSetStatus {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    current_revision: String,
    update_revision: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawDaemonSetStatus {
    observed_generation: i64,
    desired_number_scheduled: i64,
    current_number_scheduled: i64,
    updated_number_scheduled: i64,
}

impl From<Raw<RawDeploymentStatus>> for Deployment {
    fn from(raw: Raw<RawDeploymentStatus>) -> Self {
        let mut record = record(WorkloadKind::Deployment, &raw.metadata, &raw.spec);
        record.state.rollout = deployment_rollout(&raw, record.state.paused);
        record.state.updated = u32::try_from(raw.status.updated_replicas).unwrap_or(0);
        record.selects = match_labels(&raw.spec);
        record.state.replica_failure = replica_failure(&raw.status.conditions);
        record.state.all_at_once = is_all_at_once(&raw.spec);
        Self { meta: raw.metadata.object_meta(), record }
    }
}

/// The labels of a selector that asks for nothing else.
fn match_labels(spec: &Value) -> BTreeMap<String, String> {
    let is_plain = spec.pointer("/selector/matchExpressions").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let labels = spec.pointer("/selector/matchLabels").filter(|_| is_plain).and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Why pods cannot be created, in the words of who tries.
fn replica_failure(conditions: &[RawCondition]) -> Option<String> {
    let failed = |condition: &&RawCondition| condition.r#type == "ReplicaFailure" && condition.status == "True";
    conditions.iter().find(failed).map(|condition| line(&condition.message, MAX_FAILURE))
}

/// The Deployment controller says itself where its rollout stands. Where it does not (without a progress deadline, while it is
/// paused, or when that has just ended) the counts have to: pods of another template are there, or none of the newest yet.
/// Pods that are missing or not available make no rollout, nor does a change of the replicas.
fn deployment_rollout(raw: &Raw<RawDeploymentStatus>, paused: bool) -> Rollout {
    let status = &raw.status;
    if status.observed_generation < raw.metadata.generation {
        return Rollout::InProgress;
    }
    let none_of_the_newest = status.updated_replicas == 0 && replicas(&raw.spec) > 0;
    let is_mixed = status.replicas > status.updated_replicas || none_of_the_newest;
    let progressing = status.conditions.iter().find(|condition| condition.r#type == "Progressing");
    match progressing.map(|condition| condition.reason.as_str()) {
        Some("ProgressDeadlineExceeded") => Rollout::Stuck,
        _ if paused && is_mixed => Rollout::Held(Hold::Paused),
        _ if paused => Rollout::Complete,
        Some("NewReplicaSetAvailable") => Rollout::Complete,
        // Written when a pause or a life without a deadline ends, whatever there is to roll out.
        Some("DeploymentResumed" | "FoundNewReplicaSet") | None if !is_mixed => Rollout::Complete,
        Some(_) | None => Rollout::InProgress,
    }
}

impl From<Raw<RawStatefulSetStatus>> for StatefulSet {
    fn from(raw: Raw<RawStatefulSetStatus>) -> Self {
        let mut record = record(WorkloadKind::StatefulSet, &raw.metadata, &raw.spec);
        let status = &raw.status;
        let on_delete = is_on_delete(&raw.spec);
        let integer = |pointer: &str| raw.spec.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        let partition = integer("/updateStrategy/rollingUpdate/partition").max(0);
        let unobserved = status.observed_generation < raw.metadata.generation;
        let is_new = status.current_revision == status.update_revision;
        let old = if is_new { 0 } else { status.replicas.saturating_sub(status.updated_replicas) };
        record.state.rollout = set_rollout(unobserved, old, partition, on_delete);
        record.state.updated = u32::try_from(status.updated_replicas).unwrap_or(0);
        let first = integer("/ordinals/start");
        let parallel = raw.spec.get("podManagementPolicy").and_then(Value::as_str) == Some("Parallel");
        record.state.ordinals = Some(Ordinals { first, one_by_one: !parallel });
        record.update = Some(status.update_revision.clone()).filter(|name| !name.is_empty()).map(|to| Update {
            from: status.current_revision.clone(),
            to,
            from_ordinal: first.saturating_add(partition),
            on_delete,
        });
        Self { meta: raw.metadata.object_meta(), record }
    }
}

impl From<Raw<RawDaemonSetStatus>> for DaemonSet {
    fn from(raw: Raw<RawDaemonSetStatus>) -> Self {
        let mut record = record(WorkloadKind::DaemonSet, &raw.metadata, &raw.spec);
        let status = &raw.status;
        let unobserved = status.observed_generation < raw.metadata.generation;
        // Before its controller has looked at it nobody knows how many; none would mean that none is wanted.
        let desired = u32::try_from(status.desired_number_scheduled).unwrap_or(0);
        record.state.desired = if unobserved { desired.max(1) } else { desired };
        record.state.updated = u32::try_from(status.updated_number_scheduled).unwrap_or(0);
        // A node without a pod has none of an old template either.
        let old = status.current_number_scheduled.saturating_sub(status.updated_number_scheduled);
        record.state.rollout = set_rollout(unobserved, old, 0, is_on_delete(&raw.spec));
        Self { meta: raw.metadata.object_meta(), record }
    }
}

impl WorkloadRecord {
    /// A pod without a controller, seen as a workload. Its definition cannot change but for its images.
    pub(super) fn of_bare_pod(meta: &RawMeta, images: &[&str], no_probes: bool) -> Self {
        let digest = definition::pod_digest(&meta.uid, images);
        Self {
            state: WorkloadState {
                kind: WorkloadKind::Pod,
                name: meta.name.clone(),
                uid: meta.uid.clone(),
                desired: 1,
                rollout: Rollout::Complete,
                template: digest.clone(),
                deleting: meta.deletion.is_some(),
                paused: false,
                intentional_delete: is_intentional(meta),
                updated: 1,
                controlled: false,
                tool: definition::managed_by(&meta.labels, &meta.annotations),
                scaled_by: None,
                claims_go_with_it: false,
                claims_go_when_scaled: false,
                replica_failure: None,
                all_at_once: true,
                taken_over_by: None,
                ordinals: None,
                no_probes,
                definition: digest,
            },
            update: None,
            selects: BTreeMap::new(),
        }
    }
}

fn record(kind: WorkloadKind, meta: &RawMeta, spec: &Value) -> WorkloadRecord {
    let template = spec.get("template").unwrap_or(&Value::Null);
    WorkloadRecord {
        state: WorkloadState {
            kind,
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            desired: u32::try_from(replicas(spec)).unwrap_or(0),
            rollout: Rollout::InProgress,
            template: digest(template),
            deleting: meta.deletion.is_some(),
            paused: spec.get("paused").and_then(Value::as_bool).unwrap_or(false),
            intentional_delete: is_intentional(meta),
            updated: 0,
            controlled: meta.controller().is_some(),
            tool: definition::managed_by(&meta.labels, &meta.annotations),
            scaled_by: scaled_by(meta),
            claims_go_with_it: claims_go(spec, "whenDeleted"),
            claims_go_when_scaled: claims_go(spec, "whenScaled"),
            replica_failure: None,
            all_at_once: false,
            taken_over_by: None,
            ordinals: None,
            no_probes: no_probes(template),
            definition: digest(&definition::essence(spec)),
        },
        update: None,
        selects: BTreeMap::new(),
    }
}

/// Whether a rollout of a Deployment may take all pods away at once.
fn is_all_at_once(spec: &Value) -> bool {
    let unavailable = spec.pointer("/strategy/rollingUpdate/maxUnavailable");
    let of_all = |number: i64| number >= replicas(spec);
    let percent = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok();
    spec.pointer("/strategy/type").and_then(Value::as_str) == Some("Recreate")
        || unavailable.and_then(Value::as_i64).is_some_and(of_all)
        || unavailable.and_then(Value::as_str).and_then(percent).is_some_and(|percent| percent >= 100)
}

/// Where the rollout of a set stands that says only how many of its pods are old; those below its partition are meant to stay.
fn set_rollout(unobserved: bool, old: i64, partition: i64, on_delete: bool) -> Rollout {
    match old {
        _ if unobserved => Rollout::InProgress,
        ..=0 => Rollout::Complete,
        _ if on_delete => Rollout::Held(Hold::OnDelete),
        old if old > partition => Rollout::InProgress,
        _ => Rollout::Held(Hold::Partition),
    }
}

/// Pods are replaced when somebody deletes them, and not before.
fn is_on_delete(spec: &Value) -> bool {
    spec.pointer("/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete")
}

fn replicas(spec: &Value) -> i64 {
    spec.get("replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// A tool that undoes changes sets them by what it has on record, whether it says so in the managed fields or not.
fn scaled_by(meta: &RawMeta) -> Option<String> {
    let tool = definition::managed_by(&meta.labels, &meta.annotations).filter(|tool| tool.undoes_changes());
    tool.map(|tool| tool.as_str().to_owned()).or_else(|| meta.scaler.clone())
}

/// The claims of a StatefulSet may be meant to go with it, or with its last replicas.
fn claims_go(spec: &Value, when: &str) -> bool {
    let policy = spec.get("persistentVolumeClaimRetentionPolicy");
    policy.and_then(|policy| policy.get(when)).and_then(Value::as_str) == Some("Delete")
}

fn is_intentional(meta: &RawMeta) -> bool {
    meta.annotations.get(annotation::INTENTIONAL_DELETE).is_some_and(|value| value == "true")
}

fn no_probes(template: &Value) -> bool {
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    let containers = template.pointer("/spec/containers").and_then(Value::as_array);
    containers.is_some_and(|containers| {
        containers.iter().all(|container| probes.iter().all(|probe| container.get(probe).is_none()))
    })
}
