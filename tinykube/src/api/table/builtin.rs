//! Columns and cells of the built-in kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, NAME, age, pod};
use crate::object::{items, text};
use crate::resource::Resource;

const fn wide(name: &'static str, kind: &'static str, description: &'static str) -> Column {
    Column { name, kind, description, priority: 1 }
}

const fn plain(name: &'static str, kind: &'static str, description: &'static str) -> Column {
    Column { name, kind, description, priority: 0 }
}

const NAMED: Column = plain("Name", "string", NAME);
const AGED: Column = plain("Age", "string", AGE);

const DEFAULT: &[Column] = &[NAMED, AGED];
const CONFIG_MAPS: &[Column] = &[
    NAMED,
    plain(
        "Data",
        "string",
        "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.",
    ),
    AGED,
];
const SECRETS: &[Column] = &[
    NAMED,
    plain("Type", "string", "Used to facilitate programmatic handling of secret data."),
    plain("Data", "string", "Data contains the secret data."),
    AGED,
];
const NAMESPACES: &[Column] = &[NAMED, plain("Status", "string", "The status of the namespace"), AGED];
const NODES: &[Column] = &[
    NAMED,
    plain("Status", "string", "The status of the node"),
    plain("Roles", "string", "The roles of the node"),
    AGED,
    plain("Version", "string", "Kubelet Version reported by the node."),
];
const PODS: &[Column] = &[
    NAMED,
    plain("Ready", "string", "The aggregate readiness state of this pod for accepting traffic."),
    plain("Status", "string", "The aggregate status of the containers in this pod."),
    plain(
        "Restarts",
        "string",
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    AGED,
    wide(
        "IP",
        "string",
        "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.",
    ),
    wide("Node", "string", "NodeName indicates in which node this pod is scheduled."),
    wide("Nominated Node", "string", "nominatedNodeName is set only when this pod preempts other pods on the node."),
    wide("Readiness Gates", "string", "If specified, all readiness gates will be evaluated for pod readiness."),
];
const DEPLOYMENTS: &[Column] = &[
    NAMED,
    plain("Ready", "string", "Number of the pod with ready state"),
    plain(
        "Up-to-date",
        "string",
        "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
    ),
    plain(
        "Available",
        "string",
        "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.",
    ),
    AGED,
    wide("Containers", "string", "Names of each container in the template."),
    wide("Images", "string", "Images referenced by each container in the template."),
    wide("Selector", "string", "Label selector for pods."),
];
const REPLICA_SETS: &[Column] = &[
    NAMED,
    plain("Desired", "integer", "Replicas is the number of desired pods."),
    plain("Current", "integer", "Replicas is the most recently observed number of non-terminating pods."),
    plain("Ready", "integer", "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition."),
    AGED,
    wide("Containers", "string", "Names of each container in the template."),
    wide("Images", "string", "Images referenced by each container in the template."),
    wide("Selector", "string", "Label selector for pods."),
];
const STATEFUL_SETS: &[Column] = &[
    NAMED,
    plain("Ready", "string", "Number of the pod with ready state"),
    AGED,
    wide("Containers", "string", "Names of each container in the template."),
    wide("Images", "string", "Images referenced by each container in the template."),
];
const DAEMON_SETS: &[Column] = &[
    NAMED,
    plain("Desired", "integer", "The total number of nodes that should be running the daemon pod."),
    plain(
        "Current",
        "integer",
        "The number of nodes that are running at least 1 daemon pod and are supposed to run it.",
    ),
    plain("Ready", "integer", "The number of nodes that should be running the daemon pod and have it ready."),
    plain("Up-to-date", "integer", "The total number of nodes that are running updated daemon pod"),
    plain("Available", "integer", "The number of nodes that have the daemon pod running and available."),
    plain(
        "Node Selector",
        "string",
        "Selector which must match a node's labels for the pod to be scheduled on that node.",
    ),
    AGED,
];
const BUDGETS: &[Column] = &[
    NAMED,
    plain("Min Available", "string", "The minimum number of pods that must be available."),
    plain("Max Unavailable", "string", "The maximum number of pods that may be unavailable."),
    plain("Allowed Disruptions", "integer", "Calculated number of pods that may be disrupted at this time."),
    AGED,
];
const LEASES: &[Column] =
    &[NAMED, plain("Holder", "string", "holderIdentity contains the identity of the holder of a current lease."), AGED];
const SERVICES: &[Column] = &[
    NAMED,
    plain("Type", "string", "type determines how the Service is exposed."),
    plain("Cluster-IP", "string", "clusterIP is the IP address of the service."),
    plain(
        "External-IP",
        "string",
        "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic.",
    ),
    plain("Port(s)", "string", "The list of ports that are exposed by this service."),
    AGED,
];
const EVENTS: &[Column] = &[
    plain("Last Seen", "string", "The time at which the most recent occurrence of this event was recorded."),
    plain("Type", "string", "Type of this event (Normal, Warning), new types could be added in the future"),
    plain(
        "Reason",
        "string",
        "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
    ),
    plain("Object", "string", "The object that this event is about."),
    wide(
        "Subobject",
        "string",
        "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the object reference is to a container within a pod, this would take on a value like: \"spec.containers{name}\" (where \"name\" refers to the name of the container that triggered the event) or if no container name is specified \"spec.containers[2]\" (container with index 2 in this pod). This syntax is chosen only to have some well-defined way of referencing a part of an object.",
    ),
    wide("Source", "string", "The component reporting this event. Should be a short machine understandable string."),
    plain("Message", "string", "A human-readable description of the status of this operation."),
    wide(
        "First Seen",
        "string",
        "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)",
    ),
    wide("Count", "string", "The number of times this event has occurred."),
    wide("Name", "string", NAME),
];
const DEFINITIONS: &[Column] = &[NAMED, plain("Created At", "date", AGE)];

/// The columns of a kind.
pub(super) fn columns(resource: &Resource) -> &'static [Column] {
    match resource.kind.as_str() {
        "ConfigMap" => CONFIG_MAPS,
        "Secret" => SECRETS,
        "Namespace" => NAMESPACES,
        "Node" => NODES,
        "Pod" => PODS,
        "Deployment" => DEPLOYMENTS,
        "ReplicaSet" => REPLICA_SETS,
        "StatefulSet" => STATEFUL_SETS,
        "DaemonSet" => DAEMON_SETS,
        "PodDisruptionBudget" => BUDGETS,
        "Lease" => LEASES,
        "Service" => SERVICES,
        "Event" => EVENTS,
        "CustomResourceDefinition" => DEFINITIONS,
        _ => DEFAULT,
    }
}

/// The cells of an object, one for each column.
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
            vec![name, node_state(object).into(), roles(object).into(), aged, version]
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
        "DaemonSet" => vec![
            name,
            number(&status["desiredNumberScheduled"]),
            number(&status["currentNumberScheduled"]),
            number(&status["numberReady"]),
            number(&status["updatedNumberScheduled"]),
            number(&status["numberAvailable"]),
            "<none>".into(),
            aged,
        ],
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
            "<none>".into(),
            ports(spec).into(),
            aged,
        ],
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
    let ports: Vec<String> = ports.map(|port| format!("{}/{}", port["port"], text(port, "/protocol"))).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
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
