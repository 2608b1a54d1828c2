//! What every controller works with: the API, the view, Events, and the time of its turn.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::recorder::Recorder;
use super::view::{Key, View};
use crate::api::{Api, DeleteOptions, Options, Part, Status};
use crate::correlator::Source;
use crate::kubelet::Note;
use crate::object;
use crate::resource::{ObjectRef, Resource};

/// The name of the one node.
pub(crate) const NODE: &str = "n1";
/// Its address.
pub(crate) const NODE_IP: &str = "192.0.2.2";

/// The built-in resources the controllers know by name.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    pub(crate) pods: Resource,
    pub(crate) nodes: Resource,
    pub(crate) namespaces: Resource,
    pub(crate) deployments: Resource,
    pub(crate) replica_sets: Resource,
    pub(crate) stateful_sets: Resource,
    pub(crate) daemon_sets: Resource,
    pub(crate) revisions: Resource,
    pub(crate) jobs: Resource,
    pub(crate) services: Resource,
    pub(crate) endpoints: Resource,
    pub(crate) slices: Resource,
    pub(crate) claims: Resource,
    pub(crate) budgets: Resource,
    pub(crate) leases: Resource,
    pub(crate) quotas: Resource,
    pub(crate) accounts: Resource,
    pub(crate) secrets: Resource,
}

impl Kinds {
    pub(crate) fn find(api: &Api) -> Option<Kinds> {
        Some(Kinds {
            pods: api.resource("", "pods")?,
            nodes: api.resource("", "nodes")?,
            namespaces: api.resource("", "namespaces")?,
            deployments: api.resource("apps", "deployments")?,
            replica_sets: api.resource("apps", "replicasets")?,
            stateful_sets: api.resource("apps", "statefulsets")?,
            daemon_sets: api.resource("apps", "daemonsets")?,
            revisions: api.resource("apps", "controllerrevisions")?,
            jobs: api.resource("batch", "jobs")?,
            services: api.resource("", "services")?,
            endpoints: api.resource("", "endpoints")?,
            slices: api.resource("discovery.k8s.io", "endpointslices")?,
            claims: api.resource("", "persistentvolumeclaims")?,
            budgets: api.resource("policy", "poddisruptionbudgets")?,
            quotas: api.resource("", "resourcequotas")?,
            accounts: api.resource("", "serviceaccounts")?,
            secrets: api.resource("", "secrets")?,
            leases: api.resource("coordination.k8s.io", "leases")?,
        })
    }
}

/// What every controller works with.
pub(crate) struct Context {
    pub(crate) api: Api,
    pub(crate) kinds: Kinds,
    pub(crate) view: View,
    pub(crate) recorder: Recorder,
    /// The time of this turn.
    pub(crate) now: Timestamp,
}

impl Context {
    pub(crate) fn new(api: Api, kinds: Kinds) -> Context {
        let now = api.clock().now();
        Context { api, kinds, view: View::default(), recorder: Recorder::default(), now }
    }

    /// The key of the one node.
    pub(crate) fn node_key(&self) -> Key {
        Key::of(&self.kinds.nodes, "", NODE)
    }

    /// Tells something about an object.
    pub(crate) fn tell(&mut self, component: &'static str, resource: &Resource, about: &Value, note: &Note) {
        self.recorder.record(&self.api, &Source::controller(component), (resource, about), note);
    }

    /// Replaces the status of an object, if it is another one; the status becomes exactly `status`.
    ///
    /// # Errors
    /// Why the server refused.
    pub(crate) fn write_status(&self, resource: &Resource, stored: &Value, status: &Value) -> Result<(), Status> {
        if stored["status"] == *status {
            return Ok(());
        }
        let target = ObjectRef::of(resource, stored);
        let written = self.api.modify(target, Part::Status, &Options::default(), |object| {
            object["status"] = status.clone();
        });
        written.map(|_| ())
    }

    /// Changes everything but the status of an object that is still the one seen.
    ///
    /// # Errors
    /// Why the server refused; 409 if it is another object or was written meanwhile.
    pub(crate) fn change(
        &self,
        resource: &Resource,
        seen: &Value,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        let mut object = seen.clone();
        change(&mut object);
        self.api.update(ObjectRef::of(resource, seen), object, &Options::default())
    }

    /// Creates an object in a namespace.
    ///
    /// # Errors
    /// Why the server refused.
    pub(crate) fn create(&self, resource: &Resource, namespace: &str, object: Value) -> Result<Arc<Value>, Status> {
        self.api.create(resource, namespace, object, &Options::default())
    }

    /// Whether the object is gone from the store, whatever the view still says.
    pub(crate) fn store_lacks(&self, key: &Key) -> bool {
        let resource = self.view.resource(key);
        resource.is_none_or(|resource| self.api.store().get(resource, &key.namespace, &key.name).is_none())
    }

    /// Deletes the very object seen, in the background; that it is gone already is no error.
    ///
    /// # Errors
    /// Why the server refused.
    pub(crate) fn delete(&self, key: &Key, seen: &Value) -> Result<(), Status> {
        let Some(resource) = self.view.resource(key) else { return Ok(()) };
        let options = DeleteOptions::default().with_uid(object::uid(seen));
        match self.api.delete(resource, &key.namespace, &key.name, &options) {
            Err(status) if status.code == 404 => Ok(()),
            Err(status) => Err(status),
            Ok(_) => Ok(()),
        }
    }
}

/// The owner reference with which a controller marks what is its own.
pub(crate) fn owner_reference(resource: &Resource, owner: &Value) -> Value {
    serde_json::json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "name": object::name(owner),
        "uid": object::uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
