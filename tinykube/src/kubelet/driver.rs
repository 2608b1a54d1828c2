//! The one impure file of the kubelet: reads pods and scripts, lets the pod machines go on, writes statuses and Events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use serde::Deserialize;
use serde_json::Value;

use super::dependency::Dependency;
use super::needs::{Needs, Surroundings};
use super::note::Note;
use super::pod::{Nothing, PodMachine};
use super::script::{SCRIPT_ANNOTATION, Script};
use super::span::between;
use crate::api::{DeleteOptions, Options, Part, Status};
use crate::clock::Clock;
use crate::object;
use crate::storage::Change;
use crate::workloads::{Context, Key, NODE, Source, View};

const SOURCE: Source = Source { component: "kubelet", host: Some(NODE) };

/// The parts of a status the kubelet writes; the rest is left as it is.
const OWNED: [&str; 11] = [
    "observedGeneration",
    "phase",
    "conditions",
    "message",
    "reason",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "startTime",
    "initContainerStatuses",
];

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
        let mut found = pods.iter().filter(|(key, _)| *key.namespace == *namespace && *key.name == *pod);
        found.next()?.1.machine.log(container, previous, self.clock.now(), &Nothing)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Managed>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// The kubelet of the one node.
#[derive(Debug)]
pub(crate) struct Kubelet {
    logs: Logs,
    needs: Needs,
    addresses: u32,
    offline: bool,
}

impl Kubelet {
    pub(crate) fn new(logs: &Logs) -> Kubelet {
        Kubelet { logs: logs.clone(), needs: Needs::default(), addresses: 1, offline: false }
    }

    /// Stops talking to the API server, or begins again; true if that is a change. Containers go on in any case.
    pub(crate) fn set_offline(&mut self, offline: bool) -> bool {
        std::mem::replace(&mut self.offline, offline) != offline
    }

    /// The kubelet was restarted: it knows no probe results and asks again.
    pub(crate) fn forget_probe_results(&mut self, now: Timestamp) {
        for managed in self.logs.lock().values_mut() {
            managed.machine.forget_probe_results(now);
        }
    }

    /// Pods whose scripts depend on what changed.
    pub(crate) fn dependents(&mut self, change: &Change, view: &View, now: Timestamp) -> Vec<Key> {
        self.needs.changed(change, view, now)
    }

    /// Brings one pod up to now and writes what is new. The next moment at which something will be.
    pub(crate) fn reconcile(&mut self, context: &mut Context, key: &Key) -> Result<Option<Timestamp>, Status> {
        let stored = context.view.get_key(key).filter(|pod| object::text(pod, "/spec/nodeName") == NODE);
        let logs = self.logs.clone();
        let mut pods = logs.lock();
        let Some(stored) = stored else {
            if let Some(gone) = pods.remove(key) {
                self.needs.forget(key, &gone.needs);
            }
            return Ok(None);
        };
        if self.offline {
            return Ok(None);
        }
        if pods.get(key).is_some_and(|managed| managed.uid != object::uid(&stored)) {
            pods.remove(key);
        }
        if !pods.contains_key(key) {
            let Some(managed) = self.admit(context, &stored) else { return Ok(None) };
            pods.insert(key.clone(), managed);
        }
        let Some(managed) = pods.get_mut(key) else { return Ok(None) };
        self.put_script_in_force(context, key, managed, &stored);
        let world = Surroundings { view: &context.view, needs: &self.needs, namespace: &key.namespace };
        let heard_from = context.recorder.heard_from(SOURCE, &managed.uid, context.now);
        let mut notes = heed_deletion(managed, &stored, context.now);
        let progress = managed.machine.advance(context.now, &world, heard_from);
        let next = managed.machine.next(&world);
        notes.extend(progress.notes);
        for note in notes {
            context.recorder.record(&context.api, SOURCE, (&context.kinds.pods, &stored), &note);
        }
        let status = managed.machine.status(&stored, context.now);
        write_status(context, &stored, &status)?;
        if progress.remove {
            remove(context, &stored)?;
            return Ok(None);
        }
        Ok((next < Timestamp::MAX).then_some(next))
    }

