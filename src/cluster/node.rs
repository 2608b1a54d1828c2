//! Nodes: what a pod's node says of itself, and what is said of it. A heartbeat changes nothing here.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use crate::{
    base::{Key, digest},
    cluster::record::{RawCondition, RawMeta, watched},
    diagnosis::line,
};
use kubeheal_core::model::snapshot::{Node, NodeDrain, NodeLoss, Pressure};

/// Longest reason and taint kept, in characters.
const MAX_WORD: usize = 64;

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// A cloud provider saw the machine switched off; a person says that it will not come back by itself.
const OUT_OF_SERVICE: [&str; 2] = ["node.cloudprovider.kubernetes.io/shutdown", "node.kubernetes.io/out-of-service"];
/// Cordoned, by a controller or `kubectl cordon`.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// The cluster autoscaler, and Karpenter in its versions, put these on a node that they are about to take away.
const MARKS: [&str; 3] = ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];
/// The label that says in which part of the cloud provider's network a node is.
const ZONE: &str = "topology.kubernetes.io/zone";
const PRESSURES: [(Pressure, &str, &str); 3] = [
    (Pressure::Disk, "DiskPressure", "node.kubernetes.io/disk-pressure"),
    (Pressure::Memory, "MemoryPressure", "node.kubernetes.io/memory-pressure"),
    (Pressure::Pid, "PIDPressure", "node.kubernetes.io/pid-pressure"),
];

