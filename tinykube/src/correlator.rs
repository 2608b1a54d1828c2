//! Events before they are written: counted rather than repeated, and held back when one object causes too many, as
//! client-go does it. Pure; time is an argument.
//!
//! One source may write 25 Events about one object, then one every five minutes; those held back still count.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kubelet::{Note, seconds};
use crate::object;
use crate::resource::Resource;

const BURST: i32 = 25;
const REFILL: SignedDuration = SignedDuration::from_mins(5);

/// Who writes an Event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) component: &'static str,
    pub(crate) host: Option<Arc<str>>,
}

impl Source {
    pub(crate) const fn controller(component: &'static str) -> Source {
        Source { component, host: None }
    }

    /// The kubelet of a node.
    pub(crate) fn kubelet(node: &str) -> Source {
        Source { component: "kubelet", host: Some(node.into()) }
    }
}

/// An Event to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Telling {
    /// It was told before: its count and time are written anew. Otherwise, or if it is gone, it is created.
    pub(crate) again: bool,
    /// The whole Event.
    pub(crate) event: Value,
}

impl Telling {
    /// What changes when it was told before.
    pub(crate) fn update(&self) -> Value {
        json!({"count": self.event["count"], "lastTimestamp": self.event["lastTimestamp"]})
    }

    /// The Event with another name, for when the name is taken.
    pub(crate) fn renamed(&self, attempt: u32) -> Value {
        let mut event = self.event.clone();
        if attempt > 0 {
            event["metadata"]["name"] = format!("{}{attempt}", object::name(&self.event)).into();
        }
        event
    }
}

type Subject = (Source, String);

#[derive(Debug, Default)]
struct SubjectEvents {
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

/// Remembers what was told about which object.
#[derive(Debug, Default)]
pub(crate) struct Correlator {
    events: BTreeMap<Subject, SubjectEvents>,
    /// The last stamp used in a name: two Events about one object at the same instant must not share one.
    stamp: i128,
}

impl Correlator {
    /// When a further Event of this source about the object would be written.
    pub(crate) fn heard_from(&self, source: &Source, uid: &str, now: Timestamp) -> Timestamp {
        let subject = self.events.get(&(source.clone(), uid.to_owned()));
        subject.and_then(|known| known.full_until).map_or(now, |full| earlier(full, BURST - 1).max(now))
    }

    /// The Event to write about an object of a kind; nothing if it is held back.
    pub(crate) fn tell(
        &mut self,
        source: &Source,
        about: (&Resource, &Value),
        note: &Note,
        now: Timestamp,
    ) -> Option<Telling> {
        let (resource, involved) = about;
        let heard_from = self.heard_from(source, object::uid(involved), now);
        let subject = self.events.entry((source.clone(), object::uid(involved).to_owned())).or_default();
        let key = (note.warning, note.reason, note.message.clone(), note.field_path.clone());
        let stamp = &mut self.stamp;
        let fresh = || {
            *stamp = now.as_nanosecond().max(*stamp + 1);
            Known { name: format!("{}.{stamp:x}", object::name(involved)), count: 0 }
        };
        let known = subject.events.entry(key).or_insert_with(fresh);
        known.count = known.count.saturating_add(note.times);
        if heard_from > now {
            return None;
        }
        let full = subject.full_until.unwrap_or(now).max(now);
        subject.full_until = full.checked_add(REFILL).ok();
        let mut event = event(source, resource, involved, note, &seconds(now));
        event["metadata"]["name"] = known.name.clone().into();
        event["count"] = known.count.into();
        Some(Telling { again: known.count > note.times, event })
    }

    /// Forgets what was told about an object that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.events.retain(|(_, about), _| about != uid);
    }
}

fn event(source: &Source, resource: &Resource, involved: &Value, note: &Note, now: &str) -> Value {
    let mut from = json!({"component": source.component});
    if let Some(host) = &source.host {
        from["host"] = (**host).into();
    }
    json!({
        "metadata": {"name": "", "namespace": namespace(involved)},
        "involvedObject": reference(resource, involved, note.field_path.as_deref()),
        "reason": note.reason,
        "message": note.message,
        "source": from,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": if note.warning { "Warning" } else { "Normal" },
        "eventTime": null,
        "reportingComponent": source.component,
        "reportingInstance": source.host.as_deref().unwrap_or_default(),
    })
}

/// How an Event names the object it is about.
pub(crate) fn reference(resource: &Resource, involved: &Value, field_path: Option<&str>) -> Value {
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
pub(crate) fn namespace(involved: &Value) -> &str {
    match object::namespace(involved) {
        "" => "default",
        namespace => namespace,
    }
}

fn earlier(at: Timestamp, refills: i32) -> Timestamp {
    REFILL.checked_mul(refills).and_then(|length| at.checked_sub(length).ok()).unwrap_or(Timestamp::MIN)
}
