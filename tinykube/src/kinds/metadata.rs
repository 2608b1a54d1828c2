//! Names, labels, annotations and finalizers.

use serde_json::{Value, json};

use crate::api::Cause;
use crate::object;
use crate::resource::Resource;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Most bytes of all annotations together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Everything wrong with an object's metadata.
pub(super) fn causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_name(resource, object::name(object), &mut causes);
    check_labels(object, &mut causes);
    check_annotations(object, &mut causes);
    causes
}

/// Everything wrong with a change of metadata.
pub(super) fn update_causes(_resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    if !object::is_terminating(old) {
        return Vec::new();
    }
    let before: Vec<&str> = object::finalizers(old).collect();
    let added: Vec<String> = object::finalizers(new)
        .filter(|finalizer| !before.contains(finalizer))
        .map(|finalizer| format!("{finalizer:?}"))
        .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    // The real server validates metadata twice.
    vec![Cause::forbidden("metadata.finalizers", &why); 2]
}

fn check_name(resource: &Resource, name: &str, causes: &mut Vec<Cause>) {
    let is_label = matches!(resource.kind.as_str(), "Namespace" | "Service");
    let free = resource.group == "rbac.authorization.k8s.io";
    let (valid, why, longest) = match (free, is_label) {
        (true, _) => (!name.contains(['/', '%']) && name != "." && name != "..", "may not contain '/' or '%'", 253),
        (_, true) => (is_dns_label(name), LABEL, 63),
        (_, false) => (name.split('.').all(is_dns_label_part), SUBDOMAIN, 253),
    };
    if name.len() > longest {
        causes.push(Cause::invalid("metadata.name", &json!(name), &format!("must be no more than {longest} bytes")));
    } else if !valid {
        causes.push(Cause::invalid("metadata.name", &json!(name), why));
    }
}

/// Whether a text is a DNS subdomain, as the names of most objects are.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label_part)
}

/// Whether a text is a DNS label.
pub(super) fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_label_part(text)
}

fn is_dns_label_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn check_labels(object: &Value, causes: &mut Vec<Cause>) {
    for (key, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        if let Some(why) = key_error(key) {
            // The real server validates labels four times.
            causes.extend(vec![Cause::invalid("metadata.labels", &json!(key), &why); 4]);
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid("metadata.labels", value, "must be no more than 63 bytes"));
        } else if !text.is_empty() && !is_name_part(text) {
            causes.push(Cause::invalid("metadata.labels", value, VALUE));
        }
    }
}

fn check_annotations(object: &Value, causes: &mut Vec<Cause>) {
    let annotations = object["metadata"]["annotations"].as_object();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        if let Some(why) = key_error(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), &why));
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_LIMIT {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"),
            field: "metadata.annotations".into(),
        });
    }
}

fn key_error(key: &str) -> Option<String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".into());
        }
        if !prefix.split('.').all(is_dns_label_part) {
            return Some(format!("prefix part {SUBDOMAIN}"));
        }
    }
    if name.is_empty() {
        return Some("name part must be non-empty".into());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".into());
    }
    (!is_name_part(name)).then(|| NAME_PART.to_owned())
}

fn is_name_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}
