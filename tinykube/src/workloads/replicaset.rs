//! ReplicaSet: keeps as many pods as wanted, no more and no fewer.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::context::{Context, owner_reference};
use super::view::Key;
use super::{Turn, pods, selector};
use crate::api::{DeleteOptions, Status};
use crate::kubelet::Note;
use crate::object;

const COMPONENT: &str = "replicaset-controller";

/// One turn for one ReplicaSet.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(set) = context.view.get_key(key) else { return Ok(None) };
    let owned = claim(context, &set)?;
    let active: Vec<Arc<Value>> = owned.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
    let scaled = if object::is_terminating(&set) { Ok(()) } else { scale(context, &set, &active) };
    let terminating = owned.iter().filter(|pod| object::is_terminating(pod) && !pods::is_over(pod)).count();
    let (status, next) = status(context, &set, &active, terminating, scaled.as_ref().err());
    let resource = context.kinds.replica_sets.clone();
    context.write_status(&resource, &set, &status)?;
    scaled?;
    Ok(next)
}

/// The pods of the set, among them orphans its selector selects, which become its own.
fn claim(context: &Context, set: &Value) -> Result<Vec<Arc<Value>>, Status> {
    let kinds = &context.kinds;
    let mut owned = context.view.controlled_by(object::uid(set), &kinds.pods);
    if object::is_terminating(set) {
        return Ok(owned);
    }
    for pod in context.view.orphans(&kinds.pods, object::namespace(set)) {
        let fits = selector::selects(&set["spec"]["selector"], &pod["metadata"]["labels"]);
        if fits && pods::is_active(&pod) {
            let adopted =
                context.change(&kinds.pods, &pod, |pod| adopt(pod, owner_reference(&kinds.replica_sets, set)))?;
            owned.push(adopted);
        }
    }
    Ok(owned)
}

/// Adds an owner to those an object has.
pub(crate) fn adopt(object: &mut Value, owner: Value) {
    let mut owners = object::items(object, "/metadata/ownerReferences").to_vec();
    owners.push(owner);
    object["metadata"]["ownerReferences"] = owners.into();
}

fn scale(context: &mut Context, set: &Arc<Value>, active: &[Arc<Value>]) -> Result<(), Status> {
    let wanted = usize::try_from(replicas(set)).unwrap_or(0);
    for _ in active.len()..wanted {
        create_pod(context, set)?;
    }
    let mut ranked: Vec<&Arc<Value>> = active.iter().collect();
    ranked.sort_by_cached_key(|pod| pods::deletion_rank(pod));
    for pod in ranked.into_iter().take(active.len().saturating_sub(wanted)) {
        delete_pod(context, set, pod)?;
    }
    Ok(())
}

fn create_pod(context: &mut Context, set: &Arc<Value>) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let pod = pods::from_template(&kinds.replica_sets, set);
    match context.create(&kinds.pods, object::namespace(set), pod) {
        Ok(pod) => {
            let note = Note::normal("SuccessfulCreate", format!("Created pod: {}", object::name(&pod)));
            context.tell(COMPONENT, &kinds.replica_sets, set, &note);
            Ok(())
        }
        Err(status) => {
            let note = Note::warning("FailedCreate", format!("Error creating: {}", status.message));
            context.tell(COMPONENT, &kinds.replica_sets, set, &note);
            Err(status)
        }
    }
}

fn delete_pod(context: &mut Context, set: &Arc<Value>, pod: &Value) -> Result<(), Status> {
    let kinds = context.kinds.clone();
    let options = DeleteOptions::default().with_uid(object::uid(pod));
    match context.api.delete(&kinds.pods, object::namespace(pod), object::name(pod), &options) {
        Err(status) if status.code != 404 => return Err(status),
        _ => {}
    }
    let note = Note::normal("SuccessfulDelete", format!("Deleted pod: {}", object::name(pod)));
    context.tell(COMPONENT, &kinds.replica_sets, set, &note);
    Ok(())
}

/// The status for these pods, and when it may change by time alone.
fn status(
    context: &Context,
    set: &Value,
    active: &[Arc<Value>],
    terminating: usize,
    failure: Option<&Status>,
) -> (Value, Option<Timestamp>) {
    let min_ready = set["spec"]["minReadySeconds"].as_i64().unwrap_or(0);
    let wanted_labels = set["spec"]["template"]["metadata"]["labels"].as_object();
    let labelled = active.iter().filter(|pod| {
        wanted_labels.is_none_or(|wanted| wanted.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value))
    });
    let labelled = labelled.count();
    let ready = active.iter().filter(|pod| pods::is_ready(pod)).count();
    let from: Vec<Timestamp> = active.iter().map(|pod| pods::available_from(pod, min_ready)).collect();
    let available = from.iter().filter(|from| **from <= context.now).count();
    let next = from.into_iter().filter(|from| *from > context.now && *from < Timestamp::MAX).min();

    let mut status = Map::new();
    status.insert("replicas".into(), active.len().into());
    for (field, count) in
        [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        if count > 0 {
            status.insert(field.into(), count.into());
        }
    }
    status.insert("terminatingReplicas".into(), terminating.into());
    status.insert("observedGeneration".into(), object::generation(set).into());
    if let Some(failure) = failure {
        let known = object::items(set, "/status/conditions").iter().find(|known| known["type"] == "ReplicaFailure");
        // The first failure stays: messages name pods that were never made, another one with each try.
        let condition = known.cloned().unwrap_or_else(|| {
            json!({
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": context.api.clock().seconds(),
                "reason": "FailedCreate",
                "message": failure.message,
            })
        });
        status.insert("conditions".into(), json!([condition]));
    }
    (Value::Object(status), next)
}

/// `spec.replicas`, 1 if it is not set.
pub(crate) fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1).max(0)
}
