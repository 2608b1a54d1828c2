//! Who gets the traffic of a service: its `EndpointSlices`, and the older Endpoints, which say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::{Context, owner_reference};
use super::view::Key;
use super::{Turn, pods, selector};
use crate::api::{DeleteOptions, Status};
use crate::kinds::account;
use crate::object::{self, items, text};
use crate::resource::Resource;

const MANAGER: &str = "endpointslice.kubernetes.io/managed-by";
const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// One turn for one service.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let kinds = context.kinds.clone();
    let Some(service) = context.view.get_key(key) else {
        // Slices are garbage then; the older kind has no owner.
        if let Some(endpoints) = context.view.get(&kinds.endpoints, &key.namespace, &key.name)
            && object::label(&endpoints, "endpoints.kubernetes.io/managed-by").is_some()
        {
            delete(context, &kinds.endpoints, &endpoints)?;
        }
        return Ok(None);
    };
    let chosen = service["spec"]["selector"].as_object().is_some_and(|selector| !selector.is_empty());
    if object::is_terminating(&service) || !chosen || service["spec"]["type"] == "ExternalName" {
        return Ok(None);
    }
    let members = members(context, &service);
    write_slices(context, &service, &members)?;
    write_endpoints(context, &service, &members)?;
    Ok(None)
}

/// What of a pod a service's endpoints depend on.
pub(crate) fn concern(pod: &Value) -> [Value; 6] {
    [
        pod["metadata"]["labels"].clone(),
        pod["status"]["podIP"].clone(),
        pod["spec"]["nodeName"].clone(),
        pods::is_ready(pod).into(),
        pods::is_over(pod).into(),
        object::is_terminating(pod).into(),
    ]
}

/// A pod behind a service, with the ports it is reached at.
struct Member {
    pod: Arc<Value>,
    ports: Vec<Value>,
    ready: bool,
}

fn members(context: &Context, service: &Value) -> Vec<Member> {
    let wanted = &service["spec"]["selector"];
    let all = context.view.in_namespace(&context.kinds.pods, object::namespace(service));
    let fitting = all.filter(|pod| {
        selector::map_selects(wanted, &pod["metadata"]["labels"])
            && !text(pod, "/status/podIP").is_empty()
            && !pods::is_over(pod)
    });
    let anyhow = service["spec"]["publishNotReadyAddresses"] == true;
    let member = |pod: Arc<Value>| {
        let ready = anyhow || (pods::is_ready(&pod) && !object::is_terminating(&pod));
        Member { ports: ports(service, &pod), ready, pod }
    };
    fitting.map(member).collect()
}

/// The ports of a service at a pod; one that is named there and not here is missing.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let ports = items(service, "/spec/ports").iter().filter_map(|port| {
        let target = &port["targetPort"];
        let number = match target {
            Value::String(name) => {
                let mut containers =
                    items(pod, "/spec/containers").iter().flat_map(|container| items(container, "/ports"));
                containers
                    .find(|known| known["name"] == name.as_str() && known["protocol"] == port["protocol"])
                    .map(|known| known["containerPort"].clone())?
            }
            number => number.clone(),
        };
        let mut found = json!({"name": text(port, "/name"), "protocol": port["protocol"], "port": number});
        if let Some(protocol) = port.get("appProtocol") {
            found["appProtocol"] = protocol.clone();
        }
        Some(found)
    });
    ports.collect()
}

