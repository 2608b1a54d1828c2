//! DaemonSet: one pod on the one node; a changed template replaces it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::{Context, NODE};
use super::view::Key;
use super::{Turn, pods, revision};
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
    let wanted = is_wanted(context, &set);
    manage(context, &set, &owned, &update, wanted)?;
    let status = status(&set, &owned, &update, wanted);
    context.write_status(&kinds.daemon_sets, &set, &status)?;
    Ok(None)
}

/// Whether the node is one the template selects.
fn is_wanted(context: &Context, set: &Value) -> bool {
    let Some(node) = context.view.get(&context.kinds.nodes, "", NODE) else { return false };
    let selector = set["spec"]["template"]["spec"]["nodeSelector"].as_object();
    selector.is_none_or(|selector| selector.iter().all(|(key, value)| node["metadata"]["labels"][key] == *value))
}

fn manage(
    context: &mut Context,
    set: &Arc<Value>,
    owned: &[Arc<Value>],
    update: &str,
    wanted: bool,
) -> Result<(), Status> {
    let alive: Vec<&Arc<Value>> = owned.iter().filter(|pod| !object::is_terminating(pod)).collect();
    for pod in alive.iter().filter(|pod| pods::is_over(pod)) {
        delete(context, set, pod)?;
    }
    let active: Vec<&Arc<Value>> = alive.into_iter().filter(|pod| pods::is_active(pod)).collect();
    if !wanted {
        for pod in active {
            delete(context, set, pod)?;
        }
        return Ok(());
    }
    if active.is_empty() && owned.iter().all(|pod| pods::is_over(pod)) {
        return create(context, set, update);
    }
    for surplus in active.iter().skip(1) {
        delete(context, set, surplus)?;
    }
    let rolls = set["spec"]["updateStrategy"]["type"] != "OnDelete";
    if let Some(pod) = active.first().filter(|pod| rolls && revision::of(pod) != Some(update)) {
        delete(context, set, pod)?;
    }
    Ok(())
}

fn create(context: &mut Context, set: &Arc<Value>, update: &str) -> Result<(), Status> {
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

fn status(set: &Value, owned: &[Arc<Value>], update: &str, wanted: bool) -> Value {
    let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pods::is_active(pod)).collect();
    let count = |holds: &dyn Fn(&Value) -> bool| active.iter().filter(|pod| holds(pod)).count();
    let scheduled = usize::from(wanted && !active.is_empty());
    let ready = count(&pods::is_ready).min(1);
    let mut status = Map::new();
    status.insert("currentNumberScheduled".into(), scheduled.into());
    status.insert("numberMisscheduled".into(), usize::from(!wanted && !active.is_empty()).into());
    status.insert("desiredNumberScheduled".into(), usize::from(wanted).into());
    status.insert("numberReady".into(), ready.into());
    status.insert("observedGeneration".into(), object::generation(set).into());
    let updated = count(&|pod| revision::of(pod) == Some(update)).min(1);
    let missing = usize::from(wanted).saturating_sub(ready);
    let optional = [("updatedNumberScheduled", updated), ("numberAvailable", ready), ("numberUnavailable", missing)];
    status.extend(optional.into_iter().filter(|(_, n)| *n > 0).map(|(field, n)| (field.to_owned(), n.into())));
    Value::Object(status)
}
