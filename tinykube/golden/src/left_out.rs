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
