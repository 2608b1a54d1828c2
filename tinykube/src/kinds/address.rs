//! What only one service may have: its address, and its ports on the nodes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::{Api, Cause, Options, Status};
use crate::object::{self, items, text};
use crate::resource::Resource;

/// Ports of nodes that services get.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Gives a service its address and its ports on the nodes: those it had, those it asks for, or any that are free.
///
/// # Errors
/// 422 when what it asks for is another one's, or nobody's to give.
pub(super) fn allocate(
    api: &Api,
    services: &Resource,
    old: &Value,
    service: &mut Value,
    options: &Options,
) -> Result<(), Status> {
    if service["spec"]["type"] == "ExternalName" {
        return Ok(());
    }
    let mut causes = Vec::new();
    let asked = text(service, "/spec/clusterIP").to_owned();
    if asked != text(old, "/spec/clusterIP") || asked.is_empty() {
        let taken = || others(api, services, service).any(|other| text(&other, "/spec/clusterIP") == asked);
        let problem = match asked.as_str() {
            "" | "None" => None,
            address if !super::rules::is_in_service_network(address) => Some(format!(
                "the provided IP ({address}) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
            )),
            _ if taken() => Some("provided IP is already allocated".to_owned()),
            _ => None,
        };
        if let Some(problem) = problem {
            let why = format!("failed to allocate IP {asked}: {problem}");
            causes.push(Cause::invalid("spec.clusterIPs", &json!([asked]), &why));
        }
    }
    let ports = if needs_node_ports(service) {
        allocate_ports(api, services, old, service, options)
    } else {
        NodePorts::default()
    };
    causes.extend(ports.causes);
    if !causes.is_empty() {
        return Err(Status::invalid(services, object::name(service), &causes));
    }
    for (index, number) in ports.given {
        service["spec"]["ports"][index]["nodePort"] = number.into();
    }
    let spec = object::entry(service, "spec");
    if asked.is_empty() {
        let drawn = format!("10.96.{}.{}", api.random().below(256), 1 + api.random().below(254));
        spec.insert("clusterIP".into(), drawn.into());
    }
    let address = spec["clusterIP"].clone();
    object::default(spec, "clusterIPs", json!([address]));
    object::default(spec, "ipFamilies", json!(["IPv4"]));
    object::default(spec, "ipFamilyPolicy", "SingleStack");
    Ok(())
}

fn others<'a>(api: &Api, services: &Resource, service: &'a Value) -> impl Iterator<Item = std::sync::Arc<Value>> + 'a {
    let all = api.store().list(services, "");
    all.into_iter().map(|other| other.value()).filter(|other| object::uid(other) != object::uid(service))
}

fn needs_node_ports(service: &Value) -> bool {
    let spec = &service["spec"];
    spec["type"] == "NodePort" || spec["type"] == "LoadBalancer"
}

/// What has come of giving ports.
#[derive(Default)]
struct NodePorts {
    /// The ports that are given, by their place in the list.
    given: Vec<(usize, i64)>,
    /// Why ports that are asked for cannot be had.
    causes: Vec<Cause>,
}

/// Finds ports; the port of the health check is set at once.
fn allocate_ports(api: &Api, services: &Resource, old: &Value, service: &mut Value, options: &Options) -> NodePorts {
    let mut taken: BTreeSet<i64> = others(api, services, service).flat_map(|other| node_ports(&other)).collect();
    let before = node_ports(old);
    let mut ports = NodePorts::default();
    let wants = service["spec"]["allocateLoadBalancerNodePorts"] != false;
    for (index, port) in items(service, "/spec/ports").iter().enumerate() {
        let number = port["nodePort"].as_i64().unwrap_or(0);
        let place = || format!("spec.ports[{index}].nodePort");
        if number == 0 {
            if wants {
                let number = free(api, &taken);
                taken.insert(number);
                ports.given.push((index, number));
            }
        } else if taken.contains(&number) {
            ports.causes.push(Cause::invalid(place(), &number.into(), "provided port is already allocated"));
        } else if !NODE_PORTS.contains(&number) && !before.contains(&number) && !options.dry_run {
            let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            ports.causes.push(Cause::invalid(place(), &number.into(), why));
        }
    }
    let spec = &service["spec"];
    let local = spec["type"] == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local";
    if local && spec["healthCheckNodePort"].as_i64().unwrap_or(0) == 0 {
        service["spec"]["healthCheckNodePort"] = free(api, &taken).into();
    }
    ports
}

fn node_ports(service: &Value) -> Vec<i64> {
    let ports = items(service, "/spec/ports").iter().map(|port| &port["nodePort"]);
    ports.chain([&service["spec"]["healthCheckNodePort"]]).filter_map(Value::as_i64).filter(|port| *port != 0).collect()
}

fn free(api: &Api, taken: &BTreeSet<i64>) -> i64 {
    let span = NODE_PORTS.end() - NODE_PORTS.start() + 1;
    let drawn = i64::try_from(api.random().below(span.unsigned_abs())).unwrap_or(0);
    let all = (0..span).map(|step| NODE_PORTS.start() + (drawn + step) % span);
    all.into_iter().find(|port| !taken.contains(port)).unwrap_or(*NODE_PORTS.start())
}
