//! The generated `CustomResourceDefinition`s, and the files that hold them.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;
use thiserror::Error;

use super::healed_service::HealedService;
use super::policy::{ClusterHealingPolicy, HealingPolicy};

const HEADER: &str = "\
# Generated from src/api by `cargo run --bin crdgen`. Do not edit: change the types there and generate again.
";

// Each is made from its type once: that is slow, and they never change.
pub(super) static HEALED_SERVICE: LazyLock<CustomResourceDefinition> = LazyLock::new(HealedService::crd);
pub(super) static HEALING_POLICY: LazyLock<CustomResourceDefinition> = LazyLock::new(HealingPolicy::crd);
pub(super) static CLUSTER_HEALING_POLICY: LazyLock<CustomResourceDefinition> = LazyLock::new(ClusterHealingPolicy::crd);

/// A generated file of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// File name, `<group>_<plural>.yaml`.
    pub file_name: String,
    /// Whole content, the same bytes for the same types.
    pub content: String,
}

/// A CRD could not be written as YAML.
#[derive(Debug, Error)]
#[error("writing the CRD {name} as YAML: {problem}")]
pub struct CrdError {
    name: String,
    problem: String,
}

/// Every `CustomResourceDefinition` of kubeheal.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [&HEALED_SERVICE, &HEALING_POLICY, &CLUSTER_HEALING_POLICY].map(|crd| CustomResourceDefinition::clone(crd)).to_vec()
}

/// Every CRD as the file it is published in.
///
/// # Errors
///
/// If a definition cannot be written as YAML.
pub fn manifests() -> Result<Vec<Manifest>, CrdError> {
    crds().iter().map(manifest).collect()
}

fn manifest(crd: &CustomResourceDefinition) -> Result<Manifest, CrdError> {
    let name = crd.metadata.name.clone().unwrap_or_default();
    let failed = |problem: String| CrdError { name: name.clone(), problem };
    let mut value = serde_json::to_value(crd).map_err(|error| failed(error.to_string()))?;
    write_whole_numbers(&mut value);
    let yaml = serde_saphyr::to_string(&value).map_err(|error| failed(error.to_string()))?;
    Ok(Manifest {
        file_name: format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural),
        content: format!("{HEADER}{yaml}"),
    })
}

/// Writes bounds such as `1.0` as `1`, the way an API server gives them back: `minimum` is a float in the Rust type.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64()) {
                // `{:.0}` is exact for the bounds in use, all far below 2^53.
                if float.fract() == 0.0
                    && let Ok(whole) = format!("{float:.0}").parse::<i64>()
                {
                    *number = whole.into();
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
