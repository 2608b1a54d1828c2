//! Looking at the API server directly, where a cache is not enough to decide on.

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Api, ResourceExt};

use super::{Executor, namespace};
use crate::{
    api::HealedService,
    error::said,
    healing::{
        memory::{CircuitState, Memory},
        policy::{OnOpen, Policy},
        reaction::Change,
        snapshot::Live,
    },
    observe::{definition, snapshot::Presence},
};

impl Executor {
    /// Whether the workload exists.
    pub async fn presence(&self, service: &HealedService) -> Presence {
        match self.workloads(service).get_metadata_opt(&service.spec.workload_ref.name).await {
            Ok(None) => Presence::Missing,
            Ok(Some(_)) => Presence::NotYetCached,
            Err(error) => Presence::Unreadable(said(&error)),
        }
    }

    /// Whether the namespace is being deleted. What cannot be read counts as being deleted: fail closed.
    pub async fn is_namespace_deleting(&self, namespace: &str) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.get_metadata_opt(namespace).await {
            Ok(Some(found)) => found.metadata.deletion_timestamp.is_some(),
            Ok(None) | Err(_) => true,
        }
    }

    /// The field that an open circuit changed or is about to change, if it is one that must be looked at.
    pub async fn live(&self, service: &HealedService, policy: &Policy, memory: &Memory) -> Live {
        let reaction = memory.reaction.as_ref();
        match (reaction.map(|reaction| (&reaction.change, &reaction.target)), &policy.breaker.on_open) {
            (Some((Change::ToZero { .. }, _)), _) => self.replicas(service).await,
            (Some((Change::Diverted { .. }, target)), _) => self.selector(service, target).await,
            (None, OnOpen::Fallback { service: target, .. }) if memory.circuit.state != CircuitState::Closed => {
                self.selector(service, target).await
            }
            (None, OnOpen::Hold | OnOpen::ScaleToZero | OnOpen::Fallback { .. }) => Live::NotAsked,
        }
    }

    async fn replicas(&self, service: &HealedService) -> Live {
        match self.workloads(service).get_opt(&service.spec.workload_ref.name).await {
            Ok(None) => Live::Missing,
            Ok(Some(found)) => {
                let replicas = found.data.pointer("/spec/replicas").and_then(serde_json::Value::as_u64).unwrap_or(1);
                Live::Replicas {
                    uid: found.uid().unwrap_or_default(),
                    replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
                }
            }
            Err(error) => Live::Unreadable(said(&error)),
        }
    }

    async fn selector(&self, service: &HealedService, target: &str) -> Live {
        let services: Api<Service> = Api::namespaced(self.client.clone(), &namespace(service));
        match services.get_opt(target).await {
            Ok(None) => Live::Missing,
            Ok(Some(found)) => Live::Service {
                uid: found.uid().unwrap_or_default(),
                tool: definition::managed_by(found.labels(), found.annotations()),
                selector: found.spec.and_then(|spec| spec.selector).unwrap_or_default(),
            },
            Err(error) => Live::Unreadable(said(&error)),
        }
    }
}
