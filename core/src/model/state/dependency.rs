//! What dependencies did to the service, and what their outage left to do.

use jiff::Timestamp;

use super::past;
use crate::model::text::{MAX_UID, fits};

/// Pods remembered for a restart at most; what is beyond them is not restarted.
pub const MAX_RESTARTED: usize = 256;

/// What dependencies did to the service.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyRecord {
    /// A dependency held the service at the last decision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// When the dependencies got well: what went wrong before that was their fault and counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// What an outage of a dependency left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<PendingRestart>,
}

/// What an outage of a dependency left to do: pods that ran meanwhile are restarted after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingRestart {
    /// A dependency has had no ready pod since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// That was no blip, or a dependency is restarted for the same reason: what runs now is restarted once all are well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaited: bool,
    /// When the dependencies got well. What has started since has found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Timestamp>,
    /// UIDs of the pods still to be restarted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 128)), extend("x-kubernetes-list-type" = "atomic"))]
    pub pods: Vec<String>,
}

impl DependencyRecord {
    /// Whether pods are still to be restarted.
    pub fn restarts_go_on(&self) -> bool {
        self.restart.as_ref().is_some_and(|restart| !restart.pods.is_empty())
    }

    pub(super) fn load(&mut self, now: Timestamp) {
        past(&mut self.released_at, now);
        if let Some(restart) = &mut self.restart {
            past(&mut restart.down_since, now);
            past(&mut restart.recovered, now);
            restart.pods.retain(|uid| fits(uid, MAX_UID));
            restart.pods.truncate(MAX_RESTARTED);
        }
    }
}
