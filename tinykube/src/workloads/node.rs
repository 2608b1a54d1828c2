//! Nodes: the object and the Lease of the cluster's own one, and what happens to the pods of any that is lost.
//!
//! A node whose Lease was not renewed for 40 s is lost: its conditions turn Unknown and the Ready condition of its pods
//! False, without a reason, while the containers in their statuses stay ready. After another 300 s its pods are deleted.
//! The cluster's own node is lost while its object carries the annotation `tinykube.dev/lost: "true"`, which silences its
//! kubelet; without it, it is back at once. Another value of the annotation `tinykube.dev/boot` than before, once the kubelet is not
//! silent, is an orderly reboot: another boot ID, and each container has ended as if told to and is started again.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Turn;
use super::context::{Context, NODE, NODE_IP};
use super::queue::{Controller, Queue, Work};
use super::view::Key;
use crate::api::{DeleteOptions, Options, Part, Status};
use crate::kubelet::{Host, Kubelet, Note, after};
use crate::object;
use crate::resource::ObjectRef;

/// The annotation that silences the kubelet.
pub(crate) const LOST_ANNOTATION: &str = "tinykube.dev/lost";

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const COMPONENT: &str = "node-controller";
const LEASE_NAMESPACE: &str = "kube-node-lease";
const RENEWAL: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(40);
const EVICTION: Duration = Duration::from_mins(5);
/// What the controllers note on every node.
const ANNOTATIONS: [(&str, &str); 2] =
    [("node.alpha.kubernetes.io/ttl", "0"), ("volumes.kubernetes.io/controller-managed-attach-detach", "true")];

/// The cluster's own node.
fn host() -> Host {
    Host {
        name: NODE.to_owned(),
        address: NODE_IP.to_owned(),
        hostname: NODE.to_owned(),
        capacity: ["2", "24684092Ki"],
        port: None,
    }
}

/// One turn for one node.
pub(crate) fn reconcile(context: &mut Context, kubelet: &mut Kubelet, queue: &mut Queue, key: &Key) -> Turn {
    if kubelet.has_node() && *key.name == *NODE {
        let next = keep_alive(context, kubelet, queue)?;
        if next.is_some() {
            return Ok(next);
        }
    }
    watch_over(context, key)
}

/// The kubelet of the cluster's own node says that it is well; nothing if it is silent.
fn keep_alive(context: &mut Context, kubelet: &mut Kubelet, queue: &mut Queue) -> Turn {
    let Some(node) = context.view.get(&context.kinds.nodes, "", NODE) else {
        register(context)?;
        return Ok(Some(after(context.now, RENEWAL)));
    };
    let lost = object::annotation(&node, LOST_ANNOTATION) == Some("true");
    let is_back = kubelet.set_offline(lost) && !lost;
    if is_back {
        kubelet.forget_probe_results(context.now);
    }
    let reboots = !lost && kubelet.reboots(&node, context.now);
    if is_back || reboots {
        for pod in context.view.all(&context.kinds.pods) {
            let key = Key::of(&context.kinds.pods, object::namespace(&pod), object::name(&pod));
            queue.add(Work::new(Controller::Pod, key));
        }
    }
    if lost {
        return Ok(None);
    }
    let next = renew_lease(context)?;
    report(context, &node)?;
    Ok(Some(next))
}

/// A node whose Lease is old is lost, and later its pods are deleted; one that is well again is so at once.
fn watch_over(context: &mut Context, key: &Key) -> Turn {
    let Some(node) = context.view.get_key(key) else { return Ok(None) };
    let created = || object::text(&node, "/metadata/creationTimestamp").parse().ok();
    let silent_from = last_renewal(context, &key.name).or_else(created).unwrap_or(context.now);
    let dead_from = after(silent_from, GRACE);
    if context.now < dead_from {
        if is_ready(&node) {
            remove_taints(context, &node)?;
        }
        return Ok(Some(dead_from));
    }
    declare_lost(context, &node)?;
    let evicted_from = after(dead_from, EVICTION);
    if context.now < evicted_from {
        return Ok(Some(evicted_from.min(after(context.now, RENEWAL))));
    }
    evict(context, &key.name)?;
    Ok(Some(after(context.now, RENEWAL)))
}

