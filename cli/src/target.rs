//! Naming an object: `Kind/name` or `Kind/namespace/name`, with the short kinds of kubectl.

use std::{fmt, str::FromStr};

use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde::{Deserialize, Deserializer};

/// Kind, group, version, plural, other names, whether it lives in a namespace.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], bool);

const KINDS: [Row; 18] = [
    ("Deployment", "apps", "v1", "deployments", &["deploy", "deployment", "deployments"], true),
    ("StatefulSet", "apps", "v1", "statefulsets", &["sts", "statefulset", "statefulsets"], true),
    ("DaemonSet", "apps", "v1", "daemonsets", &["ds", "daemonset", "daemonsets"], true),
    ("ReplicaSet", "apps", "v1", "replicasets", &["rs", "replicaset", "replicasets"], true),
    ("Pod", "", "v1", "pods", &["po", "pod", "pods"], true),
    ("Service", "", "v1", "services", &["svc", "service", "services"], true),
    ("ConfigMap", "", "v1", "configmaps", &["cm", "configmap", "configmaps"], true),
    ("Secret", "", "v1", "secrets", &["secret", "secrets"], true),
    ("Namespace", "", "v1", "namespaces", &["ns", "namespace", "namespaces"], false),
    ("Node", "", "v1", "nodes", &["no", "node", "nodes"], false),
    ("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets", &["pdb", "poddisruptionbudgets"], true),
    ("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", &["pvc", "persistentvolumeclaims"], true),
    ("ResourceQuota", "", "v1", "resourcequotas", &["quota", "resourcequotas"], true),
    (
        "MutatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        &["mutatingwebhookconfigurations"],
        false,
    ),
    (
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        &["validatingwebhookconfigurations"],
        false,
    ),
    ("HealedService", "kubeheal.dev", "v1alpha1", "healedservices", &["hsvc", "healedservice"], true),
    ("HealingPolicy", "kubeheal.dev", "v1alpha1", "healingpolicies", &["hpol", "healingpolicy"], true),
    (
        "ClusterHealingPolicy",
        "kubeheal.dev",
        "v1alpha1",
        "clusterhealingpolicies",
        &["chpol", "clusterhealingpolicy"],
        false,
    ),
];

/// The kinds that run pods.
pub(crate) const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Pod"];

/// An object by kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// Its kind, as objects carry it.
    pub(crate) kind: &'static str,
    /// Its namespace, if one was written.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl Target {
    /// An object whose kind is known by its full name.
    pub(crate) fn of(kind: &str, namespace: Option<String>, name: String) -> Option<Self> {
        KINDS.iter().find(|row| row.0 == kind).map(|row| Self { kind: row.0, namespace, name })
    }

    /// The same object; in that namespace if none was written.
    pub(crate) fn within(mut self, namespace: &str) -> Self {
        self.namespace.get_or_insert_with(|| namespace.to_owned());
        self
    }

    /// Whether the object runs pods.
    pub(crate) fn is_workload(&self) -> bool {
        WORKLOADS.contains(&self.kind)
    }

    /// Access to objects of this kind, in this object's namespace.
    pub(crate) fn api(&self, client: &Client) -> Api<DynamicObject> {
        api(client, self.kind, self.namespace.as_deref().unwrap_or("default"))
    }
}

/// Access to objects of a kind in one namespace. A kind that is not known is asked for as it stands.
pub(crate) fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let row = KINDS.iter().find(|row| row.0 == kind);
    let (group, version, plural, namespaced) = row.map_or(("", "v1", kind, true), |row| (row.1, row.2, row.3, row.5));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    if namespaced {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

/// Whether objects of this `apiVersion` and kind are known here.
pub(crate) fn is_known(api_version: &str, kind: &str) -> bool {
    KINDS.iter().any(|row| {
        let own = if row.1.is_empty() { row.2.to_owned() } else { format!("{}/{}", row.1, row.2) };
        row.0 == kind && own == api_version
    })
}

/// The known kinds, for a message.
pub(crate) fn known() -> String {
    KINDS.map(|row| row.0).join(", ")
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').map(str::trim).collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, None, *name),
            [kind, namespace, name] if !namespace.is_empty() => (*kind, Some((*namespace).to_owned()), *name),
            _ => return Err(format!("\"{text}\" names no object: write Kind/name or Kind/namespace/name")),
        };
        let row = KINDS.iter().find(|row| row.0 == kind || row.4.contains(&kind.to_lowercase().as_str()));
        let Some(row) = row else {
            return Err(format!("\"{kind}\" in \"{text}\" is no kind known here: write one of {}", known()));
        };
        if name.is_empty() {
            return Err(format!("\"{text}\" names no object: the name is missing"));
        }
        Ok(Self { kind: row.0, namespace, name: name.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{}/{}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_short_names() {
        for text in ["deploy/api", "Deployment/api", "deployments/api"] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()).as_deref(), Ok("Deployment/api"));
        }
        assert_eq!("sts/data/db".parse::<Target>().unwrap().namespace.as_deref(), Some("data"));
        for text in ["api", "deploy/", "widget/api", "a/b/c/d"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
