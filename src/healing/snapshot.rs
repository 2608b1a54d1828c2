//! What was seen: the world as one `HealedService` sees it at one instant.
//!
//! Plain values, made by `observe` from watch caches and live reads. A thing that could not be read is `Unknown`, never a
//! guess.

use std::collections::BTreeMap;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    alarm::{Audience, Sink},
    cause::Probe,
    dependency::Dependency,
    memory::Memory,
};

/// Everything `decide` looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The service itself.
    pub service: Service,
    /// The workload that it names.
    pub workload: Workload,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// The services it depends on.
    pub dependencies: Vec<Dependency>,
    /// What can bring the workload back.
    pub last_known_good: Option<LastKnownGood>,
    /// The last definition that was healthy for long enough to be trusted.
    pub last_stable: Option<LastKnownGood>,
    /// Who else acts on the workload.
    pub rivals: Rivals,
    /// The field that an open circuit changed or is about to change, read live.
    pub live: Live,
    /// Who is told of alarms.
    pub audience: Audience,
    /// All services of the cluster, this one included.
    pub services: Vec<Neighbour>,
    /// What earlier decisions left in the status.
    pub memory: Memory,
}

/// Identity and requests of the `HealedService`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID, the seed of jitter.
    pub uid: String,
    /// It or its namespace is being deleted.
    pub deleting: bool,
    /// What people should know of its settings, as sentences.
    pub warnings: Vec<String>,
    /// Value of `kubeheal.dev/heal-now`.
    pub heal_now: Option<String>,
    /// Value of `kubeheal.dev/reset-breaker`.
    pub reset_breaker: Option<String>,
    /// Value of `kubeheal.dev/force-open`.
    pub force_open: Option<String>,
}

/// A field that an open circuit changes, as the API server has it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Live {
    /// Nobody asked: there is no need to know.
    #[default]
    NotAsked,
    /// Replicas of the workload.
    Replicas {
        /// UID of the workload.
        uid: String,
        /// How many it asks for.
        replicas: u32,
    },
    /// The Service before the workload.
    Service {
        /// Its UID.
        uid: String,
        /// Labels of the pods it shows.
        selector: BTreeMap<String, String>,
        /// The tool that deployed it.
        tool: Option<Tool>,
    },
    /// There is no such object.
    Missing,
    /// The API server did not say.
    Unreadable(String),
}

/// Who else acts on the same workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rivals {
    /// An older service that names it.
    pub elder: Option<String>,
    /// The workload's Lease.
    pub lock: Lock,
}

/// Where the Lease of the workload stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Lock {
    /// Nobody asked: nothing is about to be done.
    #[default]
    NotAsked,
    /// It is this service's.
    Ours,
    /// Somebody else has it.
    Held {
        /// Its name.
        lease: String,
        /// Who.
        by: String,
        /// Until then, if it is not renewed.
        until: Timestamp,
    },
    /// It could be neither read nor taken.
    Unknown {
        /// Its name.
        lease: String,
        /// Why.
        why: String,
    },
}

/// The kinds of workload that can be healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `v1` Pod without a controller.
    Pod,
}

impl WorkloadKind {
    /// The kind's name in the Kubernetes API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Pod => "Pod",
        }
    }
}

/// The workload as far as it could be seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// It is there.
    Present(WorkloadState),
    /// A live read, not a cache, answered 404 just now.
    Missing {
        /// The kind that was asked for.
        kind: WorkloadKind,
        /// The name that was asked for.
        name: String,
    },
    /// It could not be seen; the text says why.
    Unknown(String),
}

