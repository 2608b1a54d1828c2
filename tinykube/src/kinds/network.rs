//! Defaults of who stands behind a service and who may reach a pod.

use serde_json::{Value, json};

use crate::object::{self, default};

/// Defaults of Endpoints, an EndpointSlice or a NetworkPolicy.
pub(super) fn defaults(kind: &str, object: &mut Value) {
    match kind {
        "Endpoints" => {
            for subset in list(object, "subsets") {
                list(subset, "ports").for_each(speak_tcp);
            }
        }
        "EndpointSlice" => {
            for endpoint in list(object, "endpoints") {
                object::entry(endpoint, "conditions");
            }
            for port in list(object, "ports") {
                speak_tcp(port);
                default(object::map(port), "name", "");
            }
            let members = object::map(object);
            members.entry("endpoints").or_insert(Value::Null);
            members.entry("ports").or_insert(Value::Null);
        }
        _ => policy(object),
    }
}

fn policy(policy: &mut Value) {
    let Some(spec) = policy.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    for direction in ["ingress", "egress"] {
        for rule in list(spec, direction) {
            list(rule, "ports").for_each(speak_tcp);
        }
    }
    let closes_both = !object::items(spec, "/egress").is_empty();
    let types = if closes_both { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    default(object::map(spec), "policyTypes", types);
}

fn list<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn speak_tcp(port: &mut Value) {
    default(object::map(port), "protocol", "TCP");
}
