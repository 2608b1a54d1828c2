//! DaemonSet: one pod on every node that it selects; a changed template replaces them one by one.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::view::Key;
use super::{Turn, placement, pods, revision};
use crate::api::{DeleteOptions, Status};
use crate::kubelet::Note;
use crate::object;

const COMPONENT: &str = "daemonset-controller";

/// One turn for one DaemonSet.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(set) = context.view.get_key(key) else { return Ok(None) };
    let kinds = context.kinds.clone();
    let owned = context.view.controlled_by(object::uid(&set), &kinds.pods);
    if object::is_terminating(&set) {
        return Ok(None);
    }
    let update = revision::current(context, &kinds.daemon_sets, &set)?;
    let nodes: Vec<Arc<Value>> = context.view.all(&kinds.nodes).collect();
    let wanted: Vec<&str> = nodes.iter().filter(|node| is_wanted(&set, node)).map(|node| object::name(node)).collect();
    manage(context, &set, &owned, &update, &wanted)?;
    let status = status(&set, &owned, &update, &wanted);
    context.write_status(&kinds.daemon_sets, &set, &status)?;
    Ok(None)
}

/// Whether a node is one the template selects.
fn is_wanted(set: &Value, node: &Value) -> bool {
    placement::is_selected(&set["spec"]["template"]["spec"], node)
}

/// The node a pod is for.
fn node_of(pod: &Value) -> &str {
    match object::text(pod, "/spec/nodeName") {
        "" => placement::pinned_to(&pod["spec"]).first().copied().unwrap_or_default(),
        bound => bound,
    }
}

fn manage(
    context: &mut Context,
    set: &Arc<Value>,
    owned: &[Arc<Value>],
    update: &str,
    wanted: &[&str],
) -> Result<(), Status> {
    let alive: Vec<&Arc<Value>> = owned.iter().filter(|pod| !object::is_terminating(pod)).collect();
    for pod in alive.iter().filter(|pod| pods::is_over(pod)) {
        delete(context, set, pod)?;
    }
    let active: Vec<&Arc<Value>> = alive.into_iter().filter(|pod| pods::is_active(pod)).collect();
    for pod in active.iter().filter(|pod| !wanted.contains(&node_of(pod))) {
        delete(context, set, pod)?;
    }
    let rolls = set["spec"]["updateStrategy"]["type"] != "OnDelete";
    let mut unready = wanted.iter().filter(|node| !is_served(&active, node)).count();
    for node in wanted {
        let here: Vec<&Arc<Value>> = active.iter().copied().filter(|pod| node_of(pod) == *node).collect();
        let free = owned.iter().all(|pod| node_of(pod) != *node || pods::is_over(pod));
        if here.is_empty() && free {
            create(context, set, update, node)?;
        }
        for surplus in here.iter().skip(1) {
            delete(context, set, surplus)?;
        }
        let Some(pod) = here.first().filter(|pod| rolls && revision::of(pod) != Some(update)) else { continue };
        // One node at a time goes without; a pod that is not ready serves nobody.
        if unready == 0 || !pods::is_ready(pod) {
            unready += usize::from(pods::is_ready(pod));
            delete(context, set, pod)?;
        }
    }
    Ok(())
}

fn is_served(active: &[&Arc<Value>], node: &str) -> bool {
    active.iter().any(|pod| node_of(pod) == node && pods::is_ready(pod))
}

fn create(context: &mut Context, set: &Arc<Value>, update: &str, on: &str) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let mut pod = pods::from_template(&kinds.daemon_sets, set);
    pod["metadata"]["labels"][revision::LABEL] = update.into();
    pod["metadata"]["labels"]["pod-template-generation"] = object::generation(set).to_string().into();
    let mut tolerations = object::items(&pod, "/spec/tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute"}));
    }
    tolerations.push(json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}));
    pod["spec"]["tolerations"] = tolerations.into();
    let name = json!({"key": "metadata.name", "operator": "In", "values": [on]});
    pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!({"nodeSelectorTerms": [{"matchFields": [name]}]});
    let created = context.create(&kinds.pods, object::namespace(set), pod)?;
    let note = Note::normal("SuccessfulCreate", format!("Created pod: {}", object::name(&created)));
    context.tell(COMPONENT, &kinds.daemon_sets, set, &note);
    Ok(())
}

fn delete(context: &mut Context, set: &Arc<Value>, pod: &Value) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let options = DeleteOptions::default().with_uid(object::uid(pod));
    match context.api.delete(&kinds.pods, object::namespace(pod), object::name(pod), &options) {
        Err(status) if status.code != 404 => return Err(status),
        _ => {}
    }
    let note = Note::normal("SuccessfulDelete", format!("Deleted pod: {}", object::name(pod)));
    context.tell(COMPONENT, &kinds.daemon_sets, set, &note);
    Ok(())
}

fn status(set: &Value, owned: &[Arc<Value>], update: &str, wanted: &[&str]) -> Value {
    let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pods::is_active(pod)).collect();
    let on_nodes = |holds: &dyn Fn(&Value) -> bool| {
        wanted.iter().filter(|node| active.iter().any(|pod| node_of(pod) == **node && holds(pod))).count()
    };
    let strays = active.iter().filter(|pod| !wanted.contains(&node_of(pod))).count();
    let ready = on_nodes(&pods::is_ready);
    let mut status = Map::new();
    status.insert("currentNumberScheduled".into(), on_nodes(&|_| true).into());
    status.insert("numberMisscheduled".into(), strays.into());
    status.insert("desiredNumberScheduled".into(), wanted.len().into());
    status.insert("numberReady".into(), ready.into());
    status.insert("observedGeneration".into(), object::generation(set).into());
    let updated = on_nodes(&|pod| revision::of(pod) == Some(update));
    let missing = wanted.len().saturating_sub(ready);
    let optional = [("updatedNumberScheduled", updated), ("numberAvailable", ready), ("numberUnavailable", missing)];
    status.extend(optional.into_iter().filter(|(_, n)| *n > 0).map(|(field, n)| (field.to_owned(), n.into())));
    Value::Object(status)
}
