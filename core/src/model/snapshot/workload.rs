//! The workload: what its controller is asked for and how far it has come, and what can bring it back.

use jiff::Timestamp;

/// The kinds of workload that can be healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
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
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::Pod];

    /// The kind's name in the Kubernetes API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it has a number of replicas that can be set.
    pub fn is_scalable(self) -> bool {
        match self {
            Self::Deployment | Self::StatefulSet => true,
            Self::DaemonSet | Self::Pod => false,
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
    /// A change of its template takes all its pods away before any new one is there (`Recreate`, or all may be unavailable).
    pub all_at_once: bool,
    /// The controller that runs pods with its labels while it wants none itself.
    pub taken_over_by: Option<String>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumString)]
pub enum Tool {
    /// Argo CD.
    #[strum(serialize = "Argo CD")]
    ArgoCd,
    /// Flux, its Helm releases included.
    Flux,
    /// Helm by itself.
    Helm,
}

impl Tool {
    /// The tool's name.
    pub fn as_str(self) -> &'static str {
        self.into()
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
    /// Some pods come from an older template and stay as they are, because somebody said so.
    Held(Hold),
}

/// Who holds the pods of an older template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A person paused the Deployment half-way.
    Paused,
    /// Pods are replaced when somebody deletes them, and not before.
    OnDelete,
    /// The partition of a StatefulSet leaves them out.
    Partition,
}

impl Rollout {
    /// Nothing more is to come, as far as anybody asked for it.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Complete | Self::Held(Hold::OnDelete | Hold::Partition) => true,
            Self::InProgress | Self::Stuck | Self::Held(Hold::Paused) => false,
        }
    }

    /// Why pods of an older template stay, in words.
    pub fn held(self) -> Option<&'static str> {
        match self {
            Self::Held(Hold::Paused) => Some("paused by a person"),
            Self::Held(Hold::OnDelete) => Some("OnDelete"),
            Self::Held(Hold::Partition) => Some("the partition leaves out the others"),
            Self::Complete | Self::InProgress | Self::Stuck => None,
        }
    }
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
    /// How many replicas it had; none of a kind that has none.
    pub replicas: Option<u32>,
    /// When it was kept.
    pub recorded: Option<Timestamp>,
    /// The tool that the workload belonged to.
    pub managed_by: Option<Tool>,
    /// The workload had a controller owner, which alone may bring it back.
    pub controlled: bool,
}
