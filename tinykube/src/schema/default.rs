//! Filling in defaults.

use serde_json::Value;

/// Fills in the defaults of every object that is there.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            let properties = schema["properties"].as_object();
            for (key, property) in properties.into_iter().flatten() {
                let missing = match members.get(key) {
                    None => true,
                    Some(Value::Null) => property["nullable"] != Value::Bool(true),
                    Some(_) => false,
                };
                if let (true, Some(default)) = (missing, property.get("default")) {
                    members.insert(key.clone(), default.clone());
                }
                if let Some(member) = members.get_mut(key) {
                    fill(property, member);
                }
            }
            let additional = &schema["additionalProperties"];
            if additional.is_object() {
                let known = |key: &str| properties.is_some_and(|properties| properties.contains_key(key));
                for (_, member) in members.iter_mut().filter(|(key, _)| !known(key)) {
                    fill(additional, member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}
