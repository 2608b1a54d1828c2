//! How far a Deployment's rollout is: what it may do without, what it has, what its status says.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Turn;
use super::context::Context;
use super::deployment_sets::Sets;
use super::replicaset::replicas;
use crate::api::Status;
use crate::kubelet::after;
use crate::object;

/// How many pods more, and how many fewer, than wanted there may be.
pub(crate) struct Budget {
    pub(crate) max_surge: i64,
    pub(crate) max_unavailable: i64,
}

impl Budget {
    /// The budget of a Deployment, in pods.
    pub(crate) fn of(deployment: &Value) -> Budget {
        let wanted = replicas(deployment);
        let strategy = &deployment["spec"]["strategy"];
        if strategy["type"] == "Recreate" {
            return Budget { max_surge: 0, max_unavailable: 0 };
        }
        let limits = &strategy["rollingUpdate"];
        let max_surge = share(&limits["maxSurge"], wanted, true);
        let max_unavailable = share(&limits["maxUnavailable"], wanted, false);
        Budget {
            max_surge,
            max_unavailable: if max_surge == 0 { max_unavailable.max(1) } else { max_unavailable }.min(wanted),
        }
    }

    /// How large a new set of `current` replicas may be, with `others` replicas elsewhere.
    pub(crate) fn new_replicas(&self, current: i64, wanted: i64, others: i64) -> i64 {
        let room = (wanted + self.max_surge - others - current).max(0);
        (current + room).min(wanted.max(current))
    }
}

/// How large the new set is to be, with `total` replicas in all sets.
pub(crate) fn new_replicas(new: &Value, wanted: i64, total: i64, budget: &Budget) -> i64 {
    let current = replicas(new);
    if current > wanted {
        return wanted;
    }
    budget.new_replicas(current, wanted, total - current).min(wanted)
}

/// A number, or a percentage of `whole`; a quarter if nothing is said.
pub(crate) fn share(value: &Value, whole: i64, round_up: bool) -> i64 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().unwrap_or(0).max(0),
        Value::String(text) => text.trim_end_matches('%').parse().unwrap_or(0),
        _ => 25,
    };
    let hundredths = whole.saturating_mul(percent);
    if round_up { (hundredths + 99) / 100 } else { hundredths / 100 }
}

/// Whether the new set has all its replicas and they are available.
pub(crate) fn is_saturated(deployment: &Value, set: &Value) -> bool {
    let wanted = replicas(deployment);
    let desired = object::annotation(set, "deployment.kubernetes.io/desired-replicas");
    replicas(set) == wanted
        && desired == Some(&wanted.to_string())
        && set["status"]["availableReplicas"].as_i64().unwrap_or(0) == wanted
}

/// Whether the status last written says that the rollout is done.
pub(crate) fn is_complete(deployment: &Value) -> bool {
    complete(&deployment["status"], deployment)
}

fn complete(status: &Value, deployment: &Value) -> bool {
    let wanted = replicas(deployment);
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    count("updatedReplicas") == wanted
        && count("replicas") == wanted
        && count("availableReplicas") == wanted
        && count("observedGeneration") >= object::generation(deployment)
}

/// Writes the status, and says when the progress deadline has to be looked at.
pub(crate) fn write_status(context: &mut Context, deployment: &Arc<Value>, sets: &Sets) -> Turn {
    let stored =
        context.api.get(&context.kinds.deployments, object::namespace(deployment), object::name(deployment))?;
    let counts = counts(deployment, sets);
    let mut status = counts.clone();
    let conditions = conditions(context, &stored, sets, &Value::Object(counts));
    let deadline = deadline(context, deployment, &conditions);
    status.insert("conditions".into(), conditions.into());
    if let Some(collisions) = stored["status"].get("collisionCount") {
        status.insert("collisionCount".into(), collisions.clone());
    }
    let resource = context.kinds.deployments.clone();
    context.write_status(&resource, &stored, &Value::Object(status))?;
    Ok(deadline)
}

