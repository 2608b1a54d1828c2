//! Looking at the API server directly, where a cache is not enough to decide on.

use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, ResourceExt,
    core::{ApiResource, DynamicObject},
};

use crate::cluster::execute::{
    Executor,
    mitigation::{diverted, replicas_of, scaled_from},
    namespace,
    selector::selector_of,
};
use crate::{
    api::HealedService,
    base::{error_text::error_text, target_of},
    cluster::{decode::Lenient, definition, snapshot::Presence},
};
use kubeheal_core::model::{
    policy::{OnOpen, Policy},
    snapshot::Live,
    state::{Change, CircuitState, State},
};

impl Executor {
    /// Whether the workload exists.
    pub async fn presence(&self, service: &HealedService) -> Presence {
        match self.outlines(service, target_of(service).0).get_opt(&service.spec.workload_ref.name).await {
            Ok(None) => Presence::Missing,
            Ok(Some(_)) => Presence::NotYetCached,
            Err(error) => Presence::Unreadable(error_text(&error)),
        }
    }

    /// The field that an open circuit changed or is about to change, if it is one that must be looked at.
    pub async fn live(&self, service: &HealedService, policy: &Policy, state: &State) -> Live {
        let mitigation = state.mitigation.as_ref();
        match (mitigation.map(|mitigation| (&mitigation.change, &mitigation.target)), &policy.breaker.on_open) {
            (Some((Change::ToZero { .. }, _)), _) => self.replicas(service).await,
            (Some((Change::Diverted { .. }, target)), _) => self.selector(service, target).await,
            (None, OnOpen::Fallback { service: target, .. }) if state.circuit.state() != CircuitState::Closed => {
                self.selector(service, target).await
            }
            (None, OnOpen::Hold | OnOpen::ScaleToZero | OnOpen::Fallback { .. }) => Live::NotAsked,
        }
    }

    async fn replicas(&self, service: &HealedService) -> Live {
        match self.workloads(service).get_opt(&service.spec.workload_ref.name).await {
            Ok(None) => Live::Missing,
            Ok(Some(Lenient(found))) => Live::Replicas {
                uid: found.uid().unwrap_or_default(),
                replicas: replicas_of(&found),
                scaled_from: scaled_from(&found, service),
            },
            Err(error) => Live::Unreadable(error_text(&error)),
        }
    }

    pub(super) fn services(&self, service: &HealedService) -> Api<Lenient<DynamicObject>> {
        Api::namespaced_with(self.client.clone(), &namespace(service), &ApiResource::erase::<Service>(&()))
    }

    async fn selector(&self, service: &HealedService, target: &str) -> Live {
        match self.services(service).get_opt(target).await {
            Ok(None) => Live::Missing,
            Ok(Some(Lenient(found))) => Live::Service {
                uid: found.uid().unwrap_or_default(),
                tool: definition::managed_by(found.labels(), found.annotations()),
                selector: selector_of(&found),
                diverted: diverted(&found, service),
            },
            Err(error) => Live::Unreadable(error_text(&error)),
        }
    }
}
