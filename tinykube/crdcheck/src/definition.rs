//! What is wrong with a definition around its schemas.
//!
//! What all versions have in common is said of the definition, as the server does: it keeps it there.

use serde_json::{Value, json};

use crate::problem::Problem;
use crate::{Defaults, field_path, names, schema};

/// The most fields that can be selected by.
const SELECTABLE: usize = 8;
const APPROVAL: &str = "api-approved.kubernetes.io";

pub(crate) fn problems(definition: &Value, defaults: &Defaults<'_>) -> Vec<Problem> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    let (name, plural, group) =
        (text(&definition["metadata"]["name"]), text(&spec["names"]["plural"]), text(&spec["group"]));
    if name != format!("{plural}.{group}") {
        found.push(Problem::invalid("metadata.name", &json!(name), "must be spec.names.plural+\".\"+spec.group"));
    }
    found.extend(group_problem(&group));
    match text(&spec["scope"]).as_str() {
        "Cluster" | "Namespaced" => {}
        "" => found.push(Problem::required("spec.scope", "")),
        other => found.push(Problem::unsupported("spec.scope", other, &["Cluster", "Namespaced"])),
    }
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            found.push(Problem::required(format!("spec.versions[{index}].schema.openAPIV3Schema"), ""));
        }
    }
    let preserves = spec["preserveUnknownFields"] == true;
    if preserves && versions.iter().any(|version| has_defaults(&version["schema"])) {
        let why = "must be false in order to use defaults in the schema";
        found.push(Problem::invalid("spec.preserveUnknownFields", &json!(true), why));
    }
    let common = |key: &str| versions.windows(2).all(|pair| pair[0][key] == pair[1][key]);
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        if let Some(why) = names::label_problem(&text(&version["name"])) {
            found.push(Problem::invalid(format!("{path}.name"), &version["name"], why));
        }
        found.extend(deprecation(version, &path));
        if !common("schema") {
            let place = format!("{path}.schema.openAPIV3Schema");
            found.extend(of_schema(version, &place, defaults));
        }
        if !common("subresources") {
            found.extend(subresources(&version["subresources"], &format!("{path}.subresources")));
        }
        if !common("additionalPrinterColumns") {
            found.extend(columns(version, &path));
        }
        if !common("selectableFields") || !common("schema") {
            found.extend(selectable(version, &path));
        }
    }
    found.extend(of_versions(&spec["versions"]));
    found.extend(names::problems(&names::with_defaults(&spec["names"]), "spec.names"));
    if let Some(version) = versions.first() {
        if common("schema") {
            found.extend(of_schema(version, "spec.validation.openAPIV3Schema", defaults));
        }
        if common("subresources") {
            found.extend(subresources(&version["subresources"], "spec.subresources"));
        }
        if common("additionalPrinterColumns") {
            found.extend(columns(version, "spec"));
        }
        if common("selectableFields") && common("schema") {
            found.extend(selectable(version, "spec"));
        }
    }
    found.extend(conversion(&spec["conversion"], preserves));
    found.extend(stored_versions(definition, versions));
    found.extend(approval(&group, &text(&definition["metadata"]["annotations"][APPROVAL])));
    if preserves {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        found.push(Problem::invalid("spec.preserveUnknownFields", &json!(true), why));
    }
    found
}

fn has_defaults(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, member)| key == "default" || has_defaults(member)),
        Value::Array(items) => items.iter().any(has_defaults),
        _ => false,
    }
}

fn group_problem(group: &str) -> Option<Problem> {
    if group.is_empty() {
        return Some(Problem::required("spec.group", ""));
    }
    let why = names::subdomain_problem(group);
    let why = why.or_else(|| (!group.contains('.')).then_some("should be a domain with at least one dot"))?;
    Some(Problem::invalid("spec.group", &json!(group), why))
}

fn of_schema(version: &Value, path: &str, defaults: &Defaults<'_>) -> Vec<Problem> {
    let schema = &version["schema"]["openAPIV3Schema"];
    if schema.is_object() { schema::problems(schema, path, defaults) } else { Vec::new() }
}

fn deprecation(version: &Value, path: &str) -> Vec<Problem> {
    let Some(warning) = version["deprecationWarning"].as_str() else { return Vec::new() };
    let mut whys = Vec::new();
    if version["deprecated"] == true {
        if warning.len() > 256 {
            whys.push("must be <= 256 characters long".to_owned());
        }
        if warning.is_empty() {
            whys.push("must not be an empty string".to_owned());
        }
        if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
            whys.push(format!(
                "must only contain printable UTF-8 characters; non-printable character found at index {index}"
            ));
        }
    } else {
        whys.push("can only be set for deprecated versions".to_owned());
    }
    let place = format!("{path}.deprecationWarning");
    whys.iter().map(|why| Problem::invalid(place.as_str(), &json!(warning), why)).collect()
}

