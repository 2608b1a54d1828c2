//! Binding: a pod gets its node, once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::status::details;
use super::webhooks::{Asked, Operation, WITHOUT_LABELS};
use super::{Api, Status};
use crate::object;

impl Api {
    /// Binds a pod to a node; `uid` may be empty.
    ///
    /// # Errors
    /// 404, or 409 when the pod is another one, has a node already or is being deleted.
    pub fn bind(&self, namespace: &str, name: &str, uid: &str, node: &str) -> Result<Arc<Value>, Status> {
        let pods = self.resource("", "pods").ok_or_else(Status::no_such_path)?;
        let _writing = self.writing();
        let (target, operation) = (pods.named(namespace, name), Operation::Create);
        self.ask_all_webhooks(&Asked { target, subresource: "binding", operation, objects: WITHOUT_LABELS })?;
        let old = self.get(&pods, namespace, name)?;
        let refuse = |why: String| {
            let message = format!("Operation cannot be fulfilled on pods/binding {name:?}: {why}");
            Err(Status::new(409, "Conflict", message).with_details(details(name, "", "pods/binding")))
        };
        if !uid.is_empty() && uid != object::uid(&old) {
            let known = object::uid(&old);
            return refuse(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {known}"));
        }
        if object::is_terminating(&old) {
            return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let bound = object::text(&old, "/spec/nodeName");
        if !bound.is_empty() {
            return refuse(format!("pod {name} is already assigned to node {bound:?}"));
        }
        if !object::items(&old, "/spec/schedulingGates").is_empty() {
            return refuse(format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        let mut new = Value::clone(&old);
        new["spec"]["nodeName"] = node.into();
        let mut conditions = object::items(&new, "/status/conditions").to_vec();
        conditions.retain(|known| known["type"] != "PodScheduled");
        conditions.push(json!({
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": self.clock().seconds(),
        }));
        new["status"]["conditions"] = conditions.into();
        Ok(self.put(&pods, namespace, name, new))
    }
}