/// Writes only that a rollout got on; the rest of the status follows with the next turn.
pub(crate) fn note_progress(context: &Context, deployment: &Value, reason: &str, set: &Value) -> Result<(), Status> {
    let stored =
        context.api.get(&context.kinds.deployments, object::namespace(deployment), object::name(deployment))?;
    let mut status = stored["status"].clone();
    let mut conditions = object::items(&stored, "/status/conditions").to_vec();
    let message = format!("Created new replica set \"{}\"", object::name(set));
    put(context, &mut conditions, &condition("Progressing", true, reason, &message));
    object::map(&mut status).insert("conditions".into(), conditions.into());
    context.write_status(&context.kinds.deployments, &stored, &status)
}

fn counts(deployment: &Value, sets: &Sets) -> Map<String, Value> {
    let sum = |field: &str| -> i64 { sets.all().map(|set| set["status"][field].as_i64().unwrap_or(0)).sum() };
    let updated = sets.new.as_ref().map_or(0, |new| new["status"]["replicas"].as_i64().unwrap_or(0));
    let available = sum("availableReplicas");
    let total: i64 = sets.all().map(|set| replicas(set)).sum();
    let mut status = Map::new();
    let fields = [
        ("observedGeneration", object::generation(deployment)),
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (total - available).max(0)),
    ];
    status.extend(
        fields.into_iter().filter(|(_, count)| *count > 0).map(|(field, count)| (field.to_owned(), count.into())),
    );
    status.insert("terminatingReplicas".into(), sum("terminatingReplicas").into());
    status
}

fn conditions(context: &Context, stored: &Value, sets: &Sets, counts: &Value) -> Vec<Value> {
    let mut conditions = object::items(stored, "/status/conditions").to_vec();
    put_available(context, &mut conditions, stored, counts);
    put_progressing(context, &mut conditions, stored, sets, counts);
    let failure = sets.all().flat_map(|set| object::items(set, "/status/conditions"));
    let failure = failure.into_iter().find(|condition| condition["type"] == "ReplicaFailure");
    match failure {
        Some(failure) => {
            let (reason, message) = (object::text(failure, "/reason"), object::text(failure, "/message"));
            put(context, &mut conditions, &condition("ReplicaFailure", true, reason, message));
        }
        None => conditions.retain(|condition| condition["type"] != "ReplicaFailure"),
    }
    conditions
}

fn put_available(context: &Context, conditions: &mut Vec<Value>, deployment: &Value, counts: &Value) {
    let least = replicas(deployment) - Budget::of(deployment).max_unavailable;
    let available = counts["availableReplicas"].as_i64().unwrap_or(0) >= least;
    let verdict = if available {
        condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", false, "MinimumReplicasUnavailable", message)
    };
    put(context, conditions, &verdict);
}

