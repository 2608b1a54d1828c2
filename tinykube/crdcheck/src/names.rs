//! Names, as a definition may say them.

use serde_json::{Value, json};

use crate::problem::Problem;

/// What is wrong with a DNS label that begins with a letter.
pub(crate) fn label_problem(name: &str) -> Option<&'static str> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(inner)
        && !name.ends_with('-')
        && name.len() <= 63;
    if is_label {
        return None;
    }
    if name.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    Some(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and \
         end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
         '[a-z]([-a-z0-9]*[a-z0-9])?')",
    )
}

/// What is wrong with a DNS name.
pub(crate) fn subdomain_problem(name: &str) -> Option<&'static str> {
    let is_part = |part: &str| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || c == '-')
    };
    if name.len() > 253 {
        return Some("must be no more than 253 bytes");
    }
    if name.split('.').all(is_part) {
        return None;
    }
    Some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
         with an alphanumeric character (e.g. 'example.com', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/// Names with those that follow from others.
pub(crate) fn with_defaults(names: &Value) -> Value {
    let mut names = names.clone();
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    let members = names.as_object_mut().filter(|_| !kind.is_empty());
    if let Some(members) = members {
        for (key, default) in [("listKind", format!("{kind}List")), ("singular", kind.to_lowercase())] {
            let known = members.entry(key).or_insert(Value::Null);
            if known.as_str().unwrap_or_default().is_empty() {
                *known = default.into();
            }
        }
    }
    names
}

/// The names of a definition.
pub(crate) fn problems(names: &Value, path: &str) -> Vec<Problem> {
    let text = |key: &str| names[key].as_str().unwrap_or_default();
    let mut found = Vec::new();
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(key).is_empty() {
            found.push(Problem::required(format!("{path}.{key}"), ""));
        }
    }
    for key in ["plural", "singular"] {
        if let Some(why) = label_problem(text(key)).filter(|_| !text(key).is_empty()) {
            found.push(Problem::invalid(format!("{path}.{key}"), &json!(text(key)), why));
        }
    }
    for key in ["kind", "listKind"] {
        if let Some(why) = label_problem(&text(key).to_lowercase()).filter(|_| !text(key).is_empty()) {
            let why = format!("may have mixed case, but should otherwise match: {why}");
            found.push(Problem::invalid(format!("{path}.{key}"), &json!(text(key)), &why));
        }
    }
    found.extend(labels(names, path, "shortNames"));
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        let why = "kind and listKind may not be the same";
        found.push(Problem::invalid(format!("{path}.listKind"), &json!(text("kind")), why));
    }
    found.extend(labels(names, path, "categories"));
    found
}

fn labels(names: &Value, path: &str, key: &str) -> Vec<Problem> {
    let listed = names[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let wrong =
        listed.iter().enumerate().filter_map(|(index, name)| Some((index, name, label_problem(name.as_str()?)?)));
    wrong.map(|(index, name, why)| Problem::invalid(format!("{path}.{key}[{index}]"), name, why)).collect()
}
