//! ControllerRevisions: the history of pod templates of StatefulSets and DaemonSets.

use std::sync::Arc;

use serde_json::{Value, json};

use super::context::{Context, owner_reference};
use super::template;
use super::view::Key;
use crate::api::Status;
use crate::object;
use crate::resource::Resource;

/// The label with which a pod says of which revision it is.
pub(crate) const LABEL: &str = "controller-revision-hash";

/// The revision a pod is of.
pub(crate) fn of(pod: &Value) -> Option<&str> {
    object::label(pod, LABEL)
}

/// Revisions of a workload, oldest first.
pub(crate) fn history(context: &Context, owner: &Value) -> Vec<Arc<Value>> {
    let mut revisions = context.view.controlled_by(object::uid(owner), &context.kinds.revisions);
    revisions.sort_by_key(|revision| revision["revision"].as_i64());
    revisions
}

/// The label value of the revision of the template as it is now; the revision is made, or moved to the end.
pub(crate) fn current(context: &Context, resource: &Resource, owner: &Value) -> Result<String, Status> {
    let revision = ensure(context, resource, owner)?;
    Ok(object::label(&revision, LABEL).unwrap_or_default().to_owned())
}

/// The revision of the template as it is now.
pub(crate) fn ensure(context: &Context, resource: &Resource, owner: &Value) -> Result<Arc<Value>, Status> {
    let data = json!({"spec": {"template": owner["spec"]["template"]}});
    let history = history(context, owner);
    let last = history.last().and_then(|last| last["revision"].as_i64()).unwrap_or(0);
    let revisions = &context.kinds.revisions;
    if let Some(known) = history.iter().find(|known| known["data"] == data) {
        if known["revision"].as_i64() == Some(last) {
            return Ok(known.clone());
        }
        return context.change(revisions, known, |known| known["revision"] = (last + 1).into());
    }
    let hash = template::hash(&owner["spec"]["template"], 0);
    let name = format!("{}-{hash}", object::name(owner));
    let label = if resource.kind == "StatefulSet" { name.clone() } else { hash };
    let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
    labels[LABEL] = label.into();
    let revision = json!({
        "metadata": {
            "name": name,
            "namespace": object::namespace(owner),
            "labels": labels,
            "ownerReferences": [owner_reference(resource, owner)],
        },
        "data": data,
        "revision": last + 1,
    });
    match context.create(revisions, object::namespace(owner), revision) {
        Err(status) if status.code == 409 => context.api.get(revisions, object::namespace(owner), &name),
        other => other,
    }
}

/// Deletes revisions beyond the limit that no pod is of.
pub(crate) fn clean_up(context: &Context, owner: &Value, in_use: &[&str]) -> Result<(), Status> {
    let limit = usize::try_from(owner["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10)).unwrap_or(usize::MAX);
    let unused = |revision: &Arc<Value>| !in_use.contains(&object::name(revision));
    let unused: Vec<Arc<Value>> = history(context, owner).into_iter().filter(unused).collect();
    for revision in unused.iter().take(unused.len().saturating_sub(limit)) {
        let key = Key::of(&context.kinds.revisions, object::namespace(revision), object::name(revision));
        context.delete(&key, revision)?;
    }
    Ok(())
}
