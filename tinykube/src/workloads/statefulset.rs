//! StatefulSet: pods with names and an order.
//!
//! Pods are made, replaced and taken away one at a time, each waiting for the one before to be ready. That includes the
//! known trap: a pod of an old, broken revision that never gets ready also keeps its own replacement from happening.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::{Context, owner_reference};
use super::replicaset::{adopt, replicas};
use super::view::Key;
use super::{Turn, pods, revision, selector};
use crate::api::{DeleteOptions, Status};
use crate::kubelet::Note;
use crate::object;

const COMPONENT: &str = "statefulset-controller";

/// What one turn works with.
struct Plan {
    set: Arc<Value>,
    /// By ordinal.
    pods: BTreeMap<i64, Arc<Value>>,
    wanted: i64,
    /// Names of the revisions to go from and to.
    current: String,
    update: String,
    parallel: bool,
}

/// One turn for one StatefulSet.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(set) = context.view.get_key(key) else { return Ok(None) };
    if object::is_terminating(&set) {
        return Ok(None);
    }
    let plan = plan(context, &set)?;
    let done = manage(context, &plan);
    let status = status(&plan);
    let resource = context.kinds.stateful_sets.clone();
    context.write_status(&resource, &set, &status)?;
    done?;
    let in_use: Vec<&str> = plan.pods.values().filter_map(|pod| revision::of(pod)).collect();
    revision::clean_up(context, &set, &[in_use, vec![&plan.current, &plan.update]].concat())?;
    Ok(None)
}

fn plan(context: &Context, set: &Arc<Value>) -> Result<Plan, Status> {
    let kinds = &context.kinds;
    let update = revision::ensure(context, &kinds.stateful_sets, set)?;
    let update = object::name(&update).to_owned();
    let current = object::text(set, "/status/currentRevision");
    let known = revision::history(context, set).iter().any(|revision| object::name(revision) == current);
    let mut pods = BTreeMap::new();
    for pod in claim(context, set)? {
        if let Some(ordinal) = ordinal(set, &pod) {
            pods.insert(ordinal, pod);
        }
    }
    Ok(Plan {
        set: set.clone(),
        pods,
        wanted: replicas(set),
        current: if known { current.to_owned() } else { update.clone() },
        update,
        parallel: set["spec"]["podManagementPolicy"] == "Parallel",
    })
}

fn claim(context: &Context, set: &Value) -> Result<Vec<Arc<Value>>, Status> {
    let kinds = &context.kinds;
    let mut owned = context.view.controlled_by(object::uid(set), &kinds.pods);
    for pod in context.view.orphans(&kinds.pods, object::namespace(set)) {
        let fits = selector::selects(&set["spec"]["selector"], &pod["metadata"]["labels"]);
        if fits && ordinal(set, &pod).is_some() && !object::is_terminating(&pod) {
            let reference = owner_reference(&kinds.stateful_sets, set);
            owned.push(context.change(&kinds.pods, &pod, |pod| adopt(pod, reference))?);
        }
    }
    Ok(owned)
}

fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    object::name(pod).strip_prefix(object::name(set))?.strip_prefix('-')?.parse().ok()
}

fn first(plan: &Plan) -> i64 {
    plan.set["spec"]["ordinals"]["start"].as_i64().unwrap_or(0)
}

/// Creates, then takes away, then replaces; stops at the first pod that has to be waited for.
fn manage(context: &mut Context, plan: &Plan) -> Result<(), Status> {
    let start = first(plan);
    for ordinal in start..start + plan.wanted {
        if !ensure(context, plan, ordinal)? && !plan.parallel {
            return Ok(());
        }
    }
    let surplus = plan.pods.iter().rev().filter(|(ordinal, _)| **ordinal < start || **ordinal >= start + plan.wanted);
    for (_, pod) in surplus {
        if object::is_terminating(pod) {
            if plan.parallel {
                continue;
            }
            return Ok(());
        }
        let unwell =
            plan.pods.values().find(|other| !pods::is_ready(other) && object::name(other) != object::name(pod));
        if unwell.is_some_and(|other| in_range(plan, other)) && !plan.parallel {
            return Ok(());
        }
        delete(context, plan, pod)?;
        if !plan.parallel {
            return Ok(());
        }
    }
    update(context, plan)
}

fn in_range(plan: &Plan, pod: &Value) -> bool {
    let start = first(plan);
    ordinal(&plan.set, pod).is_some_and(|ordinal| (start..start + plan.wanted).contains(&ordinal))
}

/// Whether the pod of an ordinal is there and ready, after what can be done for it now is done.
fn ensure(context: &mut Context, plan: &Plan, ordinal: i64) -> Result<bool, Status> {
    let Some(pod) = plan.pods.get(&ordinal) else {
        create(context, plan, ordinal)?;
        return Ok(false);
    };
    if object::is_terminating(pod) {
        return Ok(false);
    }
    if pods::is_over(pod) {
        let message = format!(
            "StatefulSet {}/{} is recreating failed Pod {}",
            object::namespace(pod),
            object::name(&plan.set),
            object::name(pod)
        );
        let resource = context.kinds.stateful_sets.clone();
        context.tell(COMPONENT, &resource, &plan.set, &Note::warning("RecreatingFailedPod", message));
        delete(context, plan, pod)?;
        return Ok(false);
    }
    Ok(pods::is_ready(pod))
}

