//! Services, who stands behind them, and who may reach them.

use serde_json::{Value, json};

use super::{COUNT, Check, NO_PORT, PORT, Place, Rules, duplicate, form, internal, label_map, pod};
use crate::api::Cause;
use crate::object::{items, text};

pub(super) const SERVICE: Rules = &[("spec", Check::Inside(SPEC))];

const SPEC: Rules = &[
    ("", Check::Also(needs_ports)),
    ("", Check::Also(external_name)),
    ("", Check::Also(ports)),
    ("selector", Check::Also(label_map)),
    ("sessionAffinity", Check::OneOf(&["ClientIP", "None"])),
    ("", Check::Also(addresses)),
    ("type", Check::OneOf(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])),
    ("", Check::Also(node_ports)),
    ("", Check::Also(source_ranges)),
    ("", Check::Also(external_traffic)),
    ("internalTrafficPolicy", Check::OneOf(&["Cluster", "Local"])),
];

const SERVICE_PORT: Rules = &[
    ("name", Check::Text(form::label)),
    ("port", PORT),
    ("protocol", Check::OneOf(&["SCTP", "TCP", "UDP"])),
    ("targetPort", Check::Also(pod::port)),
];

fn needs_ports(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if items(spec, "/ports").is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        causes.push(Cause::required(place.field("ports").to_string(), ""));
    }
}

fn external_name(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if spec["type"] != "ExternalName" {
        return;
    }
    if !text(spec, "/clusterIP").is_empty() {
        let why = "may not be set for ExternalName services";
        causes.push(Cause::forbidden(place.field("clusterIPs").to_string(), why));
    }
    let rules: Rules = &[("externalName", Check::Required("")), ("externalName", Check::Text(form::subdomain))];
    super::check(rules, spec, place, causes);
}

fn ports(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let ports = items(spec, "/ports");
    let place = place.field("ports");
    for (index, port) in ports.iter().enumerate() {
        let place = place.item(index);
        if ports.len() > 1 && text(port, "/name").is_empty() {
            causes.push(Cause::required(place.field("name").to_string(), ""));
        }
        super::check(SERVICE_PORT, port, &place, causes);
        let before = ports.get(..index).unwrap_or_default();
        if before.iter().any(|other| !text(port, "/name").is_empty() && other["name"] == port["name"]) {
            causes.push(duplicate(&port["name"], &place.field("name")));
        }
        if before.iter().any(|other| other["port"] == port["port"] && other["protocol"] == port["protocol"]) {
            causes.push(duplicate(&internal::shown(port, internal::SERVICE_PORT), &place));
        }
    }
}

fn addresses(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let families = place.field("ipFamilies");
    for (index, family) in items(spec, "/ipFamilies").iter().enumerate().filter(|(_, family)| *family != "IPv4") {
        let why = "not configured on this cluster";
        causes.push(Cause::invalid(families.item(index).to_string(), family, why));
    }
    Check::OneOf(&["SingleStack", "PreferDualStack", "RequireDualStack"]).apply(
        &spec["ipFamilyPolicy"],
        &place.field("ipFamilyPolicy"),
        causes,
    );
    if spec["ipFamilyPolicy"] == "RequireDualStack" {
        let why = "this cluster is not configured for dual-stack services";
        causes.push(Cause::invalid(place.field("ipFamilyPolicy").to_string(), &spec["ipFamilyPolicy"], why));
    }
    let place = place.field("clusterIPs");
    let given: Vec<&str> = items(spec, "/clusterIPs").iter().filter_map(Value::as_str).collect();
    let own = text(spec, "/clusterIP");
    let given = if given.is_empty() && !own.is_empty() { vec![own] } else { given };
    let problems = causes.len();
    for (index, address) in given.iter().enumerate().filter(|(_, address)| **address != "None") {
        for why in form::address(address) {
            causes.push(Cause::invalid(place.item(index).to_string(), &json!(address), &why));
        }
    }
    if causes.len() == problems && given.len() > 1 {
        let why = "may specify no more than one IP for each IP family";
        causes.push(Cause::invalid(place.to_string(), &json!(given), why));
    }
}

fn node_ports(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("ports");
    for (index, port) in items(spec, "/ports").iter().enumerate() {
        if spec["type"] == "ClusterIP" && port["nodePort"].as_i64().is_some_and(|port| port != 0) {
            let why = "may not be used when `type` is 'ClusterIP'";
            causes.push(Cause::forbidden(place.item(index).field("nodePort").to_string(), why));
        }
    }
}

