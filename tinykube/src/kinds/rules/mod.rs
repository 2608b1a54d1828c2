//! Tables of rules: what the fields of a kind must be, and what is said of one that is not.
//!
//! A table follows the order in which the real server looks. What a rule cannot say stands in a function beside its table.

mod configuration;
mod form;
mod internal;
mod place;
mod pod;
mod rights;
mod scaling;
mod service;
mod structs;
pub(super) mod update;
mod webhook;
mod workload;

use serde_json::Value;

pub(super) use self::form::{
    is_in_service_network, label, label_value, prefixed, qualified_name, subdomain, unqualified_finalizer,
};
pub(super) use self::place::Place;
use crate::api::Cause;
use crate::api::selector::Selector;
use crate::resource::Resource;

/// Rules by field; an empty name is the object itself.
pub(super) type Rules = &'static [(&'static str, Check)];

/// What a field must be. Fields that are missing are fine unless they are required.
pub(super) enum Check {
    /// There and not empty, or why it has to be.
    Required(&'static str),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A number of which this holds, or what it has to be.
    Number(fn(i64) -> bool, &'static str),
    /// A text in which nothing is wrong.
    Text(fn(&str) -> Vec<String>),
    /// A label selector.
    Selector,
    /// An object.
    Inside(Rules),
    /// A list of objects.
    Each(Rules),
    /// Whatever cannot be said in a row.
    Also(fn(&Value, &Place<'_>, &mut Vec<Cause>)),
}

/// Not negative.
const COUNT: Check = Check::Number(|number| number >= 0, "must be greater than or equal to 0");
/// More than nothing.
const POSITIVE: Check = Check::Number(|number| number > 0, "must be greater than 0");
/// A port.
const PORT: Check = Check::Number(is_port, NO_PORT);
const NO_PORT: &str = "must be between 1 and 65535, inclusive";

fn is_port(number: i64) -> bool {
    (1..=65_535).contains(&number)
}

/// The rules of a kind.
pub(super) fn of(resource: &Resource) -> Rules {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod::POD,
        ("", "Service") => service::SERVICE,
        ("", "ConfigMap") => configuration::CONFIG_MAP,
        ("", "Secret") => configuration::SECRET,
        ("", "PersistentVolumeClaim") => configuration::CLAIM,
        ("", "ResourceQuota") => configuration::QUOTA,
        ("apps", "Deployment") => workload::DEPLOYMENT,
        ("apps", "ReplicaSet") => workload::REPLICA_SET,
        ("apps", "StatefulSet") => workload::STATEFUL_SET,
        ("apps", "DaemonSet") => workload::DAEMON_SET,
        ("batch", "Job") => workload::JOB,
        ("policy", "PodDisruptionBudget") => scaling::BUDGET,
        ("autoscaling", "HorizontalPodAutoscaler") => scaling::AUTOSCALER,
        ("coordination.k8s.io", "Lease") => configuration::LEASE,
        ("discovery.k8s.io", "EndpointSlice") => service::SLICE,
        ("networking.k8s.io", "NetworkPolicy") => service::POLICY,
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            webhook::CONFIGURATION
        }
        ("rbac.authorization.k8s.io", "Role") => rights::ROLE,
        ("rbac.authorization.k8s.io", "ClusterRole") => rights::CLUSTER_ROLE,
        ("rbac.authorization.k8s.io", "RoleBinding") => rights::ROLE_BINDING,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => rights::CLUSTER_ROLE_BINDING,
        _ => &[],
    }
}

/// Everything wrong with an object by these rules.
pub(super) fn check(rules: Rules, object: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for (field, rule) in rules {
        if field.is_empty() {
            rule.apply(object, place, causes);
        } else {
            rule.apply(&object[*field], &place.field(field), causes);
        }
    }
}

impl Check {
    fn apply(&self, value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
        match self {
            Check::Required(why) if is_empty(value) => causes.push(Cause::required(place.to_string(), why)),
            Check::OneOf(known) => {
                if let Some(text) = value.as_str().filter(|text| !text.is_empty() && !known.contains(text)) {
                    causes.push(Cause::unsupported(place.to_string(), &text.into(), known));
                }
            }
            Check::Number(holds, why) => {
                if value.as_i64().is_some_and(|number| !holds(number)) {
                    causes.push(Cause::invalid(place.to_string(), value, why));
                }
            }
            Check::Text(problems) => {
                for why in value.as_str().filter(|text| !text.is_empty()).map(problems).unwrap_or_default() {
                    causes.push(Cause::invalid(place.to_string(), value, &why));
                }
            }
            Check::Selector => selector(value, place, causes),
            Check::Inside(rules) if value.is_object() => check(rules, value, place, causes),
            Check::Each(rules) => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rules, item, &place.item(index), causes);
                }
            }
            Check::Also(look) => look(value, place, causes),
            Check::Required(_) | Check::Inside(_) => {}
        }
    }
}