/// What matters of a living workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadState {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Pods wanted.
    pub desired: u32,
    /// Where its rollout stands.
    pub rollout: Rollout,
    /// Pods that come from the newest template, as its controller counts them.
    pub updated: u32,
    /// Hash of the pod template.
    pub template: String,
    /// It is being deleted.
    pub deleting: bool,
    /// Its own controller was told to stop (`spec.paused`).
    pub paused: bool,
    /// It carries `kubeheal.dev/intentional-delete`.
    pub intentional_delete: bool,
    /// Another controller owns it, which alone may replace it.
    pub controlled: bool,
    /// The tool that deployed it.
    pub tool: Option<Tool>,
    /// Whoever sets its replicas all the time and would set them again.
    pub scaled_by: Option<String>,
    /// Its claims are deleted with it.
    pub claims_go_with_it: bool,
    /// Its claims are deleted with its replicas.
    pub claims_go_when_scaled: bool,
    /// Why its controller cannot create pods, in its own words: an exceeded quota, or what else refuses them.
    pub replica_failure: Option<String>,
    /// How its pods are numbered; only of a StatefulSet.
    pub ordinals: Option<Ordinals>,
    /// None of its containers has a probe: only crashes can be seen.
    pub no_probes: bool,
    /// Hash of the whole definition, to see when a new last known good must be recorded.
    pub definition: String,
}

/// How a StatefulSet numbers its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordinals {
    /// The lowest number.
    pub first: i64,
    /// Each pod waits until those before it are ready (`podManagementPolicy: OrderedReady`).
    pub one_by_one: bool,
}

impl Ordinals {
    /// The number in the name of a pod.
    pub fn of(pod: &str) -> Option<i64> {
        pod.rsplit('-').next().and_then(|ordinal| ordinal.parse().ok())
    }
}

/// A tool that deploys from a definition kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// Argo CD.
    ArgoCd,
    /// Flux, its Helm releases included.
    Flux,
    /// Helm by itself.
    Helm,
}

impl Tool {
    /// The tool's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
            Self::Helm => "Helm",
        }
    }

    /// The tool of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ArgoCd, Self::Flux, Self::Helm].into_iter().find(|tool| tool.as_str() == name)
    }

    /// Whether it keeps watching and takes back what others change. Helm looks only when somebody runs it.
    pub fn undoes_changes(self) -> bool {
        match self {
            Self::ArgoCd | Self::Flux => true,
            Self::Helm => false,
        }
    }
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// All pods come from the newest template.
    Complete,
    /// Pods are being replaced by the workload's own controller.
    InProgress,
    /// It made no progress until its deadline.
    Stuck,
}

/// A pod, as small as deciding allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// A deletion timestamp is set.
    pub deleting: bool,
    /// `status.phase`.
    pub phase: Phase,
    /// `status.reason`, such as `Evicted`.
    pub reason: Option<String>,
    /// `status.message`, bounded and plain: why the node rejected it, say.
    pub message: Option<String>,
    /// Where it comes from, and where what replaces it would.
    pub origin: Origin,
    /// The `Ready` condition.
    pub ready: Readiness,
    /// When the `Ready` condition last changed, by the node's clock: only to be compared with the containers' times.
    pub ready_changed: Option<Timestamp>,
    /// Message of `PodScheduled=False/Unschedulable`.
    pub unschedulable: Option<String>,
    /// The pod was created by an older revision of its StatefulSet or ReplicaSet.
    pub old_revision: bool,
    /// Conditions that a policy may name, as (type, status, since).
    pub conditions: Vec<(String, String, Option<Timestamp>)>,
    /// Init containers, sidecars and containers, in that order.
    pub containers: Vec<Container>,
    /// Name of the disruption budget that would refuse an eviction now.
    pub refused_by_budget: Option<String>,
}

/// Where a pod comes from, and where the one that replaces it would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// When it was created, by the API server's clock: only to be compared with other pods.
    pub created: Option<Timestamp>,
    /// The ReplicaSet or the revision that it was made from, if that is said.
    pub made_from: Option<String>,
    /// The one that its replacement would be made from, if that can be told.
    pub replaced_from: Option<String>,
}

/// `status.phase` of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers have been started.
    Pending,
    /// At least one container runs or restarts.
    Running,
    /// All containers ended well and none will restart.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
    /// The node does not answer, or the phase is not known to us.
    Unknown,
}

