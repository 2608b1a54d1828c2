//! `PartialObjectMetadata`: an object without anything but its metadata.

use serde_json::{Value, json};

/// The version of a `Table` or of `PartialObjectMetadata`; they differ in nothing but their name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one that clients ask for.
    V1,
    /// The one that old clients ask for.
    V1Beta1,
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Version> {
        match text {
            "v1" => Some(Version::V1),
            "v1beta1" => Some(Version::V1Beta1),
            _ => None,
        }
    }

    /// As `apiVersion` says it.
    pub fn api_version(self) -> &'static str {
        match self {
            Version::V1 => "meta.k8s.io/v1",
            Version::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// `PartialObjectMetadata` of an object.
pub(super) fn metadata_of(object: &Value, version: Version) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version.api_version(), "metadata": object["metadata"]})
}
