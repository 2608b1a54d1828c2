//! Scaling a workload and pointing a Service, because a circuit opened or closed.
//!
//! Looks first: only what is still as it was judged is changed, and the resourceVersion that was read makes the write fail
//! if anybody else wrote meanwhile. What was done to a Service is marked on it, and only what is marked is undone: a status, which
//! more people may write than the Service, is no proof.

use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Map, Value, json};

use crate::cluster::execute::{Executor, selector::selector_of};
use crate::{
    api::{FIELD_MANAGER, HealedService},
    base::written_by_us,
    cluster::decode::Lenient,
};
use kubeheal_core::model::{
    execution::Execution,
    plan::{Action, Selector, Step},
    snapshot::Diverted,
};

/// Annotation on a Service that shows a stand-in.
const DIVERTED: &str = "kubeheal.dev/diverted";

impl Executor {
    pub(super) async fn scale(
        &self,
        service: &HealedService,
        uid: &str,
        from: u32,
        to: u32,
    ) -> Result<Execution, kube::Error> {
        if let Some(autoscaler) = self.autoscaler(service).await?.filter(|_| to == 0) {
            return Ok(Execution::Failed(format!("HorizontalPodAutoscaler {autoscaler} sets its replicas")));
        }
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        let mut scale = workloads.get_scale(name).await?;
        let replicas = scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        if scale.uid().as_deref() != Some(uid) || u32::try_from(replicas).ok() != Some(from) {
            return Ok(Execution::Vanished);
        }
        scale.spec.get_or_insert_default().replicas = Some(i32::try_from(to).unwrap_or(i32::MAX));
        let params = written_by_us();
        workloads.replace_scale(name, &params, &scale).await?;
        Ok(Execution::Done)
    }

    pub(super) async fn select(
        &self,
        service: &HealedService,
        action: &Action,
        from: &Selector,
        to: &Selector,
    ) -> Result<Execution, kube::Error> {
        let (target, uid) = (action.target.as_str(), action.uid());
        let services = self.services(service);
        let Lenient(found) = services.get(target).await?;
        if found.uid().as_deref() != Some(uid) || selector_of(&found) != *from {
            return Ok(Execution::Vanished);
        }
        let mark = match action.step {
            Step::UseFallback => json!(mark(service, from, to)),
            Step::RestoreSelector if found.annotations().get(DIVERTED) == Some(&mark(service, to, from)) => Value::Null,
            Step::RestoreSelector
            | Step::RestartPod
            | Step::RecreateWorkload
            | Step::Rollback
            | Step::ScaleToZero
            | Step::RestoreReplicas => return Ok(Execution::Vanished),
        };
        let patch = json!({
            "metadata": {
                "uid": uid, "resourceVersion": found.resource_version(), "annotations": {DIVERTED: mark},
            },
            "spec": {"selector": instead_of(from, to)},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        services.patch(target, &params, &Patch::Merge(patch)).await?;
        Ok(Execution::Done)
    }
}

/// Says on a Service what was done to it, and for whom.
fn mark(service: &HealedService, selector: &Selector, stand_in: &Selector) -> String {
    json!({"by": service.uid(), "selector": selector, "standIn": stand_in}).to_string()
}

/// What this service did to a Service, as its mark says.
pub(super) fn diverted(found: &DynamicObject, service: &HealedService) -> Option<Diverted> {
    let written: Value = serde_json::from_str(found.annotations().get(DIVERTED)?).ok()?;
    let labels = |field: &str| serde_json::from_value::<Selector>(written[field].clone()).ok();
    let diverted = Diverted { selector: labels("selector")?, stand_in: labels("standIn")? };
    // In our own spelling, so that what is seen to be done is what is undone.
    let is_ours = found.annotations().get(DIVERTED) == Some(&mark(service, &diverted.selector, &diverted.stand_in));
    is_ours.then_some(diverted)
}

/// A merge patch from one selector to the other: null takes a label out.
fn instead_of(from: &Selector, to: &Selector) -> Map<String, Value> {
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    gone.chain(to.iter().map(|(key, value)| (key.clone(), json!(value)))).collect()
}
