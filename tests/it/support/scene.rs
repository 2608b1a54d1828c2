//! Objects as the API server hands them out → caches → decision → status, on a clock that the test sets.
//!
//! All memory goes through the status, as in a cluster: what a test sees is also what a controller sees that was started
//! a moment ago.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kubeheal::{
    api::{
        HealedService,
        status::{HealedServiceStatus, LastKnownGood},
    },
    base::Key,
    cluster::{
        cache::Caches,
        decode::Outline,
        kept::Signing,
        kind::{Kind, Object},
        snapshot::{Presence, snapshot},
    },
    controller::turn::{LiveReads, turn},
    status::{Beside, render},
};
use kubeheal_core::model::{decision::Decision, finding::Finding, snapshot::Snapshot};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One service and what it sees.
pub(crate) struct Scene {
    caches: Caches,
    key: Key,
}

/// So many seconds after the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_600_000 + seconds).unwrap()
}

/// The same, as it stands in an object.
pub(crate) fn stamp(seconds: i64) -> String {
    at(seconds).to_string()
}

impl Scene {
    /// A service for the workload `app` of that kind, with the defaults changed by `spec`.
    pub(crate) fn new(kind: &str, spec: Value) -> Self {
        Self::of(kind, "app", spec)
    }

    /// The same for a workload of another name.
    pub(crate) fn of(kind: &str, name: &str, spec: Value) -> Self {
        let mut service = json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService",
            "metadata": {"name": "app", "namespace": "shop", "uid": "service", "generation": 1},
            "spec": {"workloadRef": {"kind": kind, "name": name}},
        });
        if let (Some(target), Value::Object(more)) = (service["spec"].as_object_mut(), spec) {
            target.extend(more);
        }
        let mut scene = Self { caches: Caches::default(), key: ("shop".into(), "app".into()) };
        scene.has(service);
        scene
    }

    /// An object is new, or another one now.
    pub(crate) fn has(&mut self, mut object: Value) {
        if object["kind"] != "Node" {
            object["metadata"]["namespace"] = "shop".into();
        }
        self.touched_by(object);
    }

    /// Whom a new or changed object concerns.
    pub(crate) fn touched_by(&mut self, object: Value) -> BTreeSet<Key> {
        self.caches.apply(read(object))
    }

    /// Nodes can be read, or they cannot.
    pub(crate) fn nodes_are_readable(&mut self, readable: bool) {
        let problem = (!readable).then(|| "nodes is forbidden".to_owned());
        let _touched = self.caches.readable(Kind::Node, problem);
    }

    /// Several objects.
    pub(crate) fn has_all(&mut self, objects: impl IntoIterator<Item = Value>) {
        for object in objects {
            self.has(object);
        }
    }

    /// An object of this namespace is there and cannot be read.
    pub(crate) fn cannot_read(&mut self, kind: Kind, mut object: Value) {
        object["metadata"]["namespace"] = "shop".into();
        self.cannot_read_there(kind, object);
    }

    /// The same, wherever it is.
    pub(crate) fn cannot_read_there(&mut self, kind: Kind, object: Value) {
        let outline: Outline = serde_json::from_value(object).unwrap();
        let _touched = self.caches.apply_undecoded(kind, &outline, "no reason");
    }

    /// An object is gone.
    pub(crate) fn has_no_more(&mut self, object: &Value) {
        let kind = read_kind(object["kind"].as_str().unwrap());
        let namespace = if kind == Kind::Node { String::new() } else { "shop".to_owned() };
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let _touched = self.caches.remove(kind, &(namespace, name));
    }

    /// A pod is gone.
    pub(crate) fn loses(&mut self, pod: &str) {
        let _touched = self.caches.remove(Kind::Pod, &("shop".into(), pod.into()));
    }

    /// A node is gone.
    pub(crate) fn loses_node(&mut self, node: &str) {
        let _touched = self.caches.remove(Kind::Node, &(String::new(), node.into()));
    }

    /// What is decided then, and written down.
    pub(crate) fn reconcile(&mut self, seconds: i64) -> Decision {
        let now = at(seconds);
        let service = self.caches.service(&self.key).unwrap();
        let presence = match self.caches.workload(&service) {
            Some(_) => Presence::Cached,
            None => Presence::Missing,
        };
        let live = LiveReads { presence, ..LiveReads::default() };
        let decision = turn(&self.caches, &self.key, &live, now).unwrap().decision;
        let old = service.status.clone().unwrap_or_default();
        let good = LastKnownGood { revision: "kept".into(), recorded_at: Time(now) };
        let good = decision.record_good.then_some(good).or_else(|| old.last_known_good.clone());
        let status = render(&decision, &old, Beside { generation: Some(1), good, policy: None }, now);
        let mut written = HealedService::clone(&service);
        written.status = Some(status);
        let _touched = self.caches.apply(Object::Service(Arc::new(written)));
        decision
    }

    /// Looks whenever a decision asks for it, and then at the end.
    pub(crate) fn pass(&mut self, from: i64, to: i64) -> Decision {
        let mut decision = self.reconcile(from);
        while let Some(next) = decision.next_check.filter(|next| *next < at(to)) {
            let seconds = next.duration_since(at(0)).as_secs();
            decision = self.reconcile(seconds);
        }
        self.reconcile(to)
    }

    /// What the service sees.
    pub(crate) fn sees(&self) -> Snapshot {
        snapshot(&self.caches, &self.key, &Presence::Cached, &Signing::NotAsked).unwrap()
    }

    /// What was written last.
    pub(crate) fn status(&self) -> HealedServiceStatus {
        self.caches.service(&self.key).unwrap().status.clone().unwrap_or_default()
    }
}

