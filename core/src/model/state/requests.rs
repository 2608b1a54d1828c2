//! Annotations that were answered, so that each is answered once.

use crate::model::text::{MAX_MESSAGE, cut};

/// The last values answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Of `kubeheal.dev/heal-now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub heal_now: Option<String>,
    /// Of `kubeheal.dev/reset-breaker`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reset_breaker: Option<String>,
}

impl Requests {
    pub(super) fn load(&mut self) {
        for value in [&mut self.heal_now, &mut self.reset_breaker] {
            *value = value.take().map(|value| cut(&value, MAX_MESSAGE));
        }
    }
}
