//! How many there may be: disruption budgets and autoscalers.

use serde_json::Value;

use super::{Check, POSITIVE, Place, Rules, internal, share_of_all};
use crate::api::Cause;
use crate::object::text;

pub(super) const BUDGET: Rules = &[(
    "spec",
    Check::Inside(&[
        ("", Check::Also(one_bound)),
        ("minAvailable", Check::Also(share_of_all)),
        ("maxUnavailable", Check::Also(share_of_all)),
        ("unhealthyPodEvictionPolicy", Check::OneOf(&["AlwaysAllow", "IfHealthyBudget"])),
        ("selector", Check::Selector),
    ]),
)];

fn one_bound(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let why = "minAvailable and maxUnavailable cannot be both set";
        causes.push(Cause::invalid(place.to_string(), &internal::shown(spec, internal::BUDGET), why));
    }
}

pub(super) const AUTOSCALER: Rules = &[("spec", Check::Inside(AUTOSCALER_SPEC))];

const AUTOSCALER_SPEC: Rules = &[
    ("minReplicas", POSITIVE),
    ("", Check::Also(bounds)),
    (
        "scaleTargetRef",
        Check::Inside(&[("kind", Check::Required("")), ("name", Check::Required("")), ("", Check::Also(target_group))]),
    ),
    ("metrics", Check::Each(METRIC)),
    ("behavior", Check::Inside(&[("scaleUp", Check::Inside(SPEED)), ("scaleDown", Check::Inside(SPEED))])),
];

fn bounds(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("maxReplicas");
    let most = spec["maxReplicas"].as_i64().unwrap_or(0);
    if most < 1 {
        causes.push(Cause::required(place.to_string(), "must be set and greater than 0"));
    }
    if spec["minReplicas"].as_i64().is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid(place.to_string(), &most.into(), why));
    }
}

fn target_group(target: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let version = text(target, "/apiVersion");
    if !version.contains('/') && target["kind"] != "ReplicationController" {
        let why = "apiVersion must specify API group";
        causes.push(Cause::invalid(place.field("apiVersion").to_string(), &version.into(), why));
    }
}

const METRIC: Rules = &[
    ("type", Check::Required("must specify a metric source type")),
    ("", Check::Also(source)),
    (
        "resource",
        Check::Inside(&[
            ("name", Check::Required("must specify a resource name")),
            ("target", Check::Inside(&[("averageUtilization", POSITIVE)])),
        ]),
    ),
];

fn source(metric: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let field = match text(metric, "/type") {
        "Resource" => "resource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        "ContainerResource" => "containerResource",
        _ => return,
    };
    if !metric[field].is_object() {
        let why = "must populate information for the given metric source";
        causes.push(Cause::required(place.field(field).to_string(), why));
    }
}

const SPEED: Rules = &[
    ("stabilizationWindowSeconds", super::COUNT),
    ("stabilizationWindowSeconds", Check::Number(|seconds| seconds <= 3600, "must be less than or equal to 3600")),
];
