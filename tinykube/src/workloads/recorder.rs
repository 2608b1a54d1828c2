//! Events: counted rather than repeated, and held back when one object causes too many, as client-go does it.
//!
//! One source may write 25 Events about one object, then one every five minutes; those held back still count.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::{Api, Options, Part};
use crate::kubelet::Note;
use crate::object;
use crate::resource::Resource;

const BURST: i32 = 25;
const REFILL: SignedDuration = SignedDuration::from_mins(5);

/// Who writes an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) component: &'static str,
    pub(crate) host: Option<&'static str>,
}

impl Source {
    pub(crate) const fn controller(component: &'static str) -> Source {
        Source { component, host: None }
    }
}

type Subject = (Source, String);

#[derive(Debug, Default)]
struct Told {
    /// By type, reason, message and field path.
    events: BTreeMap<(bool, &'static str, String, Option<String>), Known>,
    /// The theoretical arrival time of a leaky bucket.
    full_until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Known {
    name: String,
    count: u64,
}

/// Writes Events, and remembers what it wrote about which object.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    told: BTreeMap<Subject, Told>,
}

impl Recorder {
    /// When a further Event of this source about the object would be written.
    pub(crate) fn heard_from(&self, source: Source, uid: &str, now: Timestamp) -> Timestamp {
        let told = self.told.get(&(source, uid.to_owned()));
        told.and_then(|told| told.full_until).map_or(now, |full| earlier(full, BURST - 1).max(now))
    }

    /// Tells something about an object of a kind.
    pub(crate) fn record(&mut self, api: &Api, source: Source, about: (&Resource, &Value), note: &Note) {
        let (resource, involved) = about;
        let now = api.clock().now();
        let heard_from = self.heard_from(source, object::uid(involved), now);
        let told = self.told.entry((source, object::uid(involved).to_owned())).or_default();
        let key = (note.warning, note.reason, note.message.clone(), note.field_path.clone());
        let fresh = || Known { name: format!("{}.{:x}", object::name(involved), now.as_nanosecond()), count: 0 };
        let known = told.events.entry(key).or_insert_with(fresh);
        known.count = known.count.saturating_add(note.times);
        if heard_from > now {
            return;
        }
        let full = told.full_until.unwrap_or(now).max(now);
        told.full_until = full.checked_add(REFILL).ok();
        let Some(events) = api.resource("", "events") else { return };
        let known = known.clone();
        write(api, &events, source, resource, involved, note, &known);
    }

    /// Tells that something was done to an object, in the newer form without a count that the scheduler uses.
    pub(crate) fn announce(api: &Api, about: (&Resource, &Value), note: &Note, action: &str) {
        let (resource, involved) = about;
        let Some(events) = api.resource("", "events") else { return };
        let event = json!({
            "metadata": {
                "name": format!("{}.{:x}", object::name(involved), api.clock().now().as_nanosecond()),
                "namespace": namespace(involved),
            },
            "involvedObject": reference(resource, involved, None),
            "reason": note.reason,
            "message": note.message,
            "source": {},
            "firstTimestamp": null,
            "lastTimestamp": null,
            "type": if note.warning { "Warning" } else { "Normal" },
            "eventTime": api.clock().micros(),
            "action": action,
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-tinykube",
        });
        create(api, &events, namespace(involved), event);
    }

    /// Forgets what was told about an object that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.told.retain(|(_, about), _| about != uid);
    }
}

fn write(
    api: &Api,
    events: &Resource,
    source: Source,
    resource: &Resource,
    involved: &Value,
    note: &Note,
    known: &Known,
) {
    let now = api.clock().seconds();
    let options = Options::default();
    if known.count > note.times {
        let count = known.count;
        let updated = api.modify(events, namespace(involved), &known.name, Part::Main, &options, |event| {
            event["count"] = count.into();
            event["lastTimestamp"] = now.clone().into();
        });
        if updated.is_ok() {
            return;
        }
    }
    let mut from = json!({"component": source.component});
    if let Some(host) = source.host {
        from["host"] = host.into();
    }
    let event = json!({
        "metadata": {"name": known.name, "namespace": namespace(involved)},
        "involvedObject": reference(resource, involved, note.field_path.as_deref()),
        "reason": note.reason,
        "message": note.message,
        "source": from,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": known.count,
        "type": if note.warning { "Warning" } else { "Normal" },
        "eventTime": null,
        "reportingComponent": source.component,
        "reportingInstance": source.host.unwrap_or_default(),
    });
    create(api, events, namespace(involved), event);
}

/// Events are best effort: one that cannot be written (its namespace is going away) is lost.
fn create(api: &Api, events: &Resource, namespace: &str, mut event: Value) {
    let name = object::name(&event).to_owned();
    for attempt in 0..8 {
        if attempt > 0 {
            // Two Events about one object at the same instant must not share a name.
            event["metadata"]["name"] = format!("{name}{attempt}").into();
        }
        match api.create(events, namespace, event.clone(), &Options::default()) {
            Err(status) if status.code == 409 => {}
            Err(status) => return tracing::debug!(event = name, problem = %status.message, "event not written"),
            Ok(_) => return,
        }
    }
}

fn reference(resource: &Resource, involved: &Value, field_path: Option<&str>) -> Value {
    let mut reference = json!({
        "kind": resource.kind,
        "namespace": object::namespace(involved),
        "name": object::name(involved),
        "uid": object::uid(involved),
        "apiVersion": resource.api_version(),
        "resourceVersion": object::resource_version(involved),
    });
    if object::namespace(involved).is_empty() {
        object::map(&mut reference).shift_remove("namespace");
    }
    if let Some(path) = field_path {
        reference["fieldPath"] = path.into();
    }
    reference
}

/// Events about cluster-scoped objects live in the default namespace.
fn namespace(involved: &Value) -> &str {
    match object::namespace(involved) {
        "" => "default",
        namespace => namespace,
    }
}

fn earlier(at: Timestamp, refills: i32) -> Timestamp {
    REFILL.checked_mul(refills).and_then(|length| at.checked_sub(length).ok()).unwrap_or(Timestamp::MIN)
}

/// How long Events are kept after they were last written.
pub(crate) const TIME_TO_LIVE: Duration = Duration::from_hours(1);
