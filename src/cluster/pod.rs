//! Pods, decoded straight into the small struct that deciding reads.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use crate::cluster::{
    controller_ref::ControllerRef,
    image::reference,
    record::{RawMeta, moment, watched},
};
use crate::diagnosis::{line, tidy};
use kubeheal_core::diagnose::cannot_be_helped;
use kubeheal_core::model::cause::Cause;
use kubeheal_core::model::snapshot::{
    ClosedGate, Container, ContainerState, Node, Origin, Patience, Phase, Pod, PodEvents, Readiness, RestartPolicy,
    Role, Termination,
};

/// Longest message kept of a container, in characters: the longest there can be. What names the cause may stand before a
/// long stack trace.
const MAX_MESSAGE: usize = 4096;

/// Longest text kept of a readiness gate, in characters: as long as the type of a condition may be.
const MAX_GATE: usize = 316;
/// Readiness gates kept of a pod.
const MAX_GATES: usize = 16;

/// A pod in the cache.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "RawPod")]
pub struct PodRecord {
    /// Name, namespace, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// UID of its controller.
    pub controller: Option<String>,
    /// The same, as people know it.
    pub(super) belongs_to: Option<ControllerRef>,
    /// Labels, for disruption budgets.
    pub labels: BTreeMap<String, String>,
    /// `controller-revision-hash`, which a StatefulSet puts there.
    pub revision: Option<String>,
    /// Images that cannot be had now, by the containers that wait for them.
    pub(super) unpulled: BTreeMap<String, String>,
    /// What deciding reads.
    pub pod: Pod,
    /// The pod as a workload; only for pods without a controller, which can be one themselves.
    pub bare: Option<super::workload::WorkloadRecord>,
}
watched!(PodRecord, "", "v1", "Pod", "pods");

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawPod {
    metadata: RawMeta,
    spec: RawSpec,
    status: RawStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    node_name: Option<String>,
    restart_policy: Option<String>,
    scheduling_gates: Vec<RawSchedulingGate>,
    readiness_gates: Vec<RawReadinessGate>,
    init_containers: Vec<RawContainer>,
    containers: Vec<RawContainer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSchedulingGate {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawReadinessGate {
    condition_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawContainer {
    name: String,
    image: String,
    restart_policy: Option<String>,
    startup_probe: Option<RawProbe>,
    liveness_probe: Option<RawProbe>,
    readiness_probe: Option<RawProbe>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawProbe {
    initial_delay_seconds: Option<i64>,
    period_seconds: Option<i64>,
    failure_threshold: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawStatus {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<RawCondition>,
    init_container_statuses: Vec<RawContainerStatus>,
    container_statuses: Vec<RawContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawCondition {
    r#type: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
    #[serde(deserialize_with = "moment")]
    last_transition_time: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawContainerStatus {
    name: String,
    ready: bool,
    started: Option<bool>,
    restart_count: i64,
    state: RawState,
    last_state: RawState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawState {
    waiting: Option<RawWaiting>,
    running: Option<RawRunning>,
    terminated: Option<RawTerminated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawWaiting {
    reason: String,
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawRunning {
    #[serde(deserialize_with = "moment")]
    started_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawTerminated {
    exit_code: i32,
    reason: String,
    message: String,
    #[serde(deserialize_with = "moment")]
    started_at: Option<Timestamp>,
    #[serde(deserialize_with = "moment")]
    finished_at: Option<Timestamp>,
}

impl From<RawPod> for PodRecord {
    fn from(raw: RawPod) -> Self {
        let meta = raw.metadata.object_meta();
        let controller = raw.metadata.controller();
        let bare = controller.is_none().then(|| bare_workload(&raw));
        let unpulled = unpulled(&raw);
        let pod = Pod {
            name: raw.metadata.name.clone(),
            uid: raw.metadata.uid.clone(),
            node: raw.spec.node_name.clone().filter(|node| !node.is_empty()),
            host: Node::default(),
            deletion: raw.metadata.deletion(),
            phase: phase(&raw.status.phase),
            reason: raw.status.reason.as_deref().map(clean),
            message: raw.status.message.as_deref().map(clean),
            origin: Origin { created: raw.metadata.creation_timestamp, ..Origin::default() },
            ready: readiness(&raw.status.conditions),
            ready_changed: raw
                .status
                .conditions
                .iter()
                .find(|condition| condition.r#type == "Ready")
                .and_then(|ready| ready.last_transition_time),
            unschedulable: unschedulable(&raw),
            scheduling_gates: scheduling_gates(&raw),
            closed_gates: closed_gates(&raw),
            no_sandbox: is_false(&raw.status.conditions, "PodReadyToStartContainers"),
            events: PodEvents::default(),
            old_revision: false,
            conditions: raw.status.conditions.iter().filter_map(custom_condition).collect(),
            containers: containers(&raw),
            refusal: None,
        };
        let revision = raw.metadata.labels.get("controller-revision-hash").cloned();
        let belongs_to = ControllerRef::of(&raw.metadata.owner_references);
        Self { meta, controller, belongs_to, labels: raw.metadata.labels, revision, unpulled, pod, bare }
    }
}

fn unpulled(raw: &RawPod) -> BTreeMap<String, String> {
    let waits_for_image = |status: &&RawContainerStatus| {
        let waiting = status.state.waiting.as_ref();
        waiting.is_some_and(|why| cannot_be_helped(&why.reason, &why.message) == Some(Cause::ImagePull))
    };
    let waiting =
        raw.status.init_container_statuses.iter().chain(&raw.status.container_statuses).filter(waits_for_image);
    let image = |status: &RawContainerStatus| {
        let mut specs = raw.spec.init_containers.iter().chain(&raw.spec.containers);
        let image = &specs.find(|spec| spec.name == status.name)?.image;
        Some((status.name.clone(), reference(image)?.to_owned()))
    };
    waiting.filter_map(image).collect()
}

/// A pod without a controller can be the workload of a service.
fn bare_workload(raw: &RawPod) -> super::workload::WorkloadRecord {
    let images: Vec<_> = raw.spec.containers.iter().map(|container| container.image.as_str()).collect();
    let no_probes = raw.spec.containers.iter().all(without_probes);
    super::workload::WorkloadRecord::of_bare_pod(&raw.metadata, &images, no_probes)
}

fn without_probes(container: &RawContainer) -> bool {
    container.startup_probe.is_none() && container.liveness_probe.is_none() && container.readiness_probe.is_none()
}

fn phase(phase: &str) -> Phase {
    match phase {
        "Pending" | "" => Phase::Pending,
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        _ => Phase::Unknown,
    }
}

fn readiness(conditions: &[RawCondition]) -> Readiness {
    let Some(ready) = conditions.iter().find(|condition| condition.r#type == "Ready") else {
        return Readiness::Unknown;
    };
    match ready.status.as_str() {
        "True" => Readiness::Ready(ready.last_transition_time),
        "False" => Readiness::NotReady(ready.reason.clone().filter(|reason| !reason.is_empty())),
        _ => Readiness::Unknown,
    }
}

/// What the server says of why the pod has no node, if this is the reason.
fn unscheduled<'a>(raw: &'a RawPod, reason: &str) -> Option<&'a RawCondition> {
    raw.status.conditions.iter().find(|condition| {
        condition.r#type == "PodScheduled" && condition.status == "False" && condition.reason.as_deref() == Some(reason)
    })
}

fn unschedulable(raw: &RawPod) -> Option<String> {
    let found = unscheduled(raw, "Unschedulable")?;
    Some(clean(found.message.as_deref().unwrap_or("no node can take it")))
}

/// The gates that hold it back: those of the spec, while the server says that they do.
fn scheduling_gates(raw: &RawPod) -> Vec<String> {
    let gates = unscheduled(raw, "SchedulingGated").map(|_| &raw.spec.scheduling_gates);
    gates.into_iter().flatten().map(|gate| clean(&gate.name)).collect()
}

/// The readiness gates that are not True, as the kubelet looks at them: the pod is not ready before all are.
fn closed_gates(raw: &RawPod) -> Vec<ClosedGate> {
    let gates = raw.spec.readiness_gates.iter().map(|gate| &gate.condition_type);
    let closed = gates.filter_map(|name| {
        let condition = raw.status.conditions.iter().find(|condition| condition.r#type == *name);
        if condition.is_some_and(|condition| condition.status == "True") {
            return None;
        }
        let said = condition.map(|condition| [condition.reason.as_deref(), condition.message.as_deref()]);
        let said = said.into_iter().flatten().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
        let status = condition.map(|condition| line(&condition.status, MAX_GATE));
        Some(ClosedGate { condition: line(name, MAX_GATE), status, said: line(&said, MAX_GATE) })
    });
    closed.take(MAX_GATES).collect()
}

/// Conditions that a policy may name; the kubelet's own five are not among them.
fn is_false(conditions: &[RawCondition], kind: &str) -> bool {
    conditions.iter().any(|condition| condition.r#type == kind && condition.status == "False")
}

fn custom_condition(condition: &RawCondition) -> Option<(String, String, Option<Timestamp>)> {
    let own = ["Ready", "Initialized", "ContainersReady", "PodScheduled", "PodReadyToStartContainers"];
    (!own.contains(&condition.r#type.as_str()))
        .then(|| (condition.r#type.clone(), condition.status.clone(), condition.last_transition_time))
}

fn containers(raw: &RawPod) -> Vec<Container> {
    let init = raw.status.init_container_statuses.iter().map(|status| {
        let spec = raw.spec.init_containers.iter().find(|spec| spec.name == status.name);
        let sidecar = spec.is_some_and(|spec| spec.restart_policy.as_deref() == Some("Always"));
        container(raw, (status, spec), if sidecar { Role::Sidecar } else { Role::Init })
    });
    let main = raw.status.container_statuses.iter().map(|status| {
        let spec = raw.spec.containers.iter().find(|spec| spec.name == status.name);
        container(raw, (status, spec), Role::Main)
    });
    init.chain(main).collect()
}

fn container(raw: &RawPod, (status, spec): (&RawContainerStatus, Option<&RawContainer>), role: Role) -> Container {
    let own = spec.and_then(|spec| spec.restart_policy.as_deref());
    Container {
        name: status.name.clone(),
        role,
        restarts: restarts(own.or(raw.spec.restart_policy.as_deref())),
        ready: status.ready,
        started: status.started.unwrap_or(false),
        restart_count: u32::try_from(status.restart_count).unwrap_or(0),
        state: state(&status.state),
        last: status.last_state.terminated.as_ref().map(termination),
        startup: spec.and_then(|spec| spec.startup_probe.as_ref()).map(patience),
        liveness: spec.and_then(|spec| spec.liveness_probe.as_ref()).map(patience),
        probe_event: None,
        failed_pre_stop: None,
        diagnosis: None,
        unread: None,
    }
}

/// The API's default is to start it again whatever happens.
fn restarts(policy: Option<&str>) -> RestartPolicy {
    match policy {
        Some("Never") => RestartPolicy::Never,
        Some("OnFailure") => RestartPolicy::OnFailure,
        Some(_) | None => RestartPolicy::Always,
    }
}

/// With the API's defaults of 0, 10 and 3.
fn patience(probe: &RawProbe) -> Patience {
    let (delay, period) = (probe.initial_delay_seconds.unwrap_or(0), probe.period_seconds.unwrap_or(10));
    let tries = probe.failure_threshold.unwrap_or(3);
    let until =
        |tries: i64| SignedDuration::from_secs(delay.saturating_add(period.saturating_mul(tries)).clamp(0, 86_400));
    Patience { least: until(tries.saturating_sub(1)), most: until(tries) }
}

fn state(raw: &RawState) -> ContainerState {
    match (&raw.waiting, &raw.running, &raw.terminated) {
        (Some(waiting), _, _) => waits(waiting),
        (_, Some(running), _) => ContainerState::Running(running.started_at),
        (_, _, Some(ended)) => ContainerState::Terminated(termination(ended)),
        (None, None, None) => ContainerState::Unknown,
    }
}

/// Between two tries to pull an image the kubelet says what the last one said, in other words: one trouble, said one way.
fn waits(raw: &RawWaiting) -> ContainerState {
    let tries = ["ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed"];
    let last = |reason: &'static str| Some((reason, raw.message.split_once(&format!(": {reason}: "))?.1));
    let again = Some(()).filter(|()| raw.reason == "ImagePullBackOff");
    let again = again.and_then(|()| tries.into_iter().find_map(last));
    let (reason, message) = again.unwrap_or((raw.reason.as_str(), raw.message.as_str()));
    ContainerState::Waiting { reason: clean(reason), message: clean(message) }
}

fn termination(raw: &RawTerminated) -> Termination {
    Termination {
        exit_code: raw.exit_code,
        reason: clean(&raw.reason),
        message: clean(&raw.message),
        started: raw.started_at,
        finished: raw.finished_at,
    }
}

/// What was printed or said, fit to be shown: everything from outside comes through here, and nothing is cleaned later.
fn clean(message: &str) -> String {
    if message.is_empty() { String::new() } else { tidy(message, MAX_MESSAGE) }
}
