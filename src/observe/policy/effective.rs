//! What is in force for one service, and where it comes from.

use serde_json::json;

use super::translate::{not_in_force, translate};
use crate::{
    api::{self, HealedService, status::EffectivePolicy},
    diagnosis::Rules,
    healing::policy::{ClusterPolicy, Policy},
    observe::definition::digest,
};

/// What is in force for one service.
#[derive(Debug, Clone)]
pub struct Effective {
    /// All settings, defaults filled in, for what is not decided but done: alerts, diagnosis, dependencies.
    pub settings: api::HealingSettings,
    /// The same for deciding.
    pub policy: Policy,
    /// The rules that name root causes, compiled.
    pub rules: Rules,
    /// What the status says of it.
    pub said: EffectivePolicy,
    /// What people should know of it, as sentences.
    pub warnings: Vec<String>,
}

impl Effective {
    /// What is in force when there are no policy objects.
    pub fn of(service: &HealedService, cluster: &ClusterPolicy) -> Self {
        let settings = service.spec.settings.settings().unwrap_or_default();
        let said = EffectivePolicy { digest: digest(&json!(settings)), overrides: Vec::new() };
        Self {
            policy: translate(&settings, cluster),
            rules: Rules::compile(&settings.diagnosis.rules),
            warnings: not_in_force(&service.spec, &settings),
            said,
            settings,
        }
    }
}
