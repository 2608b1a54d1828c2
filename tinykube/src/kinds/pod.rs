//! Pods and pod templates: defaults, admission, quality of service, grace.

use serde_json::{Map, Value, json};

use crate::object::{self, default};
use crate::quantity::Quantity;

/// Grace of a pod that does not name one, in seconds.
const GRACE: i64 = 30;

/// Defaults of a pod.
pub(super) fn defaults(pod: &mut Value) {
    if pod["spec"].is_object() {
        spec_defaults(&mut pod["spec"]);
        default(object::entry(pod, "spec"), "enableServiceLinks", true);
        for list in ["containers", "initContainers"] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(request_what_is_limited);
        }
    }
    let conditions = pod.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter(|condition| condition.is_object()) {
        // Written by the real server's types whether it was said or not.
        object::map(condition).entry("lastProbeTime").or_insert(Value::Null);
    }
}

/// A pod's container that has a limit and names no request asks for all of it.
fn request_what_is_limited(container: &mut Value) {
    let limits = container["resources"].get("limits").and_then(Value::as_object).cloned();
    let Some(limits) = limits.filter(|limits| !limits.is_empty()) else { return };
    let requests = object::entry(&mut container["resources"], "requests");
    for (name, limit) in limits {
        default(requests, &name, limit);
    }
}

/// Defaults of a pod's spec, or of a template's.
pub(super) fn spec_defaults(spec: &mut Value) {
    let on_host = spec["hostNetwork"] == true;
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container_defaults(container, on_host);
        }
        if spec[list].is_null() {
            object::map(spec).shift_remove(list);
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        volume_defaults(volume);
    }
    let spec = object::map(spec);
    // The older name of the same thing.
    match (spec.get("serviceAccountName").cloned(), spec.get("serviceAccount").cloned()) {
        (Some(name), _) if !name.is_null() => default(spec, "serviceAccount", name),
        (_, Some(name)) if !name.is_null() => default(spec, "serviceAccountName", name),
        _ => {}
    }
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), 1.into());
    }
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", GRACE);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", "default-scheduler");
}

fn container_defaults(container: &mut Value, on_host: bool) {
    let policy = pull_policy(object::text(container, "/image"));
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).filter(|probe| probe.is_object()) {
            probe_defaults(object::map(probe));
        }
    }
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = object::map(port);
        default(port, "protocol", "TCP");
        if let (true, Some(number)) = (on_host, port.get("containerPort").cloned()) {
            default(port, "hostPort", number);
        }
    }
    for handler in ["postStart", "preStop"] {
        if let Some(get) = container.pointer_mut(&format!("/lifecycle/{handler}/httpGet")) {
            get_defaults(get);
        }
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(reference) = variable.pointer_mut("/valueFrom/fieldRef") {
            default(object::map(reference), "apiVersion", "v1");
        }
        if let Some(reference) = variable.pointer_mut("/valueFrom/resourceFieldRef") {
            default(object::map(reference), "divisor", "0");
        }
    }
    for part in ["limits", "requests"] {
        let amounts = container.get_mut("resources").and_then(|resources| resources.get_mut(part));
        for (_, amount) in amounts.and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(quantity) = Quantity::of(amount) {
                *amount = quantity.to_string().into();
            }
        }
    }
    let container = object::map(container);
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "imagePullPolicy", policy);
}

/// `Always` for the latest image, which is also the one without a tag.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name.split_once(':').map(|(_, tag)| tag);
    if !name.contains('@') && tag.is_none_or(|tag| tag == "latest") { "Always" } else { "IfNotPresent" }
}

fn probe_defaults(probe: &mut Map<String, Value>) {
    // Zero is what Go reads where nothing is written.
    for (key, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.get(key).is_none_or(|known| known.is_null() || *known == json!(0)) {
            probe.insert(key.to_owned(), value.into());
        }
    }
    if probe.get("initialDelaySeconds") == Some(&json!(0)) {
        probe.shift_remove("initialDelaySeconds");
    }
    if let Some(get) = probe.get_mut("httpGet") {
        get_defaults(get);
    }
    if let Some(grpc) = probe.get_mut("grpc") {
        default(object::map(grpc), "service", "");
    }
}

