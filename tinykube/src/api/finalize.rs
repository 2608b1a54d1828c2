//! Finalizing a namespace: the namespace controller says that it is empty.

use std::sync::Arc;

use serde_json::Value;

use super::webhooks::{Asked, Operation};
use super::{Api, Options, Status};
use crate::{kinds, object};

impl Api {
    /// Replaces `spec.finalizers` of a namespace; a terminating one without any is gone.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn finalize_namespace(&self, name: &str, sent: &Value, _options: &Options) -> Result<Arc<Value>, Status> {
        let namespaces = self.resource("", "namespaces").ok_or_else(Status::no_such_path)?;
        let _writing = self.writing();
        let old = self.get(&namespaces, "", name)?;
        let mut new = Value::clone(&old);
        let spec = object::entry(&mut new, "spec");
        match sent["spec"]["finalizers"].as_array().filter(|finalizers| !finalizers.is_empty()) {
            Some(finalizers) => spec.insert("finalizers".into(), finalizers.clone().into()),
            None => spec.shift_remove("finalizers"),
        };
        kinds::validate_finalizers(&namespaces, &new)?;
        let (target, operation) = (namespaces.named("", name), Operation::Update);
        self.ask_all_webhooks(&Asked { target, subresource: "finalize", operation, objects: &[&new, &old] })?;
        let empty = object::items(&new, "/spec/finalizers").is_empty() && object::finalizers(&new).next().is_none();
        if empty && object::is_terminating(&new) {
            return Ok(self.take(&namespaces, "", name, new));
        }
        if *old == new {
            return Ok(old);
        }
        Ok(self.put(&namespaces, "", name, new))
    }
}
