//! Who has to look at what after a change.

use std::sync::Arc;

use serde_json::Value;

use super::context::Context;
use super::queue::{Controller, Queue, Work};
use super::view::{Key, key_of};
use super::{endpoints, job, selector, token};
use crate::kinds::namespace::ROOT_CA;
use crate::kubelet::{Kubelet, SCRIPT_ANNOTATION, pods_below};
use crate::object;
use crate::resource::Resource;
use crate::storage::{self, ChangeKind};
use crate::stored::Stored;

/// A change with what was and what is, read.
struct Change<'a> {
    kind: ChangeKind,
    resource: &'a Resource,
    namespace: &'a Arc<str>,
    object: Arc<Value>,
    previous: Option<Arc<Value>>,
}

/// Queues everything a change concerns.
pub(crate) fn route(stored: &storage::Change, context: &mut Context, kubelet: &mut Kubelet, queue: &mut Queue) {
    let key = key_of(stored);
    let resource = &stored.resource;
    if resource.kind == "Event" {
        queue.add(Work::new(Controller::EventTtl, key));
        return;
    }
    let change = &Change {
        kind: stored.kind,
        resource,
        namespace: stored.object.namespace(),
        object: stored.object.value(),
        previous: stored.previous.as_ref().map(Stored::value),
    };
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => route_pod(change, &key, context, queue),
        ("", "configmaps") if object::name(&change.object) == ROOT_CA => {
            queue.add(Work::new(Controller::Namespace, Key::of(&context.kinds.namespaces, "", change.namespace)));
        }
        ("", "namespaces") => queue.add(Work::new(Controller::Namespace, key.clone())),
        ("", "nodes") => {
            queue.add(Work::new(Controller::Node, key.clone()));
            for pod in context.view.orphaned_from_nodes(&context.kinds.pods) {
                queue.add(Work::new(Controller::Scheduler, pod));
            }
            for set in context.view.all(&context.kinds.daemon_sets) {
                let key = Key::of(&context.kinds.daemon_sets, object::namespace(&set), object::name(&set));
                queue.add(Work::new(Controller::DaemonSet, key));
            }
        }
        ("", "services") => queue.add(Work::new(Controller::Endpoints, key.clone())),
        ("", "endpoints") | ("discovery.k8s.io", "endpointslices") => route_to_service(change, context, queue),
        ("", "secrets") if token::is_of_account(&change.object) => {
            queue.add(Work::new(Controller::Token, key.clone()));
        }
        ("", "serviceaccounts") => {
            queue.add(Work::new(Controller::Namespace, Key::of(&context.kinds.namespaces, "", change.namespace)));
            let secrets = &context.kinds.secrets;
            for secret in context.view.in_namespace(secrets, change.namespace) {
                if token::is_of(&secret, object::name(&change.object)) {
                    let key = Key::of(secrets, change.namespace, object::name(&secret));
                    queue.add(Work::new(Controller::Token, key));
                }
            }
        }
        ("policy", "poddisruptionbudgets") => queue.add(Work::new(Controller::Disruption, key.clone())),
        _ => {
            if let Some(controller) = controller_of_kind(&resource.kind) {
                queue.add(Work::new(controller, key.clone()));
                route_budgets_of_scale(change, context, queue);
            }
            route_to_owner(change, context, queue);
        }
    }
    for quota in context.view.in_namespace(&context.kinds.quotas, change.namespace) {
        let key = Key::of(&context.kinds.quotas, change.namespace, object::name(&quota));
        queue.add(Work::new(Controller::Quota, key));
    }
    route_script(change, context, queue);
    route_collection(change, key, context, queue);
    for pod in kubelet.dependents(stored, &context.view, context.now) {
        queue.add(Work::new(Controller::Pod, pod));
    }
}

fn route_pod(change: &Change<'_>, key: &Key, context: &mut Context, queue: &mut Queue) {
    if change.kind == ChangeKind::Deleted {
        context.recorder.forget(object::uid(&change.object));
    }
    queue.add(Work::new(Controller::Pod, key.clone()));
    if object::text(&change.object, "/spec/nodeName").is_empty() {
        queue.add(Work::new(Controller::Scheduler, key.clone()));
    }
    route_to_owner(change, context, queue);
    route_services(change, context, queue);
    route_claims(change, context, queue);
    let kinds = &context.kinds;
    for budget in context.view.in_namespace(&kinds.budgets, change.namespace) {
        let wanted = &budget["spec"]["selector"];
        let states = [Some(&change.object), change.previous.as_ref()];
        if states.into_iter().flatten().any(|pod| selector::selects(wanted, &pod["metadata"]["labels"])) {
            queue.add(Work::new(
                Controller::Disruption,
                Key::of(&kinds.budgets, change.namespace, object::name(&budget)),
            ));
        }
    }
}

/// Services that select the pod, or did before, when something changed that they show.
fn route_services(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    let previous = change.previous.as_deref();
    let gone = change.kind == ChangeKind::Deleted;
    if !gone && previous.is_some_and(|previous| endpoints::concern(previous) == endpoints::concern(&change.object)) {
        return;
    }
    let services = &context.kinds.services;
    for service in context.view.in_namespace(services, change.namespace) {
        let wanted = &service["spec"]["selector"];
        let states = [Some(&*change.object), previous];
        if states.into_iter().flatten().any(|pod| selector::map_selects(wanted, &pod["metadata"]["labels"])) {
            queue.add(Work::new(Controller::Endpoints, Key::of(services, change.namespace, object::name(&service))));
        }
    }
}

