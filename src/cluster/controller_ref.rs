//! The controller of an object as people know it: by its kind and its name.

use super::record::RawOwner;
use crate::diagnosis::line;
use kubeheal_core::model::text::MAX_NAME;

/// A controller by kind and name, plain and bounded. Its UID tells what belongs to it; this is for sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ControllerRef {
    kind: String,
    pub(super) name: String,
    group: String,
}

impl ControllerRef {
    /// The one owner that is the controller, if it says what it is.
    pub(super) fn of(owners: &[RawOwner]) -> Option<Self> {
        let owner = owners.iter().find(|owner| owner.controller)?;
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let [kind, name, group] = [&owner.kind, &owner.name, group].map(|text| line(text, MAX_NAME));
        (!kind.is_empty() && !name.is_empty()).then_some(Self { kind, name, group })
    }

    /// It may itself be only a link to the one that counts.
    pub(super) fn is_replica_set(&self) -> bool {
        self.group == "apps" && self.kind == "ReplicaSet"
    }

    /// A HealedService can name it.
    pub(super) fn is_healed(&self) -> bool {
        self.group == "apps" && matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
    }
}

impl std::fmt::Display for ControllerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
