//! Defaults of the kinds that run pods.

use serde_json::{Value, json};

use super::pod;
use crate::object::{self, default};

/// Defaults of a Deployment, ReplicaSet, StatefulSet or DaemonSet.
pub(super) fn defaults(kind: &str, workload: &mut Value) {
    let spec = object::entry(workload, "spec");
    let template = spec.entry("template").or_insert_with(|| json!({}));
    object::entry(template, "metadata");
    object::entry(template, "spec");
    pod::spec_defaults(&mut template["spec"]);
    if kind != "DaemonSet" {
        default(spec, "replicas", 1);
    }
    match kind {
        "Deployment" => {
            default(spec, "revisionHistoryLimit", 10);
            default(spec, "progressDeadlineSeconds", 600);
            let rolling = json!({"maxUnavailable": "25%", "maxSurge": "25%"});
            strategy(spec, "strategy", &rolling);
        }
        "StatefulSet" => {
            default(spec, "podManagementPolicy", "OrderedReady");
            default(spec, "revisionHistoryLimit", 10);
            default(
                spec,
                "persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            );
            strategy(spec, "updateStrategy", &json!({"partition": 0}));
            for claim in spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten() {
                let members = object::map(claim);
                members.insert("kind".into(), "PersistentVolumeClaim".into());
                members.insert("apiVersion".into(), "v1".into());
                default(members, "status", json!({"phase": "Pending"}));
                default(object::entry(claim, "spec"), "volumeMode", "Filesystem");
            }
        }
        "DaemonSet" => {
            default(spec, "revisionHistoryLimit", 10);
            strategy(spec, "updateStrategy", &json!({"maxUnavailable": 1, "maxSurge": 0}));
            object::entry(workload, "metadata");
            default(object::entry(&mut workload["metadata"], "annotations"), TEMPLATE_GENERATION, "0");
        }
        _ => {}
    }
}

fn strategy(spec: &mut serde_json::Map<String, Value>, key: &str, rolling: &Value) {
    let strategy = spec.entry(key.to_owned()).or_insert_with(|| json!({}));
    let strategy = object::map(strategy);
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] != "RollingUpdate" {
        return;
    }
    let given = strategy.entry("rollingUpdate".to_owned()).or_insert_with(|| json!({}));
    for (key, value) in rolling.as_object().into_iter().flatten() {
        default(object::map(given), key, value.clone());
    }
}

/// Defaults of an autoscaler.
pub(super) fn autoscaler_defaults(autoscaler: &mut Value) {
    let spec = object::entry(autoscaler, "spec");
    default(spec, "minReplicas", 1);
    let processor = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
    default(spec, "metrics", json!([{"type": "Resource", "resource": processor}]));
}

/// The annotation that counts the templates a DaemonSet has had.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Counts another template, if it is another one; nobody else counts.
pub(super) fn recount_template(old: &Value, new: &mut Value) {
    let known = object::annotation(old, TEMPLATE_GENERATION).and_then(|known| known.parse::<i64>().ok()).unwrap_or(0);
    let changed = old["spec"]["template"] != new["spec"]["template"];
    object::entry(new, "metadata");
    let count = known + i64::from(changed);
    object::entry(&mut new["metadata"], "annotations").insert(TEMPLATE_GENERATION.into(), count.to_string().into());
}
