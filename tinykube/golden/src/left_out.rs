//! Parts of JSON that are not compared, because they are not the API server's.

use serde_json::Value;

/// What admission of service accounts adds to pods.
pub(crate) fn remove_accounts(value: &mut Value) {
    const VOLUME: &str = "kube-api-access-";
    match value {
        Value::Array(items) => items.iter_mut().for_each(remove_accounts),
        Value::Object(members) => {
            for key in ["serviceAccount", "serviceAccountName"] {
                if members.get(key).is_some_and(|account| account == "default") {
                    members.remove(key);
                }
            }
            for key in ["volumes", "volumeMounts"] {
                let Some(Value::Array(volumes)) = members.get_mut(key) else { continue };
                volumes.retain(|volume| !volume["name"].as_str().is_some_and(|name| name.starts_with(VOLUME)));
                if volumes.is_empty() {
                    members.remove(key);
                }
            }
            members.values_mut().for_each(remove_accounts);
        }
        _ => {}
    }
}

/// Controllers of a cluster, as they call themselves; the recorded kubelet is `kblt`.
const CONTROLLERS: [&str; 3] = ["kube-controller-manager", "kubelet", "kblt"];

/// Controllers inside the process do not record the fields they write; what clients wrote is compared.
pub(crate) fn without_controllers(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_controllers).collect(),
        Value::Object(members) => {
            let mut kept = serde_json::Map::new();
            for (key, member) in members {
                let mut member = without_controllers(member);
                if let (true, Some(entries)) = (key == "managedFields", member.as_array_mut()) {
                    entries.retain(|entry| !CONTROLLERS.iter().any(|name| entry["manager"] == *name));
                    if entries.is_empty() {
                        continue;
                    }
                }
                kept.insert(key.clone(), member);
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// An `OpenAPI` document without defaults that are empty, for which a reference stands within an `allOf`. The first set is of a
/// development build, which has none for members of lists and maps.
pub(crate) fn without_empty_defaults(document: &Value) -> Value {
    match document {
        Value::Array(items) => items.iter().map(without_empty_defaults).collect(),
        Value::Object(members) => {
            let mut kept = members.clone();
            if members.get("default").is_some_and(|default| *default == "" || *default == serde_json::json!({})) {
                kept.remove("default");
                if let Some([all]) = members.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
                    kept.remove("allOf");
                    kept.extend(all.as_object().cloned().unwrap_or_default());
                }
            }
            Value::Object(kept.iter().map(|(key, value)| (key.clone(), without_empty_defaults(value))).collect())
        }
        other => other.clone(),
    }
}

/// A list of discovery without these entries and what is below them, at whatever depth they stand. An entry is called by its
/// own name and the names of those that hold it: `pods/attach`, `batch/v1/cronjobs`; the last of them are enough.
pub(crate) fn without(list: &Value, apart: &[&str]) -> Value {
    without_in(list, apart, "")
}

fn without_in(value: &Value, apart: &[&str], holder: &str) -> Value {
    match value {
        Value::Array(items) => {
            let named = items.iter().map(|item| (format!("{holder}/{}", entry_name(item)), item));
            let kept = named.filter(|(place, _)| {
                // Parts of a resource may be entries beside it.
                !apart.iter().any(|name| format!("{place}/").contains(&format!("/{name}/")))
            });
            kept.map(|(place, item)| without_in(item, apart, &place)).collect()
        }
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), without_in(value, apart, holder))).collect())
        }
        other => other.clone(),
    }
}

/// What an entry of discovery is called.
fn entry_name(entry: &Value) -> &str {
    let names = ["name", "resource", "subresource", "groupVersion", "version"].map(|key| &entry[key]);
    let found = names.into_iter().chain([&entry["metadata"]["name"]]).find_map(Value::as_str);
    found.unwrap_or_default()
}

/// Whether this is an object as a table, and not a list.
pub(crate) fn is_table_of_one(value: &Value) -> bool {
    let (version, rows) = (&value["metadata"]["resourceVersion"], value["rows"].as_array());
    value["kind"] == "Table"
        && rows.is_some_and(|rows| {
            rows.iter().map(|row| &row["object"]["metadata"]["resourceVersion"]).eq([version]) && version.is_string()
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_of_a_release_are_like_those_of_a_development_build() {
        let release =
            json!({"items": {"allOf": [{"$ref": "#/a"}], "default": {}}, "b": {"default": "", "type": "string"}});
        let development = json!({"items": {"$ref": "#/a"}, "b": {"type": "string"}});
        assert_eq!(without_empty_defaults(&release), development);
        let others = json!({"b": {"default": "x"}, "c": {"allOf": [{"$ref": "#/a"}]}});
        assert_eq!(without_empty_defaults(&others), others);
    }

    #[test]
    fn entries_are_left_out_of_lists_of_every_form_and_all_others_stay() {
        const APART: [&str; 4] = ["bindings", "pods/attach", "autoscaling/v1", "storage.k8s.io"];
        for (list, kept) in [
            (
                json!({"resources": [{"name": "bindings"}, {"name": "bindings/status"}, {"name": "pods"},
                    {"name": "pods/attach"}, {"name": "pods/binding"}]}),
                json!({"resources": [{"name": "pods"}, {"name": "pods/binding"}]}),
            ),
            (
                json!({"groups": [
                    {"name": "storage.k8s.io", "versions": [{"groupVersion": "storage.k8s.io/v1", "version": "v1"}]},
                    {"name": "autoscaling", "versions": [
                        {"groupVersion": "autoscaling/v2", "version": "v2"}, {"groupVersion": "autoscaling/v1", "version": "v1"}]},
                ]}),
                json!({"groups": [{"name": "autoscaling", "versions": [{"groupVersion": "autoscaling/v2", "version": "v2"}]}]}),
            ),
            (
                json!({"items": [{"metadata": {}, "versions": [{"version": "v1", "resources": [
                    {"resource": "bindings"},
                    {"resource": "pods", "subresources": [{"subresource": "attach"}, {"subresource": "log"}]},
                    {"resource": "nodes", "subresources": [{"subresource": "attach"}]},
                ]}]}]}),
                json!({"items": [{"metadata": {}, "versions": [{"version": "v1", "resources": [
                    {"resource": "pods", "subresources": [{"subresource": "log"}]},
                    {"resource": "nodes", "subresources": [{"subresource": "attach"}]},
                ]}]}]}),
            ),
        ] {
            assert_eq!(without(&list, &APART), kept);
        }
    }

    #[test]
    fn an_object_as_a_table_has_the_version_of_the_object() {
        let table = |version: &str, rows: &[&str]| {
            let rows: Vec<_> =
                rows.iter().map(|version| json!({"object": {"metadata": {"resourceVersion": version}}})).collect();
            json!({"kind": "Table", "metadata": {"resourceVersion": version}, "rows": rows})
        };
        assert!(is_table_of_one(&table("7", &["7"])));
        assert!(!is_table_of_one(&table("8", &["7"])));
        assert!(!is_table_of_one(&table("7", &["7", "7"])));
        assert!(!is_table_of_one(&table("7", &[])));
    }
}
