//! How lists and maps merge: by the schema of a custom resource, or by the field names of built-in kinds.

use serde_json::{Map, Value};

use super::Step;
use crate::schema;

/// A kind whose data is not looked into: whatever is in it is written as one.
const REVISION: &str = "ControllerRevision";

/// What is known about a value when it is merged or compared.
#[derive(Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// A custom resource: the schema at this place.
    Schema(&'a Value),
    /// A built-in kind: the name of the field, and of the field around it.
    Builtin {
        /// Name of the field, empty at the root.
        field: &'a str,
        /// Name of the field around it.
        parent: &'a str,
    },
    /// Nothing is known: maps merge, lists do not.
    Free,
}

/// How a list merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// As a whole.
    Atomic,
    /// Value by value.
    Set,
    /// Item by item, told apart by these keys.
    Map(Vec<String>),
}

impl<'a> Shape<'a> {
    /// The shape of a whole object of a kind. Members of most kinds have the same shape wherever their name is the same.
    pub(crate) fn root(kind: &str, schema: Option<&'a Value>) -> Shape<'a> {
        let parent = if kind == REVISION { REVISION } else { "" };
        schema.map_or(Shape::Builtin { field: "", parent }, Shape::Schema)
    }

    /// The shape of a member of a map.
    pub(crate) fn member(self, name: &'a str) -> Shape<'a> {
        match self {
            Shape::Schema(schema) => match schema["properties"].get(name) {
                Some(known) => Shape::Schema(known),
                // Metadata has the shape it has in every kind.
                None if name == "metadata" => Shape::Builtin { field: "metadata", parent: "" },
                None if schema["additionalProperties"].is_object() => Shape::Schema(&schema["additionalProperties"]),
                None => Shape::Free,
            },
            Shape::Builtin { field: "", parent } => Shape::Builtin { field: name, parent },
            Shape::Builtin { field, .. } => Shape::Builtin { field: name, parent: field },
            Shape::Free => Shape::Free,
        }
    }

    /// The shape of the items of a list.
    pub(crate) fn item(self) -> Shape<'a> {
        match self {
            Shape::Schema(schema) => Shape::Schema(&schema["items"]),
            other => other,
        }
    }

    /// Whether a map merges as a whole.
    pub(crate) fn is_atomic_map(self) -> bool {
        match self {
            Shape::Schema(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Shape::Builtin { field, parent } => matches!(
                (field, parent),
                (
                    "selector"
                        | "labelSelector"
                        | "namespaceSelector"
                        | "objectSelector"
                        | "podSelector"
                        | "nodeSelector"
                        | "involvedObject"
                        | "regarding"
                        | "related"
                        | "fieldRef"
                        | "resourceFieldRef"
                        | "configMapKeyRef"
                        | "secretKeyRef"
                        | "roleRef",
                    _
                ) | ("data", REVISION)
            ),
            Shape::Free => false,
        }
    }

    /// Whether a map's keys are free, so that each key is a field of its own beside what is below it.
    pub(crate) fn has_free_keys(self) -> bool {
        match self {
            Shape::Schema(schema) => schema["properties"].is_null() && !schema::preserves_unknown(schema),
            Shape::Builtin { .. } => false,
            Shape::Free => true,
        }
    }

    /// How a list merges.
    pub(crate) fn list(self) -> ListKind {
        match self {
            Shape::Schema(schema) => match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => ListKind::Set,
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                    ListKind::Map(keys.filter_map(Value::as_str).map(str::to_owned).collect())
                }
                _ => ListKind::Atomic,
            },
            Shape::Builtin { field, parent } => builtin_list(field, parent),
            Shape::Free => ListKind::Atomic,
        }
    }
}

fn builtin_list(field: &str, parent: &str) -> ListKind {
    let keys = |keys: &[&str]| ListKind::Map(keys.iter().map(|key| (*key).to_owned()).collect());
    match (field, parent) {
        ("finalizers", _) => ListKind::Set,
        (
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "secrets"
            | "webhooks"
            | "matchConditions",
            _,
        ) => keys(&["name"]),
        ("ports", "") => ListKind::Atomic,
        ("ports", "spec") => keys(&["port", "protocol"]),
        ("ports", _) => keys(&["containerPort", "protocol"]),
        ("volumeMounts", _) => keys(&["mountPath"]),
        ("volumeDevices", _) => keys(&["devicePath"]),
        ("conditions" | "addresses", "status") => keys(&["type"]),
        ("ownerReferences", _) => keys(&["uid"]),
        ("hostAliases", _) | ("podIPs", "status") => keys(&["ip"]),
        ("topologySpreadConstraints", _) => keys(&["topologyKey", "whenUnsatisfiable"]),
        _ => ListKind::Atomic,
    }
}

/// The step to an item of a list-map: its keys, with the default of a protocol filled in.
pub(crate) fn key_step(keys: &[String], item: &Value) -> Step {
    let mut sorted = keys.to_vec();
    sorted.sort();
    let mut found = Map::new();
    for key in sorted {
        match item.get(&key) {
            Some(value) => found.insert(key, value.clone()),
            None if key == "protocol" => found.insert(key, "TCP".into()),
            None => None,
        };
    }
    Step::Key(Value::Object(found).to_string())
}
