//! Services: defaults, and what goes when their type changes.

use serde_json::{Map, Value, json};

use crate::object::{self, default};

/// Defaults of a Service, without its address.
pub(super) fn defaults(service: &mut Value) {
    let spec = object::entry(service, "spec");
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = object::map(port);
        default(port, "protocol", "TCP");
        let unset = |target: &Value| target.is_null() || *target == 0 || *target == "";
        if port.get("targetPort").is_none_or(unset) {
            let number = port.get("port").cloned().unwrap_or_default();
            port.insert("targetPort".into(), number);
        }
    }
    if is_reached_from_outside(spec) {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if spec["type"] == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if spec["type"] == "ExternalName" {
        return;
    }
    default(spec, "internalTrafficPolicy", "Cluster");
}

fn is_reached_from_outside(spec: &Map<String, Value>) -> bool {
    let given = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|addresses| !addresses.is_empty());
    given || matches!(spec.get("type").and_then(Value::as_str), Some("NodePort" | "LoadBalancer"))
}

/// What a service had because of its type goes with it unless the change names it; its address stays if none is given.
pub(super) fn follow_type(old: &Value, new: &mut Value) {
    let spec = object::entry(new, "spec");
    let before = &old["spec"];
    if spec["type"] == "ExternalName" {
        let dependent = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"];
        drop_unchanged(spec, before, &dependent);
    } else {
        let same = spec.get("clusterIPs").is_none() || spec.get("clusterIPs") == before.get("clusterIPs");
        let asked = spec.get("clusterIP").filter(|asked| !asked.is_null()).cloned();
        match asked {
            Some(asked) if same && Some(&asked) != before.get("clusterIP") => {
                spec.insert("clusterIPs".into(), json!([asked]));
            }
            Some(_) => {}
            None => keep(spec, before, &["clusterIP", "clusterIPs"]),
        }
        keep(spec, before, &["clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
    }
    if !is_reached_from_outside(spec) {
        drop_unchanged(spec, before, &["externalTrafficPolicy", "healthCheckNodePort"]);
    }
    if spec["type"] != "LoadBalancer" {
        drop_unchanged(spec, before, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if matches!(spec["type"].as_str(), Some("ClusterIP" | "ExternalName")) {
        for (port, known) in spec
            .get_mut("ports")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .zip(object::items(before, "/ports"))
        {
            drop_unchanged(object::map(port), known, &["nodePort"]);
        }
    }
}

fn keep(members: &mut Map<String, Value>, before: &Value, fields: &[&str]) {
    for field in fields {
        if let (None, Some(known)) = (members.get(*field).filter(|value| !value.is_null()), before.get(*field)) {
            members.insert((*field).to_owned(), known.clone());
        }
    }
}

fn drop_unchanged(members: &mut Map<String, Value>, before: &Value, fields: &[&str]) {
    for field in fields {
        if members.get(*field) == before.get(*field) {
            members.shift_remove(*field);
        }
    }
}
