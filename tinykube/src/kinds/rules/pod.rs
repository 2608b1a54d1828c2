//! Pods and pod templates.

use serde_json::Value;

use super::{COUNT, Check, NO_PORT, PORT, Place, Rules, duplicate, form, internal, is_port, label_map};
use crate::api::Cause;
use crate::object::{items, text};
use crate::quantity::Quantity;

pub(super) const POD: Rules = &[("spec", Check::Also(spec))];

const SPEC: Rules = &[
    ("volumes", Check::Also(volumes)),
    ("", Check::Also(containers)),
    ("restartPolicy", Check::OneOf(&["Always", "OnFailure", "Never"])),
    ("dnsPolicy", Check::OneOf(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])),
    ("nodeSelector", Check::Also(label_map)),
    ("affinity", Check::Inside(AFFINITY)),
    ("topologySpreadConstraints", Check::Each(SPREAD)),
    ("serviceAccountName", Check::Text(form::subdomain)),
    (
        "activeDeadlineSeconds",
        Check::Number(|seconds| (1..=2_147_483_647).contains(&seconds), "must be between 1 and 2147483647, inclusive"),
    ),
    ("hostname", Check::Text(form::label)),
    ("subdomain", Check::Text(form::label)),
    ("tolerations", Check::Each(TOLERATION)),
];

const AFFINITY: Rules = &[("podAffinity", Check::Inside(BY_PODS)), ("podAntiAffinity", Check::Inside(BY_PODS))];

const BY_PODS: Rules = &[
    ("requiredDuringSchedulingIgnoredDuringExecution", Check::Each(TERM)),
    ("preferredDuringSchedulingIgnoredDuringExecution", Check::Each(&[("podAffinityTerm", Check::Inside(TERM))])),
];

const TERM: Rules = &[("labelSelector", Check::Selector), ("topologyKey", Check::Also(topology_key))];

const SPREAD: Rules = &[
    ("maxSkew", Check::Number(|skew| skew > 0, "must be greater than zero")),
    ("topologyKey", Check::Required("can not be empty")),
    ("whenUnsatisfiable", Check::OneOf(&["DoNotSchedule", "ScheduleAnyway"])),
    ("labelSelector", Check::Selector),
];

