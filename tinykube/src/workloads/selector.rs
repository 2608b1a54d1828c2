//! Label selectors as objects carry them (`matchLabels`, `matchExpressions`).

use serde_json::Value;

use crate::object;

/// Whether a `LabelSelector` selects an object with these labels. One that is missing selects nothing, an empty one all.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else {
        return false;
    };
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let equal = equal.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value));
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    equal && expressions.is_none_or(|expressions| expressions.iter().all(|expression| holds(expression, labels)))
}

/// Whether a plain map of labels (a Service's selector) selects; an empty one selects nothing.
pub(crate) fn map_selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

fn holds(expression: &Value, labels: &Value) -> bool {
    let label = &labels[object::text(expression, "/key")];
    let listed = object::items(expression, "/values").contains(label);
    match object::text(expression, "/operator") {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => !label.is_null(),
        "DoesNotExist" => label.is_null(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_part_must_hold() {
        let labels = json!({"app": "web", "tier": "front"});
        let in_front = json!({"key": "tier", "operator": "In", "values": ["front", "back"]});
        let no_canary = json!({"key": "canary", "operator": "DoesNotExist"});
        assert!(selects(&json!({"matchLabels": {"app": "web"}, "matchExpressions": [in_front, no_canary]}), &labels));
        assert!(!selects(&json!({"matchLabels": {"app": "db"}}), &labels));
        assert!(selects(&json!({}), &labels));
        assert!(!selects(&Value::Null, &labels));
        assert!(!map_selects(&json!({}), &labels));
    }
}
