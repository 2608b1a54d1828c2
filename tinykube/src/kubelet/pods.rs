//! The pods of one node and what becomes of them: what every driver of the kubelet shares.
//!
//! Knows neither the store nor a client. A driver shows it a pod as stored and the cluster around it, and writes what it
//! is told to: Events, the status, the removal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use super::address::Addresses;
use super::admission::{Rejection, rejection};
use super::container::Container;
use super::dependency::Dependency;
use super::effective_script::{Found, find_script};
use super::host::BOOT_ANNOTATION;
use super::needs::{Needs, Surroundings};
use super::note::Note;
use super::pod::{Nothing, PodMachine};
use super::restore::is_over;
use super::script::{SCRIPT_ANNOTATION, Script};
use super::span::between;
use crate::clock::Clock;
use crate::object;
use crate::storage::Change;
use crate::workloads::{Key, View};

/// A line of a container's log and when it was printed.
pub type LogLines = Vec<(Timestamp, String)>;

/// Reads the logs of containers while the kubelet runs. Clones read the same.
#[derive(Clone, Debug)]
pub struct Logs {
    pods: Arc<Mutex<BTreeMap<Key, Managed>>>,
    clock: Clock,
}

impl Logs {
    pub(crate) fn new(clock: Clock) -> Logs {
        Logs { pods: Arc::default(), clock }
    }

    /// The lines a container has printed, oldest first; with `previous`, those of the instance before the last start.
    /// Nothing if there is no such container or it has never been started.
    pub fn read(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<LogLines> {
        let pods = self.lock();
        find(&pods, namespace, pod)?.machine.log(container, previous, self.clock.now(), &Nothing)
    }

    /// Whether a container runs.
    pub(crate) fn is_running(&self, namespace: &str, pod: &str, container: &str) -> bool {
        let pods = self.lock();
        let found = find(&pods, namespace, pod).and_then(|managed| managed.machine.container(container));
        found.is_some_and(Container::is_running)
    }

    /// What a container that was not started waits for, as its status says.
    pub(crate) fn waits_for(&self, namespace: &str, pod: &str, container: &str) -> Option<&'static str> {
        let pods = self.lock();
        let found = find(&pods, namespace, pod).and_then(|managed| managed.machine.container(container));
        found.and_then(|container| container.waiting.as_ref()).map(|waiting| waiting.reason)
    }

    /// The time by the clock of the node.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Managed>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(pods: &'a BTreeMap<Key, Managed>, namespace: &str, pod: &str) -> Option<&'a Managed> {
    let mut found = pods.iter().filter(|(key, _)| *key.namespace == *namespace && *key.name == *pod);
    found.next().map(|(_, managed)| managed)
}

#[derive(Debug)]
struct Managed {
    machine: PodMachine,
    uid: String,
    /// The text of the script in force.
    script: Option<String>,
    needs: BTreeSet<Dependency>,
    grace: Option<i64>,
}

/// The cluster as it is when a pod has its turn.
pub(crate) struct Around<'a> {
    pub(crate) view: &'a View,
    /// When a further Event about the pod would be written.
    pub(crate) heard_from: Timestamp,
    pub(crate) now: Timestamp,
}

/// What is to be done after a pod's turn.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Turn {
    /// To be told about the pod.
    pub(crate) notes: Vec<Note>,
    /// What the kubelet reports; nothing for a pod that is left alone.
    pub(crate) status: Option<Value>,
    /// The object is to be removed now.
    pub(crate) remove: bool,
    /// When the pod wants another turn.
    pub(crate) next: Option<Timestamp>,
}

/// The pods of one node.
#[derive(Debug)]
pub(crate) struct Pods {
    logs: Logs,
    needs: Needs,
    addresses: Addresses,
    host_ip: String,
    /// The mark of the node's boot, once the node was seen.
    boot: Option<String>,
}

impl Pods {
    /// No pods yet, on a node with this address.
    pub(crate) fn new(logs: &Logs, addresses: Addresses, host_ip: &str) -> Pods {
        Pods { logs: logs.clone(), needs: Needs::default(), addresses, host_ip: host_ip.to_owned(), boot: None }
    }

    /// The kubelet was restarted: it knows no probe results and asks again.
    pub(crate) fn forget_probe_results(&mut self, now: Timestamp) {
        for managed in self.logs.lock().values_mut() {
            managed.machine.forget_probe_results(now);
        }
    }

    /// Takes note of the node's boot. If it is another than before, all containers went down with the node and begin anew.
    pub(crate) fn reboots(&mut self, node: &Value, now: Timestamp) -> bool {
        let boot = object::annotation(node, BOOT_ANNOTATION).unwrap_or_default().to_owned();
        let reboots = self.boot.as_ref().is_some_and(|known| *known != boot);
        self.boot = Some(boot);
        if reboots {
            for managed in self.logs.lock().values_mut() {
                managed.machine.reboot(now);
            }
        }
        reboots
    }

    /// Pods whose scripts depend on what changed.
    pub(crate) fn dependents(&mut self, change: &Change, view: &View, now: Timestamp) -> Vec<Key> {
        self.needs.changed(change, view, now)
    }