/// The service whose endpoints somebody has changed.
fn route_to_service(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    let service = object::label(&change.object, "kubernetes.io/service-name");
    let name = service.unwrap_or_else(|| object::name(&change.object));
    queue.add(Work::new(Controller::Endpoints, Key::of(&context.kinds.services, change.namespace, name)));
}

/// Claims that wait for the pod to let go of them.
fn route_claims(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    let claims = &context.kinds.claims;
    for volume in object::items(&change.object, "/spec/volumes") {
        let name = object::text(volume, "/persistentVolumeClaim/claimName");
        let claim = (!name.is_empty()).then(|| context.view.get(claims, change.namespace, name)).flatten();
        if claim.is_some_and(|claim| object::is_terminating(&claim)) {
            queue.add(Work::new(Controller::Gc, Key::of(claims, change.namespace, name)));
        }
    }
}

/// The controller that owns the object, and that did before; if none does, all that might adopt it.
fn route_to_owner(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    for state in [Some(&change.object), change.previous.as_ref()].into_iter().flatten() {
        if let Some(owner) = object::controller_of(state) {
            let kind = object::text(owner, "/kind");
            if let (Some(controller), Some(resource)) = (controller_of_kind(kind), context.view.resource_of_kind(kind))
            {
                let key = Key::of(resource, change.namespace, object::text(owner, "/name"));
                queue.add(Work::new(controller, key));
            }
        }
    }
    if object::controller_of(&change.object).is_none() && change.kind != ChangeKind::Deleted {
        for key in adopters(change, context) {
            if let Some(controller) = context.view.resource(&key).and_then(|r| controller_of_kind(&r.kind)) {
                queue.add(Work::new(controller, key));
            }
        }
    }
}

fn adopters(change: &Change<'_>, context: &Context) -> Vec<Key> {
    let kinds = &context.kinds;
    let owners: Vec<&Resource> = match change.resource.kind.as_str() {
        "Pod" => vec![&kinds.replica_sets, &kinds.stateful_sets, &kinds.daemon_sets],
        "ReplicaSet" => vec![&kinds.deployments],
        _ => Vec::new(),
    };
    let labels = &change.object["metadata"]["labels"];
    let mut keys = Vec::new();
    for resource in owners {
        let candidates = context.view.in_namespace(resource, change.namespace);
        let fitting = candidates.filter(|owner| selector::selects(&owner["spec"]["selector"], labels));
        keys.extend(fitting.map(|owner| Key::of(resource, change.namespace, object::name(&owner))));
    }
    keys
}

/// Budgets in percent are of the size of the workload.
fn route_budgets_of_scale(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    let before = change.previous.as_ref().map_or(&Value::Null, |previous| &previous["spec"]["replicas"]);
    if change.object["spec"]["replicas"] == *before && change.kind != ChangeKind::Deleted {
        return;
    }
    let budgets = &context.kinds.budgets;
    for budget in context.view.in_namespace(budgets, change.namespace) {
        queue.add(Work::new(Controller::Disruption, Key::of(budgets, change.namespace, object::name(&budget))));
    }
}

/// A script on a workload is in force at once for all its pods.
fn route_script(change: &Change<'_>, context: &Context, queue: &mut Queue) {
    if controller_of_kind(&change.resource.kind).is_none() {
        return;
    }
    let before = change.previous.as_ref().and_then(|previous| object::annotation(previous, SCRIPT_ANNOTATION));
    let gone = change.kind == ChangeKind::Deleted;
    let now = object::annotation(&change.object, SCRIPT_ANNOTATION).filter(|_| !gone);
    if before == now {
        return;
    }
    for pod in pods_below(&context.view, &change.object) {
        queue.add(Work::new(Controller::Pod, pod));
    }
}

/// Garbage: dependents of what is gone, owners whose dependents are gone, namespaces that get empty.
fn route_collection(change: &Change<'_>, key: Key, context: &Context, queue: &mut Queue) {
    let owners = object::items(&change.object, "/metadata/ownerReferences");
    if change.kind == ChangeKind::Deleted {
        for child in context.view.owned_by(object::uid(&change.object)) {
            queue.add(Work::new(Controller::Gc, child.clone()));
        }
        for owner in owners {
            if let Some(owner) = context.view.by_uid(object::text(owner, "/uid")) {
                queue.add(Work::new(Controller::Gc, owner.clone()));
            }
        }
        if !change.namespace.is_empty() {
            queue.add(Work::new(Controller::Namespace, Key::of(&context.kinds.namespaces, "", change.namespace)));
        }
        return;
    }
    let missing = |owner: &Value| context.view.by_uid(object::text(owner, "/uid")).is_none();
    let forsaken = || job::is_tracked(&change.object) && object::controller_of(&change.object).is_none();
    if object::is_terminating(&change.object) || owners.iter().any(missing) || forsaken() {
        queue.add(Work::new(Controller::Gc, key));
    }
}

fn controller_of_kind(kind: &str) -> Option<Controller> {
    match kind {
        "Deployment" => Some(Controller::Deployment),
        "ReplicaSet" => Some(Controller::ReplicaSet),
        "StatefulSet" => Some(Controller::StatefulSet),
        "DaemonSet" => Some(Controller::DaemonSet),
        "Job" => Some(Controller::Job),
        _ => None,
    }
}
