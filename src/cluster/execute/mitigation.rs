//! Scaling a workload and pointing a Service, because a circuit opened or closed.
//!
//! Looks first: only what is still as it was judged is changed, and the resourceVersion that was read makes the write fail
//! if anybody else wrote meanwhile. What was done is marked on the object, and only what is marked is undone: a status, which more
//! people may write than the object, is no proof.

use k8s_openapi::api::autoscaling::v1::Scale;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Map, Value, json};

use crate::cluster::execute::{Executor, selector::selector_of};
use crate::{
    api::{FIELD_MANAGER, HealedService},
    base::{error_text::error_text, written_by_us},
    cluster::{decode::Lenient, definition::SCALED_DOWN},
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
        let Some(mut scale) = self.scale_of(service, uid, from).await? else { return Ok(Execution::Vanished) };
        let workloads = self.workloads(service);
        let name = &service.spec.workload_ref.name;
        if to == 0 {
            // First: what is at zero because of us must say so, whatever comes between the two.
            self.mark_scaled(service, uid, Some(from)).await?;
            let Some(again) = self.scale_of(service, uid, from).await? else { return Ok(Execution::Vanished) };
            scale = again;
        } else if scaled_from(&workloads.get(name).await?.0, service) != Some(to) {
            return Ok(Execution::Vanished);
        }
        scale.spec.get_or_insert_default().replicas = Some(i32::try_from(to).unwrap_or(i32::MAX));
        workloads.replace_scale(name, &written_by_us(), &scale).await?;
        if to > 0
            && let Err(error) = self.mark_scaled(service, uid, None).await
        {
            // It is up again, and a mark says nothing of what is not at zero.
            tracing::warn!(error = error_text(&error), "the mark of a workload that was scaled back stays");
        }
        Ok(Execution::Done)
    }

    /// Its scale, if it still is as it was judged.
    async fn scale_of(&self, service: &HealedService, uid: &str, from: u32) -> Result<Option<Scale>, kube::Error> {
        let scale = self.workloads(service).get_scale(&service.spec.workload_ref.name).await?;
        let replicas = scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        let is_as_judged = scale.uid().as_deref() == Some(uid) && u32::try_from(replicas).ok() == Some(from);
        Ok(Some(scale).filter(|_| is_as_judged))
    }

    /// The scale subresource has no annotations of its own, so this is another request.
    async fn mark_scaled(&self, service: &HealedService, uid: &str, from: Option<u32>) -> Result<(), kube::Error> {
        let mark = from.map(|from| scaled_mark(service, from));
        let patch = json!({"metadata": {"uid": uid, "annotations": {SCALED_DOWN: mark}}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let name = &service.spec.workload_ref.name;
        self.workloads(service).patch(name, &params, &Patch::Merge(patch)).await.map(drop)
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

/// Says on a workload how many replicas it had, and for whom it was scaled to zero.
fn scaled_mark(service: &HealedService, from: u32) -> String {
    json!({"by": service.uid(), "replicas": from}).to_string()
}

/// How many replicas a workload had before this service scaled it to zero. A mark may be an old one: it counts for nothing where
/// the API server says that somebody else has set the replicas since. Of zero through the scale subresource it says nobody has.
pub(super) fn scaled_from(found: &DynamicObject, service: &HealedService) -> Option<u32> {
    let is_set_by_another = found.managed_fields().iter().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.manager.as_deref() != Some(FIELD_MANAGER)
            && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
    });
    let mark = found.annotations().get(SCALED_DOWN).filter(|_| !is_set_by_another && replicas_of(found) == 0)?;
    let written: Value = serde_json::from_str(mark).ok()?;
    let from = u32::try_from(written["replicas"].as_u64()?).ok()?;
    (*mark == scaled_mark(service, from)).then_some(from)
}

/// How many replicas a workload asks for.
pub(super) fn replicas_of(found: &DynamicObject) -> u32 {
    let replicas = found.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    u32::try_from(replicas).unwrap_or(u32::MAX)
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