fn get_defaults(get: &mut Value) {
    let get = object::map(get);
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

fn volume_defaults(volume: &mut Value) {
    for kind in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(source) = volume.get_mut(kind) {
            default(object::map(source), "defaultMode", 420);
        }
    }
    for source in volume.pointer_mut("/projected/sources").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(token) = source.get_mut("serviceAccountToken") {
            default(object::map(token), "expirationSeconds", 3600);
        }
        field_versions(source.pointer_mut("/downwardAPI/items"));
    }
    field_versions(volume.pointer_mut("/downwardAPI/items"));
    if let Some(path) = volume.get_mut("hostPath") {
        default(object::map(path), "type", "");
    }
    if let Some(target) = volume.get_mut("iscsi") {
        default(object::map(target), "iscsiInterface", "default");
    }
    if let Some(template) = volume.pointer_mut("/ephemeral/volumeClaimTemplate") {
        object::entry(template, "metadata");
        default(object::entry(template, "spec"), "volumeMode", "Filesystem");
    }
    let known = volume.as_object().is_some_and(|volume| volume.len() > 1);
    if !known {
        default(object::map(volume), "emptyDir", json!({}));
    }
}

fn field_versions(items: Option<&mut Value>) {
    for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(reference) = item.get_mut("fieldRef") {
            default(object::map(reference), "apiVersion", "v1");
        }
    }
}

/// What is let in and helps nobody.
pub(super) fn warnings(spec: &Value, place: &str) -> Vec<String> {
    let constraints = object::items(spec, "/topologySpreadConstraints").iter().enumerate();
    let blind = constraints.filter(|(_, constraint)| constraint["labelSelector"].is_null());
    blind
        .map(|(index, _)| {
            format!("{place}.topologySpreadConstraints[{index}].labelSelector: a null labelSelector results in matching no pod")
        })
        .collect()
}

/// A new pod stays for five minutes on a node that is lost, unless it says otherwise.
pub(super) fn tolerate_lost_nodes(pod: &mut Value) {
    let spec = object::entry(pod, "spec");
    let tolerations = spec.entry("tolerations".to_owned()).or_insert_with(|| json!([]));
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let Some(tolerations) = tolerations.as_array_mut() else {
            break;
        };
        let tolerated = tolerations.iter().any(|toleration| {
            let key_fits = toleration["key"] == key || toleration["key"].is_null();
            key_fits && (toleration["effect"] == "NoExecute" || toleration["effect"].is_null())
        });
        if !tolerated {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }));
        }
    }
}

/// The quality of service class of a pod.
pub(super) fn quality(pod: &Value) -> &'static str {
    let containers = ["/spec/containers", "/spec/initContainers"];
    let containers: Vec<&Value> = containers.iter().flat_map(|list| object::items(pod, list)).collect();
    let amounts = |container: &Value, kind: &str| container["resources"][kind].as_object().cloned().unwrap_or_default();
    if containers
        .iter()
        .all(|container| amounts(container, "limits").is_empty() && amounts(container, "requests").is_empty())
    {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|container| {
        let (limits, requests) = (amounts(container, "limits"), amounts(container, "requests"));
        ["cpu", "memory"].iter().all(|name| limits.contains_key(*name) && limits.get(*name) == requests.get(*name))
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

/// Seconds a pod stays after its deletion was asked for: none without a node or when it is over.
pub(super) fn grace_period(pod: &Value, asked: Option<i64>) -> i64 {
    let scheduled = !object::text(pod, "/spec/nodeName").is_empty();
    let over = matches!(object::text(pod, "/status/phase"), "Succeeded" | "Failed");
    if !scheduled || over {
        return 0;
    }
    let own = || pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    asked.or_else(own).unwrap_or(GRACE).max(0)
}
