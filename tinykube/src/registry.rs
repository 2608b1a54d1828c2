//! Which resources are served: the built-in ones and those of `CustomResourceDefinition`s.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::resource::{Definition, Resource};
use crate::schema::Schema;

/// The table of served resources. Shared by reference.
#[derive(Debug, Default)]
pub struct Registry {
    served: RwLock<Served>,
}

#[derive(Debug, Default)]
struct Served {
    order: Vec<Resource>,
    custom: BTreeMap<(String, String), Arc<Custom>>,
}

/// What a `CustomResourceDefinition` says about one of its versions.
#[derive(Debug)]
pub struct Custom {
    /// The entry of `spec.versions`.
    pub version: Value,
    /// The structural schema with its compiled rules.
    pub schema: Arc<Schema>,
    /// The name of the definition.
    pub definition: String,
    /// `apiVersion` of every version that is declared, served or not.
    pub declared: Arc<[String]>,
    /// `apiVersion` of what is stored.
    pub stored_as: String,
    /// Whether the definition is being deleted, so that nothing new gets in.
    pub is_terminating: bool,
}

impl Registry {
    /// The built-in resources.
    pub fn builtin() -> Registry {
        let registry = Registry::default();
        for row in BUILTIN {
            registry.add(row.resource());
        }
        registry
    }

    /// Serves one more resource, or serves it anew.
    pub fn add(&self, resource: Resource) {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        match served.order.iter_mut().find(|known| **known == resource) {
            Some(known) => *known = resource,
            None => served.order.push(resource),
        }
    }

    /// Serves these versions of the definition with this name, and no others.
    pub fn replace_custom(&self, definition: &str, versions: Vec<(Resource, Custom)>) {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        served.custom.retain(|_, custom| custom.definition != definition);
        served.order.retain(|resource| !(resource.custom && resource.qualified() == definition));
        for (resource, custom) in versions {
            served.custom.insert((resource.qualified(), resource.version.clone()), Arc::new(custom));
            served.order.push(resource);
        }
    }

    /// Stops serving everything of the definition with this name.
    pub fn remove_custom(&self, definition: &str) {
        self.replace_custom(definition, Vec::new());
    }

    /// Whether a resource comes from a definition that is being deleted.
    pub(crate) fn is_terminating(&self, resource: &Resource) -> bool {
        self.custom(resource).is_some_and(|custom| custom.is_terminating)
    }

    /// The schema and columns of a custom resource.
    pub fn custom(&self, resource: &Resource) -> Option<Arc<Custom>> {
        if !resource.custom {
            return None;
        }
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        served.custom.get(&(resource.qualified(), resource.version.clone())).cloned()
    }

    /// What users of a version that will go are told.
    pub(crate) fn deprecation(&self, resource: &Resource) -> Option<String> {
        let custom = self.custom(resource)?;
        if custom.version["deprecated"] != true {
            return None;
        }
        if let Some(warning) = custom.version["deprecationWarning"].as_str() {
            return Some(warning.to_owned());
        }
        let (own, kind) = (resource.api_version(), &resource.kind);
        let others =
            self.all().into_iter().filter(|other| other.group == resource.group && other.plural == resource.plural);
        let stays = |other: &Resource| self.custom(other).is_some_and(|custom| custom.version["deprecated"] != true);
        let better = others.into_iter().find(stays);
        let advice = better.map(|other| format!("; use {} {kind}", other.api_version())).unwrap_or_default();
        Some(format!("{own} {kind} is deprecated{advice}"))
    }

    /// Every served resource, in the order of registration.
    pub fn all(&self) -> Vec<Resource> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).order.clone()
    }

    /// The resource at `group`/`version`/`plural`.
    pub fn at(&self, group: &str, version: &str, plural: &str) -> Option<Resource> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let mut matching = served.order.iter();
        matching.find(|resource| resource.is(group, plural) && resource.version == version).cloned()
    }

    /// The first served version of `plural` in `group`.
    pub fn find(&self, group: &str, plural: &str) -> Option<Resource> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        served.order.iter().find(|resource| resource.is(group, plural)).cloned()
    }

    /// The resource whose objects say `apiVersion` and `kind`.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<Resource> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let mut matching = served.order.iter();
        matching.find(|resource| resource.kind == kind && resource.api_version() == api_version).cloned()
    }
}

