//! The scheduler: binds pods to the one node, or says why it cannot.

use serde_json::{Value, json};

use super::context::{Context, NODE};
use super::recorder::Recorder;
use super::view::Key;
use super::{Turn, node};
use crate::api::{Options, Part};
use crate::kubelet::Note;
use crate::object;

/// One turn for one pod.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(pod) = context.view.get_key(key) else { return Ok(None) };
    let ours = object::text(&pod, "/spec/schedulerName");
    let waits = object::text(&pod, "/spec/nodeName").is_empty() && !object::is_terminating(&pod);
    if !waits || !(ours.is_empty() || ours == "default-scheduler") {
        return Ok(None);
    }
    let Some(node) = context.view.get(&context.kinds.nodes, "", NODE) else { return Ok(None) };
    match obstacle(&pod, &node) {
        Some(obstacle) => refuse(context, key, &pod, &obstacle)?,
        None => bind(context, key, &pod)?,
    }
    Ok(None)
}

/// Why the pod does not fit the node, in the scheduler's words.
fn obstacle(pod: &Value, node: &Value) -> Option<String> {
    if node["spec"]["unschedulable"] == true {
        return Some("1 node(s) were unschedulable".to_owned());
    }
    if let Some(taint) = object::items(node, "/spec/taints").iter().find(|taint| !tolerates(pod, taint)) {
        let (key, value) = (object::text(taint, "/key"), object::text(taint, "/value"));
        return Some(format!("1 node(s) had untolerated taint {{{key}: {value}}}"));
    }
    let wanted = pod["spec"]["nodeSelector"].as_object();
    if wanted.is_some_and(|wanted| wanted.iter().any(|(key, value)| node["metadata"]["labels"][key] != *value)) {
        return Some("1 node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let short = ["cpu", "memory"].into_iter().find(|resource| {
        let there = node::quantity(&node["status"]["allocatable"][*resource]);
        requested(pod, resource) > there
    });
    short.map(|resource| format!("1 Insufficient {resource}"))
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
fn requested(pod: &Value, resource: &str) -> f64 {
    let of = |container: &Value| {
        let resources = &container["resources"];
        let request = &resources["requests"][resource];
        node::quantity(if request.is_null() { &resources["limits"][resource] } else { request })
    };
    object::items(pod, "/spec/containers").iter().map(of).sum()
}

fn bind(context: &mut Context, key: &Key, pod: &Value) -> Result<(), crate::api::Status> {
    let kinds = context.kinds.clone();
    context.change(&kinds.pods, pod, |pod| pod["spec"]["nodeName"] = NODE.into())?;
    write_condition(context, key, pod, &json!({"status": "True"}))?;
    let message = format!("Successfully assigned {}/{} to {NODE}", key.namespace, key.name);
    Recorder::announce(&context.api, (&kinds.pods, pod), &Note::normal("Scheduled", message), "Binding");
    Ok(())
}

fn refuse(context: &mut Context, key: &Key, pod: &Value, obstacle: &str) -> Result<(), crate::api::Status> {
    let message = format!(
        "0/1 nodes are available: {obstacle}. no new claims to deallocate, preemption: 0/1 nodes are available: \
         1 Preemption is not helpful for scheduling."
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
    let options = Options::default();
    let pods = &context.kinds.pods;
    let written = context.api.modify(pods, &key.namespace, &key.name, Part::Status, &options, |pod| {
        let mut conditions = object::items(pod, "/status/conditions").to_vec();
        conditions.retain(|known| known["type"] != "PodScheduled");
        conditions.push(condition);
        pod["status"]["conditions"] = conditions.into();
    });
    written.map(|_| ())
}
