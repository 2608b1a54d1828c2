//! Kinds that make pods.

use serde_json::{Value, json};

use super::{COUNT, Check, Place, Rules, form, internal, is_usable, pod, selector, selects, share, share_of_all};
use crate::api::Cause;
use crate::object::{items, text};

pub(super) const DEPLOYMENT: Rules = &[("spec", Check::Inside(DEPLOYMENT_SPEC))];

const DEPLOYMENT_SPEC: Rules = &[
    ("replicas", COUNT),
    ("", Check::Also(|spec, place, causes| pods_of("deployment", spec, place, causes))),
    ("strategy", Check::Also(strategy)),
    ("minReadySeconds", COUNT),
    ("revisionHistoryLimit", COUNT),
    ("progressDeadlineSeconds", COUNT),
    ("", Check::Also(deadline)),
];

pub(super) const REPLICA_SET: Rules = &[(
    "spec",
    Check::Inside(&[
        ("replicas", COUNT),
        ("minReadySeconds", COUNT),
        ("", Check::Also(|spec, place, causes| pods_of("replicaset", spec, place, causes))),
    ]),
)];

pub(super) const STATEFUL_SET: Rules = &[(
    "spec",
    Check::Inside(&[
        ("podManagementPolicy", Check::Also(management)),
        ("updateStrategy", Check::Also(update_strategy)),
        ("persistentVolumeClaimRetentionPolicy", Check::Inside(RETENTION)),
        ("replicas", COUNT),
        ("minReadySeconds", COUNT),
        ("ordinals", Check::Inside(&[("start", COUNT)])),
        ("", Check::Also(|spec, place, causes| pods_of("statefulset", spec, place, causes))),
    ]),
)];

const RETENTION: Rules =
    &[("whenDeleted", Check::OneOf(&["Retain", "Delete"])), ("whenScaled", Check::OneOf(&["Retain", "Delete"]))];

pub(super) const DAEMON_SET: Rules = &[(
    "spec",
    Check::Inside(&[
        ("", Check::Also(|spec, place, causes| pods_of("daemonset", spec, place, causes))),
        ("minReadySeconds", COUNT),
        ("updateStrategy", Check::Inside(&[("rollingUpdate", Check::Also(daemon_roll))])),
        ("revisionHistoryLimit", COUNT),
    ]),
)];

pub(super) const JOB: Rules = &[("", Check::Also(generated_selector)), ("spec", Check::Inside(JOB_SPEC))];

const JOB_SPEC: Rules = &[
    ("parallelism", COUNT),
    ("completions", COUNT),
    ("activeDeadlineSeconds", COUNT),
    ("backoffLimit", COUNT),
    ("ttlSecondsAfterFinished", COUNT),
    ("backoffLimitPerIndex", COUNT),
    ("maxFailedIndexes", COUNT),
    ("completionMode", Check::OneOf(&["NonIndexed", "Indexed"])),
    ("", Check::Also(index)),
    ("podFailurePolicy", Check::Inside(&[("rules", Check::Each(FAILURE_RULE))])),
    ("podReplacementPolicy", Check::OneOf(&["Failed", "TerminatingOrFailed"])),
    ("", Check::Also(job_pods)),
];

const FAILURE_RULE: Rules = &[
    ("action", Check::Required("valid values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\"")),
    ("action", Check::OneOf(&["Count", "FailIndex", "FailJob", "Ignore"])),
    (
        "onExitCodes",
        Check::Inside(&[("operator", Check::OneOf(&["In", "NotIn"])), ("", Check::Also(no_success_among_codes))]),
    ),
];

/// The selector selects the template, whose pods always run again.
fn pods_of(kind: &str, spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let wanted = &spec["selector"];
    let here = place.field("selector");
    if wanted.is_null() {
        causes.push(Cause::required(here.to_string(), ""));
    } else {
        selector(wanted, &here, causes);
        if wanted["matchLabels"].is_null() && wanted["matchExpressions"].is_null() {
            let why = format!("empty selector is invalid for {kind}");
            causes.push(Cause::invalid(here.to_string(), wanted, &why));
        }
    }
    if !is_usable(wanted) {
        return causes.push(Cause::invalid(here.to_string(), wanted, "invalid label selector"));
    }
    let here = place.field("template");
    template(wanted, &spec["template"], &here, causes);
    let policy = text(spec, "/template/spec/restartPolicy");
    if matches!(policy, "OnFailure" | "Never") {
        let place = here.field("spec");
        causes.push(Cause::unsupported(place.field("restartPolicy").to_string(), &json!(policy), &["Always"]));
    }
}

fn template(wanted: &Value, template: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let labels = &template["metadata"]["labels"];
    let metadata = place.field("metadata");
    if !selects(wanted, labels) {
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid(metadata.field("labels").to_string(), labels, why));
    }
    super::label_map(labels, &metadata.field("labels"), causes);
    pod::spec(&template["spec"], &place.field("spec"), causes);
}