/// Replaces pods of old revisions from the last to the first, waiting for each to be ready.
fn update(context: &mut Context, plan: &Plan) -> Result<(), Status> {
    let strategy = &plan.set["spec"]["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return Ok(());
    }
    let start = first(plan);
    let partition = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
    for ordinal in (start.max(partition)..start + plan.wanted).rev() {
        let Some(pod) = plan.pods.get(&ordinal) else { return Ok(()) };
        if revision::of(pod) != Some(&plan.update) && !object::is_terminating(pod) {
            return delete(context, plan, pod);
        }
        if !pods::is_ready(pod) || object::is_terminating(pod) {
            return Ok(());
        }
    }
    Ok(())
}

/// While an update runs, ordinals it has not reached come back as they were.
fn needs_current_revision(plan: &Plan, ordinal: i64) -> bool {
    let partition = plan.set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
    let of_current = |pod: &&Arc<Value>| !object::is_terminating(pod) && revision::of(pod) == Some(&plan.current);
    let kept = if partition > 0 {
        partition
    } else {
        i64::try_from(plan.pods.values().filter(of_current).count()).unwrap_or(0)
    };
    plan.current != plan.update && ordinal < first(plan) + kept
}

fn create(context: &mut Context, plan: &Plan, ordinal: i64) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let set = &plan.set;
    let name = format!("{}-{ordinal}", object::name(set));
    let old = needs_current_revision(plan, ordinal);
    let revision_name = if old { &plan.current } else { &plan.update };
    let history = revision::history(context, set);
    let chosen = history.iter().find(|known| object::name(known) == revision_name);
    let mut source = Value::clone(set);
    if let Some(template) =
        chosen.map(|chosen| &chosen["data"]["spec"]["template"]).filter(|template| template.is_object())
    {
        source["spec"]["template"] = template.clone();
    }
    let mut pod = pods::from_template(&kinds.stateful_sets, &source);
    let metadata = object::entry(&mut pod, "metadata");
    metadata.insert("name".into(), name.clone().into());
    let labels = &mut pod["metadata"]["labels"];
    labels["apps.kubernetes.io/pod-index"] = ordinal.to_string().into();
    labels[revision::LABEL] = revision_name.clone().into();
    labels["statefulset.kubernetes.io/pod-name"] = name.clone().into();
    pod["spec"]["hostname"] = name.clone().into();
    let service = object::text(set, "/spec/serviceName");
    if !service.is_empty() {
        pod["spec"]["subdomain"] = service.into();
    }
    let told = match context.create(&kinds.pods, object::namespace(set), pod) {
        Ok(_) => Ok(Note::normal(
            "SuccessfulCreate",
            format!("Create Pod {name} in StatefulSet {} successful", object::name(set)),
        )),
        Err(status) => Err(status),
    };
    match told {
        Ok(note) => context.tell(COMPONENT, &kinds.stateful_sets, set, &note),
        Err(status) => {
            let message =
                format!("Create Pod {name} in StatefulSet {} failed error: {}", object::name(set), status.message);
            context.tell(COMPONENT, &kinds.stateful_sets, set, &Note::warning("FailedCreate", message));
            return Err(status);
        }
    }
    Ok(())
}

fn delete(context: &mut Context, plan: &Plan, pod: &Value) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let options = DeleteOptions::default().with_uid(object::uid(pod));
    match context.api.delete(&kinds.pods, object::namespace(pod), object::name(pod), &options) {
        Err(status) if status.code != 404 => return Err(status),
        _ => {}
    }
    let message = format!("Delete Pod {} in StatefulSet {} successful", object::name(pod), object::name(&plan.set));
    context.tell(COMPONENT, &kinds.stateful_sets, &plan.set, &Note::normal("SuccessfulDelete", message));
    Ok(())
}

fn status(plan: &Plan) -> Value {
    let all: Vec<&Arc<Value>> = plan.pods.values().collect();
    let count = |holds: &dyn Fn(&Value) -> bool| all.iter().filter(|pod| holds(pod)).count();
    let alive = |pod: &Value| !object::is_terminating(pod);
    let ready = count(&|pod| pods::is_ready(pod));
    let updated = count(&|pod| alive(pod) && revision::of(pod) == Some(&plan.update));
    let current = count(&|pod| alive(pod) && revision::of(pod) == Some(&plan.current));
    let wanted = usize::try_from(plan.wanted).unwrap_or(0);
    let done = updated == wanted && ready >= wanted && all.len() == wanted;
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object::generation(&plan.set).into());
    status.insert("replicas".into(), all.len().into());
    let now_current = if done { updated } else { current };
    for (field, number) in [("readyReplicas", ready), ("currentReplicas", now_current), ("updatedReplicas", updated)] {
        if number > 0 {
            status.insert(field.into(), number.into());
        }
    }
    let current_name = if done { &plan.update } else { &plan.current };
    status.insert("currentRevision".into(), current_name.clone().into());
    status.insert("updateRevision".into(), plan.update.clone().into());
    status.insert("collisionCount".into(), json!(0));
    status.insert("availableReplicas".into(), ready.into());
    Value::Object(status)
}
