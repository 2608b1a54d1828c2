//! The kinds that are watched, and an object of any of them.

use std::sync::Arc;

use crate::api::{ClusterHealingPolicy, HealedService, HealingPolicy, PolicyKind};
use crate::{
    base::{Key, key_of},
    cluster::{
        node::NodeRecord,
        pdb::Budget,
        pod::PodRecord,
        pod_event::PodEvent,
        revision::Revision,
        workload::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    },
};
use kubeheal_core::model::snapshot::WorkloadKind;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is the kind of its name")]
pub enum Kind {
    Service,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Pod,
    Node,
    Budget,
    Event,
    Revision,
    HealingPolicy,
    ClusterHealingPolicy,
}

impl From<WorkloadKind> for Kind {
    fn from(kind: WorkloadKind) -> Self {
        match kind {
            WorkloadKind::Deployment => Self::Deployment,
            WorkloadKind::StatefulSet => Self::StatefulSet,
            WorkloadKind::DaemonSet => Self::DaemonSet,
            WorkloadKind::Pod => Self::Pod,
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Pod,
        Self::Node,
        Self::Budget,
        Self::Event,
        Self::Revision,
        Self::HealingPolicy,
        Self::ClusterHealingPolicy,
    ];

    /// The resource's plural name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "healedservices",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::ReplicaSet => "replicasets",
            Self::Pod => "pods",
            Self::Node => "nodes",
            Self::Budget => "poddisruptionbudgets",
            Self::Event => "events",
            Self::Revision => "controllerrevisions",
            Self::HealingPolicy => "healingpolicies",
            Self::ClusterHealingPolicy => "clusterhealingpolicies",
        }
    }

    /// Whether nothing can be decided while its stream is behind. Events prove nothing: they only give words.
    pub fn is_needed(self) -> bool {
        self != Self::Event
    }

    /// Whether it is of use where it can be read, and healing goes on where not.
    pub fn is_dispensable(self) -> bool {
        self == Self::Node || self.policy().is_some()
    }

    /// The kind of policy that this is.
    pub fn policy(self) -> Option<PolicyKind> {
        match self {
            Self::HealingPolicy => Some(PolicyKind::HealingPolicy),
            Self::ClusterHealingPolicy => Some(PolicyKind::ClusterHealingPolicy),
            Self::Service
            | Self::Deployment
            | Self::StatefulSet
            | Self::DaemonSet
            | Self::ReplicaSet
            | Self::Pod
            | Self::Node
            | Self::Budget
            | Self::Event
            | Self::Revision => None,
        }
    }
}

/// Anything that a watch delivers.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each variant holds the record of its name")]
pub enum Object {
    Service(Arc<HealedService>),
    Deployment(Deployment),
    StatefulSet(StatefulSet),
    DaemonSet(DaemonSet),
    ReplicaSet(ReplicaSet),
    Pod(Box<PodRecord>),
    Node(NodeRecord),
    Budget(Budget),
    Event(PodEvent),
    Revision(Revision),
    HealingPolicy(Arc<HealingPolicy>),
    ClusterHealingPolicy(Arc<ClusterHealingPolicy>),
}

impl Object {
    /// The object's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Service(_) => Kind::Service,
            Self::Deployment(_) => Kind::Deployment,
            Self::StatefulSet(_) => Kind::StatefulSet,
            Self::DaemonSet(_) => Kind::DaemonSet,
            Self::ReplicaSet(_) => Kind::ReplicaSet,
            Self::Pod(_) => Kind::Pod,
            Self::Node(_) => Kind::Node,
            Self::Budget(_) => Kind::Budget,
            Self::Event(_) => Kind::Event,
            Self::Revision(_) => Kind::Revision,
            Self::HealingPolicy(_) => Kind::HealingPolicy,
            Self::ClusterHealingPolicy(_) => Kind::ClusterHealingPolicy,
        }
    }

    /// The object's key.
    pub fn key(&self) -> Key {
        key_of(match self {
            Self::Service(object) => &object.metadata,
            Self::Deployment(object) => &object.meta,
            Self::StatefulSet(object) => &object.meta,
            Self::DaemonSet(object) => &object.meta,
            Self::ReplicaSet(object) => &object.meta,
            Self::Pod(object) => &object.meta,
            Self::Node(object) => &object.meta,
            Self::Budget(object) => &object.meta,
            Self::Event(object) => &object.meta,
            Self::Revision(object) => &object.meta,
            Self::HealingPolicy(object) => &object.metadata,
            Self::ClusterHealingPolicy(object) => &object.metadata,
        })
    }
}