/// A Node in the cache.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "RawNode")]
pub struct NodeRecord {
    /// Name, UID and resourceVersion.
    pub meta: ObjectMeta,
    /// Why nothing can be expected of it.
    pub loss: Option<NodeLoss>,
    /// Why it takes no new pods, or gives those away that it has.
    pub drain: Option<NodeDrain>,
    /// Digest of its boot ID, if it says one.
    pub boot: Option<String>,
    /// The zone that it is in, if a label says so.
    pub zone: Option<String>,
}
watched!(cluster NodeRecord, "", "v1", "Node", "nodes");

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawNode {
    metadata: RawMeta,
    spec: RawSpec,
    status: RawStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSpec {
    unschedulable: bool,
    taints: Vec<RawTaint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawTaint {
    key: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[serde(rename_all = "camelCase")]
struct RawStatus {
    conditions: Vec<RawCondition>,
    node_info: RawInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawInfo {
    #[serde(rename = "bootID")]
    boot_id: String,
}

impl From<RawNode> for NodeRecord {
    fn from(raw: RawNode) -> Self {
        Self {
            meta: raw.metadata.object_meta(),
            loss: raw.loss(),
            drain: raw.drain(),
            boot: raw.boot(),
            zone: raw.zone(),
        }
    }
}

impl RawNode {
    fn condition(&self, kind: &str) -> Option<&RawCondition> {
        self.status.conditions.iter().find(|condition| condition.r#type == kind)
    }

    fn taint(&self, keys: &[&str]) -> Option<&RawTaint> {
        self.spec.taints.iter().find(|taint| keys.contains(&taint.key.as_str()))
    }

    fn zone(&self) -> Option<String> {
        self.metadata.labels.get(ZONE).map(|zone| line(zone, MAX_WORD)).filter(|zone| !zone.is_empty())
    }

    fn boot(&self) -> Option<String> {
        let id = &self.status.node_info.boot_id;
        (!id.is_empty()).then(|| digest(&id.as_str().into()))
    }

    fn loss(&self) -> Option<NodeLoss> {
        let ready = self.condition("Ready");
        let status = ready.map_or("", |ready| ready.status.as_str());
        if self.taint(&OUT_OF_SERVICE).is_some() {
            Some(NodeLoss::OutOfService)
        } else if status == "Unknown" || self.taint(&[UNREACHABLE]).is_some() {
            Some(NodeLoss::Unreachable)
        } else if status == "True" && self.taint(&[NOT_READY]).is_none() {
            None
        } else {
            // The taint goes a moment after the condition.
            let reason = ready.filter(|_| status != "True").map_or("", |ready| ready.reason.as_str());
            Some(NodeLoss::NotReady(line(reason, MAX_WORD)))
        }
    }

    fn drain(&self) -> Option<NodeDrain> {
        let is_short = |(_, kind, taint): &(Pressure, &str, &str)| {
            self.condition(kind).is_some_and(|condition| condition.status == "True") || self.taint(&[taint]).is_some()
        };
        if self.metadata.deletion.is_some() {
            Some(NodeDrain::Deleted)
        } else if let Some(taint) = self.taint(&MARKS) {
            Some(NodeDrain::Marked(line(&taint.key, MAX_WORD)))
        } else if let Some((pressure, ..)) = PRESSURES.into_iter().find(is_short) {
            Some(NodeDrain::Pressure(pressure))
        } else if self.spec.unschedulable || self.taint(&[UNSCHEDULABLE]).is_some() {
            Some(NodeDrain::Cordoned)
        } else {
            None
        }
    }
}

/// The nodes that are known, and the pods on each.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// A node that is not known is no more: all that there are were listed.
    complete: bool,
    known: BTreeMap<String, NodeRecord>,
    /// Names of those that were known, for as long as pods are on them.
    gone: BTreeSet<String>,
    pods: BTreeMap<String, BTreeSet<Key>>,
    /// How many of those that are known are in which zone.
    zones: BTreeMap<String, usize>,
}

impl Nodes {
    /// Takes in a new or changed node. Says whether its pods are to be judged anew.
    pub(super) fn put(&mut self, record: NodeRecord) -> bool {
        let name = record.meta.name.clone().unwrap_or_default();
        let seen = (record.loss.clone(), record.drain.clone(), record.boot.clone());
        let was_gone = self.gone.remove(&name);
        if let Some(zone) = &record.zone {
            *self.zones.entry(zone.clone()).or_default() += 1;
        }
        let old = self.known.insert(name, record);
        self.leave_zone(old.as_ref());
        was_gone || old.is_none_or(|old| (old.loss, old.drain, old.boot) != seen)
    }

    /// Forgets a node that is no more.
    pub(super) fn remove(&mut self, name: &str) {
        let old = self.known.remove(name);
        self.leave_zone(old.as_ref());
        if old.is_some() && self.pods.contains_key(name) {
            self.gone.insert(name.to_owned());
        }
    }

    /// Takes note of whether all nodes can be read. If they cannot, nothing is known of any. Says whether that is news.
    pub(super) fn readable(&mut self, is_readable: bool) -> bool {
        let is_news = self.complete != is_readable;
        self.complete = is_readable;
        if !is_readable {
            self.known.clear();
            self.gone.clear();
            self.zones.clear();
        }
        is_news
    }

    fn leave_zone(&mut self, old: Option<&NodeRecord>) {
        let Some(zone) = old.and_then(|old| old.zone.as_ref()) else { return };
        if let Some(count) = self.zones.get_mut(zone) {
            *count -= 1;
            if *count == 0 {
                self.zones.remove(zone);
            }
        }
    }

    /// The one zone, of several, in which all these nodes are.
    pub(super) fn zone_of_all(&self, names: &BTreeSet<&str>) -> Option<String> {
        let zone = |name: &&str| self.known.get(*name).and_then(|node| node.zone.as_ref());
        let zones: BTreeSet<Option<&String>> = names.iter().map(zone).collect();
        let zone = zones.first().copied().flatten().filter(|_| zones.len() == 1 && self.zones.len() > 1)?;
        Some(zone.clone())
    }

    /// Takes note of where a pod is, and where it was.
    pub(super) fn moves(&mut self, pod: &Key, from: Option<&str>, to: Option<&str>) {
        if from == to {
            return;
        }
        if let Some((name, pods)) = from.and_then(|name| Some((name, self.pods.get_mut(name)?))) {
            pods.remove(pod);
            if pods.is_empty() {
                self.pods.remove(name);
                self.gone.remove(name);
            }
        }
        if let Some(name) = to {
            self.pods.entry(name.to_owned()).or_default().insert(pod.clone());
        }
    }

    /// The pods on a node.
    pub(super) fn pods_on(&self, name: &str) -> impl Iterator<Item = &Key> {
        self.pods.get(name).into_iter().flatten()
    }

    /// All pods that are on any node.
    pub(super) fn all_pods(&self) -> impl Iterator<Item = &Key> {
        self.pods.values().flatten()
    }

    /// How a node is, as far as it is known.
    pub(super) fn seen(&self, name: &str) -> Node {
        let is_one_of_many = self.known.len() > 1;
        match self.known.get(name) {
            Some(NodeRecord { meta: _, loss, drain, boot, zone: _ }) => {
                Node { loss: loss.clone(), drain: drain.clone(), boot: boot.clone(), is_one_of_many }
            }
            None if self.complete || self.gone.contains(name) => {
                Node { loss: Some(NodeLoss::Gone), is_one_of_many, ..Node::default() }
            }
            None => Node::default(),
        }
    }
}
