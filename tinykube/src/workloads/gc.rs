//! Garbage collection: objects whose owners are gone, and owners that wait for their dependents.

use std::sync::Arc;

use serde_json::Value;

use super::Turn;
use super::context::Context;
use super::view::Key;
use crate::api::{Options, Part, Status};
use crate::object;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Keeps a claim while a pod uses it.
const CLAIM_IN_USE: &str = "kubernetes.io/pvc-protection";

/// One turn for one object.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(found) = context.view.get_key(key) else { return Ok(None) };
    if super::job::is_tracked(&found) {
        super::job::release_orphan(context, &found)?;
    }
    if object::is_terminating(&found) {
        if object::finalizers(&found).any(|finalizer| finalizer == CLAIM_IN_USE) && !is_in_use(context, key) {
            remove_finalizer(context, key, CLAIM_IN_USE)?;
        }
        if object::finalizers(&found).any(|finalizer| finalizer == ORPHAN) {
            orphan_dependents(context, &found)?;
            remove_finalizer(context, key, ORPHAN)?;
        } else if object::finalizers(&found).any(|finalizer| finalizer == FOREGROUND) {
            delete_dependents(context, key, &found)?;
        }
        return Ok(None);
    }
    collect(context, key, &found)?;
    Ok(None)
}

/// Whether a pod that is not over holds the claim.
fn is_in_use(context: &Context, key: &Key) -> bool {
    let holds = |pod: &Value| {
        let mut volumes = object::items(pod, "/spec/volumes").iter();
        volumes.any(|volume| object::text(volume, "/persistentVolumeClaim/claimName") == &*key.name)
    };
    let mut pods = context.view.in_namespace(&context.kinds.pods, &key.namespace);
    pods.any(|pod| !super::pods::is_over(&pod) && holds(&pod))
}

/// Deletes an object none of whose owners is left; takes off the references to those that are gone otherwise.
fn collect(context: &Context, key: &Key, found: &Arc<Value>) -> Result<(), Status> {
    let owners = object::items(found, "/metadata/ownerReferences");
    let lives = |owner: &Value| {
        let uid = object::text(owner, "/uid");
        context.view.by_uid(uid).is_some_and(|owner| owner.namespace.is_empty() || owner.namespace == key.namespace)
    };
    if owners.is_empty() || owners.iter().all(lives) {
        return Ok(());
    }
    let left: Vec<Value> = owners.iter().filter(|owner| lives(owner)).cloned().collect();
    if left.is_empty() {
        return context.delete(key, found);
    }
    set_owners(context, key, found, left)
}

/// Dependents that block the owner go first; it goes when they are gone.
fn delete_dependents(context: &Context, key: &Key, owner: &Value) -> Result<(), Status> {
    let mut blocked = false;
    let dependents: Vec<Key> = context.view.owned_by(object::uid(owner)).cloned().collect();
    for dependent in dependents {
        let Some(found) = context.view.get_key(&dependent) else { continue };
        let reference = object::items(&found, "/metadata/ownerReferences").iter();
        blocked |= reference
            .filter(|owner_of| owner_of["uid"] == owner["metadata"]["uid"])
            .any(|r| r["blockOwnerDeletion"] == true);
        if !object::is_terminating(&found) {
            delete_in_foreground(context, &dependent, &found)?;
        }
    }
    if blocked { Ok(()) } else { remove_finalizer(context, key, FOREGROUND) }
}

/// A dependent with dependents of its own passes the foreground deletion on.
fn delete_in_foreground(context: &Context, key: &Key, found: &Value) -> Result<(), Status> {
    let has_dependents = context.view.owned_by(object::uid(found)).next().is_some();
    let Some(resource) = context.view.resource(key) else { return Ok(()) };
    let options = crate::api::DeleteOptions {
        propagation: has_dependents.then_some(crate::api::Propagation::Foreground),
        ..crate::api::DeleteOptions::default().with_uid(object::uid(found))
    };
    match context.api.delete(resource, &key.namespace, &key.name, &options) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

fn orphan_dependents(context: &Context, owner: &Value) -> Result<(), Status> {
    let dependents: Vec<Key> = context.view.owned_by(object::uid(owner)).cloned().collect();
    for dependent in dependents {
        let Some(found) = context.view.get_key(&dependent) else { continue };
        let owners = object::items(&found, "/metadata/ownerReferences").iter();
        let left = owners.filter(|other| other["uid"] != owner["metadata"]["uid"]).cloned().collect();
        set_owners(context, &dependent, &found, left)?;
    }
    Ok(())
}

fn set_owners(context: &Context, key: &Key, found: &Value, owners: Vec<Value>) -> Result<(), Status> {
    let Some(resource) = context.view.resource(key) else { return Ok(()) };
    let changed = context.change(resource, found, |object| {
        let metadata = object::entry(object, "metadata");
        if owners.is_empty() {
            metadata.shift_remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".into(), owners.into());
        }
    });
    changed.map(|_| ())
}

fn remove_finalizer(context: &Context, key: &Key, finalizer: &str) -> Result<(), Status> {
    let Some(resource) = context.view.resource(key) else { return Ok(()) };
    let target = resource.named(&key.namespace, &key.name);
    let changed = context.api.modify(target, Part::Main, &Options::default(), |object| {
        let left: Vec<Value> =
            object::finalizers(object).filter(|known| *known != finalizer).map(Value::from).collect();
        object["metadata"]["finalizers"] = left.into();
    });
    match changed {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