/// Whether the kubelet of a node says that it takes pods.
pub(crate) fn is_ready(node: &Value) -> bool {
    let mut conditions = object::items(node, "/status/conditions").iter();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn register(context: &Context) -> Result<(), Status> {
    let mut node = host().node();
    node["metadata"]["annotations"] =
        ANNOTATIONS.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let stored = context.create(&context.kinds.nodes, "", node)?;
    report(context, &stored)?;
    renew_lease(context).map(|_| ())
}

/// Writes what the kubelet says of the node, if it is not what is known already.
fn report(context: &Context, node: &Value) -> Result<(), Status> {
    let tainted = object::items(node, "/spec/taints").iter().any(is_lost_taint);
    if host().is_reported(node) && !tainted {
        return Ok(());
    }
    let status = host().status(node, &context.api.clock().seconds());
    modify(context, NODE, Part::Status, |node| {
        for (field, value) in status.as_object().into_iter().flatten() {
            node["status"][field.as_str()] = value.clone();
        }
    })?;
    remove_taints(context, node)
}

fn remove_taints(context: &Context, node: &Value) -> Result<(), Status> {
    if !object::items(node, "/spec/taints").iter().any(is_lost_taint) {
        return Ok(());
    }
    modify(context, object::name(node), Part::Main, |node| {
        let mut taints = object::items(node, "/spec/taints").to_vec();
        taints.retain(|taint| !is_lost_taint(taint));
        let spec = object::entry(node, "spec");
        if taints.is_empty() {
            spec.shift_remove("taints");
        } else {
            spec.insert("taints".into(), taints.into());
        }
    })
}

fn declare_lost(context: &mut Context, node: &Value) -> Result<(), Status> {
    let known = object::items(node, "/status/conditions");
    if known.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "Unknown") {
        return Ok(());
    }
    let now = context.api.clock().seconds();
    let conditions: Vec<Value> = known
        .iter()
        .map(|known| {
            let mut lost = condition(
                object::text(known, "/type"),
                "Unknown",
                &now,
                "NodeStatusUnknown",
                "Kubelet stopped posting node status.",
            );
            lost["lastHeartbeatTime"] = known["lastHeartbeatTime"].clone();
            lost
        })
        .collect();
    let name = object::name(node);
    modify(context, name, Part::Status, |node| node["status"]["conditions"] = conditions.into())?;
    modify(context, name, Part::Main, |node| {
        let mut taints = object::items(node, "/spec/taints").to_vec();
        for effect in ["NoSchedule", "NoExecute"] {
            taints.push(json!({"key": UNREACHABLE, "effect": effect, "timeAdded": now}));
        }
        node["spec"]["taints"] = taints.into();
    })?;
    for key in pods_of(context, name) {
        if let Some(pod) = context.view.get_key(&key) {
            turn_unready(context, &pod, &now)?;
        }
    }
    Ok(())
}

/// The Ready condition turns False without a reason; all else stays as the kubelet left it.
fn turn_unready(context: &mut Context, pod: &Value, now: &str) -> Result<(), Status> {
    if !super::pods::is_ready(pod) {
        return Ok(());
    }
    let pods = context.kinds.pods.clone();
    context.api.modify(ObjectRef::of(&pods, pod), Part::Status, &Options::default(), |pod| {
        let conditions = pod.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten().filter(|condition| condition["type"] == "Ready") {
            condition["status"] = "False".into();
            condition["lastTransitionTime"] = now.into();
        }
    })?;
    context.tell(COMPONENT, &pods, pod, &Note::warning("NodeNotReady", "Node is not ready".to_owned()));
    Ok(())
}

/// The pods' tolerations of a lost node have run out.
fn evict(context: &Context, node: &str) -> Result<(), Status> {
    for key in pods_of(context, node) {
        let leaves = |pod: &std::sync::Arc<Value>| !object::is_terminating(pod) && !stays(pod);
        let Some(pod) = context.view.get_key(&key).filter(leaves) else { continue };
        let options = DeleteOptions::default().with_uid(object::uid(&pod));
        context.api.delete(&context.kinds.pods, &key.namespace, &key.name, &options)?;
    }
    Ok(())
}

/// Whether a pod tolerates a lost node for ever, as those of DaemonSets do.
fn stays(pod: &Value) -> bool {
    object::items(pod, "/spec/tolerations").iter().any(|toleration| {
        matches!(object::text(toleration, "/key"), UNREACHABLE | "")
            && matches!(object::text(toleration, "/effect"), "NoExecute" | "")
            && toleration["operator"] == "Exists"
            && toleration["tolerationSeconds"].is_null()
    })
}

fn pods_of(context: &Context, node: &str) -> Vec<Key> {
    let pods = context.view.all(&context.kinds.pods).filter(|pod| object::text(pod, "/spec/nodeName") == node);
    pods.map(|pod| Key::of(&context.kinds.pods, object::namespace(&pod), object::name(&pod))).collect()
}

/// Renews the lease when it is due; when it will be next.
fn renew_lease(context: &Context) -> Result<Timestamp, Status> {
    let due = last_renewal(context, NODE).map(|last| after(last, RENEWAL));
    if let Some(due) = due.filter(|due| *due > context.now) {
        return Ok(due);
    }
    let leases = &context.kinds.leases;
    let renewed: Value = context.api.clock().micros().into();
    if due.is_some() {
        let lease = leases.named(LEASE_NAMESPACE, NODE);
        context.api.modify(lease, Part::Main, &Options::default(), |lease| {
            lease["spec"]["renewTime"] = renewed;
        })?;
    } else {
        let spec = json!({"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": renewed});
        let node = context.api.get(&context.kinds.nodes, "", NODE)?;
        let owner = json!({"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": object::uid(&node)});
        let metadata = json!({"name": NODE, "ownerReferences": [owner]});
        context.create(leases, LEASE_NAMESPACE, json!({"metadata": metadata, "spec": spec}))?;
    }
    Ok(after(context.now, RENEWAL))
}

fn last_renewal(context: &Context, node: &str) -> Option<Timestamp> {
    let lease = context.api.get(&context.kinds.leases, LEASE_NAMESPACE, node).ok()?;
    object::text(&lease, "/spec/renewTime").parse().ok()
}

fn modify(context: &Context, node: &str, part: Part, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
    context.api.modify(context.kinds.nodes.named("", node), part, &Options::default(), change).map(|_| ())
}

fn condition(kind: &str, status: &str, now: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    })
}

fn is_lost_taint(taint: &Value) -> bool {
    taint["key"] == UNREACHABLE
}