fn of_versions(declared: &Value) -> Vec<Problem> {
    let versions = declared.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    // A list that is not there is shown otherwise than an empty one.
    let shown = || if declared.is_null() { Value::Null } else { versions.iter().map(as_declared).collect() };
    let is_repeated =
        |(index, version): (usize, &Value)| versions[..index].iter().any(|other| other["name"] == version["name"]);
    if versions.iter().enumerate().any(is_repeated) {
        found.push(Problem::invalid("spec.versions", &shown(), "must contain unique version names"));
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        found.push(Problem::invalid("spec.versions", &shown(), why));
    }
    if let Some(first) = versions.first()
        && let Some(why) = names::label_problem(first["name"].as_str().unwrap_or_default())
    {
        found.push(Problem::invalid("spec.version", &first["name"], why));
    }
    found
}

/// A version as the server shows it; what all versions have in common is not shown.
fn as_declared(version: &Value) -> Value {
    let flag = |key: &str| Value::Bool(version[key] == true);
    let mut shown = serde_json::Map::new();
    shown.insert("Name".to_owned(), version["name"].clone());
    shown.insert("Served".to_owned(), flag("served"));
    shown.insert("Storage".to_owned(), flag("storage"));
    shown.insert("Deprecated".to_owned(), flag("deprecated"));
    shown.insert("DeprecationWarning".to_owned(), version["deprecationWarning"].clone());
    for key in ["Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields"] {
        shown.insert(key.to_owned(), Value::Null);
    }
    shown.into()
}

/// What the status must remember; of a new definition it follows from the versions.
fn stored_versions(definition: &Value, versions: &[Value]) -> Vec<Problem> {
    let known = definition["status"]["storedVersions"].as_array().filter(|known| !known.is_empty());
    if let Some(known) = known {
        let stored = versions.iter().filter(|version| version["storage"] == true && !known.contains(&version["name"]));
        let missing = stored.filter_map(|version| version["name"].as_str());
        let whys = missing.map(|name| format!("must have the storage version {name}"));
        return whys.map(|why| Problem::invalid("status.storedVersions", &json!(known), &why)).collect();
    }
    let mut stored = versions.iter().filter(|version| version["storage"] == true).map(|version| &version["name"]);
    let Some(first) = stored.next() else {
        return vec![Problem::invalid("status.storedVersions", &Value::Null, "must have at least one stored version")];
    };
    let others = stored.filter_map(Value::as_str).map(|name| format!("must have the storage version {name}"));
    others.map(|why| Problem::invalid("status.storedVersions", &json!([first]), &why)).collect()
}

fn simple_path(path: &str, place: &str) -> Option<Problem> {
    let why = "must be a simple json path starting with .";
    (!path.starts_with('.')).then(|| Problem::invalid(place, &json!(path), why))
}

fn subresources(subresources: &Value, path: &str) -> Vec<Problem> {
    let scale = &subresources["scale"];
    let mut found = Vec::new();
    if !scale.is_object() {
        return found;
    }
    let mut check = |key: &str, roots: &[&str], why: &str, required: bool| {
        let place = format!("{path}.scale.{key}");
        let value = scale[key].as_str().unwrap_or_default();
        if value.is_empty() {
            if required {
                found.push(Problem::required(place, ""));
            }
        } else if let Some(problem) = simple_path(value, &place) {
            found.push(problem);
        } else if !roots.iter().any(|root| value.starts_with(root)) {
            found.push(Problem::invalid(place, &json!(value), why));
        }
    };
    check("specReplicasPath", &[".spec."], "should be a json path under .spec", true);
    check("statusReplicasPath", &[".status."], "should be a json path under .status", true);
    let why = "should be a json path under either .spec or .status";
    check("labelSelectorPath", &[".spec.", ".status."], why, false);
    found
}

