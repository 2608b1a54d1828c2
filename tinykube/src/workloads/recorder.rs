//! Events of the controllers and of the kubelet inside, written to the store.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{Api, Options, Part};
use crate::correlator::{Correlator, Source, Telling, namespace, reference};
use crate::kubelet::Note;
use crate::object;
use crate::resource::{ObjectRef, Resource};

/// How many names are tried for an Event.
const NAMES: u32 = 8;

/// Writes Events, and remembers what it wrote about which object.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    told: Correlator,
}

impl Recorder {
    /// When a further Event of this source about the object would be written.
    pub(crate) fn heard_from(&self, source: &Source, uid: &str, now: Timestamp) -> Timestamp {
        self.told.heard_from(source, uid, now)
    }

    /// Tells something about an object of a kind.
    pub(crate) fn record(&mut self, api: &Api, source: &Source, about: (&Resource, &Value), note: &Note) {
        let Some(telling) = self.told.tell(source, about, note, api.clock().now()) else { return };
        let Some(events) = api.resource("", "events") else { return };
        if !(telling.again && update(api, &events, &telling)) {
            create(api, &events, &telling);
        }
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
        create(api, &events, &Telling { again: false, event });
    }

    /// Forgets what was told about an object that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.told.forget(uid);
    }
}

/// Writes count and time of an Event that was told before; whether it was still there.
fn update(api: &Api, events: &Resource, telling: &Telling) -> bool {
    let target = ObjectRef::of(events, &telling.event);
    let written = api.modify(target, Part::Main, &Options::default(), |event| {
        for (field, value) in object::map(&mut telling.update()).clone() {
            event[field] = value;
        }
    });
    written.is_ok()
}

/// Events are best effort: one that cannot be written (its namespace is going away) is lost.
fn create(api: &Api, events: &Resource, telling: &Telling) {
    let (namespace, name) = (object::namespace(&telling.event), object::name(&telling.event));
    for attempt in 0..NAMES {
        match api.create(events, namespace, telling.renamed(attempt), &Options::default()) {
            Err(status) if status.code == 409 => {}
            Err(status) => return tracing::debug!(event = name, problem = %status.message, "event not written"),
            Ok(_) => return,
        }
    }
}

/// How long Events are kept after they were last written.
pub(crate) const TIME_TO_LIVE: Duration = Duration::from_hours(1);
