//! `CustomResourceDefinition`s: their defaults, what may not change in them, and the API server's own controllers of them.
//!
//! Names are accepted and definitions established as soon as they are written; what ends is finalized by a task.

mod condition;
mod names;
mod serving;
pub(crate) mod termination;

use serde_json::{Value, json};

use self::condition::Condition;
use crate::api::{Api, Cause, Options, Part, Update};
use crate::object::{self, default};
use crate::resource::Resource;

/// Who the controllers of definitions are in `managedFields`: they are parts of the API server.
const CONTROLLER: &str = "kube-apiserver";

/// Defaults of a definition.
pub(super) fn defaults(definition: &mut Value) {
    let spec = object::entry(definition, "spec");
    default(spec, "conversion", json!({"strategy": "None"}));
    if let Some(service) =
        spec["conversion"].pointer_mut("/webhook/clientConfig/service").filter(|service| service.is_object())
    {
        default(object::map(service), "port", 443);
    }
    for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
            drop_empty(schema);
        }
    }
    let names = spec.entry("names".to_owned()).or_insert_with(|| json!({}));
    let names = object::map(names);
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !kind.is_empty() {
        default(names, "listKind", format!("{kind}List"));
        default(names, "singular", kind.to_lowercase());
    }
    // Objects are stored in some version, whoever forgets which.
    let storage = storage_version(definition);
    let status = definition.get_mut("status").filter(|status| status.is_object());
    if let (Some(storage), Some(status)) = (storage, status)
        && object::items(status, "/storedVersions").is_empty()
    {
        status["storedVersions"] = json!([storage]);
    }
}

fn storage_version(definition: &Value) -> Option<Value> {
    let mut versions = object::items(definition, "/spec/versions").iter();
    versions.find(|version| version["storage"] == true).map(|version| version["name"].clone())
}

/// Members of a schema that the real server's types do not write when they are empty.
fn drop_empty(schema: &mut Value) {
    const LISTS: [&str; 6] = ["allOf", "anyOf", "enum", "oneOf", "required", "x-kubernetes-list-map-keys"];
    match schema {
        Value::Object(members) => {
            members.retain(|key, member| match member {
                Value::Null => key != "default",
                Value::String(text) => !(text.is_empty() && key == "messageExpression"),
                Value::Array(items) => !(items.is_empty() && LISTS.contains(&key.as_str())),
                _ => true,
            });
            members.iter_mut().filter(|(key, _)| *key != "default").for_each(|(_, member)| drop_empty(member));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// A version that objects were stored in is remembered.
pub(super) fn remember_storage(definition: &mut Value) {
    let storage = storage_version(definition);
    let stored = definition.pointer_mut("/status/storedVersions").and_then(Value::as_array_mut);
    if let (Some(storage), Some(stored)) = (storage, stored)
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
}

/// What is said of formats that the server does not know, unless the definition had them before.
pub(super) fn warnings(old: &Value, new: &Value) -> Vec<String> {
    let before = crdcheck::unknown_formats(old);
    let formats = crdcheck::unknown_formats(new).into_iter().filter(|format| !before.contains(format));
    formats.map(|format| format!("unrecognized format {format:?}")).collect()
}

/// What may not be changed in a definition.
pub(super) fn update_causes(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let fields: &[&str] = if condition::holds(old, "Established") {
        &["/spec/scope", "/spec/names/kind", "/spec/group", "/spec/names/plural"]
    } else {
        &["/spec/group", "/spec/names/plural"]
    };
    for pointer in fields {
        let value = new.pointer(pointer).unwrap_or(&Value::Null);
        if old.pointer(pointer) != Some(value) {
            causes.push(Cause::invalid(pointer[1..].replace('/', "."), value, "field is immutable"));
        }
    }
    let is_declared =
        |name: &Value| object::items(new, "/spec/versions").iter().any(|version| version["name"] == *name);
    for (index, name) in object::items(new, "/status/storedVersions").iter().enumerate() {
        if !is_declared(name) {
            let version = name.as_str().unwrap_or_default();
            let why = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions \
                 until a storage migration ensures no data remains persisted in {version} and removes {version} from \
                 status.storedVersions"
            );
            causes.push(Cause::invalid(format!("status.storedVersions[{index}]"), name, &why));
        }
    }
    causes
}

/// The status of a definition nobody has looked at yet.
pub(super) fn new_status(definition: &Value) -> Value {
    json!({
        "conditions": null,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": storage_version(definition).into_iter().collect::<Vec<_>>(),
    })
}

/// What follows from a write: names are accepted, then the definition is established, each with a write of its own.
pub(super) fn written(api: &Api, resource: &Resource, definition: &Value) {
    serving::serve(api, definition);
    if names::reconcile(api, resource, definition) {
        return;
    }
    if condition::holds(definition, "NamesAccepted") && !condition::holds(definition, "Established") {
        let mut new = definition.clone();
        let accepted = "the initial names have been accepted";
        Condition::new("Established", true, "InitialNamesAccepted", accepted).set(api, &mut new);
        write_status(api, resource, definition, new);
    }
}

/// What follows from a deletion: nothing of it is served any more, and its names are free.
pub(super) fn removed(api: &Api, resource: &Resource, definition: &Value) {
    api.registry().remove_custom(object::name(definition));
    names::reconcile_others(api, resource, definition);
}

/// Writes the status as the API server itself; the caller holds the write lock.
fn write_status(api: &Api, resource: &Resource, old: &Value, mut new: Value) {
    let options = Options::by(CONTROLLER);
    let update = Update { resource, part: Part::Status, options: &options };
    crate::managed::updated(api, update, old, &mut new);
    api.put(resource, "", object::name(old), new);
}