    /// Takes a pod that was just bound to the node. One that cannot be read is left alone.
    fn admit(&mut self, context: &mut Context, stored: &Arc<Value>) -> Option<Managed> {
        let pod = match core::Pod::deserialize(&**stored) {
            Ok(pod) => pod,
            Err(problem) => {
                let note = Note::warning("FailedValidation", format!("the pod cannot be read: {problem}"));
                context.recorder.record(&context.api, SOURCE, (&context.kinds.pods, stored), &note);
                return None;
            }
        };
        self.addresses += 1;
        let address = format!("10.244.{}.{}", self.addresses / 254 % 256, self.addresses % 254 + 1);
        let mut machine = PodMachine::admit(&pod, address, context.now);
        machine.behave(None, context.now, &Nothing);
        Some(Managed {
            machine,
            uid: object::uid(stored).to_owned(),
            script: None,
            needs: BTreeSet::new(),
            grace: None,
        })
    }

    fn put_script_in_force(&mut self, context: &mut Context, key: &Key, managed: &mut Managed, stored: &Arc<Value>) {
        let Found::Script(text) = find_script(&context.view, stored) else { return };
        if text == managed.script {
            return;
        }
        managed.script.clone_from(&text);
        let script = match text.as_deref().map(Script::parse).transpose() {
            Ok(script) => script,
            Err(problem) => {
                let note = Note::warning("InvalidScript", format!("{SCRIPT_ANNOTATION}: {problem}"));
                context.recorder.record(&context.api, SOURCE, (&context.kinds.pods, stored), &note);
                return;
            }
        };
        let wanted: BTreeSet<Dependency> = script.iter().flat_map(Script::dependencies).cloned().collect();
        self.needs.forget(key, &managed.needs);
        self.needs.register(key, &wanted, &context.view, context.now);
        managed.needs = wanted;
        let world = Surroundings { view: &context.view, needs: &self.needs, namespace: &key.namespace };
        managed.machine.behave(script.as_ref(), context.now, &world);
    }
}

/// What the annotations of a pod and of the workloads above it say.
enum Found {
    Script(Option<String>),
    /// A workload above is gone and the pod will follow: what was in force stays so.
    OwnerGone,
}

fn find_script(view: &View, pod: &Arc<Value>) -> Found {
    let mut object = pod.clone();
    loop {
        if let Some(script) = object::annotation(&object, SCRIPT_ANNOTATION) {
            return Found::Script(Some(script.to_owned()));
        }
        let Some(owner) = object::controller_of(&object) else { return Found::Script(None) };
        let owner = view.by_uid(object::text(owner, "/uid")).and_then(|key| view.get_key(key));
        match owner {
            Some(owner) => object = owner,
            None => return Found::OwnerGone,
        }
    }
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

fn write_status(context: &Context, stored: &Value, status: &Value) -> Result<(), Status> {
    let Some(ours) = status.as_object() else { return Ok(()) };
    let same = ours.iter().all(|(field, value)| stored["status"][field] == *value)
        && OWNED.iter().all(|field| ours.contains_key(*field) || stored["status"][*field].is_null());
    if same {
        return Ok(());
    }
    let mut merged = ours.clone();
    for (field, value) in stored["status"].as_object().into_iter().flatten() {
        if !OWNED.contains(&field.as_str()) && !merged.contains_key(field) {
            merged.insert(field.clone(), value.clone());
        }
    }
    let (namespace, name, uid) = (object::namespace(stored), object::name(stored), object::uid(stored));
    let options = Options::default();
    let written = context.api.modify(&context.kinds.pods, namespace, name, Part::Status, &options, |pod| {
        if object::uid(pod) == uid {
            pod["status"] = Value::Object(merged);
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