fn read_kind(kind: &str) -> Kind {
    match kind {
        "Deployment" => Kind::Deployment,
        "StatefulSet" => Kind::StatefulSet,
        "DaemonSet" => Kind::DaemonSet,
        "ReplicaSet" => Kind::ReplicaSet,
        "Pod" => Kind::Pod,
        "Node" => Kind::Node,
        "PodDisruptionBudget" => Kind::Budget,
        "Event" => Kind::Event,
        other => panic!("no {other} here"),
    }
}

fn read(object: Value) -> Object {
    fn record<T: DeserializeOwned>(object: Value) -> T {
        serde_json::from_value(object).unwrap()
    }
    match object["kind"].as_str().unwrap() {
        "HealedService" => Object::Service(Arc::new(record(object))),
        "Deployment" => Object::Deployment(record(object)),
        "StatefulSet" => Object::StatefulSet(record(object)),
        "DaemonSet" => Object::DaemonSet(record(object)),
        "ReplicaSet" => Object::ReplicaSet(record(object)),
        "Pod" => Object::Pod(Box::new(record(object))),
        "Node" => Object::Node(record(object)),
        "Event" => Object::Event(record(object)),
        "PodDisruptionBudget" => Object::Budget(record(object)),
        other => panic!("no {other} here"),
    }
}

/// The findings as "container cause", with "!" where they last.
pub(crate) fn described(decision: &Decision) -> Vec<String> {
    let one = |finding: &Finding| {
        let mark = if finding.over_threshold { "!" } else { "" };
        format!("{} {}{mark}", finding.place.container().unwrap_or_default(), finding.cause.as_str())
            .trim_start()
            .to_owned()
    };
    decision.findings.iter().map(one).collect()
}

/// The reasons that hold back what would be done.
pub(crate) fn held(decision: &Decision) -> Vec<&'static str> {
    decision.blocked_by().iter().map(|block| block.reason.as_str()).collect()
}

/// A Deployment whose rollout is over, with its ReplicaSet; merged with `more`.
pub(crate) fn deployment(replicas: u32, more: &Value) -> [Value; 2] {
    let mut object = json!({
        "kind": "Deployment", "metadata": {"name": "app", "uid": "deployment", "generation": 1},
        "spec": {"replicas": replicas, "template": template()},
        "status": {
            "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        },
    });
    merge(&mut object, more);
    let set = json!({"kind": "ReplicaSet", "metadata": {"name": "app-1", "uid": "set", "ownerReferences": owner("deployment")}});
    [object, set]
}

/// A StatefulSet whose rollout is over; merged with `more`.
pub(crate) fn stateful_set(replicas: u32, more: &Value) -> Value {
    let mut object = json!({
        "kind": "StatefulSet", "metadata": {"name": "app", "uid": "stateful", "generation": 1},
        "spec": {"replicas": replicas, "template": template()},
        "status": {
            "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
            "currentRevision": "app-1", "updateRevision": "app-1",
        },
    });
    merge(&mut object, more);
    object
}

/// A DaemonSet on so many nodes; merged with `more`.
pub(crate) fn daemon_set(nodes: u32, more: &Value) -> Value {
    let mut object = json!({
        "kind": "DaemonSet", "metadata": {"name": "app", "uid": "daemon", "generation": 1},
        "spec": {"template": template()},
        "status": {"observedGeneration": 1, "desiredNumberScheduled": nodes, "currentNumberScheduled": nodes, "updatedNumberScheduled": nodes},
    });
    merge(&mut object, more);
    object
}

fn template() -> Value {
    json!({"spec": {"containers": [{"name": "app", "readinessProbe": {}}]}})
}

/// Whoever controls a pod, by UID.
pub(crate) fn owner(uid: &str) -> Value {
    json!([{"uid": uid, "controller": true}])
}

/// A pod on a node, running and not ready, until `more` says otherwise. Controlled by the Deployment's ReplicaSet.
pub(crate) fn pod(name: &str, more: &Value) -> Value {
    let mut object = json!({
        "kind": "Pod",
        "metadata": {"name": name, "uid": format!("uid of {name}"), "ownerReferences": owner("set")},
        "spec": {"containers": [{"name": "app", "readinessProbe": {}}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(0)}],
            "containerStatuses": [],
        },
    });
    merge(&mut object, more);
    object
}

/// The conditions of a pod that is ready since then.
pub(crate) fn ready(since: i64) -> Value {
    json!([{"type": "Ready", "status": "True", "lastTransitionTime": stamp(since)}])
}

/// A container that runs since then.
pub(crate) fn runs(name: &str, since: i64, ready: bool, restarts: u32) -> Value {
    json!({
        "name": name, "ready": ready, "started": true, "restartCount": restarts,
        "state": {"running": {"startedAt": stamp(since)}},
    })
}

/// A container that waits.
pub(crate) fn waits(name: &str, reason: &str, restarts: u32) -> Value {
    json!({
        "name": name, "ready": false, "started": false, "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": "why"}},
    })
}

/// An end of a container.
pub(crate) fn end(code: i32, reason: &str, from: i64, to: i64) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": stamp(from), "finishedAt": stamp(to)}})
}

/// The same with fields changed. A list is replaced as a whole.
pub(crate) fn with(mut object: Value, more: &Value) -> Value {
    merge(&mut object, more);
    object
}

fn merge(object: &mut Value, more: &Value) {
    match (object, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (object, more) => *object = more.clone(),
    }
}

/// Seconds.
pub(crate) fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}