struct Row {
    api_version: &'static str,
    plural: &'static str,
    kind: &'static str,
    facts: &'static str,
    short: &'static str,
    storage: &'static str,
}

impl Row {
    fn resource(&self) -> Resource {
        let has = |fact: &str| self.facts.split(' ').any(|known| known == fact);
        let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", self.api_version));
        let storage =
            if self.storage.is_empty() { format!("{group}/{}", self.plural) } else { self.storage.to_owned() };
        let categories = [("all", "all"), ("extensions", "api-extensions")].into_iter();
        let categories = categories.filter(|(fact, _)| has(fact)).map(|(_, category)| category);
        Resource::new(Definition {
            group: group.into(),
            version: version.into(),
            plural: self.plural.into(),
            singular: self.kind.to_lowercase(),
            kind: self.kind.into(),
            list_kind: format!("{}List", self.kind),
            namespaced: has("namespaced"),
            short_names: words(self.short),
            categories: categories.map(str::to_owned).collect(),
            status: has("status"),
            scale: has("scale"),
            custom: false,
            virtual_only: has("virtual"),
            storage: storage.into(),
        })
    }
}

const fn row(
    api_version: &'static str,
    plural: &'static str,
    kind: &'static str,
    facts: &'static str,
    short: &'static str,
) -> Row {
    Row { api_version, plural, kind, facts, short, storage: "" }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// In the order in which the real server lists them.
const BUILTIN: &[Row] = &[
    row("v1", "configmaps", "ConfigMap", "namespaced", "cm"),
    row("v1", "endpoints", "Endpoints", "namespaced", "ep"),
    row("v1", "events", "Event", "namespaced", "ev"),
    row("v1", "namespaces", "Namespace", "status", "ns"),
    row("v1", "nodes", "Node", "status", "no"),
    row("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "namespaced status", "pvc"),
    row("v1", "pods", "Pod", "namespaced status all", "po"),
    row("v1", "resourcequotas", "ResourceQuota", "namespaced status", "quota"),
    row("v1", "secrets", "Secret", "namespaced", ""),
    row("v1", "serviceaccounts", "ServiceAccount", "namespaced", "sa"),
    row("v1", "services", "Service", "namespaced status all", "svc"),
    row("apps/v1", "controllerrevisions", "ControllerRevision", "namespaced", ""),
    row("apps/v1", "daemonsets", "DaemonSet", "namespaced status all", "ds"),
    row("apps/v1", "deployments", "Deployment", "namespaced status scale all", "deploy"),
    row("apps/v1", "replicasets", "ReplicaSet", "namespaced status scale all", "rs"),
    row("apps/v1", "statefulsets", "StatefulSet", "namespaced status scale all", "sts"),
    Row {
        api_version: "events.k8s.io/v1",
        plural: "events",
        kind: "Event",
        facts: "namespaced",
        short: "ev",
        storage: "/events",
    },
    row("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", "virtual", ""),
    row("authentication.k8s.io/v1", "tokenreviews", "TokenReview", "virtual", ""),
    row("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", "namespaced virtual", ""),
    row("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", "virtual", ""),
    row("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", "virtual", ""),
    row("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", "virtual", ""),
    row("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "namespaced status all", "hpa"),
    row("batch/v1", "jobs", "Job", "namespaced status all", ""),
    row("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", "namespaced", "netpol"),
    row("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", "namespaced status", "pdb"),
    row(RBAC, "clusterrolebindings", "ClusterRoleBinding", "", ""),
    row(RBAC, "clusterroles", "ClusterRole", "", ""),
    row(RBAC, "rolebindings", "RoleBinding", "namespaced", ""),
    row(RBAC, "roles", "Role", "namespaced", ""),
    row(
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        "extensions",
        "",
    ),
    row(
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "extensions",
        "",
    ),
    row(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "status extensions",
        "crd crds",
    ),
    row("coordination.k8s.io/v1", "leases", "Lease", "namespaced", ""),
    row("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "namespaced", ""),
];