const TOLERATION: Rules = &[
    ("key", Check::Text(form::qualified_name)),
    ("operator", Check::OneOf(&["Equal", "Exists"])),
    ("", Check::Also(toleration_without_key)),
    ("effect", Check::OneOf(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
];

const CONTAINER: Rules = &[
    ("name", Check::Required("")),
    ("name", Check::Text(form::label)),
    ("image", Check::Required("")),
    ("ports", Check::Each(CONTAINER_PORT)),
    ("env", Check::Each(VARIABLE)),
    ("imagePullPolicy", Check::OneOf(&["Always", "IfNotPresent", "Never"])),
    ("resources", Check::Also(resources)),
    ("securityContext", Check::Also(security_context)),
];

const CONTAINER_PORT: Rules = &[
    ("name", Check::Text(form::port_name)),
    ("containerPort", PORT),
    ("hostPort", Check::Number(|port| port == 0 || is_port(port), NO_PORT)),
    ("protocol", Check::OneOf(&["SCTP", "TCP", "UDP"])),
];

const VARIABLE: Rules = &[
    ("name", Check::Required("")),
    ("", Check::Also(value_or_source)),
    ("valueFrom", Check::Inside(&[("fieldRef", Check::Inside(&[("fieldPath", Check::Also(field_path))]))])),
];

const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

const PROBE: Rules = &[
    ("", Check::Also(one_handler)),
    ("exec", Check::Inside(&[("command", Check::Required(""))])),
    ("httpGet", Check::Inside(&[("port", Check::Also(port))])),
    ("tcpSocket", Check::Inside(&[("port", Check::Also(port))])),
    ("grpc", Check::Inside(&[("port", PORT)])),
    ("initialDelaySeconds", COUNT),
    ("timeoutSeconds", COUNT),
    ("periodSeconds", COUNT),
    ("successThreshold", COUNT),
    ("failureThreshold", COUNT),
];

const ONCE: Check = Check::Number(|number| number == 1, "must be 1");

const PROBES: [(&str, Rules); 3] = [
    ("livenessProbe", &[("", Check::Inside(PROBE)), ("successThreshold", ONCE)]),
    ("readinessProbe", PROBE),
    ("startupProbe", &[("", Check::Inside(PROBE)), ("successThreshold", ONCE)]),
];

/// Where volumes come from, in the order in which they are looked for.
const VOLUMES: Rules = &[
    ("emptyDir", Check::Inside(&[])),
    ("hostPath", Check::Inside(&[("path", Check::Required("")), ("path", Check::Text(no_way_back))])),
    ("secret", Check::Inside(&[("secretName", Check::Required(""))])),
    ("persistentVolumeClaim", Check::Inside(&[("claimName", Check::Required(""))])),
    ("configMap", Check::Inside(&[("name", Check::Required(""))])),
    ("downwardAPI", Check::Inside(&[])),
    ("projected", Check::Inside(&[])),
    ("ephemeral", Check::Inside(&[("volumeClaimTemplate", Check::Required(""))])),
    ("nfs", Check::Inside(&[("server", Check::Required("")), ("path", Check::Required(""))])),
    ("iscsi", Check::Inside(&[("targetPortal", Check::Required("")), ("iqn", Check::Required(""))])),
    ("csi", Check::Inside(&[("driver", Check::Required(""))])),
    ("image", Check::Inside(&[])),
];

/// Everything wrong with the spec of a pod or of a template.
pub(super) fn spec(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    super::check(SPEC, spec, place, causes);
}

fn volumes(volumes: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let mut names: Vec<&str> = Vec::new();
    for (index, volume) in volumes.as_array().into_iter().flatten().enumerate() {
        let place = place.item(index);
        let mut found = 0;
        for (source, rules) in VOLUMES.iter().filter(|(source, _)| volume[*source].is_object()) {
            let place = place.field(source);
            found += 1;
            if found > 1 {
                causes.push(Cause::forbidden(place.to_string(), "may not specify more than 1 volume type"));
            } else {
                rules.apply(&volume[*source], &place, causes);
            }
        }
        let name = text(volume, "/name");
        super::check(&[("name", Check::Required("")), ("name", Check::Text(form::label))], volume, &place, causes);
        if !name.is_empty() && names.contains(&name) {
            causes.push(duplicate(&volume["name"], &place.field("name")));
        }
        names.push(name);
    }
}

fn no_way_back(path: &str) -> Vec<String> {
    if path.split('/').any(|part| part == "..") { vec!["must not contain '..'".to_owned()] } else { Vec::new() }
}

fn containers(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if items(spec, "/containers").is_empty() {
        causes.push(Cause::required(place.field("containers").to_string(), ""));
    }
    let volumes: Vec<&str> = items(spec, "/volumes").iter().map(|volume| text(volume, "/name")).collect();
    let mut names: Vec<&str> = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let place = place.field(list);
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let place = place.item(index);
            let name = text(container, "/name");
            if !name.is_empty() && names.contains(&name) {
                causes.push(duplicate(&container["name"], &place.field("name")));
            }
            names.push(name);
            super::check(CONTAINER, container, &place, causes);
            mounts(container, &volumes, &place, causes);
            if list == "initContainers" {
                let policy = &container["restartPolicy"];
                Check::OneOf(&["Always", "Never", "OnFailure"]).apply(policy, &place.field("restartPolicy"), causes);
            }
            probes(container, list == "initContainers", &place, causes);
        }
    }
}

