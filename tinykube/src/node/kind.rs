//! The kinds of objects a node looks at.

use kube::discovery::ApiResource;

use crate::resource::{Definition, Resource};

/// A kind, as the view and as the client name it.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) resource: Resource,
    pub(super) api: ApiResource,
}

impl Kind {
    pub(super) fn new(group: &str, version: &str, plural: &str, kind: &str) -> Kind {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Kind::of(ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        })
    }

    /// A kind found by discovery.
    pub(super) fn of(api: ApiResource) -> Kind {
        let resource = Resource::new(Definition {
            group: api.group.clone(),
            version: api.version.clone(),
            plural: api.plural.clone(),
            kind: api.kind.clone(),
            storage: format!("{}/{}", api.group, api.plural).into(),
            ..Definition::default()
        });
        Kind { resource, api }
    }

    pub(super) fn pods() -> Kind {
        Kind::new("", "v1", "pods", "Pod")
    }

    pub(super) fn nodes() -> Kind {
        Kind::new("", "v1", "nodes", "Node")
    }

    pub(super) fn leases() -> Kind {
        Kind::new("coordination.k8s.io", "v1", "leases", "Lease")
    }

    pub(super) fn events() -> Kind {
        Kind::new("", "v1", "events", "Event")
    }

    /// What pods are made by and configured with: looked at from the start.
    pub(super) fn around_pods() -> [Kind; 7] {
        [
            Kind::new("apps", "v1", "replicasets", "ReplicaSet"),
            Kind::new("apps", "v1", "deployments", "Deployment"),
            Kind::new("apps", "v1", "statefulsets", "StatefulSet"),
            Kind::new("apps", "v1", "daemonsets", "DaemonSet"),
            Kind::new("batch", "v1", "jobs", "Job"),
            Kind::new("", "v1", "configmaps", "ConfigMap"),
            Kind::new("", "v1", "secrets", "Secret"),
        ]
    }
}
