//! Looking at the API server directly, where a cache is not enough to decide on.

use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, ResourceExt,
    core::{ApiResource, DynamicObject},
};
use serde_json::Value;

use crate::cluster::execute::{Executor, mitigation::diverted, namespace, selector::selector_of};
use crate::{
    api::{FIELD_MANAGER, HealedService},
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
            Ok(Some(Lenient(found))) => {
                let replicas = found.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
                Live::Replicas {
                    uid: found.uid().unwrap_or_default(),
                    replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
                    ours: sets_replicas(&found),
                }
            }
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

/// Whether the replicas are as we set them. The API server keeps that, and takes it from us when somebody else sets others.
fn sets_replicas(workload: &DynamicObject) -> bool {
    workload.managed_fields().iter().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
    })
}
