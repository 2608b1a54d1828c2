//! A recorded watch stream: lines of `{t, resource, type, object}`, one JSON object each.
//!
//! Decodes only what the controller would watch; anything else in the recording (leases, say) is passed over.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kubeheal::{
    base::Key,
    cluster::kind::{Kind, Object},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, Value, json};

use crate::failure::Failure;

/// Fields that hold the time at which something had happened when the object was written. `deletionTimestamp` is not among
/// them: it lies in the future by the grace period.
const PAST: [&str; 11] = [
    "creationTimestamp",
    "startTime",
    "startedAt",
    "finishedAt",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastHeartbeatTime",
    "lastProbeTime",
    "firstTimestamp",
    "lastTimestamp",
    "eventTime",
];

/// What had been watched for so long before it was unhealthy was well: the default stabilization time.
const WATCHED_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// A recording, in the order of time.
#[derive(Debug)]
pub(crate) struct Trace {
    /// Wall time of t = 0.
    pub(crate) base: Timestamp,
    /// What happened.
    pub(crate) events: Vec<Event>,
    /// Namespaces in which it happened.
    pub(crate) namespaces: BTreeSet<String>,
}

/// Something that a watch delivered.
#[derive(Debug)]
pub(crate) struct Event {
    /// Seconds since the recording began, as they stand in the file.
    pub(crate) t: Number,
    /// The same, to reckon with.
    pub(crate) offset: SignedDuration,
    /// What changed; `None` if it is nothing the controller watches.
    pub(crate) change: Option<Change>,
}

/// A change of a cache.
#[derive(Debug)]
pub(crate) enum Change {
    /// An object is new or another one now.
    Apply(Box<Object>),
    /// An object is gone.
    Remove(Kind, Key),
}

#[derive(Deserialize)]
struct Line {
    t: Number,
    resource: String,
    r#type: String,
    object: Value,
}

/// Reads a recording. A line that cannot be understood is named.
pub(crate) fn read(path: &Path) -> Result<Trace, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    let mut events = Vec::new();
    let mut namespaces = BTreeSet::new();
    let mut base: Option<Timestamp> = None;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| Failure::input(format!("{}:{}: {problem}", path.display(), number + 1));
        let line: Line = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string().replace(" at line 1 column", " at column");
            wrong(format!("is not a line of a recording ({{t, resource, type, object}}): {text}"))
        })?;
        let event = event(&line).map_err(wrong)?;
        // Nothing can have happened after it was recorded: the latest such bound is the true one, to a second.
        let bound = latest(&line.object).and_then(|time| time.checked_sub(event.offset).ok());
        base = base.max(bound);
        if event.change.is_some() && line.resource != Kind::Event.as_str() {
            namespaces.extend(line.object.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned));
        }
        events.push(event);
    }
    if events.is_empty() {
        return Err(Failure::input(format!("{}: holds no events: record a watch stream first", path.display())));
    }
    // Streams of several resources may be written a little out of order.
    events.sort_by_key(|event| event.offset);
    Ok(Trace { base: base.unwrap_or(Timestamp::UNIX_EPOCH), events, namespaces })
}

fn event(line: &Line) -> Result<Event, String> {
    let seconds = line.t.as_f64().filter(|seconds| *seconds >= 0.0);
    let offset = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    let offset = offset.filter(|offset| offset.as_hours() < 24 * 366);
    let offset = offset.ok_or_else(|| format!("t is {}: write seconds since the recording began", line.t))?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == line.resource);
    let change = match (kind, line.r#type.as_str()) {
        (_, "BOOKMARK") | (None, "ADDED" | "MODIFIED" | "DELETED") => None,
        (Some(kind), "ADDED" | "MODIFIED") => Some(Change::Apply(Box::new(decode(kind, &line.object)?))),
        (Some(kind), "DELETED") => Some(Change::Remove(kind, decode(kind, &line.object)?.key())),
        (_, other) => return Err(format!("type is \"{other}\": write ADDED, MODIFIED or DELETED")),
    };
    Ok(Event { t: line.t.clone(), offset, change })
}

fn decode(kind: Kind, object: &Value) -> Result<Object, String> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        return Err("object.metadata.name is missing".to_owned());
    }
    Ok(match kind {
        Kind::Service => Object::Service(Arc::new(record(kind, &with_memory(object))?)),
        Kind::Deployment => Object::Deployment(record(kind, object)?),
        Kind::StatefulSet => Object::StatefulSet(record(kind, object)?),
        Kind::DaemonSet => Object::DaemonSet(record(kind, object)?),
        Kind::ReplicaSet => Object::ReplicaSet(record(kind, object)?),
        Kind::Pod => Object::Pod(Box::new(record(kind, object)?)),
        Kind::Node => Object::Node(record(kind, object)?),
        Kind::Budget => Object::Budget(record(kind, object)?),
        Kind::Event => Object::Event(record(kind, object)?),
        Kind::Revision => Object::Revision(record(kind, object)?),
        Kind::HealingPolicy => Object::HealingPolicy(Arc::new(record(kind, object)?)),
        Kind::ClusterHealingPolicy => Object::ClusterHealingPolicy(Arc::new(record(kind, object)?)),
    })
}

/// A service as it would be recorded today. The first builds wrote since when it was unhealthy beside the rest: without that, a storm
/// that was recorded then would not be seen. One that had been watched for longer than any start takes was well before.
fn with_memory(service: &Value) -> Value {
    let mut service = service.clone();
    let instant = |field: &str| service.pointer(field)?.as_str()?.parse::<Timestamp>().ok();
    let (observed, since) = (instant("/status/observedSince"), instant("/status/unhealthySince"));
    if let (Some(since), Some(status)) = (since, service.get_mut("status"))
        && status.get("memory").is_none()
    {
        let was_well = observed.is_some_and(|observed| since.duration_since(observed) >= WATCHED_BEFORE);
        status["memory"] = json!({"health": {"episode": {"since": since}, "proven": was_well}});
    }
    service
}

fn record<T: DeserializeOwned>(kind: Kind, object: &Value) -> Result<T, String> {
    T::deserialize(object).map_err(|error| format!("object is not one of {}: {error}", kind.as_str()))
}

/// The latest time at which the object says that something had happened.
fn latest(object: &Value) -> Option<Timestamp> {
    match object {
        Value::Object(fields) => {
            let own = fields
                .iter()
                .filter(|(name, _)| PAST.contains(&name.as_str()))
                .filter_map(|(_, value)| value.as_str()?.parse().ok());
            let inner = fields.iter().filter(|(name, _)| *name != "managedFields");
            own.chain(inner.filter_map(|(_, value)| latest(value))).max()
        }
        Value::Array(items) => items.iter().filter_map(latest).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
