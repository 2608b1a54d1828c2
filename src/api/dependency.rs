//! What a service needs before it can be well, and who may need it.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema::{DNS_LABEL, DNS_SUBDOMAIN};

/// Another `HealedService` this one needs. While it is not Available, this service is held still and its circuit is not
/// charged.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Name of the `HealedService` that is needed.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,

    /// Its namespace, when it is another one. That `HealedService` must then grant ours with spec.grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: Option<String>,

    /// How long it must have been Available, in seconds, before it counts as there.
    #[serde(default = "default_stable_seconds")]
    #[schemars(range(min = 0, max = 86_400))]
    pub stable_seconds: i32,
}

fn default_stable_seconds() -> i32 {
    60
}

/// Lets the services of another namespace depend on this one.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The namespace whose `HealedServices` may name this one in dependsOn.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: String,
}
