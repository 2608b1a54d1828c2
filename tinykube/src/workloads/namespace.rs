//! Namespaces: each gets the root certificate; one that is being deleted is emptied, then let go.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Turn;
use super::context::Context;
use super::view::Key;
use crate::api::{DeleteOptions, Options, Status};
use crate::kubelet::after;
use crate::{kinds, object};

/// From the request to the end; a real cluster takes some seconds as well, in which nothing new gets in.
const ENDING: Duration = Duration::from_secs(2);

/// One turn for one namespace.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(namespace) = context.view.get_key(key) else { return Ok(None) };
    if !object::is_terminating(&namespace) {
        kinds::namespace::publish(&context.api, &key.name);
        return Ok(None);
    }
    let mut contents = context.view.contents(&key.name);
    // What is left of a definition that was torn away is not seen.
    let registry = context.api.registry();
    contents.retain(|content| {
        let resource = context.view.resource(content);
        resource.is_none_or(|resource| registry.find(&resource.group, &resource.plural).is_some())
    });
    // Pods go first, and all else after the last of them, so that what they need is there as long as they are.
    let is_pod = |content: &&Key| context.view.resource(content).is_some_and(|resource| resource.is("", "pods"));
    let pods: Vec<&Key> = contents.iter().filter(is_pod).collect();
    let first = if pods.is_empty() { contents.iter().collect() } else { pods };
    for content in first {
        empty(context, content)?;
    }
    let asked = object::text(&namespace, "/metadata/deletionTimestamp").parse::<Timestamp>();
    let due = after(asked.unwrap_or(context.now), ENDING);
    if due > context.now {
        return Ok(Some(due));
    }
    if contents.iter().all(|content| context.store_lacks(content)) {
        let finalized = json!({"spec": {"finalizers": []}});
        context.api.finalize_namespace(&key.name, &finalized, &Options::default())?;
    }
    Ok(None)
}

fn empty(context: &Context, key: &Key) -> Result<(), Status> {
    let Some(found) = context.view.get_key(key).filter(|found| !object::is_terminating(found)) else {
        return Ok(());
    };
    let Some(resource) = context.view.resource(key) else { return Ok(()) };
    let options = DeleteOptions::default().with_uid(object::uid(&found));
    match context.api.delete(resource, &key.namespace, &key.name, &options) {
        Err(status) if status.code != 404 && status.code != 409 => Err(status),
        _ => Ok(()),
    }
}