    /// A pod is gone from the node.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(gone) = self.logs.lock().remove(key) {
            self.needs.forget(key, &gone.needs);
        }
    }

    /// Brings one pod up to now.
    pub(crate) fn turn(&mut self, key: &Key, stored: &Arc<Value>, around: &Around<'_>) -> Turn {
        let logs = self.logs.clone();
        let known = logs.lock().get(key).map(|managed| managed.uid == object::uid(stored));
        if known == Some(false) {
            self.forget(key);
        }
        let mut turn = Turn::default();
        let mut pods = logs.lock();
        if known != Some(true) && is_over(stored) {
            turn.remove = object::is_terminating(stored);
            return turn;
        }
        if known != Some(true) {
            match rejection(stored, around.view, around.now) {
                Some(Rejection::Due(at)) => return Turn { next: Some(at), ..Turn::default() },
                Some(Rejection::Now(note, status)) => {
                    return Turn { notes: vec![note], status: Some(status), ..Turn::default() };
                }
                None => {}
            }
        }
        if known != Some(true) {
            let taken = pods.values().map(|managed| managed.machine.identity.ip.as_str()).collect();
            let address = self.addresses.next(&taken);
            match admit(stored, address, around.now) {
                Ok(managed) => pods.insert(key.clone(), managed),
                Err(note) => {
                    turn.notes.push(note);
                    return turn;
                }
            };
        }
        let Some(managed) = pods.get_mut(key) else { return turn };
        turn.notes.extend(self.apply_script(key, managed, stored, around));
        turn.notes.extend(heed_deletion(managed, stored, around.now));
        let world = Surroundings { view: around.view, needs: &self.needs, namespace: &key.namespace };
        let progress = managed.machine.advance(around.now, &world, around.heard_from);
        let next = managed.machine.next(&world);
        turn.notes.extend(progress.notes);
        turn.status = Some(managed.machine.status(stored, &self.host_ip, around.now));
        turn.remove = progress.remove;
        turn.next = (next < Timestamp::MAX && !progress.remove).then_some(next);
        turn
    }

    /// Puts the script in force that a pod is to follow; one that cannot be read is worth an Event.
    fn apply_script(
        &mut self,
        key: &Key,
        managed: &mut Managed,
        stored: &Arc<Value>,
        around: &Around<'_>,
    ) -> Option<Note> {
        let Found::Script(text) = find_script(around.view, stored) else { return None };
        if text == managed.script {
            return None;
        }
        managed.script.clone_from(&text);
        let script = match text.as_deref().map(Script::parse).transpose() {
            Ok(script) => script,
            Err(problem) => {
                return Some(Note::warning("InvalidScript", format!("{SCRIPT_ANNOTATION}: {problem}")));
            }
        };
        let wanted: BTreeSet<Dependency> = script.iter().flat_map(Script::dependencies).cloned().collect();
        self.needs.forget(key, &managed.needs);
        self.needs.register(key, &wanted, around.view, around.now);
        managed.needs = wanted;
        let world = Surroundings { view: around.view, needs: &self.needs, namespace: &key.namespace };
        managed.machine.behave(script.as_ref(), around.now, &world);
        None
    }
}

/// Takes a pod that was just bound to the node. One that cannot be read is left alone.
fn admit(stored: &Arc<Value>, address: String, now: Timestamp) -> Result<Managed, Note> {
    // Its metadata and status may hold times that no type here can.
    let spec = core::PodSpec::deserialize(&stored["spec"])
        .map_err(|problem| Note::warning("FailedValidation", format!("the pod cannot be read: {problem}")))?;
    let text = |pointer: &str| Some(object::text(stored, pointer).to_owned());
    let metadata = ObjectMeta {
        name: text("/metadata/name"),
        namespace: text("/metadata/namespace"),
        uid: text("/metadata/uid"),
        ..ObjectMeta::default()
    };
    let pod = core::Pod { metadata, spec: Some(spec), status: None };
    let mut machine = PodMachine::admit(&pod, address, now);
    machine.behave(None, now, &Nothing);
    machine.restore(stored, now);
    Ok(Managed { machine, uid: object::uid(stored).to_owned(), script: None, needs: BTreeSet::new(), grace: None })
}

/// A deletion timestamp ends the pod; a shorter grace brings the end forward.
fn heed_deletion(managed: &mut Managed, stored: &Value, now: Timestamp) -> Vec<Note> {
    if !object::is_terminating(stored) {
        return Vec::new();
    }
    let grace = stored["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    if managed.grace.is_some_and(|known| known <= grace) {
        return Vec::new();
    }
    managed.grace = Some(grace);
    let deadline = object::text(stored, "/metadata/deletionTimestamp").parse().unwrap_or(now);
    let seconds = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    // The timestamp has whole seconds; never give more than the period.
    let left = if deadline > now { between(now, deadline).max(seconds) } else { Duration::ZERO };
    managed.machine.delete(left.min(seconds), now)
}
