//! Cells of the built-in kinds, one for each of their columns.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, human, pod};
use crate::object::{items, text};
use crate::resource::Resource;

/// The cells of an object, one for each column.
#[allow(clippy::too_many_lines, reason = "a table, with one row for each kind")]
pub(super) fn cells(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let aged = age(&object["metadata"]["creationTimestamp"], now);
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value| json!(value.as_i64().unwrap_or(0));
    let ratio = |ready: &Value, wanted: &Value| json!(format!("{}/{}", number(ready), number(wanted)));
    match resource.kind.as_str() {
        "Pod" => pod::cells(object, now),
        "Event" => event(object, now),
        "ConfigMap" => vec![name, (size(&object["data"]) + size(&object["binaryData"])).into(), aged],
        "Secret" => vec![name, object["type"].clone(), size(&object["data"]).into(), aged],
        "Namespace" => vec![name, status["phase"].clone(), aged],
        "Node" => {
            let version = status["nodeInfo"]["kubeletVersion"].clone();
            let info = &status["nodeInfo"];
            let address = |kind: &str| {
                let mut known = items(status, "/addresses").iter().filter(|address| address["type"] == kind);
                known.next().map_or_else(|| "<none>".into(), |address| address["address"].clone())
            };
            let mut cells = vec![name, node_state(object).into(), roles(object).into(), aged, version];
            cells.extend([address("InternalIP"), address("ExternalIP"), or(&info["osImage"], "<unknown>")]);
            let kernel = format!("{} ({})", text(info, "/kernelVersion"), text(info, "/architecture"));
            cells.extend([kernel.into(), or(&info["containerRuntimeVersion"], "<unknown>")]);
            cells
        }
        "Deployment" => {
            let mut cells = vec![
                name,
                ratio(&status["readyReplicas"], &spec["replicas"]),
                number(&status["updatedReplicas"]),
                number(&status["availableReplicas"]),
                aged,
            ];
            cells.extend(template(spec, true));
            cells
        }
        "ReplicaSet" => {
            let mut cells = vec![
                name,
                number(&spec["replicas"]),
                number(&status["replicas"]),
                number(&status["readyReplicas"]),
                aged,
            ];
            cells.extend(template(spec, true));
            cells
        }
        "StatefulSet" => {
            let mut cells = vec![name, ratio(&status["readyReplicas"], &spec["replicas"]), aged];
            cells.extend(template(spec, false));
            cells
        }
        "DaemonSet" => {
            let mut cells = vec![
                name,
                number(&status["desiredNumberScheduled"]),
                number(&status["currentNumberScheduled"]),
                number(&status["numberReady"]),
                number(&status["updatedNumberScheduled"]),
                number(&status["numberAvailable"]),
                labels(&spec["template"]["spec"]["nodeSelector"]).into(),
                aged,
            ];
            cells.extend(template(spec, true));
            cells
        }
        "Job" => {
            let mut cells =
                vec![name, job_state(object).into(), completions(object).into(), duration(status, now).into(), aged];
            cells.extend(template(spec, true));
            cells
        }
        "HorizontalPodAutoscaler" => vec![
            name,
            format!("{}/{}", text(spec, "/scaleTargetRef/kind"), text(spec, "/scaleTargetRef/name")).into(),
            targets(object).into(),
            or(&spec["minReplicas"], "<unset>"),
            number(&spec["maxReplicas"]),
            number(&status["currentReplicas"]),
            aged,
        ],
        "PersistentVolumeClaim" => {
            let bound = !text(spec, "/volumeName").is_empty();
            let capacity = if bound { or(&status["capacity"]["storage"], "") } else { "".into() };
            let modes = if bound { access_modes(status) } else { String::new() };
            let state = if object["metadata"]["deletionTimestamp"].is_string() {
                "Terminating".into()
            } else {
                or(&status["phase"], "")
            };
            vec![
                name,
                state,
                or(&spec["volumeName"], ""),
                capacity,
                modes.into(),
                or(&spec["storageClassName"], ""),
                or(&spec["volumeAttributesClassName"], "<unset>"),
                aged,
                or(&spec["volumeMode"], "<unset>"),
            ]
        }
        "ResourceQuota" => vec![name, amounts(object, false).into(), amounts(object, true).into(), aged],
        "NetworkPolicy" => vec![name, selector_or_none(&spec["podSelector"]).into(), aged],
        "Endpoints" => vec![name, addresses(object).into(), aged],
        "EndpointSlice" => {
            let ports = items(object, "/ports").iter().map(|port| or(&port["port"], "*"));
            let ports = ports.filter_map(|port| port.as_str().map(str::to_owned)).collect::<Vec<_>>();
            let all = items(object, "/endpoints").iter().flat_map(|endpoint| items(endpoint, "/addresses"));
            let all = all.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            vec![name, object["addressType"].clone(), listed(&ports).into(), listed(&all).into(), aged]
        }
        "Role" | "ClusterRole" => vec![name, object["metadata"]["creationTimestamp"].clone()],
        "RoleBinding" | "ClusterRoleBinding" => {
            let role = format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
            let of = |kind: &str| -> Value {
                let subjects = items(object, "/subjects").iter().filter(|subject| subject["kind"] == kind);
                let shown = subjects.map(|subject| match (kind, text(subject, "/namespace")) {
                    ("ServiceAccount", home) if !home.is_empty() => format!("{home}/{}", text(subject, "/name")),
                    _ => text(subject, "/name").to_owned(),
                });
                shown.collect::<Vec<_>>().join(", ").into()
            };
            vec![name, role.into(), aged, of("User"), of("Group"), of("ServiceAccount")]
        }
        "PodDisruptionBudget" => vec![
            name,
            or(&spec["minAvailable"], "N/A"),
            or(&spec["maxUnavailable"], "N/A"),
            number(&status["disruptionsAllowed"]),
            aged,
        ],
        "Lease" => vec![name, or(&spec["holderIdentity"], ""), aged],
        "Service" => vec![
            name,
            spec["type"].clone(),
            or(&spec["clusterIP"], "<none>"),
            outside(object).into(),
            ports(spec).into(),
            aged,
            labels(&spec["selector"]).into(),
        ],
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            vec![name, items(object, "/webhooks").len().into(), aged]
        }
        "CustomResourceDefinition" => vec![name, object["metadata"]["creationTimestamp"].clone()],
        _ => vec![name, aged],
    }
}

