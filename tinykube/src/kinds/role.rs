//! Roles and bindings: defaults, and roles that are made of others.

use serde_json::{Value, json};

use crate::api::Api;
use crate::api::selector::Selector;
use crate::managed;
use crate::object::{self, default, items};
use crate::resource::Resource;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Who says of itself that it puts roles together.
const AGGREGATOR: &str = "clusterrole-aggregation-controller";

/// Defaults of a role or a binding.
pub(super) fn defaults(kind: &str, object: &mut Value) {
    if !kind.ends_with("Binding") {
        object::map(object).entry("rules").or_insert(Value::Null);
        return;
    }
    if object["roleRef"].is_object() {
        default(object::entry(object, "roleRef"), "apiGroup", GROUP);
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if matches!(object::text(subject, "/kind"), "User" | "Group") {
            default(object::map(subject), "apiGroup", GROUP);
        }
    }
}

/// Writes the rules of every role that is made of others anew. A controller does that moments later; here it is done at
/// once. The caller holds the write lock.
pub(super) fn aggregate(api: &Api, resource: &Resource) {
    for stored in api.store().list(resource, "") {
        let role = stored.value();
        let selectors = items(&role, "/aggregationRule/clusterRoleSelectors");
        if selectors.is_empty() {
            continue;
        }
        let selectors: Vec<Selector> = selectors.iter().map(Selector::of_object).collect();
        let mut rules: Vec<Value> = Vec::new();
        for other in api.store().list(resource, "") {
            let other = other.value();
            let labels = &other["metadata"]["labels"];
            if object::uid(&other) == object::uid(&role)
                || !selectors.iter().any(|wanted| wanted.matches_labels(labels))
            {
                continue;
            }
            for rule in items(&other, "/rules") {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
        let rules = if rules.is_empty() { Value::Null } else { json!(rules) };
        if role["rules"] == rules {
            continue;
        }
        let mut new = Value::clone(&role);
        new["rules"] = rules;
        managed::applied(api, resource, AGGREGATOR, "rules", &mut new);
        // Writing it brings us here again, for the roles that are made of this one.
        api.put(resource, "", object::name(&role), new);
        return;
    }
}