fn mounts(container: &Value, volumes: &[&str], place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("volumeMounts");
    let mut paths: Vec<&str> = Vec::new();
    for (index, mount) in items(container, "/volumeMounts").iter().enumerate() {
        let place = place.item(index);
        let (name, path) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            causes.push(Cause::required(place.field("name").to_string(), ""));
        } else if !volumes.contains(&name) {
            causes.push(Cause {
                reason: "FieldValueNotFound",
                message: format!("Not found: {name:?}"),
                field: place.field("name").to_string(),
            });
        }
        if path.is_empty() {
            causes.push(Cause::required(place.field("mountPath").to_string(), ""));
        } else if paths.contains(&path) {
            causes.push(Cause::invalid(place.field("mountPath").to_string(), &path.into(), "must be unique"));
        }
        paths.push(path);
    }
}

fn probes(container: &Value, init: bool, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for (probe, rules) in PROBES.iter().filter(|(probe, _)| container[*probe].is_object()) {
        let place = place.field(probe);
        if init && container["restartPolicy"] != "Always" {
            let why = "may not be set for init containers without restartPolicy=Always";
            causes.push(Cause::forbidden(place.to_string(), why));
        } else {
            super::check(rules, &container[*probe], &place, causes);
        }
    }
}

fn one_handler(probe: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let mut given = HANDLERS.iter().filter(|handler| probe[**handler].is_object());
    if given.next().is_none() {
        causes.push(Cause::required(place.to_string(), "must specify a handler type"));
    }
    for another in given {
        causes.push(Cause::forbidden(place.field(another).to_string(), "may not specify more than 1 handler type"));
    }
}

/// A number or a name of a port.
pub(super) fn port(port: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    PORT.apply(port, place, causes);
    Check::Text(form::port_name).apply(port, place, causes);
}

fn value_or_source(variable: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if variable["valueFrom"].is_object() && !text(variable, "/value").is_empty() {
        let why = "may not be specified when `value` is not empty";
        causes.push(Cause::invalid(place.field("valueFrom").to_string(), &"".into(), why));
    }
}

fn field_path(path: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let known = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels",
        "metadata.annotations",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let Some(path) = path.as_str().filter(|path| !path.is_empty()) else {
        return causes.push(Cause::required(place.to_string(), ""));
    };
    let base = path.split('[').next().unwrap_or_default();
    if !known.contains(&base) {
        let why = format!("error converting fieldPath: field label not supported: {path}");
        causes.push(Cause::invalid(place.to_string(), &path.into(), &why));
    }
}

/// Resources containers have without a domain before their name.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

fn resources(resources: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    for part in ["limits", "requests"] {
        let place = place.field(part);
        for (name, amount) in resources[part].as_object().into_iter().flatten() {
            let place = place.key(name);
            if !STANDARD.contains(&name.as_str()) && !name.starts_with("hugepages-") && !name.contains('/') {
                for why in [
                    "must be a standard resource type or fully qualified",
                    "must be a standard resource for containers",
                ] {
                    causes.push(Cause::invalid(place.to_string(), &name.clone().into(), why));
                }
            }
            if Quantity::of(amount).is_some_and(Quantity::is_negative) {
                causes.push(Cause::invalid(place.to_string(), amount, "must be greater than or equal to 0"));
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][name];
        if let (Some(asked), Some(most)) = (Quantity::of(request), Quantity::of(limit))
            && asked > most
        {
            let why = format!("must be less than or equal to {name} limit of {most}");
            causes.push(Cause::invalid(place.field("requests").to_string(), &asked.to_string().into(), &why));
        }
    }
}

fn security_context(context: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if context["privileged"] == true && context["allowPrivilegeEscalation"] == false {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        causes.push(Cause::invalid(place.to_string(), &internal::shown(context, internal::SECURITY_CONTEXT), why));
    }
}

fn topology_key(key: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let key = key.as_str().unwrap_or_default();
    if key.is_empty() {
        causes.push(Cause::required(place.to_string(), "can not be empty"));
    }
    for why in form::qualified_name(key) {
        causes.push(Cause::invalid(place.to_string(), &key.into(), &why));
    }
}

fn toleration_without_key(toleration: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if text(toleration, "/key").is_empty() && toleration["operator"] != "Exists" {
        let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        causes.push(Cause::invalid(place.field("operator").to_string(), &text(toleration, "/operator").into(), why));
    }
}
