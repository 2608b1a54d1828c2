//! The scheduler: binds pods to the node that has fewest of those that fit, or says why none does.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::context::Context;
use super::recorder::Recorder;
use super::view::Key;
use super::{Turn, node, placement, pods};
use crate::api::{Options, Part};
use crate::kubelet::Note;
use crate::object;
use crate::quantity::Quantity;

/// One turn for one pod.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(pod) = context.view.get_key(key) else { return Ok(None) };
    let ours = object::text(&pod, "/spec/schedulerName");
    let waits = object::text(&pod, "/spec/nodeName").is_empty() && !object::is_terminating(&pod);
    if !waits || !(ours.is_empty() || ours == "default-scheduler") {
        return Ok(None);
    }
    if !object::items(&pod, "/spec/schedulingGates").is_empty() {
        hold(context, key, &pod)?;
        return Ok(None);
    }
    let nodes: Vec<Arc<Value>> = context.view.all(&context.kinds.nodes).collect();
    if nodes.is_empty() {
        return Ok(None);
    }
    let (mut fitting, mut obstacles) = (Vec::new(), BTreeMap::new());
    for node in &nodes {
        match obstacle(&pod, node) {
            None => fitting.push(object::name(node)),
            Some(obstacle) => *obstacles.entry(obstacle).or_insert(0_usize) += 1,
        }
    }
    match emptiest(context, &fitting) {
        Some(node) => bind(context, key, &pod, node)?,
        None => refuse(context, key, &pod, &obstacles)?,
    }
    Ok(None)
}

/// The node with the fewest pods, or the first of them by name.
fn emptiest<'a>(context: &Context, nodes: &[&'a str]) -> Option<&'a str> {
    if let [] | [_] = nodes {
        return nodes.first().copied();
    }
    let mut pods: BTreeMap<String, usize> = BTreeMap::new();
    // Not out of the view, which does not have what was bound a moment ago.
    for pod in context.api.list(&context.kinds.pods, "").iter().filter(|pod| !pods::is_over(pod)) {
        *pods.entry(object::text(pod, "/spec/nodeName").to_owned()).or_default() += 1;
    }
    nodes.iter().copied().min_by_key(|node| (pods.get(*node).copied().unwrap_or(0), *node))
}

/// Why the pod does not fit a node, in the scheduler's words.
fn obstacle(pod: &Value, node: &Value) -> Option<String> {
    if node["spec"]["unschedulable"] == true {
        return Some("node(s) were unschedulable".to_owned());
    }
    let mut taints = object::items(node, "/spec/taints").iter();
    if let Some(taint) = taints.find(|taint| !tolerates(pod, taint)) {
        let (key, value) = (object::text(taint, "/key"), object::text(taint, "/value"));
        return Some(format!("node(s) had untolerated taint {{{key}: {value}}}"));
    }
    if !node::is_ready(node) && !tolerates(pod, &not_ready()) {
        return Some("node(s) had untolerated taint {node.kubernetes.io/not-ready: }".to_owned());
    }
    if !placement::is_selected(&pod["spec"], node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let short = ["cpu", "memory"].into_iter().find(|resource| {
        let there = Quantity::of(&node["status"]["allocatable"][*resource]).unwrap_or(Quantity::ZERO);
        requested(pod, resource) > there
    });
    short.map(|resource| format!("Insufficient {resource}"))
}

/// What a node has until its kubelet says that it is ready.
fn not_ready() -> Value {
    json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})
}

fn tolerates(pod: &Value, taint: &Value) -> bool {
    if !matches!(object::text(taint, "/effect"), "NoSchedule" | "NoExecute") {
        return true;
    }
    object::items(pod, "/spec/tolerations").iter().any(|toleration| {
        let key = object::text(toleration, "/key");
        let effect = object::text(toleration, "/effect");
        let exists = toleration["operator"] == "Exists";
        (key.is_empty() && exists || key == object::text(taint, "/key"))
            && (effect.is_empty() || effect == object::text(taint, "/effect"))
            && (exists || object::text(toleration, "/value") == object::text(taint, "/value"))
    })
}

/// What all containers of the pod ask for together.
fn requested(pod: &Value, resource: &str) -> Quantity {
    let of = |container: &Value| {
        let resources = &container["resources"];
        let request = &resources["requests"][resource];
        Quantity::of(if request.is_null() { &resources["limits"][resource] } else { request })
    };
    let containers = object::items(pod, "/spec/containers").iter();
    containers.filter_map(of).fold(Quantity::ZERO, |sum, amount| sum + amount)
}

fn bind(context: &mut Context, key: &Key, pod: &Value, node: &str) -> Result<(), crate::api::Status> {
    let kinds = context.kinds.clone();
    context.api.bind(&key.namespace, &key.name, object::uid(pod), node)?;
    let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
    Recorder::announce(&context.api, (&kinds.pods, pod), &Note::normal("Scheduled", message), "Binding");
    Ok(())
}

/// Says that a pod is not to be scheduled yet, as the API server does when it takes in a pod with gates.
fn hold(context: &Context, key: &Key, pod: &Value) -> Result<(), crate::api::Status> {
    let mut conditions = object::items(pod, "/status/conditions").iter();
    if conditions.any(|known| known["reason"] == "SchedulingGated") {
        return Ok(());
    }
    let message = "Scheduling is blocked due to non-empty scheduling gates";
    write_condition(context, key, pod, &json!({"status": "False", "reason": "SchedulingGated", "message": message}))
}

fn refuse(
    context: &mut Context,
    key: &Key,
    pod: &Value,
    obstacles: &BTreeMap<String, usize>,
) -> Result<(), crate::api::Status> {
    let nodes: usize = obstacles.values().sum();
    let why: Vec<String> = obstacles.iter().map(|(obstacle, nodes)| format!("{nodes} {obstacle}")).collect();
    let why = why.join(", ");
    let message = format!(
        "0/{nodes} nodes are available: {why}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: \
         {nodes} Preemption is not helpful for scheduling."
    );
    let verdict = json!({"status": "False", "reason": "Unschedulable", "message": message});
    let known = object::items(pod, "/status/conditions").iter().find(|condition| condition["type"] == "PodScheduled");
    if known.is_some_and(|known| known["message"] == message.as_str()) {
        return Ok(());
    }
    write_condition(context, key, pod, &verdict)?;
    let kinds = context.kinds.clone();
    Recorder::announce(&context.api, (&kinds.pods, pod), &Note::warning("FailedScheduling", message), "Scheduling");
    Ok(())
}

/// Writes the PodScheduled condition: `status`, and why if it is False.
fn write_condition(context: &Context, key: &Key, pod: &Value, verdict: &Value) -> Result<(), crate::api::Status> {
    let mut condition = json!({
        "type": "PodScheduled",
        "observedGeneration": object::generation(pod),
        "status": verdict["status"],
        "lastProbeTime": null,
        "lastTransitionTime": context.api.clock().seconds(),
    });
    for field in ["reason", "message"] {
        if let Some(value) = verdict.get(field) {
            condition[field] = value.clone();
        }
    }
    let target = context.kinds.pods.named(&key.namespace, &key.name);
    let written = context.api.modify(target, Part::Status, &Options::default(), |pod| {
        let mut conditions = object::items(pod, "/status/conditions").to_vec();
        conditions.retain(|known| known["type"] != "PodScheduled");
        conditions.push(condition);
        pod["status"]["conditions"] = conditions.into();
    });
    written.map(|_| ())
}