fn size(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn or(value: &Value, otherwise: &str) -> Value {
    match value {
        Value::Null => otherwise.into(),
        Value::String(text) => text.clone().into(),
        other => other.to_string().into(),
    }
}

fn template(spec: &Value, selector: bool) -> Vec<Value> {
    let containers = items(spec, "/template/spec/containers");
    let joined = |pointer: &str| {
        let parts: Vec<&str> = containers.iter().map(|container| text(container, pointer)).collect();
        Value::from(parts.join(","))
    };
    let mut cells = vec![joined("/name"), joined("/image")];
    if selector {
        cells.push(crate::api::scale::selector_text(&spec["selector"]).into());
    }
    cells
}

fn node_state(node: &Value) -> String {
    let conditions = items(node, "/status/conditions").iter();
    let ready =
        conditions.filter(|condition| condition["type"] == "Ready").map(|condition| &condition["status"]).next();
    let state = match ready.and_then(Value::as_str) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if node["spec"]["unschedulable"] == true { format!("{state},SchedulingDisabled") } else { state.to_owned() }
}

fn roles(node: &Value) -> String {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles: Vec<&str> = labels.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/")).collect();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

fn ports(spec: &Value) -> String {
    let ports = items(spec, "/ports").iter();
    let shown = |port: &Value| match port["nodePort"].as_i64() {
        Some(node) if node > 0 => format!("{}:{node}/{}", port["port"], text(port, "/protocol")),
        _ => format!("{}/{}", port["port"], text(port, "/protocol")),
    };
    let ports: Vec<String> = ports.map(shown).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

/// A map of labels, or `<none>`.
fn labels(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

fn selector_or_none(selector: &Value) -> String {
    let text = crate::api::scale::selector_text(selector);
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// The first few of a list, and how many more there are.
fn listed(all: &[String]) -> String {
    const SHOWN: usize = 3;
    match all.len() {
        0 => "<unset>".to_owned(),
        more if more > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), more - SHOWN),
        _ => all.join(","),
    }
}

fn addresses(endpoints: &Value) -> String {
    let mut all = Vec::new();
    for subset in items(endpoints, "/subsets") {
        for address in items(subset, "/addresses") {
            let ip = text(address, "/ip");
            let ports = items(subset, "/ports");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"])));
        }
    }
    if all.is_empty() { "<none>".to_owned() } else { listed(&all) }
}

/// Under what address a service is reached from outside.
fn outside(service: &Value) -> String {
    let spec = &service["spec"];
    let given: Vec<&str> = items(spec, "/externalIPs").iter().filter_map(Value::as_str).collect();
    match text(spec, "/type") {
        "ExternalName" => text(spec, "/externalName").to_owned(),
        "LoadBalancer" => {
            let balancers = items(service, "/status/loadBalancer/ingress").iter();
            let mut all: Vec<&str> = balancers
                .map(|entry| if text(entry, "/ip").is_empty() { text(entry, "/hostname") } else { text(entry, "/ip") })
                .collect();
            all.extend(given);
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        _ if given.is_empty() => "<none>".to_owned(),
        _ => given.join(","),
    }
}

fn job_state(job: &Value) -> &'static str {
    let has = |kind: &str| {
        items(job, "/status/conditions").iter().any(|known| known["type"] == kind && known["status"] == "True")
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if job["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let done = job["status"]["succeeded"].as_i64().unwrap_or(0);
    let parallel = job["spec"]["parallelism"].as_i64().unwrap_or(0);
    match job["spec"]["completions"].as_i64() {
        Some(wanted) => format!("{done}/{wanted}"),
        None if parallel > 1 => format!("{done}/1 of {parallel}"),
        None => format!("{done}/1"),
    }
}

/// How long a job has taken, or takes by now.
fn duration(status: &Value, now: Timestamp) -> String {
    let moment = |field: &str| status[field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let Some(start) = moment("startTime") else { return String::new() };
    human(moment("completionTime").unwrap_or(now).as_second() - start.as_second())
}

/// What an autoscaler keeps to, and that nobody measures it.
fn targets(autoscaler: &Value) -> String {
    let shown = items(autoscaler, "/spec/metrics").iter().map(|metric| {
        let source = &metric["resource"];
        let target = &source["target"];
        let (wanted, unit) = match target["averageUtilization"].as_i64() {
            Some(percent) => (percent.to_string(), "%"),
            None => (or(&target["averageValue"], "<auto>").as_str().unwrap_or_default().to_owned(), ""),
        };
        match text(source, "/name") {
            "" => {
                let kinds = ["pods", "object", "external", "containerResource"];
                let target = kinds.iter().map(|kind| &metric[*kind]["target"]).find(|target| target.is_object());
                let wanted = target.map(|target| {
                    if target["averageValue"].is_null() { &target["value"] } else { &target["averageValue"] }
                });
                format!("<unknown>/{}", or(wanted.unwrap_or(&Value::Null), "<auto>").as_str().unwrap_or_default())
            }
            name => format!("{name}: <unknown>/{wanted}{unit}"),
        }
    });
    let mut shown: Vec<String> = shown.collect();
    // Metrics other than resources follow the one before.
    if shown.is_empty() {
        shown.push("<none>".to_owned());
    }
    shown.join(", ")
}

fn access_modes(status: &Value) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        _ => "RWOP",
    };
    items(status, "/accessModes").iter().map(short).collect::<Vec<_>>().join(",")
}

/// What is used of what a quota allows: of limits, or of everything else.
fn amounts(quota: &Value, limits: bool) -> String {
    let hard = quota["status"]["hard"].as_object().into_iter().flatten();
    let mut hard: Vec<(&String, &Value)> = hard.filter(|(name, _)| name.starts_with("limits") == limits).collect();
    hard.sort_by_key(|(name, _)| *name);
    let used = &quota["status"]["used"];
    let shown = hard.iter().map(|(name, most)| {
        let used = or(&used[name.as_str()], "0");
        format!("{name}: {}/{}", used.as_str().unwrap_or_default(), or(most, "").as_str().unwrap_or_default())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Events of both APIs; the new one has other field names for the same things.
fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    let either = |old: &str, new: &str| if event[old].is_null() { event[new].clone() } else { event[old].clone() };
    let about = either("involvedObject", "regarding");
    let source = either("source", "deprecatedSource");
    let first = either("firstTimestamp", "deprecatedFirstTimestamp");
    let last = either("lastTimestamp", "deprecatedLastTimestamp");
    let first = if first.is_null() { event["eventTime"].clone() } else { first };
    let last = if event["series"]["lastObservedTime"].is_string() {
        event["series"]["lastObservedTime"].clone()
    } else if last.is_null() {
        first.clone()
    } else {
        last
    };
    let component = text(&source, "/component");
    let reporter = either("reportingComponent", "reportingController");
    let shown_source = if component.is_empty() {
        let instance = text(event, "/reportingInstance");
        let name = reporter.as_str().unwrap_or_default();
        if instance.is_empty() { name.to_owned() } else { format!("{name}, {instance}") }
    } else {
        let host = text(&source, "/host");
        if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") }
    };
    let count = event["series"]["count"].as_i64().or_else(|| either("count", "deprecatedCount").as_i64()).unwrap_or(1);
    let object = format!("{}/{}", text(&about, "/kind").to_lowercase(), text(&about, "/name"));
    vec![
        age(&last, now),
        event["type"].clone(),
        event["reason"].clone(),
        object.into(),
        text(&about, "/fieldPath").into(),
        shown_source.into(),
        either("message", "note").as_str().unwrap_or_default().trim().into(),
        age(&first, now),
        count.into(),
        event["metadata"]["name"].clone(),
    ]
}
