//! The order of an object's members, as the real server writes them.
//!
//! Built-in objects are structs there: their members stand as in the struct, and maps are sorted. That is done for the object
//! itself and its metadata; deeper, members stay as they were written. Custom resources are maps, sorted at every depth.

use serde_json::{Map, Value};

use crate::resource::Resource;

const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

const OWNER: [&str; 6] = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];

/// An entry of `managedFields`.
const WRITER: [&str; 7] = ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"];

/// Members of all built-in kinds.
const OUTERMOST: [&str; 22] = [
    "kind",
    "apiVersion",
    "metadata",
    "immutable",
    "data",
    "binaryData",
    "stringData",
    "type",
    "secrets",
    "imagePullSecrets",
    "automountServiceAccountToken",
    "addressType",
    "endpoints",
    "ports",
    "revision",
    "rules",
    "aggregationRule",
    "subjects",
    "roleRef",
    "webhooks",
    "spec",
    "status",
];

/// Members of an Event, as it is kept.
const EVENT: [&str; 17] = [
    "kind",
    "apiVersion",
    "metadata",
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "series",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];

/// Puts the members of an object in order.
pub(crate) fn arrange(resource: &Resource, object: &mut Value) {
    if resource.custom {
        object.sort_all_objects();
        return;
    }
    let Value::Object(members) = object else { return };
    arrange_members(members, if resource.kind == "Event" { &EVENT } else { &OUTERMOST });
    for map in ["data", "binaryData"] {
        if let Some(Value::Object(map)) = members.get_mut(map)
            && resource.kind != "ControllerRevision"
        {
            map.sort_keys();
        }
    }
    let Some(Value::Object(metadata)) = members.get_mut("metadata") else { return };
    arrange_members(metadata, &METADATA);
    for map in ["labels", "annotations"] {
        if let Some(Value::Object(map)) = metadata.get_mut(map) {
            map.sort_keys();
        }
    }
    for (list, order) in [("ownerReferences", &OWNER[..]), ("managedFields", &WRITER[..])] {
        for entry in metadata.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(entry) = entry {
                arrange_members(entry, order);
            }
        }
    }
}

/// Puts those that are known in this order, the others behind them.
fn arrange_members(members: &mut Map<String, Value>, order: &[&str]) {
    let mut before = std::mem::take(members);
    for key in order {
        if let Some((key, value)) = before.shift_remove_entry(*key) {
            members.insert(key, value);
        }
    }
    members.append(&mut before);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::Registry;
    use crate::resource::Definition;

    #[test]
    fn members_stand_as_in_the_types_of_the_real_server_and_maps_are_sorted() {
        let registry = Registry::builtin();
        for (group, plural, mixed, arranged) in [
            (
                "",
                "configmaps",
                json!({"data": {"b": "1", "a": "2"}, "metadata": {"labels": {"z": "", "y": ""}, "uid": "u", "name": "n"},
                       "immutable": true, "apiVersion": "v1", "kind": "ConfigMap"}),
                r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n","uid":"u","labels":{"y":"","z":""}},"immutable":true,"data":{"a":"2","b":"1"}}"#,
            ),
            (
                "apps",
                "deployments",
                json!({"status": {"b": 1, "a": 2}, "spec": {"b": 1, "a": 2}, "metadata": {
                    "managedFields": [{"time": "t", "apiVersion": "v1", "manager": "m"}],
                    "ownerReferences": [{"uid": "u", "name": "n", "kind": "K"}],
                }}),
                r#"{"metadata":{"ownerReferences":[{"kind":"K","name":"n","uid":"u"}],"managedFields":[{"manager":"m","apiVersion":"v1","time":"t"}]},"spec":{"b":1,"a":2},"status":{"b":1,"a":2}}"#,
            ),
            (
                "",
                "events",
                json!({"type": "Normal", "x": 1, "message": "m", "reason": "r", "metadata": {}}),
                r#"{"metadata":{},"reason":"r","message":"m","type":"Normal","x":1}"#,
            ),
        ] {
            let mut object = mixed;
            arrange(&registry.find(group, plural).unwrap(), &mut object);
            assert_eq!(object.to_string(), arranged);
        }
    }

    #[test]
    fn custom_resources_are_sorted_at_every_depth() {
        let things = Resource::new(Definition { custom: true, ..Definition::default() });
        let mut object = json!({"spec": {"b": [{"d": 1, "c": 2}], "a": 1}, "kind": "Thing", "apiVersion": "t/v1"});
        arrange(&things, &mut object);
        assert_eq!(object.to_string(), r#"{"apiVersion":"t/v1","kind":"Thing","spec":{"a":1,"b":[{"c":2,"d":1}]}}"#);
    }
}
