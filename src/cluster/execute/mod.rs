//! Execute: a plan → API calls, each with preconditions.
//!
//! Every write names the UID that the decision was about, so a lost reply or a stale cache can never hit a successor. Must
//! not decide what is to be done: it reads once more, live, what the decision relied on, does nothing where that no longer
//! holds, and translates the answer of the API server.

mod evict;
mod keep;
mod lease;
mod live;
mod mitigation;
mod namespace;
mod selector;
mod signing_key;
mod workload;

use kube::{
    Api, Client, ResourceExt,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};

use self::signing_key::SigningKeys;
use crate::{
    api::HealedService,
    base::{
        error_text::{error_text, is_namespace_ending},
        target_of,
    },
    cluster::{
        decode::{Lenient, Outline},
        kept::Signing,
    },
};
use kubeheal_core::model::{
    execution::Execution,
    plan::{Effect, Plan},
    snapshot::WorkloadKind,
};

pub use keep::{KeepError, keep};
pub use namespace::{Namespaces, Stay};
pub use signing_key::{NoKey, SIGNING_KEY};

/// Carries out plans. Its client must not retry by itself: a refused eviction is an answer, not a hiccup.
#[derive(Clone)]
pub struct Executor {
    client: Client,
    namespaces: Namespaces,
    keys: SigningKeys,
}

impl Executor {
    /// An executor on a client that does not retry. What it signs, it signs with a key in the client's own namespace.
    pub fn new(client: Client) -> Self {
        Self { namespaces: Namespaces::new(client.clone()), keys: SigningKeys::new(client.clone()), client }
    }

    /// Carries out one plan.
    pub async fn run(&self, service: &HealedService, plan: &Plan) -> Execution {
        let done = match &plan.effect {
            Effect::EvictPod { delete_if_refused } => {
                self.evict(service, &plan.action.target, plan.action.uid(), *delete_if_refused).await
            }
            Effect::CreateWorkload { revision, replicas } => self.create(service, revision, *replicas).await,
            Effect::ReplaceWorkload { revision, replicas } => {
                self.replace(service, plan.action.uid(), revision, *replicas).await
            }
            Effect::Rollback { revision } => self.roll_back(service, plan.action.uid(), revision).await,
            Effect::Scale { from, to } => self.scale(service, plan.action.uid(), *from, *to).await,
            Effect::Select { from, to } => self.select(service, &plan.action, from, to).await,
        };
        done.unwrap_or_else(|error| translate(&error))
    }

    /// The key that kept definitions are signed with.
    pub async fn signing(&self) -> Signing {
        self.keys.key().await.into()
    }

    /// The same, where a signature was found to be wrong: read again, if that was not done lately.
    pub async fn signing_now(&self) -> Signing {
        self.keys.key_now().await.into()
    }

    /// What becomes of namespaces.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    fn workloads(&self, service: &HealedService) -> Api<Lenient<DynamicObject>> {
        Api::namespaced_with(self.client.clone(), &namespace(service), &resource(target_of(service).0))
    }

    /// The same, for who wants to know which object it is and nothing else.
    fn outlines(&self, service: &HealedService, kind: WorkloadKind) -> Api<Outline> {
        Api::namespaced_with(self.client.clone(), &namespace(service), &resource(kind))
    }
}

/// The API resource of a kind of workload.
fn resource(kind: WorkloadKind) -> ApiResource {
    let (group, plural) = match kind {
        WorkloadKind::Deployment => ("apps", "deployments"),
        WorkloadKind::StatefulSet => ("apps", "statefulsets"),
        WorkloadKind::DaemonSet => ("apps", "daemonsets"),
        WorkloadKind::Pod => ("", "pods"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind.as_str()), plural)
}

fn namespace(service: &HealedService) -> String {
    service.namespace().unwrap_or_default()
}

/// What an error means for the attempt. A reply that was lost is a refusal: the UID precondition makes trying again safe.
fn translate(error: &kube::Error) -> Execution {
    match error {
        kube::Error::Api(status) => match status.code {
            404 | 409 => Execution::Vanished,
            _ if is_namespace_ending(error) => Execution::Refused("the namespace is being deleted".to_owned()),
            429 | 500..=599 => Execution::Refused(error_text(error)),
            _ => Execution::Failed(error_text(error)),
        },
        _ => Execution::Refused(error_text(error)),
    }
}
