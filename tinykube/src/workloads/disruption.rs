//! PodDisruptionBudget: counts healthy pods and says how many may be disrupted now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::replicaset::replicas;
use super::rollout::share;
use super::view::Key;
use super::{Turn, pods, selector};
use crate::kubelet::after;
use crate::object;

/// How long an evicted pod may take to get its deletion timestamp.
const CONFIRMATION: Duration = Duration::from_mins(2);

/// One turn for one budget.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(budget) = context.view.get_key(key) else { return Ok(None) };
    let kinds = context.kinds.clone();
    let selected: Vec<Arc<Value>> = context
        .view
        .in_namespace(&kinds.pods, &key.namespace)
        .filter(|pod| selector::selects(&budget["spec"]["selector"], &pod["metadata"]["labels"]))
        .filter(|pod| !pods::is_over(pod))
        .collect();
    let (expected, desired) = expectation(context, &budget, &selected);
    let (disrupted, next) = disrupted(context, &budget, &selected);
    let healthy = selected.iter().filter(|pod| {
        pods::is_ready(pod) && !object::is_terminating(pod) && !disrupted.contains_key(object::name(pod))
    });
    let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object::generation(&budget).into());
    if !disrupted.is_empty() {
        status.insert("disruptedPods".into(), disrupted.into_iter().collect::<Map<_, _>>().into());
    }
    for (field, count) in [
        ("disruptionsAllowed", allowed),
        ("currentHealthy", healthy),
        ("desiredHealthy", desired),
        ("expectedPods", expected),
    ] {
        status.insert(field.into(), count.into());
    }
    status.insert("conditions".into(), json!([condition(context, &budget, allowed > 0)]));
    context.write_status(&kinds.budgets, &budget, &Value::Object(status))?;
    Ok(next)
}

/// How many pods there should be, and how many of them healthy.
fn expectation(context: &Context, budget: &Value, selected: &[Arc<Value>]) -> (i64, i64) {
    let there = i64::try_from(selected.len()).unwrap_or(i64::MAX);
    let (least, most_gone) = (&budget["spec"]["minAvailable"], &budget["spec"]["maxUnavailable"]);
    if !most_gone.is_null() {
        let expected = scale_of_owners(context, selected);
        return (expected, (expected - share(most_gone, expected, true)).max(0));
    }
    match least {
        Value::Number(number) => (there, number.as_i64().unwrap_or(0)),
        Value::String(_) => {
            let expected = scale_of_owners(context, selected);
            (expected, share(least, expected, true))
        }
        _ => (there, 1),
    }
}

/// The replicas wanted by all workloads that own the pods; pods nobody owns count as one each.
fn scale_of_owners(context: &Context, selected: &[Arc<Value>]) -> i64 {
    let mut scales: BTreeMap<String, i64> = BTreeMap::new();
    for pod in selected {
        let mut root = Arc::clone(pod);
        while let Some(owner) = owner(context, &root) {
            root = owner;
        }
        let scale = if root["kind"] == "Pod" { 1 } else { scale(&root) };
        scales.insert(object::uid(&root).to_owned(), scale);
    }
    scales.values().sum()
}

fn scale(workload: &Value) -> i64 {
    let nodes = &workload["status"]["desiredNumberScheduled"];
    if workload["kind"] == "DaemonSet" { nodes.as_i64().unwrap_or(0) } else { replicas(workload) }
}

fn owner(context: &Context, object: &Value) -> Option<Arc<Value>> {
    let uid = object::text(object::controller_of(object)?, "/uid");
    context.view.get_key(context.view.by_uid(uid)?)
}

/// Pods whose eviction was granted and that have not begun to end, and when to stop waiting for the next one.
fn disrupted(
    context: &Context,
    budget: &Value,
    selected: &[Arc<Value>],
) -> (BTreeMap<String, Value>, Option<Timestamp>) {
    let mut left = BTreeMap::new();
    let mut next: Option<Timestamp> = None;
    for (name, since) in budget["status"]["disruptedPods"].as_object().into_iter().flatten() {
        let waits = selected.iter().any(|pod| object::name(pod) == name && !object::is_terminating(pod));
        let until = since.as_str().and_then(|since| since.parse().ok()).map(|since| after(since, CONFIRMATION));
        if let Some(until) = until.filter(|until| waits && *until > context.now) {
            left.insert(name.clone(), since.clone());
            next = Some(next.map_or(until, |known| known.min(until)));
        }
    }
    (left, next)
}

fn condition(context: &Context, budget: &Value, allowed: bool) -> Value {
    let (status, reason) = if allowed { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let known = object::items(budget, "/status/conditions").iter();
    let mut known = known.filter(|condition| condition["type"] == "DisruptionAllowed" && condition["status"] == status);
    let since = known.next().map(|known| known["lastTransitionTime"].clone());
    json!({
        "type": "DisruptionAllowed",
        "status": status,
        "observedGeneration": object::generation(budget),
        "lastTransitionTime": since.unwrap_or_else(|| context.api.clock().seconds().into()),
        "reason": reason,
        "message": "",
    })
}
