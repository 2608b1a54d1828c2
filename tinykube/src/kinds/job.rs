//! Jobs: defaults, the selector that is made for them, and what a finished one must say.

use serde_json::{Map, Value, json};

use super::pod;
use crate::api::Cause;
use crate::object::{self, default, items};

/// The labels by which the pods of a job are known, and whether each says who the job is or what it is called.
const LABELS: [(&str, bool); 4] = [
    ("batch.kubernetes.io/controller-uid", true),
    ("batch.kubernetes.io/job-name", false),
    ("controller-uid", true),
    ("job-name", false),
];

/// Defaults of a job.
pub(super) fn defaults(job: &mut Value) {
    let labels = job["spec"]["template"]["metadata"].get("labels").cloned();
    if let (Some(labels), None) = (labels, job["metadata"].get("labels").filter(|labels| !labels.is_null())) {
        object::entry(job, "metadata").insert("labels".into(), labels);
    }
    let spec = object::entry(job, "spec");
    if let Some(template) = spec.get_mut("template") {
        object::entry(template, "metadata");
        object::entry(template, "spec");
        pod::spec_defaults(&mut template["spec"]);
    }
    let number = |spec: &Map<String, Value>, field: &str| spec.get(field).is_some_and(|value| !value.is_null());
    // Only a job that says nothing at all runs one pod; one that says how many at once is done when one has succeeded.
    if !number(spec, "completions") && !number(spec, "parallelism") {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    let unlimited = number(spec, "backoffLimitPerIndex");
    default(spec, "backoffLimit", if unlimited { i64::from(i32::MAX) } else { 6 });
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replaced =
        if spec.get("podFailurePolicy").is_some_and(Value::is_object) { "Failed" } else { "TerminatingOrFailed" };
    default(spec, "podReplacementPolicy", replaced);
    let rules = spec.get_mut("podFailurePolicy").and_then(|policy| policy.get_mut("rules"));
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten() {
        for condition in rule.get_mut("onPodConditions").and_then(Value::as_array_mut).into_iter().flatten() {
            default(object::map(condition), "status", "True");
        }
    }
}

/// A job selects the pods it makes by its UID, unless its maker has chosen how.
pub(super) fn select_own_pods(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (object::uid(job).to_owned(), object::name(job).to_owned());
    let template = object::entry(job, "spec").entry("template").or_insert_with(|| json!({}));
    object::entry(template, "metadata");
    let labels = object::entry(&mut template["metadata"], "labels");
    // What is defaulted from the template shares its labels.
    let before = Value::Object(labels.clone());
    for (label, is_uid) in LABELS {
        labels.insert(label.into(), if is_uid { uid.clone() } else { name.clone() }.into());
    }
    let labels = Value::Object(labels.clone());
    let own = job["metadata"].get("labels").cloned().unwrap_or_else(|| json!({}));
    if own == before {
        object::entry(job, "metadata").insert("labels".into(), labels);
    }
    let (label, _) = LABELS[0];
    let selector = object::entry(&mut job["spec"], "selector");
    let wanted = selector.entry("matchLabels").or_insert_with(|| json!({}));
    object::map(wanted).insert(label.into(), uid.into());
}

/// Everything wrong with what a status says of the end of a job.
pub(super) fn status_causes(status: &Value) -> Vec<Cause> {
    let has = |kind: &str| {
        items(status, "/conditions").iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    let (complete, failed) = (has("Complete"), has("Failed"));
    let mut causes = Vec::new();
    if complete && status["completionTime"].is_null() {
        causes.push(Cause::required("status.completionTime", "completionTime is required for Complete jobs"));
    }
    for (finished, kind, sign) in [(complete, "Complete", "SuccessCriteriaMet"), (failed, "Failed", "FailureTarget")] {
        if finished && !has(sign) {
            let message = format!("Invalid value: cannot set {kind}=True condition without the {sign}=true condition");
            causes.push(Cause { reason: "FieldValueInvalid", message, field: "status.conditions".into() });
        }
    }
    if (complete || failed) && status["startTime"].is_null() {
        causes.push(Cause::required("status.startTime", "startTime is required for finished job"));
    }
    let left = &status["terminating"];
    if (complete || failed) && left.as_i64().is_some_and(|left| left > 0) {
        causes.push(Cause::invalid("status.terminating", left, "terminating>0 is invalid for finished job"));
    }
    causes
}