fn columns(version: &Value, path: &str) -> Vec<Problem> {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    let mut found = Vec::new();
    for (index, column) in version["additionalPrinterColumns"].as_array().into_iter().flatten().enumerate() {
        let place = |key: &str| format!("{path}.additionalPrinterColumns[{index}].{key}");
        let text = |key: &str| column[key].as_str().unwrap_or_default();
        if text("name").is_empty() {
            found.push(Problem::required(place("name"), ""));
        }
        let why = format!("must be one of {}", TYPES.join(","));
        match text("type") {
            "" => found.push(Problem::required(place("type"), &why)),
            kind if TYPES.contains(&kind) => {}
            kind => found.push(Problem::invalid(place("type"), &json!(kind), &why)),
        }
        let format = text("format");
        if !format.is_empty() && !FORMATS.contains(&format) {
            let why = format!("must be one of {}", FORMATS.join(","));
            found.push(Problem::invalid(place("format"), &json!(format), &why));
        }
        match text("jsonPath") {
            "" => found.push(Problem::required(place("JSONPath"), "")),
            json_path => found.extend(simple_path(json_path, &place("JSONPath"))),
        }
    }
    found
}

fn selectable(version: &Value, path: &str) -> Vec<Problem> {
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (index, field) in version["selectableFields"].as_array().into_iter().flatten().enumerate() {
        let place = format!("{path}.selectableFields[{index}].jsonPath");
        let json_path = field["jsonPath"].as_str().unwrap_or_default();
        if json_path.is_empty() {
            found.push(Problem::required(place, ""));
            continue;
        }
        let (target, simple) = match field_path::find(schema, json_path, false) {
            Ok(target) => target,
            Err(why) => {
                found.push(Problem::invalid(place, &json!(json_path), &format!("is an invalid path: {why}")));
                continue;
            }
        };
        if simple.starts_with(".metadata") {
            let why = "must not point to fields in metadata";
            found.push(Problem::invalid(place.as_str(), &json!(json_path), why));
        }
        if !matches!(target["type"].as_str(), Some("string" | "boolean" | "integer")) {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                       formats are allowed.";
            found.push(Problem::invalid(place.as_str(), &json!(json_path), why));
        }
        if seen.contains(&simple) {
            found.push(Problem::duplicate(place, json_path));
        } else {
            seen.push(simple);
        }
    }
    if seen.len() > SELECTABLE {
        let message = format!("Too many: {}: must have at most {SELECTABLE} items", seen.len());
        found.push(Problem { reason: "FieldValueTooMany", field: format!("{path}.selectableFields"), message });
    }
    found
}

fn conversion(conversion: &Value, preserves: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    if !conversion.is_object() {
        return found;
    }
    let (client, reviews) = ("spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions");
    let config = &conversion["webhook"]["clientConfig"];
    let versions = conversion["webhook"]["conversionReviewVersions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let strategy = conversion["strategy"].as_str().unwrap_or_default();
    if preserves && strategy != "None" {
        let why = "must be None if spec.preserveUnknownFields is true";
        found.push(Problem::invalid("spec.conversion.strategy", &json!(strategy), why));
    }
    match strategy {
        "None" | "Webhook" => {}
        "" => found.push(Problem::required("spec.conversion.strategy", "")),
        other => found.push(Problem::unsupported("spec.conversion.strategy", other, &["None", "Webhook"])),
    }
    if strategy == "Webhook" {
        match (config["url"].as_str(), config["service"].is_object()) {
            _ if !config.is_object() => {
                found.push(Problem::required(client, "required when strategy is set to Webhook"));
            }
            (Some(url), false) => found.extend(url_problem(url, &format!("{client}.url"))),
            (None, true) => {}
            _ => found.push(Problem::required(client, "exactly one of url or service is required")),
        }
        if versions.is_empty() {
            found.push(Problem::required(reviews, ""));
        } else if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
            found.push(Problem::invalid(reviews, &json!(versions), "must include at least one of v1, v1beta1"));
        }
    } else {
        let why = "should not be set when strategy is not set to Webhook";
        if config.is_object() {
            found.push(Problem::forbidden(client, why));
        }
        if !versions.is_empty() {
            found.push(Problem::forbidden(reviews, why));
        }
    }
    found
}

fn url_problem(url: &str, place: &str) -> Option<Problem> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let why = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
    (scheme != "https").then(|| Problem::invalid(place, &json!(scheme), why))
}

/// Groups of the Kubernetes project need somebody's approval.
fn approval(group: &str, said: &str) -> Option<Problem> {
    let is_protected =
        ["k8s.io", "kubernetes.io"].iter().any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    let is_url = said.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if !is_protected || said.starts_with("unapproved") || is_url {
        return None;
    }
    let place = format!("metadata.annotations[{APPROVAL}]");
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    if said.is_empty() {
        let why = format!("protected groups must have approval annotation {APPROVAL:?}, {see}");
        return Some(Problem::required(place, &why));
    }
    let why = format!(
        "protected groups must have approval annotation {APPROVAL:?} with either a URL or a reason starting with \
         \"unapproved\", {see}"
    );
    Some(Problem::invalid(place, &json!(said), &why))
}
