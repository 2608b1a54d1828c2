//! What was seen: the world as one `HealedService` sees it at one instant.
//!
//! Plain values, made from watch caches and live reads. A thing that could not be read is `Unknown`, never a
//! guess.

mod budget;
mod node;
mod pod;
mod pod_event;
mod readiness_gate;
mod workload;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::{
    budget::BudgetRefusal,
    node::{Node, NodeDrain, NodeLoss, Pressure},
    pod::{
        Container, ContainerState, Deletion, Diagnosis, EVERY_START, Origin, Patience, Phase, Pod, Readiness,
        RestartPolicy, Role, Termination, has_run, living,
    },
    pod_event::{PodEvents, SandboxNeed, SandboxTrouble},
    readiness_gate::ClosedGate,
    workload::{Hold, LastKnownGood, Ordinals, Rollout, Tool, Workload, WorkloadKind, WorkloadState},
};
use super::{alert::Receivers, dependency::Dependency, fleet::Fleet, reason::Block, state::State};

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
    /// Why the one that was kept must not be used.
    pub good_refused: Option<Block>,
    /// The last definition that was healthy for long enough to be trusted.
    pub last_stable: Option<LastKnownGood>,
    /// Why the one that was kept must not be used.
    pub stable_refused: Option<Block>,
    /// Who else would act on the workload.
    pub ownership: Ownership,
    /// The field that an open circuit changed or is about to change, read live.
    pub live: Live,
    /// Who is notified of alerts.
    pub receivers: Receivers,
    /// All services of the cluster, in sum.
    pub fleet: Fleet,
    /// What earlier decisions left in the status.
    pub state: State,
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
        /// How many it had before this service scaled it to zero, as the object itself says.
        scaled_from: Option<u32>,
    },
    /// The Service before the workload.
    Service {
        /// Its UID.
        uid: String,
        /// Labels of the pods it shows.
        selector: BTreeMap<String, String>,
        /// The tool that deployed it.
        tool: Option<Tool>,
        /// What this service did to it, as the object itself says.
        diverted: Option<Diverted>,
    },
    /// There is no such object.
    Missing,
    /// The API server did not say.
    Unreadable(String),
}

/// What was done to a Service, as stands on the Service itself: a status alone is no proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diverted {
    /// The selector before.
    pub selector: BTreeMap<String, String>,
    /// The selector that it was given.
    pub stand_in: BTreeMap<String, String>,
}

/// Who else would act on the same workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// An older service that names it.
    pub oldest_owner: Option<String>,
    /// The workload's Lease.
    pub lease: WorkloadLease,
}

/// Where the Lease of the workload stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkloadLease {
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