fn source_ranges(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    // The real server names the field of its own type.
    let place = place.field("LoadBalancerSourceRanges");
    for (index, range) in items(spec, "/loadBalancerSourceRanges").iter().enumerate() {
        Check::Text(form::network).apply(range, &place.item(index), causes);
    }
    if spec["type"] != "LoadBalancer" && !items(spec, "/loadBalancerSourceRanges").is_empty() {
        let why = "may only be used when `type` is 'LoadBalancer'";
        causes.push(Cause::forbidden(place.to_string(), why));
    }
}

fn external_traffic(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("externalTrafficPolicy");
    let outside = matches!(text(spec, "/type"), "NodePort" | "LoadBalancer") || !items(spec, "/externalIPs").is_empty();
    if outside {
        return Check::OneOf(&["Cluster", "Local"]).apply(&spec["externalTrafficPolicy"], &place, causes);
    }
    if !text(spec, "/externalTrafficPolicy").is_empty() {
        let why = "may only be set for externally-accessible services";
        causes.push(Cause::invalid(place.to_string(), &spec["externalTrafficPolicy"], why));
    }
}

pub(super) const SLICE: Rules = &[
    ("addressType", Check::Required("")),
    ("addressType", Check::OneOf(&["FQDN", "IPv4", "IPv6"])),
    ("", Check::Also(endpoints)),
    ("ports", Check::Each(&[("protocol", Check::OneOf(&["SCTP", "TCP", "UDP"]))])),
];

fn endpoints(slice: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let endpoints = place.field("endpoints");
    for (index, endpoint) in items(slice, "/endpoints").iter().enumerate() {
        let endpoint_place = endpoints.item(index);
        let place = endpoint_place.field("addresses");
        if items(endpoint, "/addresses").is_empty() {
            causes.push(Cause::required(place.to_string(), "must contain at least 1 address"));
        }
        let form = if slice["addressType"] == "FQDN" { form::subdomain } else { form::address };
        for (index, address) in items(endpoint, "/addresses").iter().enumerate() {
            Check::Text(form).apply(address, &place.item(index), causes);
        }
    }
}

pub(super) const POLICY: Rules = &[("spec", Check::Inside(POLICY_SPEC))];

const POLICY_SPEC: Rules = &[
    ("podSelector", Check::Selector),
    ("ingress", Check::Each(&[("ports", Check::Each(POLICY_PORT)), ("from", Check::Each(PEER))])),
    ("egress", Check::Each(&[("ports", Check::Each(POLICY_PORT)), ("to", Check::Each(PEER))])),
    ("", Check::Also(policy_types)),
];

const POLICY_PORT: Rules = &[
    ("protocol", Check::OneOf(&["TCP", "UDP", "SCTP"])),
    ("port", Check::Also(pod::port)),
    ("endPort", COUNT),
    ("endPort", Check::Number(|port| port <= 65_535, NO_PORT)),
];

const PEER: Rules = &[
    ("", Check::Also(peer)),
    ("podSelector", Check::Selector),
    ("namespaceSelector", Check::Selector),
    ("ipBlock", Check::Also(block)),
];

fn peer(peer: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let given = |field: &str| peer[field].is_object();
    if !given("podSelector") && !given("namespaceSelector") && !given("ipBlock") {
        causes.push(Cause::required(place.to_string(), "must specify a peer"));
    }
    if given("ipBlock") && (given("podSelector") || given("namespaceSelector")) {
        causes.push(Cause::forbidden(place.to_string(), "may not specify both ipBlock and another peer"));
    }
}

fn block(block: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if !block.is_object() {
        return;
    }
    let rules: Rules = &[("cidr", Check::Required("")), ("cidr", Check::Text(form::network))];
    super::check(rules, block, place, causes);
    let whole = form::parse_network(text(block, "/cidr"));
    let place = place.field("except");
    for (index, except) in items(block, "/except").iter().enumerate() {
        let place = place.item(index);
        match (whole, except.as_str().and_then(form::parse_network)) {
            (Some(whole), Some(part)) if !form::is_part_of(part, whole) => {
                causes.push(Cause::invalid(place.to_string(), except, "must be a strict subset of `cidr`"));
            }
            _ => Check::Text(form::network).apply(except, &place, causes),
        }
    }
}

fn policy_types(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("policyTypes");
    for (index, kind) in items(spec, "/policyTypes").iter().enumerate() {
        Check::OneOf(&["Ingress", "Egress"]).apply(kind, &place.item(index), causes);
    }
}
