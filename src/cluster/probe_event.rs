//! Events that name the probe behind a restart.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubeheal_core::model::cause::Probe;
use serde::Deserialize;

use super::record::{RawMeta, moment, watched};

/// A `Killing` Event of a pod. It names a probe and proves nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawEvent")]
pub struct ProbeEvent {
    /// Name, namespace, UID and resourceVersion of the Event.
    pub meta: ObjectMeta,
    /// UID of the pod.
    pub pod_uid: String,
    /// Name of the container.
    pub container: String,
    /// The probe that it names, if it names one.
    pub probe: Option<Probe>,
    /// When it was last seen.
    pub seen: Option<Timestamp>,
}
watched!(ProbeEvent, "", "v1", "Event", "events");

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    metadata: RawMeta,
    #[serde(default)]
    involved_object: RawInvolved,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    last_timestamp: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawInvolved {
    kind: String,
    uid: String,
    field_path: String,
}

impl From<RawEvent> for ProbeEvent {
    fn from(raw: RawEvent) -> Self {
        let message = raw.message.unwrap_or_default();
        let about_killing = raw.involved_object.kind == "Pod" && raw.reason.as_deref() == Some("Killing");
        // "Container app failed liveness probe, will be restarted", as recorded in `liveness-fails`.
        let probe = [(Probe::Liveness, "failed liveness probe"), (Probe::Startup, "failed startup probe")]
            .into_iter()
            .find(|(_, words)| about_killing && message.contains(words))
            .map(|(probe, _)| probe);
        let path = &raw.involved_object.field_path;
        let container = path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}')).unwrap_or_default();
        Self {
            meta: raw.metadata.object_meta(),
            pod_uid: raw.involved_object.uid,
            container: container.to_owned(),
            probe,
            seen: raw.last_timestamp,
        }
    }
}
