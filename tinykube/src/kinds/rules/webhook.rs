//! Configurations of admission webhooks: what is asked, about what, and where.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Check, Place, Rules, duplicate, form, is_port};
use crate::api::Cause;
use crate::object::{items, text};

pub(super) const CONFIGURATION: Rules = &[("webhooks", Check::Also(webhooks))];

const WEBHOOK: Rules = &[
    ("name", Check::Also(name)),
    ("rules", Check::Each(RULE)),
    ("failurePolicy", Check::OneOf(&["Fail", "Ignore"])),
    ("matchPolicy", Check::OneOf(&["Equivalent", "Exact"])),
    ("sideEffects", Check::Required("must specify one of None, NoneOnDryRun")),
    ("sideEffects", Check::OneOf(&["None", "NoneOnDryRun"])),
    (
        "timeoutSeconds",
        Check::Number(|seconds| (1..=30).contains(&seconds), "the timeout value must be between 1 and 30 seconds"),
    ),
    ("namespaceSelector", Check::Selector),
    ("objectSelector", Check::Selector),
    ("reinvocationPolicy", Check::OneOf(&["IfNeeded", "Never"])),
    ("clientConfig", Check::Also(client)),
    ("admissionReviewVersions", Check::Also(versions)),
];

const RULE: Rules = &[
    ("operations", Check::Required("")),
    ("operations", Check::Also(|given, place, causes| all_or_some(given, "operations", place, causes))),
    ("operations", Check::Also(operations)),
    ("apiGroups", Check::Required("")),
    ("apiGroups", Check::Also(|given, place, causes| all_or_some(given, "API groups", place, causes))),
    ("apiVersions", Check::Required("")),
    ("apiVersions", Check::Also(|given, place, causes| all_or_some(given, "API versions", place, causes))),
    ("apiVersions", Check::Also(not_empty)),
    ("resources", Check::Required("")),
    ("resources", Check::Also(not_empty)),
    ("resources", Check::Also(resources)),
    ("scope", Check::OneOf(&["*", "Cluster", "Namespaced"])),
];

fn webhooks(webhooks: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let mut names = BTreeSet::new();
    for (index, webhook) in webhooks.as_array().into_iter().flatten().enumerate() {
        let place = place.item(index);
        super::check(WEBHOOK, webhook, &place, causes);
        let name = text(webhook, "/name");
        if !name.is_empty() && !names.insert(name) {
            causes.push(duplicate(&name.into(), &place.field("name")));
        }
    }
}

fn name(name: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let given = name.as_str().unwrap_or_default();
    if given.is_empty() {
        return causes.push(Cause::required(place.to_string(), ""));
    }
    let problems = form::subdomain(given);
    if !problems.is_empty() {
        causes.push(Cause::invalid(place.to_string(), name, &problems.join(",")));
    } else if given.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        causes.push(Cause::invalid(place.to_string(), name, why));
    }
}

fn all_or_some(given: &Value, what: &str, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let given_items = items(given, "");
    if given_items.len() > 1 && given_items.iter().any(|item| item == "*") {
        let why = format!("if '*' is present, must not specify other {what}");
        causes.push(Cause::invalid(place.to_string(), given, &why));
    }
}

fn operations(operations: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    const KNOWN: Check = Check::OneOf(&["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]);
    for (index, operation) in items(operations, "").iter().enumerate() {
        KNOWN.apply(operation, &place.item(index), causes);
    }
}

fn not_empty(given: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for (index, _) in items(given, "").iter().enumerate().filter(|(_, item)| *item == "") {
        causes.push(Cause::required(place.item(index).to_string(), ""));
    }
}

/// Wildcards stand alone: what they mean already is not named again.
fn resources(given: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let names: Vec<&str> = items(given, "").iter().filter_map(Value::as_str).collect();
    let (mut with_all_parts, mut with_all_owners) = (BTreeSet::new(), BTreeSet::new());
    for (index, name) in names.iter().enumerate() {
        let Some((plural, part)) = name.split_once('/') else { continue };
        let mut refuse = |wildcard: String| {
            let why = format!("if '{wildcard}' is present, must not specify {name}");
            causes.push(Cause::invalid(place.item(index).to_string(), &json!(name), &why));
        };
        if with_all_parts.contains(plural) {
            refuse(format!("{plural}/*"));
        }
        if with_all_owners.contains(part) {
            refuse(format!("*/{part}"));
        }
        if part == "*" {
            with_all_parts.insert(plural);
        }
        if plural == "*" {
            with_all_owners.insert(part);
        }
    }
    if names.len() > 1 && names.contains(&"*/*") {
        let why = "if '*/*' is present, must not specify other resources";
        causes.push(Cause::invalid(place.to_string(), given, why));
    }
    let last_whole = names.iter().rev().find(|name| !name.contains('/') && !name.is_empty());
    if names.contains(&"*") && last_whole.is_some_and(|name| *name != "*") {
        let why = "if '*' is present, must not specify other resources without subresources";
        causes.push(Cause::invalid(place.to_string(), given, why));
    }
}

fn client(client: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    match (client["url"].as_str(), client["service"].is_object()) {
        (Some(address), false) => url(address, &place.field("url"), causes),
        (None, true) => service(&client["service"], &place.field("service"), causes),
        _ => causes.push(Cause::required(place.to_string(), "exactly one of url or service is required")),
    }
}

fn url(address: &str, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", ""));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    for (part, is_wrong, why) in [
        (scheme, scheme != "https", "'https' is the only allowed URL scheme"),
        (host, host.is_empty(), "host must be specified"),
    ] {
        if is_wrong {
            let why = format!("{why}; desired format: https://host[/path]");
            causes.push(Cause::invalid(place.to_string(), &part.into(), &why));
        }
    }
}

fn service(service: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    const NAMED: Rules = &[("name", Check::Required("")), ("namespace", Check::Required(""))];
    super::check(NAMED, service, place, causes);
    if let Some(port) = service["port"].as_i64().filter(|port| !is_port(*port)) {
        let why = format!("port is not valid: {}", super::NO_PORT);
        causes.push(Cause::invalid(place.field("port").to_string(), &port.into(), &why));
    }
    let path = text(service, "/path");
    let place = place.field("path");
    let mut refuse = |why: String| causes.push(Cause::invalid(place.to_string(), &path.into(), &why));
    if path == "//" {
        return refuse("segment[0] may not be empty".to_owned());
    }
    if path.is_empty() || path == "/" {
        return;
    }
    if !path.starts_with('/') {
        refuse("must start with a '/'".to_owned());
    }
    // The real server cuts off what it takes for the slash.
    let mut rest = path.chars();
    rest.next();
    let rest = rest.as_str();
    for (index, segment) in rest.strip_suffix('/').unwrap_or(rest).split('/').enumerate() {
        if segment.is_empty() {
            refuse(format!("segment[{index}] may not be empty"));
        } else {
            for why in form::subdomain(segment) {
                refuse(format!("segment[{index}]: {why}"));
            }
        }
    }
}

fn versions(given: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    const ACCEPTED: &str = "v1, v1beta1";
    let versions = items(given, "");
    if versions.is_empty() {
        return causes.push(Cause::required(place.to_string(), &format!("must specify one of {ACCEPTED}")));
    }
    for (index, version) in versions.iter().enumerate() {
        if versions.get(..index).is_some_and(|before| before.contains(version)) {
            causes.push(Cause::invalid(place.item(index).to_string(), version, "duplicate version"));
        }
    }
    if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        let why = format!("must include at least one of {ACCEPTED}");
        causes.push(Cause::invalid(place.to_string(), given, &why));
    }
}
