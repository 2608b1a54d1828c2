//! The kubelet of the cluster's own node: shows the pods of the store to the machines, and writes what they say there.

use jiff::Timestamp;
use serde_json::Value;

use super::address::Addresses;
use super::pods::{Around, Logs, Pods};
use super::report;
use crate::api::{DeleteOptions, Options, Part, Status};
use crate::correlator::Source;
use crate::object;
use crate::resource::ObjectRef;
use crate::storage::Change;
use crate::workloads::{Context, Key, NODE, NODE_IP, View};

/// The kubelet of the cluster's own node.
#[derive(Debug)]
pub(crate) struct Kubelet {
    pods: Pods,
    source: Source,
    /// The cluster has a node of its own.
    node: bool,
    offline: bool,
}

impl Kubelet {
    pub(crate) fn new(logs: &Logs, node: bool) -> Kubelet {
        let pods = Pods::new(logs, Addresses::of_cluster(), NODE_IP);
        Kubelet { pods, source: Source::kubelet(NODE), node, offline: false }
    }

    /// Whether the cluster has a node of its own.
    pub(crate) fn has_node(&self) -> bool {
        self.node
    }

    /// Stops talking to the API server, or begins again; true if that is a change. Containers go on in any case.
    pub(crate) fn set_offline(&mut self, offline: bool) -> bool {
        std::mem::replace(&mut self.offline, offline) != offline
    }

    /// The kubelet was restarted: it knows no probe results and asks again.
    pub(crate) fn forget_probe_results(&mut self, now: Timestamp) {
        self.pods.forget_probe_results(now);
    }

    /// Whether its node has been rebooted, which all containers on it feel.
    pub(crate) fn reboots(&mut self, node: &Value, now: Timestamp) -> bool {
        self.pods.reboots(node, now)
    }

    /// Pods whose scripts depend on what changed.
    pub(crate) fn dependents(&mut self, change: &Change, view: &View, now: Timestamp) -> Vec<Key> {
        self.pods.dependents(change, view, now)
    }

    /// Brings one pod up to now and writes what is new. The next moment at which something will be.
    pub(crate) fn reconcile(&mut self, context: &mut Context, key: &Key) -> Result<Option<Timestamp>, Status> {
        let stored = context.view.get_key(key).filter(|pod| self.node && object::text(pod, "/spec/nodeName") == NODE);
        let Some(stored) = stored else {
            self.pods.forget(key);
            return Ok(None);
        };
        if self.offline {
            return Ok(None);
        }
        let heard_from = context.recorder.heard_from(&self.source, object::uid(&stored), context.now);
        let turn = self.pods.turn(key, &stored, &Around { view: &context.view, heard_from, now: context.now });
        for note in turn.notes {
            context.recorder.record(&context.api, &self.source, (&context.kinds.pods, &stored), &note);
        }
        if let Some(status) = turn.status.filter(|status| !report::is_known(&stored, status)) {
            write_status(context, &stored, report::merged(&stored, &status))?;
        }
        if turn.remove {
            remove(context, &stored)?;
        }
        Ok(turn.next)
    }
}

fn write_status(context: &Context, stored: &Value, status: Value) -> Result<(), Status> {
    let (pod, uid) = (ObjectRef::of(&context.kinds.pods, stored), object::uid(stored));
    let written = context.api.modify(pod, Part::Status, &Options::default(), |pod| {
        if object::uid(pod) == uid {
            pod["status"] = status;
        }
    });
    match written {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

fn remove(context: &Context, stored: &Value) -> Result<(), Status> {
    let options = DeleteOptions::now().with_uid(object::uid(stored));
    match context.api.delete(&context.kinds.pods, object::namespace(stored), object::name(stored), &options) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
