//! Roles and their bindings.

use serde_json::Value;

use super::{Check, Place, Rules};
use crate::api::Cause;
use crate::object::{items, text};

pub(super) const ROLE: Rules = &[("rules", Check::Also(|rules, place, causes| grants(rules, true, place, causes)))];
pub(super) const CLUSTER_ROLE: Rules =
    &[("rules", Check::Also(|rules, place, causes| grants(rules, false, place, causes)))];

fn grants(rules: &Value, namespaced: bool, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for (index, rule) in rules.as_array().into_iter().flatten().enumerate() {
        let place = place.item(index);
        let given = |field: &str| !items(rule, &format!("/{field}")).is_empty();
        let required = |field: &'static str, why: &str| Cause::required(place.field(field).to_string(), why);
        if !given("verbs") {
            causes.push(required("verbs", "verbs must contain at least one value"));
        }
        if given("nonResourceURLs") {
            let (paths, urls) = (place.field("nonResourceURLs"), &rule["nonResourceURLs"]);
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid(paths.to_string(), urls, why));
            }
            if given("apiGroups") || given("resources") || given("resourceNames") {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                causes.push(Cause::invalid(paths.to_string(), urls, why));
            }
            continue;
        }
        if !given("apiGroups") {
            causes.push(required("apiGroups", "resource rules must supply at least one api group"));
        }
        if !given("resources") {
            causes.push(required("resources", "resource rules must supply at least one resource"));
        }
    }
}

const GROUP: &[&str] = &["rbac.authorization.k8s.io"];

pub(super) const ROLE_BINDING: Rules = &[
    (
        "roleRef",
        Check::Inside(&[
            ("apiGroup", Check::OneOf(GROUP)),
            ("kind", Check::OneOf(&["Role", "ClusterRole"])),
            ("name", Check::Required("")),
        ]),
    ),
    ("subjects", Check::Each(&[("", Check::Also(|subject, place, causes| granted(subject, true, place, causes)))])),
];

pub(super) const CLUSTER_ROLE_BINDING: Rules = &[
    (
        "roleRef",
        Check::Inside(&[
            ("apiGroup", Check::OneOf(GROUP)),
            ("kind", Check::OneOf(&["ClusterRole"])),
            ("name", Check::Required("")),
        ]),
    ),
    ("subjects", Check::Each(&[("", Check::Also(|subject, place, causes| granted(subject, false, place, causes)))])),
];

fn granted(subject: &Value, namespaced: bool, place: &Place<'_>, causes: &mut Vec<Cause>) {
    Check::Required("").apply(&subject["name"], &place.field("name"), causes);
    match text(subject, "/kind") {
        "ServiceAccount" => {
            Check::OneOf(&[""]).apply(&subject["apiGroup"], &place.field("apiGroup"), causes);
            if !namespaced && text(subject, "/namespace").is_empty() {
                causes.push(Cause::required(place.field("namespace").to_string(), ""));
            }
        }
        "User" | "Group" => Check::OneOf(GROUP).apply(&subject["apiGroup"], &place.field("apiGroup"), causes),
        other => {
            let known = ["ServiceAccount", "User", "Group"];
            causes.push(Cause::unsupported(place.field("kind").to_string(), &other.into(), &known));
        }
    }
}
