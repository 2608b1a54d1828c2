//! What is there before anybody comes: namespaces, the service of the API server itself, the default roles.

use serde_json::{Map, Value, json};

use crate::api::{Api, Options, Status};
use crate::object::{items, text};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// The API server, as pods reach it.
const ADDRESS: &str = "192.0.2.1";
const PORT: u16 = 6443;

/// The roles that users meet, and who has them. Those of the control plane's own parts are not there: the parts are inside.
const ROLES: &str = include_str!("roles.json");

/// Sets apart the numbers drawn for what comes with the cluster.
const ASIDE: u64 = 0x746b_2d62_6f6f_7473;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Makes what every cluster has.
///
/// # Errors
/// The [`Status`] with which the server refuses something.
pub(crate) fn furnish(api: &Api) -> Result<(), Status> {
    for name in NAMESPACES {
        create(api, "", "namespaces", "", json!({"metadata": {"name": name}}))?;
    }
    // What comes with the cluster draws no numbers from those that name what users make.
    let drawn = api.random().state();
    api.random().go_on_from(drawn ^ ASIDE);
    let furnished = service(api).and_then(|()| roles(api));
    api.random().go_on_from(drawn);
    furnished
}

fn create(api: &Api, group: &str, plural: &str, namespace: &str, object: Value) -> Result<(), Status> {
    let resource = api.resource(group, plural).ok_or_else(Status::no_such_path)?;
    api.create(&resource, namespace, object, &Options::by("kube-apiserver")).map(|_| ())
}

fn service(api: &Api) -> Result<(), Status> {
    let port = |rest: Value| {
        let mut port = json!({"name": "https", "protocol": "TCP"});
        port.as_object_mut().into_iter().for_each(|port| port.extend(rest.as_object().cloned().unwrap_or_default()));
        port
    };
    let service = json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": "10.96.0.1",
            "ipFamilyPolicy": "SingleStack",
            "ports": [port(json!({"port": 443, "targetPort": PORT}))],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    });
    create(api, "", "services", "default", service)?;
    let slice = json!({
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": true}}],
        "ports": [port(json!({"port": PORT}))],
    });
    create(api, "discovery.k8s.io", "endpointslices", "default", slice)?;
    let endpoints = json!({
        "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": ADDRESS}], "ports": [port(json!({"port": PORT}))]}],
    });
    create(api, "", "endpoints", "default", endpoints)
}

fn roles(api: &Api) -> Result<(), Status> {
    let known: Value = serde_json::from_str(ROLES).map_err(|error| Status::internal(error.to_string()))?;
    for role in items(&known, "/roles") {
        let mut object = json!({"metadata": metadata(role), "rules": role["rules"]});
        if let Some(whose) = role["aggregates"].as_str() {
            let label = format!("{RBAC}/aggregate-to-{whose}");
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        }
        create(api, RBAC, "clusterroles", "", object)?;
    }
    for binding in items(&known, "/bindings") {
        let name = text(binding, "/role");
        let groups = items(binding, "/groups").iter();
        let subjects: Vec<Value> =
            groups.map(|group| json!({"kind": "Group", "apiGroup": RBAC, "name": group})).collect();
        let object = json!({
            "metadata": metadata(&json!({"name": name})),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": subjects,
        });
        create(api, RBAC, "clusterrolebindings", "", object)?;
    }
    Ok(())
}

/// Labels and annotations of what comes with the cluster.
fn metadata(role: &Value) -> Value {
    let mut labels: Map<String, Value> = role["labels"].as_object().cloned().unwrap_or_default();
    labels.insert("kubernetes.io/bootstrapping".into(), "rbac-defaults".into());
    json!({
        "name": role["name"],
        "labels": labels,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}
