//! What may not change.

use serde_json::{Value, json};

use super::{configuration, internal, structs};
use crate::api::Cause;
use crate::object::{self, items, text};
use crate::resource::Resource;

const GATES: &str = "schedulingGates";

/// Everything wrong with a change of an object of this kind.
pub(crate) fn causes(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "DaemonSet" => fixed(&["selector"], old, new),
        "StatefulSet" => stateful_set(old, new),
        "Job" => job(old, new),
        "Pod" => pod(old, new),
        "ConfigMap" => frozen(&["data", "binaryData"], old, new),
        "Secret" => {
            let mut causes = frozen(&["data"], old, new);
            if old["type"] != new["type"] {
                causes.push(Cause::invalid("type", &new["type"], "field is immutable"));
            }
            causes
        }
        "Service" => service(old, new),
        "RoleBinding" | "ClusterRoleBinding" if old["roleRef"] != new["roleRef"] => {
            let shown = internal::shown(&new["roleRef"], internal::ROLE_REFERENCE);
            vec![Cause::invalid("roleRef", &shown, "cannot change roleRef")]
        }
        "EndpointSlice" if old["addressType"] != new["addressType"] => {
            vec![Cause::invalid("addressType", &new["addressType"], "field is immutable")]
        }
        _ => Vec::new(),
    }
}

/// Fields of the spec that stay as they are.
fn fixed(fields: &[&str], old: &Value, new: &Value) -> Vec<Cause> {
    let changed = fields.iter().filter(|field| old["spec"][**field] != new["spec"][**field]);
    let shown = |field: &str| match (field, &new["spec"][field]) {
        ("template", template) => structs::shown("PodTemplateSpec", template),
        (_, value) => value.clone(),
    };
    changed.map(|field| Cause::invalid(format!("spec.{field}"), &shown(field), "field is immutable")).collect()
}

fn frozen(parts: &[&str], old: &Value, new: &Value) -> Vec<Cause> {
    if old["immutable"] == true && new["immutable"] != true {
        return vec![Cause::forbidden("immutable", "field is immutable when `immutable` is set")];
    }
    parts.iter().filter_map(|part| configuration::frozen(part, old, new)).collect()
}

fn stateful_set(old: &Value, new: &Value) -> Vec<Cause> {
    let free = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    if without(&old["spec"], &free) == without(&new["spec"], &free) {
        return Vec::new();
    }
    let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
               'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    vec![Cause::forbidden("spec", why)]
}

/// A part of an object without what may change in it.
fn without(part: &Value, free: &[&str]) -> Value {
    let mut rest = part.clone();
    for key in free {
        object::map(&mut rest).shift_remove(*key);
    }
    rest
}

/// Completions of an indexed job go with its parallelism; its template is free while it is suspended and never began.
fn job(old: &Value, new: &Value) -> Vec<Cause> {
    let (before, after) = (&old["spec"], &new["spec"]);
    let elastic = after["completionMode"] == "Indexed" && after["completions"] == after["parallelism"];
    let waits = before["suspend"] == true && old["status"]["startTime"].is_null();
    let mut fields = vec!["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"];
    if !elastic {
        fields.insert(0, "completions");
    }
    if !waits {
        fields.insert(fields.len().min(2), "template");
    }
    fixed(&fields, old, new)
}

/// Of a pod's spec only images, the deadline, new tolerations, fewer scheduling gates and scheduling by the scheduler may
/// change.
fn pod(old: &Value, new: &Value) -> Vec<Cause> {
    let (before, after) = (&old["spec"]["activeDeadlineSeconds"], &new["spec"]["activeDeadlineSeconds"]);
    if let Some(limit) = before.as_i64()
        && after.as_i64().is_none_or(|after| after > limit)
    {
        let why = if after.is_null() {
            "must not update from a positive integer to nil value"
        } else {
            "must be less than or equal to previous value"
        };
        return vec![Cause::invalid("spec.activeDeadlineSeconds", after, why)];
    }
    let mut causes = new_gates(old, new);
    let fixed = |pod: &Value| {
        let mut spec =
            without(&pod["spec"], &["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", GATES]);
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        spec
    };
    if fixed(old) == fixed(new) {
        return causes;
    }
    let why = "pod updates may not change fields other than `spec.containers[*].image`,\
               `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
               existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
               previously negative)";
    let [before, after] = [&old["spec"], &with_free(old, new)].map(|spec| structs::shown("PodSpec", spec));
    causes.push(Cause::forbidden("spec", &format!("{why}\n{}", structs::difference(&before, &after))));
    causes
}

/// Scheduling gates are only taken away.
fn new_gates(old: &Value, new: &Value) -> Vec<Cause> {
    let known = items(old, "/spec/schedulingGates");
    let gates = items(new, "/spec/schedulingGates").iter().enumerate();
    let added = gates.filter(|(_, gate)| known.iter().all(|known| known["name"] != gate["name"]));
    let cause = |(index, gate): (usize, &Value)| {
        let why = format!("only deletion is allowed, but found new scheduling gate '{}'", text(gate, "/name"));
        Cause::forbidden(format!("spec.schedulingGates[{index}].name"), &why)
    };
    added.map(cause).collect()
}

/// The spec of a changed pod with all that may change as it was before.
fn with_free(old: &Value, new: &Value) -> Value {
    let (before, mut after) = (&old["spec"], new["spec"].clone());
    for key in ["activeDeadlineSeconds", "tolerations", GATES] {
        after[key] = before[key].clone();
    }
    for list in ["containers", "initContainers"] {
        let containers = after.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, before) in containers.zip(items(before, &format!("/{list}"))) {
            container["image"] = before["image"].clone();
        }
    }
    after
}

/// The address of a service stays while it needs one.
fn service(old: &Value, new: &Value) -> Vec<Cause> {
    let needs = |service: &Value| service["spec"]["type"] != "ExternalName";
    let (before, after) = (text(old, "/spec/clusterIP"), text(new, "/spec/clusterIP"));
    if !needs(old) || !needs(new) || before.is_empty() || before == after {
        return Vec::new();
    }
    let shown = items(new, "/spec/clusterIPs");
    let shown = if shown.is_empty() { json!([after]) } else { json!(shown) };
    vec![Cause::invalid("spec.clusterIPs[0]", &shown, "may not change once set")]
}
