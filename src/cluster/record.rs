//! What the caches share: metadata as far as it is needed, and the glue that lets a small struct be watched.
//!
//! A watch of whole objects decodes and keeps managed fields, specs and annotations that nobody reads; each record here
//! decodes only what deciding needs, and the rest of the JSON is skipped.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;

use crate::api::FIELD_MANAGER;
use kubeheal_core::model::snapshot::{Deletion, Tool};

/// `metadata`, without what nobody reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawMeta {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) owner_references: Vec<RawOwner>,
    #[serde(deserialize_with = "moment")]
    pub(super) creation_timestamp: Option<Timestamp>,
    #[serde(rename = "deletionTimestamp", deserialize_with = "deletion")]
    pub(super) deletion: Option<Deletion>,
    pub(super) finalizers: Vec<String>,
    /// Whoever sets the replicas all the time.
    #[serde(rename = "managedFields", deserialize_with = "scaler")]
    pub(super) scaler: Option<String>,
}

/// An entry of `managedFields`, as far as it tells who set the replicas.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawManager {
    manager: String,
    subresource: String,
    #[serde(rename = "fieldsV1")]
    fields: RawFields,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawFields {
    #[serde(rename = "f:spec")]
    spec: RawSpecFields,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSpecFields {
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
}

/// A time; one that cannot be held is absent.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(|time| time.parse().ok()))
}

/// It is being deleted if there is anything, whatever it says.
fn deletion<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Deletion>, D::Error> {
    let due = Value::deserialize(deserializer)?;
    let parsed = due.as_str().and_then(|time| time.parse().ok());
    Ok((!due.is_null()).then(|| Deletion { due: parsed, finalizers: Vec::new() }))
}

fn scaler<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let managers = Option::<Vec<RawManager>>::deserialize(deserializer)?.unwrap_or_default();
    let mut of_replicas = managers.iter().filter(|one| one.fields.spec.replicas.is_some());
    Ok(of_replicas.find_map(|one| scaler_named(&one.manager, &one.subresource)))
}

/// A tool that writes the replicas it has on record, or an autoscaler, which writes through the scale subresource. People
/// do that too, with kubectl; who else does is taken for an autoscaler.
fn scaler_named(manager: &str, subresource: &str) -> Option<String> {
    match manager {
        FIELD_MANAGER => None,
        _ if manager.starts_with("kubectl") => None,
        _ if manager.starts_with("argocd") => Some(Tool::ArgoCd.as_str().to_owned()),
        "kustomize-controller" | "helm-controller" => Some(Tool::Flux.as_str().to_owned()),
        "kube-controller-manager" if subresource == "scale" => Some("a HorizontalPodAutoscaler".to_owned()),
        _ if subresource == "scale" => Some(manager.to_owned()),
        _ => None,
    }
}

/// A condition of any object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawCondition {
    pub(super) r#type: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

/// An owner reference.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawOwner {
    pub(super) uid: String,
    pub(super) controller: bool,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

impl RawMeta {
    /// What a watch needs to keep its place.
    pub(super) fn object_meta(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(self.uid.clone()),
            resource_version: Some(self.resource_version.clone()),
            ..ObjectMeta::default()
        }
    }

    /// Its deletion, with those whose word it waits for.
    pub(super) fn deletion(&self) -> Option<Deletion> {
        self.deletion.clone().map(|deletion| Deletion { finalizers: self.finalizers.clone(), ..deletion })
    }

    /// UID of the one owner that is the controller.
    pub(super) fn controller(&self) -> Option<String> {
        self.owner_references.iter().find(|owner| owner.controller).map(|owner| owner.uid.clone())
    }
}

/// Makes a record with a `meta: ObjectMeta` field a Kubernetes resource, of a namespace or of the cluster.
macro_rules! watched {
    ($record:ty, $group:literal, $version:literal, $kind:literal, $plural:literal) => {
        $crate::cluster::record::watched!(@ kube::core::NamespaceResourceScope, $record, $group, $version, $kind, $plural);
    };
    (cluster $record:ty, $group:literal, $version:literal, $kind:literal, $plural:literal) => {
        $crate::cluster::record::watched!(@ kube::core::ClusterResourceScope, $record, $group, $version, $kind, $plural);
    };
    (@ $scope:ty, $record:ty, $group:literal, $version:literal, $kind:literal, $plural:literal) => {
        impl $crate::cluster::decode::Decode for $record {}

        impl kube::Resource for $record {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                $kind.into()
            }
            fn group((): &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version((): &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.meta
            }
        }
    };
}
pub(super) use watched;
