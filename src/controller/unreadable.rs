//! A service that is there and cannot be read: its own status says so, and nothing is done for it.
//!
//! What is written goes beside what stands there. Nothing is remembered or decided.

use jiff::Timestamp;
use kube::{
    Resource,
    api::{GetParams, Patch, PatchParams, Request},
};
use kubeheal_core::model::{reason::Reason, text::cut};
use serde_json::{Value, json};

use super::{context::Context, error::Error};
use crate::{
    api::{
        FIELD_MANAGER, HealedService,
        status::{HealthState, condition},
    },
    base::Key,
};

/// Longest sentence that is written.
const MAX_SENTENCE: usize = 1024;

impl Context {
    /// Says it in the status, once.
    pub(super) async fn say_unreadable(&self, (namespace, name): &Key, why: &str) -> Result<(), Error> {
        // As plain JSON: whatever is in it, this can be read.
        let requests = Request::new(HealedService::url_path(&(), Some(namespace)));
        let asked = requests.get(name, &GetParams::default()).map_err(kube::Error::BuildRequest);
        let found: Value = match self.reads.request(asked.map_err(Error::Status)?).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(Error::Status(error)),
        };
        let said = cut(&format!("nothing is done: {why}"), MAX_SENTENCE);
        let before = found.pointer("/status/conditions").cloned().unwrap_or_else(|| json!([]));
        let after = unknown(&before, &said, self.clock.now());
        if after == before {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]},
            "status": {"health": HealthState::Unknown, "conditions": after},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = requests.patch_subresource("status", name, &params, &Patch::Merge(patch));
        let written = written.map_err(kube::Error::BuildRequest).map_err(Error::Status)?;
        match self.reads.request::<Value>(written).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(Error::Conflict),
            Err(error) => Err(Error::Status(error)),
        }
    }
}

/// The conditions with what is true of such a service: nobody knows how it is, and a person is needed.
fn unknown(before: &Value, said: &str, now: Timestamp) -> Value {
    let mut conditions = before.as_array().cloned().unwrap_or_default();
    for (kind, status) in
        [(condition::READY, "Unknown"), (condition::AVAILABLE, "Unknown"), (condition::STALLED, "True")]
    {
        let known = conditions.iter().position(|one| one["type"] == kind);
        let since = known.map(|place| &conditions[place]).filter(|one| one["status"] == status);
        let since = since.map_or_else(|| json!(format!("{now:.0}")), |one| one["lastTransitionTime"].clone());
        let new = json!({
            "type": kind, "status": status, "reason": Reason::WorkloadUnknown.as_str(), "message": said,
            "lastTransitionTime": since,
        });
        match known {
            Some(place) => conditions[place] = new,
            None => conditions.push(new),
        }
    }
    Value::Array(conditions)
}