/// Missing, or nothing in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A label selector: every operator is known and has the values it needs.
fn selector(selector: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let labels = place.field("matchLabels");
    label_map(&selector["matchLabels"], &labels, causes);
    let expressions = place.field("matchExpressions");
    for (index, expression) in selector["matchExpressions"].as_array().into_iter().flatten().enumerate() {
        let place = expressions.item(index);
        let given = expression["values"].as_array().is_some_and(|values| !values.is_empty());
        match expression["operator"].as_str().unwrap_or_default() {
            "In" | "NotIn" if !given => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                causes.push(Cause::required(place.field("values").to_string(), why));
            }
            "Exists" | "DoesNotExist" if given => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                causes.push(Cause::forbidden(place.field("values").to_string(), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let why = "not a valid selector operator";
                causes.push(Cause::invalid(place.field("operator").to_string(), &expression["operator"], why));
            }
        }
        let key = expression["key"].as_str().unwrap_or_default();
        for why in qualified_name(key) {
            causes.push(Cause::invalid(place.field("key").to_string(), &key.into(), &why));
        }
    }
}

/// Whether a selector can be used at all.
fn is_usable(selector: &Value) -> bool {
    let mut causes = Vec::new();
    self::selector(selector, &Place::root("selector"), &mut causes);
    causes.is_empty()
}

/// Whether a selector selects these labels; one that is missing selects nothing.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector.is_object() && Selector::of_object(selector).matches_labels(labels)
}

/// A map of labels, as metadata and selectors have them.
pub(super) fn label_map(labels: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        for why in qualified_name(key) {
            causes.push(Cause::invalid(place.to_string(), &key.clone().into(), &why));
        }
        for why in label_value(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(place.to_string(), value, &why));
        }
    }
}

/// What stands twice in a list of named things.
fn duplicate(value: &Value, place: &Place<'_>) -> Cause {
    Cause { reason: "FieldValueDuplicate", message: format!("Duplicate value: {value}"), field: place.to_string() }
}

/// A number or a share in percent.
fn share(value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    match value {
        Value::Number(number) if number.as_i64().is_some_and(|number| number < 0) => {
            causes.push(Cause::invalid(place.to_string(), value, "must be greater than or equal to 0"));
        }
        Value::String(text) if form::percent(text).is_none() => {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                       regex used for validation is '[0-9]+%')";
            causes.push(Cause::invalid(place.to_string(), value, why));
        }
        _ => {}
    }
}

/// The same, and no more than everything.
fn share_of_all(value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    share(value, place, causes);
    if value.as_str().and_then(form::percent).is_some_and(|percent| percent > 100) {
        causes.push(Cause::invalid(place.to_string(), value, "must not be greater than 100%"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(rules: Rules, object: &Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(rules, object, &Place::root(""), &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn every_kind_of_rule_says_where_and_what() {
        const PART: Rules = &[("name", Check::Required("")), ("name", Check::Text(label))];
        const WHOLE: Rules = &[
            ("kind", Check::OneOf(&["A", "B"])),
            ("count", COUNT),
            ("parts", Check::Each(PART)),
            ("part", Check::Inside(PART)),
            ("selector", Check::Selector),
        ];
        let object = json!({
            "kind": "C",
            "count": -1,
            "parts": [{"name": "a"}, {}, {"name": "a.b"}],
            "part": {"name": ""},
            "selector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
        });
        assert_eq!(
            wrong(WHOLE, &object),
            [
                "kind: Unsupported value: \"C\": supported values: \"A\", \"B\"",
                "count: Invalid value: -1: must be greater than or equal to 0",
                "parts[1].name: Required value",
                "parts[2].name: Invalid value: \"a.b\": must not contain dots",
                "part.name: Required value",
                "selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ]
        );
        assert!(wrong(WHOLE, &json!({})).is_empty(), "what is missing is fine unless it is required");
    }
}