fn labels(service: &Value, manager: (&str, &str)) -> Value {
    let mut labels = service["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(manager.0.into(), manager.1.into());
    if service["spec"]["clusterIP"] == "None" {
        labels.insert(HEADLESS.into(), "".into());
    }
    labels.into()
}

/// One slice for all pods that are reached at the same ports; an empty one when there is none.
fn write_slices(context: &Context, service: &Value, members: &[Member]) -> Result<(), Status> {
    let mut groups: BTreeMap<String, Vec<&Member>> = BTreeMap::new();
    for member in members {
        groups.entry(json!(member.ports).to_string()).or_default().push(member);
    }
    if groups.is_empty() {
        groups.insert(String::new(), Vec::new());
    }
    let slices = context.kinds.slices.clone();
    let known = context.view.controlled_by(object::uid(service), &slices);
    let mut kept = Vec::new();
    for (index, members) in groups.into_values().enumerate() {
        let endpoints: Vec<Value> = members.iter().map(|member| endpoint(service, member)).collect();
        let ports = members.first().map_or(Value::Null, |member| json!(member.ports));
        let endpoints = if endpoints.is_empty() { Value::Null } else { json!(endpoints) };
        let number = account::suffix(&format!("{}/{index}", object::uid(service)));
        let name = format!("{}-{number}", object::name(service));
        kept.push(name.clone());
        let mut labels = labels(service, (MANAGER, "endpointslice-controller.k8s.io"));
        labels["kubernetes.io/service-name"] = object::name(service).into();
        let slice = json!({
            "metadata": {
                "name": name,
                "generateName": format!("{}-", object::name(service)),
                "labels": labels,
                "ownerReferences": [owner_reference(&context.kinds.services, service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        });
        put(context, &slices, object::namespace(service), slice, &["endpoints", "ports"])?;
    }
    for slice in known.iter().filter(|slice| !kept.iter().any(|name| name == object::name(slice))) {
        delete(context, &slices, slice)?;
    }
    Ok(())
}

fn endpoint(service: &Value, member: &Member) -> Value {
    let pod = &member.pod;
    let mut endpoint = json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": member.ready,
            "serving": pods::is_ready(pod),
            "terminating": object::is_terminating(pod),
        },
        "targetRef": target(pod),
        "nodeName": pod["spec"]["nodeName"],
    });
    let hostname = text(pod, "/spec/hostname");
    if !hostname.is_empty() && text(pod, "/spec/subdomain") == object::name(service) {
        endpoint["hostname"] = hostname.into();
    }
    endpoint
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": object::namespace(pod), "name": object::name(pod), "uid": object::uid(pod)})
}

fn write_endpoints(context: &Context, service: &Value, members: &[Member]) -> Result<(), Status> {
    let mut subsets: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for member in members.iter().filter(|member| !object::is_terminating(&member.pod)) {
        let subset = subsets.entry(json!(member.ports).to_string()).or_default();
        let pod = &member.pod;
        let address =
            json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)});
        let list = if member.ready { "addresses" } else { "notReadyAddresses" };
        let list = subset.entry(list).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(address.clone()));
        let unnamed = |port: &Value| {
            let mut port = port.clone();
            if text(&port, "/name").is_empty() {
                object::map(&mut port).shift_remove("name");
            }
            port
        };
        let ports: Vec<Value> = member.ports.iter().map(unnamed).collect();
        subset.insert("ports".into(), ports.into());
    }
    let mut endpoints = json!({
        "metadata": {
            "name": object::name(service),
            "labels": labels(service, ("endpoints.kubernetes.io/managed-by", "endpoint-controller")),
        },
    });
    if !subsets.is_empty() {
        endpoints["subsets"] = subsets.into_values().map(Value::Object).collect();
    }
    let resource = context.kinds.endpoints.clone();
    put(context, &resource, object::namespace(service), endpoints, &["subsets"])
}

/// Creates an object, or makes the one that is there say the same.
fn put(
    context: &Context,
    resource: &Resource,
    namespace: &str,
    mut wanted: Value,
    parts: &[&str],
) -> Result<(), Status> {
    let trigger = context.api.clock().seconds();
    let Some(known) = context.view.get(resource, namespace, object::name(&wanted)) else {
        wanted["metadata"]["annotations"] = json!({TRIGGER: trigger});
        return match context.create(resource, namespace, wanted) {
            Err(status) if status.code != 409 && status.code != 403 => Err(status),
            _ => Ok(()),
        };
    };
    let same = |part: &&str| known.get(*part).unwrap_or(&Value::Null) == wanted.get(*part).unwrap_or(&Value::Null);
    if parts.iter().all(same) && known["metadata"]["labels"] == wanted["metadata"]["labels"] {
        return Ok(());
    }
    let changed = context.change(resource, &known, |object| {
        for part in parts {
            object[*part] = wanted[*part].clone();
        }
        object["metadata"]["labels"] = wanted["metadata"]["labels"].clone();
        object::entry(&mut object["metadata"], "annotations").insert(TRIGGER.into(), trigger.into());
    });
    match changed {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

fn delete(context: &Context, resource: &Resource, seen: &Value) -> Result<(), Status> {
    let options = DeleteOptions::default().with_uid(object::uid(seen));
    match context.api.delete(resource, object::namespace(seen), object::name(seen), &options) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
