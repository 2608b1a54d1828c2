//! Naming another object of the cluster in a script: `Deployment/db`, or `Deployment/storage/db` in another namespace.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An object a container needs. Written `Kind/name` or `Kind/namespace/name`.
///
/// It is *up* when it exists and is ready: a Deployment with an available replica, a StatefulSet, DaemonSet or
/// ReplicaSet with a ready one, a Pod whose Ready condition is True, a Service that selects such a pod. Any other kind
/// is up as long as it exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dependency {
    /// Kind as objects carry it, for example `Deployment`.
    pub kind: String,
    /// Namespace; that of the pod if none is given.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

/// The text names no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no object: write it like Deployment/db or Deployment/namespace/db")]
pub struct DependencyError {
    text: String,
}

impl FromStr for Dependency {
    type Err = DependencyError;

    fn from_str(text: &str) -> Result<Dependency, DependencyError> {
        let parts: Vec<&str> = text.split('/').map(str::trim).collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, None, *name),
            [kind, namespace, name] if !namespace.is_empty() => (*kind, Some((*namespace).to_owned()), *name),
            _ => ("", None, ""),
        };
        if kind.is_empty() || name.is_empty() {
            return Err(DependencyError { text: text.to_owned() });
        }
        Ok(Dependency { kind: kind.to_owned(), namespace, name: name.to_owned() })
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{}/{}", self.kind, self.name),
        }
    }
}

impl TryFrom<String> for Dependency {
    type Error = DependencyError;

    fn try_from(text: String) -> Result<Dependency, DependencyError> {
        text.parse()
    }
}

impl From<Dependency> for String {
    fn from(dependency: Dependency) -> String {
        dependency.to_string()
    }
}
