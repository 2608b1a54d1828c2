//! Evicting a pod, so that its controller replaces it.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams, Preconditions},
};

use crate::api::HealedService;
use crate::cluster::execute::{Executor, namespace, translate};
use kubeheal_core::model::{execution::Execution, snapshot::WorkloadKind};

impl Executor {
    /// The real API server charges a disruption budget before it checks the UID, so the pod is looked at first.
    pub(super) async fn evict(
        &self,
        service: &HealedService,
        name: &str,
        uid: &str,
        delete_if_refused: bool,
    ) -> Result<Execution, kube::Error> {
        let pods = self.outlines(service, WorkloadKind::Pod);
        match pods.get_opt(name).await? {
            Some(pod) if pod.uid().as_deref() == Some(uid) && !pod.deleting => {}
            Some(_) | None => return Ok(Execution::Vanished),
        }
        let same = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let options = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
        let eviction = EvictParams { delete_options: Some(options.clone()), ..EvictParams::default() };
        let evictions: Api<Pod> = Api::namespaced(self.client.clone(), &namespace(service));
        match evictions.evict(name, &eviction).await.map_err(|error| (translate(&error), error)) {
            Ok(_) => Ok(Execution::Done),
            Err((Execution::Refused(_), kube::Error::Api(status))) if delete_if_refused && status.code == 429 => {
                pods.delete(name, &options).await?;
                Ok(Execution::Done)
            }
            Err((translated, _)) => Ok(translated),
        }
    }
}
