//! Defaults of the kinds that run pods.

use serde_json::{Value, json};

use super::pod;
use crate::object::{self, default};

/// Defaults of a Deployment, ReplicaSet, StatefulSet or DaemonSet.
pub(super) fn defaults(kind: &str, workload: &mut Value) {
    if let Some(template) = workload.pointer_mut("/spec/template/spec") {
        pod::spec_defaults(template);
    }
    let spec = object::entry(workload, "spec");
    if let Some(template) = spec.get_mut("template") {
        object::entry(template, "metadata");
    }
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
        }
        "DaemonSet" => {
            default(spec, "revisionHistoryLimit", 10);
            strategy(spec, "updateStrategy", &json!({"maxUnavailable": 1, "maxSurge": 0}));
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
