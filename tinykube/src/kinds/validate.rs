//! What is wrong with objects of built-in kinds.

use serde_json::{Value, json};

use super::event;
use super::metadata::is_dns_label;
use crate::api::Cause;
use crate::api::selector::Selector;
use crate::object::{items, text};
use crate::resource::Resource;

/// Everything wrong with an object.
pub(super) fn causes(resource: &Resource, object: &Value) -> Vec<Cause> {
    match resource.kind.as_str() {
        "Pod" => pod_spec(&object["spec"], "spec"),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload(resource, object),
        "PodDisruptionBudget" => budget(object),
        "Lease" => lease(object),
        "Event" => event::causes(resource, object),
        "CustomResourceDefinition" => definition(object),
        _ => Vec::new(),
    }
}

/// Everything wrong with a change.
pub(super) fn update_causes(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            let selector = &new["spec"]["selector"];
            if old["spec"]["selector"] == *selector {
                return Vec::new();
            }
            vec![Cause::invalid("spec.selector", selector, "field is immutable")]
        }
        "Pod" => pod_update(old, new),
        "CustomResourceDefinition" => super::definition::update_causes(old, new),
        _ => Vec::new(),
    }
}

fn pod_spec(spec: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if items(spec, "/containers").is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(spec, &format!("/{list}")).iter().enumerate() {
            let place = format!("{path}.{list}[{index}]");
            let name = text(container, "/name");
            if name.is_empty() {
                causes.push(Cause::required(format!("{place}.name"), ""));
            } else if !is_dns_label(name) {
                let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
                           must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex \
                           used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
                causes.push(Cause::invalid(format!("{place}.name"), &json!(name), why));
            } else if seen.contains(&name) {
                causes.push(Cause {
                    reason: "FieldValueDuplicate",
                    message: format!("Duplicate value: {name:?}"),
                    field: format!("{place}.name"),
                });
            }
            seen.push(name);
            if text(container, "/image").is_empty() && path.contains("template") || container["image"].is_null() {
                causes.push(Cause::required(format!("{place}.image"), ""));
            }
            probes(container, &place, &mut causes);
        }
    }
    let policy = text(spec, "/restartPolicy");
    if !policy.is_empty() && !matches!(policy, "Always" | "OnFailure" | "Never") {
        let allowed = ["Always", "OnFailure", "Never"];
        causes.push(Cause::unsupported(format!("{path}.restartPolicy"), &json!(policy), &allowed));
    }
    causes
}

fn probes(container: &Value, place: &str, causes: &mut Vec<Cause>) {
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(given) = container.get(probe).filter(|probe| probe.is_object()) else {
            continue;
        };
        let place = format!("{place}.{probe}");
        let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
        match handlers.iter().filter(|handler| given[**handler].is_object()).count() {
            0 => causes.push(Cause::required(place.clone(), "must specify a handler type")),
            1 => {}
            _ => causes.push(Cause::forbidden(place.clone(), "may not specify more than 1 handler type")),
        }
        for key in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
            if given[key].as_i64().is_some_and(|number| number < 0) {
                let why = "must be greater than or equal to 0";
                causes.push(Cause::invalid(format!("{place}.{key}"), &given[key], why));
            }
        }
        if probe != "readinessProbe" && given["successThreshold"].as_i64().is_some_and(|number| number != 1) {
            causes.push(Cause::invalid(format!("{place}.successThreshold"), &given["successThreshold"], "must be 1"));
        }
    }
}

fn workload(resource: &Resource, object: &Value) -> Vec<Cause> {
    let spec = &object["spec"];
    let mut causes = Vec::new();
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        causes.push(Cause::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    let selector = &spec["selector"];
    let empty = selector["matchLabels"].is_null() && selector["matchExpressions"].is_null();
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if empty {
        let why = format!("empty selector is invalid for {}", resource.kind.to_lowercase());
        causes.push(Cause::invalid("spec.selector", selector, &why));
    }
    if !selector.is_null() && !Selector::of_object(selector).matches_labels(labels) {
        let why = "`selector` does not match template `labels`";
        let shown = if labels.is_null() { json!({}) } else { labels.clone() };
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, why));
    }
    let template = &spec["template"]["spec"];
    causes.extend(pod_spec(template, "spec.template.spec"));
    let policy = text(template, "/restartPolicy");
    if !matches!(policy, "" | "Always") {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", &json!(policy), &["Always"]));
    }
    causes
}

fn budget(object: &Value) -> Vec<Cause> {
    let spec = &object["spec"];
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let why = "minAvailable and maxUnavailable cannot be both set";
        return vec![Cause::invalid("spec", spec, why)];
    }
    Vec::new()
}

fn lease(object: &Value) -> Vec<Cause> {
    let spec = &object["spec"];
    let mut causes = Vec::new();
    if spec["leaseDurationSeconds"].as_i64().is_some_and(|seconds| seconds <= 0) {
        let value = &spec["leaseDurationSeconds"];
        causes.push(Cause::invalid("spec.leaseDurationSeconds", value, "must be greater than 0"));
    }
    if spec["leaseTransitions"].as_i64().is_some_and(|count| count < 0) {
        let value = &spec["leaseTransitions"];
        causes.push(Cause::invalid("spec.leaseTransitions", value, "must be greater than or equal to 0"));
    }
    causes
}

fn definition(object: &Value) -> Vec<Cause> {
    let problems = crdcheck::problems(object, &crate::schema::declared::problems);
    problems.into_iter().map(|crdcheck::Problem { reason, field, message }| Cause { reason, message, field }).collect()
}

/// Of a pod's spec only images, the deadline, new tolerations and scheduling by the scheduler may change.
fn pod_update(old: &Value, new: &Value) -> Vec<Cause> {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        for key in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
            crate::object::map(&mut spec).shift_remove(key);
        }
        spec
    };
    let (mut before, after) = (fixed(old), fixed(new));
    if text(&before, "/nodeName").is_empty() {
        before["nodeName"] = after["nodeName"].clone();
        if after["nodeName"].is_null() {
            crate::object::map(&mut before).shift_remove("nodeName");
        }
    }
    if before == after {
        return Vec::new();
    }
    let why = "pod updates may not change fields other than `spec.containers[*].image`,\
               `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
               existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
               previously negative)";
    vec![Cause::forbidden("spec", why)]
}
