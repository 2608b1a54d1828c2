//! What is there before anybody comes: namespaces, the service of the API server itself, the default roles, and the
//! accounts of the control plane's parts.

use serde_json::{Map, Value, json};

use crate::api::{Api, Options, Status};
use crate::object::{items, text};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// The API server, as pods reach it.
const ADDRESS: &str = "192.0.2.1";
const PORT: u16 = 6443;

/// The roles that users meet, and who has them.
const ROLES: &str = include_str!("roles.json");

/// The same of the control plane's own parts, and their accounts.
const PARTS: &str = include_str!("parts.json");

/// Where the accounts of the control plane's parts are.
const SYSTEM: &str = "kube-system";

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
    let furnished = service(api).and_then(|()| access(api));
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

/// What the authorizer has to know of users, and of the control plane's own parts: they are inside and ask nobody, but who
/// looks for them finds them, and who acts as one of them may do the same.
fn access(api: &Api) -> Result<(), Status> {
    let read = |text: &str| text.parse::<Value>().map_err(|error| Status::internal(error.to_string()));
    let parts = read(PARTS)?;
    for account in items(&parts, "/accounts") {
        create(api, "", "serviceaccounts", SYSTEM, json!({"metadata": {"name": account}}))?;
    }
    for namespace in items(&parts, "/namespaces") {
        grant(api, text(namespace, "/name"), namespace)?;
    }
    // Roles that are made of others come last: they are made anew with each one that follows.
    grant(api, "", &parts)?;
    grant(api, "", &read(ROLES)?)
}

/// Roles and their bindings in a namespace, or for the whole cluster.
fn grant(api: &Api, namespace: &str, known: &Value) -> Result<(), Status> {
    let (kind, roles, bindings) = match namespace {
        "" => ("ClusterRole", "clusterroles", "clusterrolebindings"),
        _ => ("Role", "roles", "rolebindings"),
    };
    for role in items(known, "/roles") {
        let mut object = json!({"metadata": metadata(role), "rules": role["rules"]});
        if let Some(whose) = role["aggregates"].as_str() {
            let label = format!("{RBAC}/aggregate-to-{whose}");
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        }
        create(api, RBAC, roles, namespace, object)?;
    }
    for binding in items(known, "/bindings") {
        let role = &binding["role"];
        let named = binding.get("name").unwrap_or(role);
        let object = json!({
            "metadata": metadata(&json!({"name": named})),
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
            "subjects": subjects(binding),
        });
        create(api, RBAC, bindings, namespace, object)?;
    }
    Ok(())
}

fn subjects(binding: &Value) -> Vec<Value> {
    let known = |list: &str, kind: &str| -> Vec<Value> {
        items(binding, list).iter().map(|name| json!({"kind": kind, "apiGroup": RBAC, "name": name})).collect()
    };
    let accounts = items(binding, "/accounts").iter();
    let accounts = accounts.map(|name| json!({"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}));
    known("/groups", "Group").into_iter().chain(known("/users", "User")).chain(accounts).collect()
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