fn strategy(given: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let roll = place.field("rollingUpdate");
    match text(given, "/type") {
        "Recreate" if given["rollingUpdate"].is_object() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            causes.push(Cause::forbidden(roll.to_string(), why));
        }
        "RollingUpdate" => {
            let (gone, more) = (&given["rollingUpdate"]["maxUnavailable"], &given["rollingUpdate"]["maxSurge"]);
            share(gone, &roll.field("maxUnavailable"), causes);
            share(more, &roll.field("maxSurge"), causes);
            if is_nothing(gone) && is_nothing(more) {
                let why = "may not be 0 when `maxSurge` is 0";
                causes.push(Cause::invalid(roll.field("maxUnavailable").to_string(), gone, why));
            }
            if gone.as_str().and_then(form::percent).is_some_and(|percent| percent > 100) {
                share_of_all(gone, &roll.field("maxUnavailable"), causes);
            }
        }
        "Recreate" | "" => {}
        _ => {
            let known = ["Recreate", "RollingUpdate"];
            causes.push(Cause::unsupported(place.to_string(), &internal::shown(given, internal::STRATEGY), &known));
        }
    }
}

fn is_nothing(share: &Value) -> bool {
    share.as_i64() == Some(0) || share.as_str().and_then(form::percent) == Some(0)
}

fn daemon_roll(roll: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let (gone, more) = (&roll["maxUnavailable"], &roll["maxSurge"]);
    share_of_all(gone, &place.field("maxUnavailable"), causes);
    share_of_all(more, &place.field("maxSurge"), causes);
    if is_nothing(gone) && is_nothing(more) {
        causes.push(Cause::required(place.field("maxUnavailable").to_string(), "cannot be 0 when maxSurge is 0"));
    }
}

fn deadline(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let (deadline, ready) = (&spec["progressDeadlineSeconds"], &spec["minReadySeconds"]);
    if deadline.as_i64().is_some_and(|deadline| deadline >= 0 && deadline <= ready.as_i64().unwrap_or(0)) {
        let why = "must be greater than minReadySeconds";
        causes.push(Cause::invalid(place.field("progressDeadlineSeconds").to_string(), deadline, why));
    }
}

fn management(policy: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if !matches!(policy.as_str().unwrap_or_default(), "" | "OrderedReady" | "Parallel") {
        causes.push(Cause::invalid(place.to_string(), policy, "must be 'OrderedReady' or 'Parallel'"));
    }
}

fn update_strategy(given: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if !matches!(text(given, "/type"), "" | "RollingUpdate" | "OnDelete") {
        let shown = internal::shown(given, internal::STRATEGY);
        causes.push(Cause::invalid(place.to_string(), &shown, "must be 'RollingUpdate' or 'OnDelete'"));
    }
    let roll = place.field("rollingUpdate");
    COUNT.apply(&given["rollingUpdate"]["partition"], &roll.field("partition"), causes);
}

/// The label by which a job knows its pods.
pub(crate) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// Unless its maker says otherwise, a job selects by its own UID and nothing else.
fn generated_selector(job: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("spec");
    let spec = &job["spec"];
    let own = json!({"matchLabels": {CONTROLLER_UID: job["metadata"]["uid"]}});
    if spec["manualSelector"] != true && spec["selector"] != own {
        let why = "`selector` not auto-generated";
        causes.push(Cause::invalid(place.field("selector").to_string(), &spec["selector"], why));
    }
}

fn index(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        let why = "when completion mode is Indexed";
        causes.push(Cause::required(place.field("completions").to_string(), why));
    }
    if spec["completionMode"] != "Indexed" && !spec["backoffLimitPerIndex"].is_null() {
        let why = "requires indexed completion mode";
        causes.push(Cause::invalid(
            place.field("backoffLimitPerIndex").to_string(),
            &spec["backoffLimitPerIndex"],
            why,
        ));
    }
}

fn no_success_among_codes(codes: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let place = place.field("values");
    for (index, code) in items(codes, "/values").iter().enumerate() {
        if codes["operator"] == "In" && code.as_i64() == Some(0) {
            causes.push(Cause::invalid(place.item(index).to_string(), code, "must not be 0 for the In operator"));
        }
    }
}

fn job_pods(spec: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    let here = place.field("template");
    if is_usable(&spec["selector"]) {
        let mismatches = causes.len();
        template(&spec["selector"], &spec["template"], &here, causes);
        // The real server compares selector and labels twice.
        if let Some(again) = causes.get(mismatches).filter(|cause| cause.message.contains("does not match")).cloned() {
            causes.insert(mismatches, again);
        }
    }
    let (policy, pods) = (&spec["template"]["spec"]["restartPolicy"], here.field("spec"));
    let place = pods.field("restartPolicy");
    match policy.as_str().unwrap_or_default() {
        "" | "Always" => {
            causes.push(Cause::required(place.to_string(), "valid values: \"OnFailure\", \"Never\""));
        }
        "OnFailure" if spec["podFailurePolicy"].is_object() => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            causes.push(Cause::invalid(place.to_string(), policy, why));
        }
        "OnFailure" | "Never" => {}
        _ => causes.push(Cause::unsupported(place.to_string(), policy, &["OnFailure", "Never"])),
    }
}