fn put_progressing(context: &Context, conditions: &mut Vec<Value>, deployment: &Value, sets: &Sets, counts: &Value) {
    if deployment["spec"]["progressDeadlineSeconds"].as_i64() == Some(i64::from(i32::MAX)) {
        conditions.retain(|condition| condition["type"] != "Progressing");
        return;
    }
    let current = conditions.iter().find(|condition| condition["type"] == "Progressing").cloned();
    let reason = current.as_ref().map_or("", |current| object::text(current, "/reason"));
    let done = counts["replicas"] == counts["updatedReplicas"] && reason == "NewReplicaSetAvailable";
    let about = sets.new.as_ref().map_or_else(
        || format!("Deployment \"{}\"", object::name(deployment)),
        |new| format!("ReplicaSet \"{}\"", object::name(new)),
    );
    if deployment["spec"]["paused"] == true {
        if reason != "DeploymentPaused" {
            put(context, conditions, &unknown("DeploymentPaused", "Deployment is paused"));
        }
    } else if reason == "DeploymentPaused" {
        put(context, conditions, &unknown("DeploymentResumed", "Deployment is resumed"));
    } else if done {
    } else if complete(counts, deployment) {
        let message = format!("{about} has successfully progressed.");
        put(context, conditions, &condition("Progressing", true, "NewReplicaSetAvailable", &message));
    } else if progressed(deployment, counts) {
        let message = format!("{about} is progressing.");
        let mut verdict = condition("Progressing", true, "ReplicaSetUpdated", &message);
        if let Some(current) = current.filter(|current| current["status"] == "True") {
            verdict["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
        conditions.retain(|condition| condition["type"] != "Progressing");
        put(context, conditions, &verdict);
    } else if current.as_ref().is_some_and(|current| timed_out(context, deployment, current)) {
        let message = format!("{about} has timed out progressing.");
        put(context, conditions, &condition("Progressing", false, "ProgressDeadlineExceeded", &message));
    }
}

fn progressed(deployment: &Value, counts: &Value) -> bool {
    let count = |status: &Value, field: &str| status[field].as_i64().unwrap_or(0);
    let old = &deployment["status"];
    let old_of = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    count(counts, "updatedReplicas") > count(old, "updatedReplicas")
        || old_of(counts) < old_of(old)
        || count(counts, "readyReplicas") > count(old, "readyReplicas")
        || count(counts, "availableReplicas") > count(old, "availableReplicas")
}

fn timed_out(context: &Context, deployment: &Value, current: &Value) -> bool {
    let reason = object::text(current, "/reason");
    reason == "ProgressDeadlineExceeded"
        || (reason != "NewReplicaSetAvailable" && expires(deployment, current) <= context.now)
}

fn expires(deployment: &Value, current: &Value) -> Timestamp {
    let seconds = deployment["spec"]["progressDeadlineSeconds"].as_u64().unwrap_or(600);
    updated(current).map_or(Timestamp::MAX, |updated| after(updated, Duration::from_secs(seconds)))
}

fn deadline(context: &Context, deployment: &Value, conditions: &[Value]) -> Option<Timestamp> {
    let current = conditions.iter().find(|condition| condition["type"] == "Progressing")?;
    let waits = matches!(
        object::text(current, "/reason"),
        "NewReplicaSetCreated" | "ReplicaSetUpdated" | "FoundNewReplicaSet" | "DeploymentResumed"
    );
    let expires = expires(deployment, current);
    (waits && expires > context.now).then_some(expires)
}

fn condition(kind: &str, status: bool, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": if status { "True" } else { "False" }, "reason": reason, "message": message})
}

fn unknown(reason: &str, message: &str) -> Value {
    json!({"type": "Progressing", "status": "Unknown", "reason": reason, "message": message})
}

/// Sets a condition unless it says so already; like the real controller a changed one moves to the end.
fn put(context: &Context, conditions: &mut Vec<Value>, verdict: &Value) {
    let kind = &verdict["type"];
    let known = conditions.iter().find(|condition| condition["type"] == *kind).cloned();
    let same = |known: &Value| known["status"] == verdict["status"] && known["reason"] == verdict["reason"];
    if known.as_ref().is_some_and(same) {
        return;
    }
    let now: Value = context.api.clock().seconds().into();
    let kept = known.filter(|known| known["status"] == verdict["status"]);
    let since = kept.map(|known| known["lastTransitionTime"].clone());
    let since = since.or_else(|| verdict.get("lastTransitionTime").cloned()).unwrap_or_else(|| now.clone());
    conditions.retain(|condition| condition["type"] != *kind);
    conditions.push(json!({
        "type": kind,
        "status": verdict["status"],
        "lastUpdateTime": now,
        "lastTransitionTime": since,
        "reason": verdict["reason"],
        "message": verdict["message"],
    }));
}

/// The moment a condition was last written, if there is such a condition.
fn updated(condition: &Value) -> Option<Timestamp> {
    object::text(condition, "/lastUpdateTime").parse().ok()
}
