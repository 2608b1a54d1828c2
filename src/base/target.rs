//! The workload that a service names.

use kube::ResourceExt;
use kubeheal_core::model::snapshot::WorkloadKind;

use super::Key;
use crate::api::{self, HealedService};

/// The workload that a service names.
pub fn target_of(service: &HealedService) -> (WorkloadKind, Key) {
    let reference = &service.spec.workload_ref;
    let kind = match reference.kind {
        api::WorkloadKind::Deployment => WorkloadKind::Deployment,
        api::WorkloadKind::StatefulSet => WorkloadKind::StatefulSet,
        api::WorkloadKind::DaemonSet => WorkloadKind::DaemonSet,
        api::WorkloadKind::Pod => WorkloadKind::Pod,
    };
    (kind, (service.namespace().unwrap_or_default(), reference.name.clone()))
}
