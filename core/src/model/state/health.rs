//! How long the service has been healthy or not.

use jiff::Timestamp;

use super::past;
use crate::model::moment::clamp;

/// How long the service has been healthy or not.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthRecord {
    /// Healthy since then; absent while it is anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Timestamp>,
    /// Too few pods are ready, whichever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Shortage>,
    /// The current or last unhealthy time. A repair in flight prolongs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Episode>,
    /// Enough pods were ready again from then on, while the unhealthy time went on because a repair was still being proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves_again: Option<Timestamp>,
    /// It was healthy for the stabilization time once, as we saw it: from then on its trouble counts towards a storm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// It was said to be degraded, and has not been said to be well since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
}

/// A time in which too few pods are ready. A moment in which enough are does not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Its begin.
    pub since: Timestamp,
    /// Enough are ready since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough_since: Option<Timestamp>,
    /// It has gone on for longer than any start may take: until enough are ready, another start does not hide it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasted: bool,
}

/// A time in which the service is or was unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// Its begin.
    pub since: Timestamp,
    /// Its end; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Episode {
    /// It goes on.
    pub fn is_ongoing(&self) -> bool {
        self.until.is_none()
    }
}

impl HealthRecord {
    /// The unhealthy time that goes on, if one does.
    pub fn ongoing(&self) -> Option<Episode> {
        self.episode.filter(Episode::is_ongoing)
    }

    /// The unhealthy time as a storm counts it: none of a service that was never well, and over once enough pods are ready,
    /// proven or not.
    pub fn counted(&self) -> Option<Episode> {
        let episode = self.episode.filter(|_| self.proven)?;
        Some(Episode { until: episode.until.into_iter().chain(self.serves_again).min(), ..episode })
    }

    pub(super) fn load(&mut self, now: Timestamp) {
        past(&mut self.healthy_since, now);
        past(&mut self.serves_again, now);
        if let Some(short) = &mut self.short {
            short.since = clamp(short.since, now);
            past(&mut short.enough_since, now);
        }
        if let Some(episode) = &mut self.episode {
            episode.since = clamp(episode.since, now);
            past(&mut episode.until, now);
        }
    }
}