/// The pod's `Ready` condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// True since then.
    Ready(Option<Timestamp>),
    /// False, with the reason the kubelet gave; a lost node leaves it empty.
    NotReady(Option<String>),
    /// Not written yet, or `Unknown`.
    Unknown,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the others start.
    Init,
    /// An init container with `restartPolicy: Always`.
    Sidecar,
    /// An ordinary container.
    Main,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// `ready`.
    pub ready: bool,
    /// `started`: the startup probe passed, or there is none.
    pub started: bool,
    /// `restartCount`.
    pub restart_count: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// How it ended last time.
    pub last: Option<Termination>,
    /// How long its startup probe is patient.
    pub startup: Option<Patience>,
    /// How long its liveness probe is patient.
    pub liveness: Option<Patience>,
    /// The probe that a `Killing` Event named, and when. Names a finding, never causes one.
    pub probe_event: Option<(Probe, Option<Timestamp>)>,
    /// What a diagnosis rule made of how it ended, or of why it waits.
    pub diagnosis: Option<Diagnosis>,
    /// Why its log could not be read, where that was asked for.
    pub unread: Option<String>,
}

/// How long the kubelet lets a probe fail, from the start of the container, before it restarts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// initialDelay + period × (failureThreshold - 1): it does not give up sooner.
    pub least: SignedDuration,
    /// initialDelay + period × failureThreshold: the time to start that the probe grants.
    pub most: SignedDuration,
}

/// `state` of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Not running, and why.
    Waiting {
        /// `reason`.
        reason: String,
        /// `message`.
        message: String,
    },
    /// Running since then.
    Running(Option<Timestamp>),
    /// Ended.
    Terminated(Termination),
    /// No state was reported.
    Unknown,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Termination {
    /// `exitCode`.
    pub exit_code: i32,
    /// `reason`: `Error`, `OOMKilled`, `Completed` …
    pub reason: String,
    /// `message`, bounded, plain, and without secrets.
    pub message: String,
    /// `startedAt`.
    pub started: Option<Timestamp>,
    /// `finishedAt`.
    pub finished: Option<Timestamp>,
}

impl Termination {
    /// The process could not be started at all, in the words of containerd and CRI-O, and in those of Docker.
    pub fn never_ran(&self) -> bool {
        matches!(self.reason.as_str(), "StartError" | "ContainerCannotRun")
    }
}

/// A named root cause, found by a rule in what a container said when it ended, or in why it waits. Informs; never widens
/// what is acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Name of the rule, such as `DatabaseUnreachable`.
    pub name: String,
    /// What a person should do.
    pub advice: String,
    /// The line that told, plain and without secrets; empty if it was a reason or an exit code.
    pub line: String,
}

/// The definition that can bring a workload back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastKnownGood {
    /// Name of the ControllerRevision that holds it.
    pub revision: String,
    /// Hash of the whole definition.
    pub definition: String,
    /// Hash of its pod template.
    pub template: String,
    /// When it was kept.
    pub recorded: Option<Timestamp>,
    /// The tool that the workload belonged to.
    pub managed_by: Option<Tool>,
    /// The workload had a controller owner, which alone may bring it back.
    pub controlled: bool,
}

/// What is known of another service of the cluster, from its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// Namespace and name.
    pub key: (String, String),
    /// Begin of its current or last unhealthy time.
    pub unhealthy_since: Option<Timestamp>,
    /// End of its last unhealthy time; empty while that goes on.
    pub unhealthy_until: Option<Timestamp>,
    /// A dependency holds it: its trouble is not its own.
    pub held: bool,
    /// A repair is in flight.
    pub in_flight: bool,
    /// When its latest actions began.
    pub actions: Vec<Timestamp>,
    /// Its receivers of alerts.
    pub sinks: Arc<[Sink]>,
    /// Where it tells of a storm that goes on.
    pub tells_of_storm: Vec<String>,
}
