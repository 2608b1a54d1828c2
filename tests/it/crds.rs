//! The published CRDs: up to date, bounded, with the documented defaults and rules that say what to write.

use std::{collections::BTreeSet, path::Path};

use kube::core::cel::{compile_schema, estimate_rule_cost};
use kubeheal::api::{
    self, CircuitBreaker, Document, EvictionPolicy, HealedService, HealingSettings, Mode, OnOpenAction, RecreatePolicy,
    Step, lint, status,
};
use kubeheal_core::model::{state, text::MAX_MESSAGE};
use serde_json::{Value, json};

/// The example of the API's documentation, with every field.
const FULL: &str = include_str!("crds/full.yaml");

/// The shortest useful object.
fn shortest() -> Value {
    json!({
        "apiVersion": "kubeheal.dev/v1alpha1",
        "kind": "HealedService",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"workloadRef": {"kind": "Deployment", "name": "api"}},
    })
}

fn schema() -> Value {
    schemas().remove(0)
}

/// Of all kinds.
fn schemas() -> Vec<Value> {
    let crds = api::crds().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
    crds.map(|crd| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()).collect()
}

fn service(document: Document) -> HealedService {
    match document {
        Document::HealedService(service) => *service,
        other => panic!("{other:?}"),
    }
}

/// Calls `visit` with the path and the schema of every field.
fn each_field(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        each_field(&format!("{path}.{name}"), child, visit);
    }
    for (part, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if schema[part].is_object() {
            each_field(&format!("{path}{mark}"), &schema[part], visit);
        }
    }
}

#[test]
fn files_are_what_the_types_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let manifests = api::manifests().unwrap();
    for manifest in &manifests {
        let path = directory.join(&manifest.file_name);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, manifest.content, "{} is out of date: run `cargo run --bin crdgen`", manifest.file_name);
        assert!(manifest.content.len() < 200 * 1024, "{} is too large for kubectl apply", manifest.file_name);
        let read: Value = serde_saphyr::from_str(&manifest.content).unwrap();
        let plural = read["spec"]["names"]["plural"].as_str().unwrap();
        assert_eq!(read["metadata"]["name"], format!("{plural}.kubeheal.dev"));
    }
    let text = std::fs::read_to_string(directory.join("Kustomization")).unwrap();
    let kustomization: Value = serde_saphyr::from_str(&text).unwrap();
    let names: Vec<&str> = manifests.iter().map(|manifest| manifest.file_name.as_str()).collect();
    assert_eq!(kustomization["resources"], serde_json::json!(names), "crds/Kustomization lists them all");
    let files = std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(files, manifests.len() + 1, "crds/ holds a file that no type generates");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/kubeheal/files/crds");
    for manifest in &manifests {
        let found = std::fs::read_to_string(chart.join(&manifest.file_name)).unwrap_or_default();
        assert_eq!(found, manifest.content, "the chart's copy is out of date: run `cargo run --bin crdgen`");
    }
    assert_eq!(
        std::fs::read_dir(chart).unwrap().count(),
        manifests.len(),
        "the chart has a CRD that no type generates"
    );
}

#[test]
fn names_are_what_people_type() {
    let crd = serde_json::to_value(&api::crds()[0]).unwrap();
    let spec = &crd["spec"];
    assert_eq!(format!("{}/{}", api::GROUP, api::VERSION), api::API_VERSION);
    assert_eq!(spec["group"], api::GROUP);
    assert_eq!(spec["scope"], "Namespaced");
    assert_eq!(spec["names"]["shortNames"], json!(["hsvc"]));
    assert_eq!(spec["names"]["categories"], json!(["kubeheal"]));
    let version = &spec["versions"][0];
    assert_eq!(version["name"], api::VERSION);
    assert_eq!(version["subresources"], json!({"status": {}}));
    let columns = |is_wide: bool| -> Vec<_> {
        let all = version["additionalPrinterColumns"].as_array().unwrap().iter();
        let of = all.filter(|column| column["priority"].is_null() != is_wide);
        of.map(|column| column["name"].as_str().unwrap()).collect()
    };
    assert_eq!(columns(false), ["Ready", "Target", "Circuit", "Restarts", "Age", "Status"]);
    assert_eq!(columns(true), ["Available", "Kind"], "with -o wide");
}

#[test]
fn every_field_is_bounded_and_described() {
    let mut wrong = Vec::new();
    let bounded = &mut |path: &str, field: &Value| {
        let mut need = |right: bool, what: &str| {
            if !right {
                wrong.push(format!("{path} has no {what}"));
            }
        };
        // Entries of lists and maps are described by the list or map.
        need(!field["description"].is_null() || path.ends_with([']', '*']), "description");
        match field["type"].as_str() {
            Some("integer") => {
                need(!field["minimum"].is_null(), "minimum");
                need(!field["maximum"].is_null() || path.starts_with(".status"), "maximum");
                need(field["format"] == "int32" || field["format"] == "int64", "signed format");
            }
            Some("string") => {
                let closed = !field["enum"].is_null() || field["format"] == "date-time";
                need(closed || !field["maxLength"].is_null(), "maxLength");
            }
            Some("array") => {
                need(!field["maxItems"].is_null(), "maxItems");
                need(!field["x-kubernetes-list-type"].is_null(), "list type");
                for key in field["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                    let item = &field["items"];
                    let required = item["required"].as_array().unwrap().contains(key);
                    let defaulted = !item["properties"][key.as_str().unwrap()]["default"].is_null();
                    need(required || defaulted, "value for each map key");
                }
            }
            Some("object") if field["additionalProperties"].is_object() => {
                need(!field["maxProperties"].is_null(), "maxProperties");
            }
            Some("object" | "boolean") => {}
            Some(other) => wrong.push(format!("{path} is a {other}")),
            None => {
                let either = field["x-kubernetes-int-or-string"] == true;
                assert!(either && !field["pattern"].is_null() && !field["maximum"].is_null(), "{path}");
            }
        }
    };
    for schema in schemas() {
        each_field("", &schema, bounded);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_what_kubernetes_forces_is_nullable() {
    let mut nullable = Vec::new();
    each_field("", &schema(), &mut |path, field| {
        if field["nullable"] == true {
            nullable.push(path.to_owned());
        }
        assert_ne!(field["default"], json!([null]), "{path}");
    });
    // kube makes the optional status, and every optional int-or-string, nullable.
    assert_eq!(nullable, [".spec.health.minReady", ".status"]);
    let mut object = shortest();
    merge(&mut object, &json!({"spec": {"health": {"minReady": null}}}));
    let service: HealedService = serde_json::from_value(object).unwrap();
    assert_eq!(service.spec.settings.settings().unwrap(), HealingSettings::default());
}

#[test]
fn every_rule_has_a_message_and_is_cheap() {
    let mut rules = BTreeSet::new();
    let check = &mut |path: &str, field: &Value| {
        let compiled = compile_schema(field);
        for rule in field["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let text = rule["rule"].as_str().unwrap();
            rules.insert(text.to_owned());
            let message = rule["message"].as_str().or(rule["messageExpression"].as_str());
            assert!(message.is_some_and(|message| message.len() > 40), "{path}: {text}");
            assert!(!message.unwrap().contains('\n'), "{path}: {text}");
            let warnings = estimate_rule_cost(text, &compiled);
            assert!(warnings.is_empty(), "{path}: {warnings:?}");
        }
    };
    for schema in schemas() {
        each_field("", &schema, check);
    }
    assert_eq!(rules.len(), 21, "rules were added or lost: tell the table of refusals below");
}

#[test]
fn the_shortest_object_gets_the_documented_defaults() {
    let service: HealedService = serde_json::from_value(shortest()).unwrap();
    assert_eq!(
        serde_json::to_value(&service).unwrap()["spec"],
        shortest()["spec"],
        "nothing is added to what was written"
    );
    let settings = service.spec.settings.settings().unwrap();
    assert_eq!(settings.mode, Mode::Heal);
    assert_eq!(settings.remediation.ladder, [Step::RestartPod, Step::RecreateWorkload]);
    assert_eq!(settings.remediation.recreate, RecreatePolicy::IfMissing);
    assert_eq!(settings.remediation.eviction_policy, EvictionPolicy::RespectBudget);
    assert_eq!(settings.circuit_breaker.on_open.action, OnOpenAction::Hold);
    assert_eq!(settings.circuit_breaker, CircuitBreaker::default());
    // The page of the API, word for word.
    let documented = json!({
        "mode": "Heal",
        "suspend": false,
        "health": {
            "startupGraceSeconds": 0,
            "notReadySeconds": 300,
            "crashLoopSeconds": 300,
            "restarts": {"threshold": 5, "windowSeconds": 1800},
            "minReady": 1,
            "readinessGates": "Hold",
        },
        "remediation": {
            "ladder": ["RestartPod", "RecreateWorkload"],
            "recreate": "IfMissing",
            "evictionPolicy": "RespectBudget",
            "backoff": {"initialSeconds": 30, "factor": 2, "maxSeconds": 600},
            "verifySeconds": 600,
            "stabilizationSeconds": 300,
            "resetAfterHealthySeconds": 3600,
            "gitOpsGraceSeconds": 300,
            "restartOnDependencyRecovery": false,
        },
        "circuitBreaker": {
            "failureThreshold": 3,
            "windowSeconds": 3600,
            "recurrence": {"threshold": 5, "windowSeconds": 14400},
            "openSeconds": 900,
            "maxOpenSeconds": 3600,
            "latchAfter": 0,
            "onOpen": {"action": "Hold"},
        },
        "diagnosis": {"logTailLines": 0},
        "escalation": {"unhealthySeconds": 1800},
        "alerts": {"repeatSeconds": 3600},
    });
    assert_eq!(serde_json::to_value(&settings).unwrap(), documented);
    // The server adds none of it, so that what a person wrote can be told from what nobody did …
    assert_eq!(kube::core::cel::apply_defaults(&schema(), &shortest()), shortest());
    // … but tells it.
    each_default("", &documented, &mut |path, default| {
        let field = schema().pointer(&format!("/properties/spec{path}")).cloned().unwrap();
        let description = field["description"].as_str().unwrap();
        assert!(description.ends_with(&format!(" Default: {default}.")), "{path}: {description}");
    });
    // A part that is given keeps the other defaults of its siblings.
    let mut partial = shortest();
    merge(&mut partial, &json!({"spec": {"remediation": {"backoff": {"factor": 3}}}}));
    let partial: HealedService = serde_json::from_value(partial).unwrap();
    let backoff = partial.spec.settings.settings().unwrap().remediation.backoff;
    assert_eq!((backoff.max_seconds, backoff.factor), (600, 3));
}

/// Calls `visit` with the schema's path of each field that has a default, and the default as a person would write it.
fn each_default(path: &str, value: &Value, visit: &mut dyn FnMut(&str, String)) {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| each_default(&format!("{path}/properties/{name}"), field, visit));
        }
        Value::Array(items) => visit(path, format!("[{}]", items.iter().map(word).collect::<Vec<_>>().join(", "))),
        value => visit(path, word(value)),
    }
}

#[test]
fn the_documented_example_is_accepted_and_kept() {
    let service = service(lint(FULL).unwrap_or_else(|problems| panic!("{problems:#?}")));
    service.validate_cel().unwrap();
    let mut given: Value = serde_saphyr::from_str(FULL).unwrap();
    let circuit = given["status"]["circuit"].as_object_mut().unwrap();
    circuit.retain(|_, value| !value.is_null());
    let kept = serde_json::to_value(&service).unwrap();
    // What was given is kept to the letter; only defaults are added.
    assert_eq!(added(&given, &kept), Vec::<String>::new());
    assert_eq!(kept["status"], given["status"]);
}

#[test]
fn an_empty_status_is_written_as_nothing() {
    let empty = serde_json::to_value(api::HealedServiceStatus::default()).unwrap();
    assert_eq!(empty, json!({}));
    let circuit = serde_json::to_value(status::CircuitStatus::default()).unwrap();
    assert_eq!(circuit, json!({"state": "Closed", "ineffective": 0, "openings": 0}));
}

#[test]
fn bounds_in_code_are_those_of_the_schema() {
    let schema = schema();
    let status = &schema["properties"]["status"]["properties"];
    let part = |name: &str| &status["memory"]["properties"][name]["properties"];
    let (observed, attempts) = (part("observed"), part("attempts"));
    for (bound, field) in [
        (status::MAX_FINDINGS, &status["findings"]),
        (status::MAX_BLOCKS, &status["blockedBy"]),
        (state::MAX_HISTORY, &status["history"]),
        (state::MAX_CONTAINERS, &observed["containers"]),
        (state::MAX_RESTARTS, &observed["containers"]["items"]["properties"]["restarts"]),
        (state::MAX_ACTIONS, &attempts["actions"]),
        (state::MAX_RECENT, &attempts["recent"]),
        (status::MAX_OVERRIDES, &status["effectivePolicy"]["properties"]["overrides"]),
    ] {
        assert_eq!(field["maxItems"].as_u64(), Some(bound as u64));
    }
    let message = &status["findings"]["items"]["properties"]["message"];
    assert_eq!(message["maxLength"].as_u64(), Some(MAX_MESSAGE as u64));
}

/// What a person gets to read: a change of the shortest object, and the path and words of the one problem it makes.
#[rustfmt::skip]
fn refusals() -> Vec<(Value, &'static str, &'static str)> {
    let sink = |sink: Value| json!({"spec": {"alerts": {"receivers": [sink]}}});
    let window = |window: Value| json!({"spec": {"remediation": {"windows": [window]}}});
    let remediation = |fields: Value| json!({"spec": {"remediation": fields}});
    let breaker = |fields: Value| json!({"spec": {"circuitBreaker": fields}});
    vec![
        // Rules.
        (json!({"spec": {"workloadRef": {"apiVersion": "v1"}}}), "spec.workloadRef", "apiVersion follows from kind: leave it out, or write v1 for a Pod and apps/v1"),
        (json!({"spec": {"workloadRef": {"kind": "Pod", "apiVersion": "apps/v1"}}}), "spec.workloadRef", "apiVersion follows from kind"),
        (json!({"spec": {"dependsOn": [{"name": "api"}]}}), "", "names this service itself, which could then never be healthy: remove that entry"),
        (breaker(json!({"windowSeconds": 3599})), "spec", "circuitBreaker.windowSeconds is 3599, so the circuit could never open: write at least 3600, which is failureThreshold"),
        (breaker(json!({"failureThreshold": 4})), "spec", "write at least 4800"),
        (breaker(json!({"openSeconds": 3601})), "spec.circuitBreaker", "openSeconds must not be more than maxOpenSeconds"),
        (breaker(json!({"onOpen": {"action": "Fallback"}})), "spec.circuitBreaker.onOpen", "needs a fallback: write fallback.serviceName and fallback.selector"),
        (breaker(json!({"onOpen": {"fallback": {"serviceName": "api", "selector": {"app": "sorry"}}}})), "spec.circuitBreaker.onOpen", "used by action Fallback only: remove it, or write action: Fallback"),
        (json!({"spec": {"workloadRef": {"kind": "DaemonSet"}, "circuitBreaker": {"onOpen": {"action": "ScaleToZero"}}}}), "spec", "only a Deployment or StatefulSet can be scaled to zero"),
        (json!({"spec": {"workloadRef": {"kind": "Pod"}, "remediation": {"ladder": ["RestartPod", "Rollback"]}}}), "spec", "only a Deployment can be rolled back: remove Rollback from remediation.ladder"),
        (json!({"spec": {"workloadRef": {"kind": "StatefulSet"}, "remediation": {"ladder": ["Rollback"]}}}), "spec", "only a Deployment can be rolled back"),
        (remediation(json!({"backoff": {"initialSeconds": 601}})), "spec.remediation.backoff", "initialSeconds must not be more than maxSeconds"),
        (remediation(json!({"stabilizationSeconds": 601})), "spec.remediation", "raise verifySeconds or lower stabilizationSeconds"),
        (remediation(json!({"ladder": ["RestartPod", "RestartPod"]})), "spec.remediation", "names a step twice: name each step once"),
        (window(json!({"start": "02:00", "end": "02:00"})), "spec.remediation.windows[0]", "must not start when it ends"),
        (sink(json!({"name": "a", "type": "Slack"})), "spec.alerts.receivers[0]", "needs one of url and urlFrom"),
        (sink(json!({"name": "a", "type": "Slack", "url": "https://a", "urlFrom": {"secretRef": {"name": "a", "key": "b"}}})), "spec.alerts.receivers[0]", "needs one of url and urlFrom"),
        (sink(json!({"name": "a", "type": "Slack", "url": "https://a", "hmacFrom": {"secretRef": {"name": "a", "key": "b"}}})), "spec.alerts.receivers[0]", "hmacFrom signs requests of type Webhook only"),
        (sink(json!({"name": "a", "type": "Alertmanager", "url": "http://me:secret@alertmanager"})), "spec.alerts.receivers[0]", "holds a user name or password: put the whole address into a Secret"),
        (sink(json!({"name": "a", "type": "PagerDuty"})), "spec.alerts.receivers[0]", "routingKeyFrom is the integration key of type PagerDuty, which needs it"),
        (sink(json!({"name": "a", "type": "Slack", "url": "https://a", "routingKeyFrom": {"secretRef": {"name": "a", "key": "b"}}})), "spec.alerts.receivers[0]", "and of no other"),
        // Structure.
        (json!({"spec": {"workloadRef": {"kind": "CronJob"}}}), "spec.workloadRef.kind", "\"CronJob\" is not known here: write one of Deployment, StatefulSet, DaemonSet, Pod"),
        (json!({"spec": {"workloadRef": {"name": "Api"}}}), "spec.workloadRef.name", "\"Api\" is not valid: write lower-case letters, digits, '-' and '.'"),
        (json!({"spec": {"workloadref": {}}}), "spec.workloadref", "is not a known field: remove it, or write one of alerts, circuitBreaker,"),
        (json!({"spec": {"policyRef": {"kind": "HealingPolicy"}}}), "spec.policyRef.name", "is missing: add it"),
        (json!({"spec": {"mode": "Dry"}}), "spec.mode", "write one of Heal, Observe"),
        (json!({"spec": {"suspend": "yes"}}), "spec.suspend", "must be true or false, but \"yes\" was given"),
        (json!({"spec": {"health": {"minReady": "120%"}}}), "spec.health.minReady", "write a whole number, or a percentage such as \"50%\""),
        (json!({"spec": {"health": {"minReady": -1}}}), "spec.health.minReady", "-1 is too small: write a number from 0 to 10000"),
        (json!({"spec": {"health": {"minReady": true}}}), "spec.health.minReady", "must be a whole number or a percentage, but true was given"),
        (json!({"spec": {"health": {"restarts": {"threshold": 0}}}}), "spec.health.restarts.threshold", "0 is too small: write a number from 1 to 30"),
        (json!({"spec": {"health": {"ignoreExitCodes": [143, 143]}}}), "spec.health.ignoreExitCodes[1]", "repeats 143: write it once"),
        (json!({"spec": {"health": {"ignoreExitCodes": [2_147_483_648_i64]}}}), "spec.health.ignoreExitCodes[0]", "2147483648 is too large"),
        (json!({"spec": {"health": {"podConditions": [{"type": "A"}, {"type": "A", "status": "True"}]}}}), "spec.health.podConditions[1]", "repeats type \"A\", status \"True\": write it once"),
        (remediation(json!({"backoff": {"factor": 1.5}})), "spec.remediation.backoff.factor", "must be a whole number, but 1.5 was given"),
        (remediation(json!({"backoff": {"factor": 0}})), "spec.remediation.backoff.factor", "0 is too small"),
        (remediation(json!({"ladder": []})), "spec.remediation.ladder", "needs at least 1 entry, or leave the field out"),
        (remediation(json!({"ladder": "RestartPod"})), "spec.remediation.ladder", "must be a list (lines that start with `-`), but \"RestartPod\" was given"),
        (window(json!({"start": "2:00", "end": "05:00"})), "spec.remediation.windows[0].start", "write a time as \"HH:MM\", such as \"02:30\""),
        (window(json!({"start": "24:00", "end": "05:00"})), "spec.remediation.windows[0].start", "\"24:00\" is not valid"),
        (breaker(json!({"latchAfter": -1})), "spec.circuitBreaker.latchAfter", "-1 is too small: write a number from 0 to 100"),
        (breaker(json!({"onOpen": {"action": "Fallback", "fallback": {"serviceName": "api", "selector": {}}}})), "spec.circuitBreaker.onOpen.fallback.selector", "needs at least 1 entry"),
        (sink(json!({"name": "a", "type": "Slack", "url": "hooks.slack.com"})), "spec.alerts.receivers[0].url", "write an address that starts with http:// or https://"),
        (json!({"spec": {"alerts": {"receivers": [{"name": "a", "type": "Slack", "url": "https://a"}, {"name": "a", "type": "Slack", "url": "https://b"}]}}}), "spec.alerts.receivers[1]", "repeats name \"a\": write it once"),
        (json!({"spec": {"grants": [{"namespace": "Web"}]}}), "spec.grants[0].namespace", "\"Web\" is not valid"),
        (json!({"status": {"memory": {"observed": {"since": "yesterday"}}}}), "status.memory.observed.since", "\"yesterday\" is no time"),
        // What no schema can say.
        (json!({"spec": {"diagnosis": {"rules": [{"name": "Bad", "pattern": "("}]}}}), "spec.diagnosis.rules[0].pattern", "is no regular expression"),
        (window(json!({"start": "02:00", "end": "05:00", "timeZone": "Europe/Atlantis"})), "spec.remediation.windows[0].timeZone", "write an IANA name such as Europe/Berlin"),
        (json!({"spec": {"dependsOn": [{"name": "api", "namespace": "shop"}]}}), "spec.dependsOn[0]", "names this service itself: remove it"),
        // Another object.
        (json!({"apiVersion": "kubeheal.dev/v1"}), "apiVersion", "must be kubeheal.dev/v1alpha1"),
        (json!({"kind": "Deployment"}), "kind", "must be HealedService"),
        (json!({"metadata": {"name": ""}}), "metadata.name", "is missing: add it"),
    ]
}

#[test]
fn each_refusal_says_where_and_what_to_write() {
    for (change, path, words) in refusals() {
        let mut object = shortest();
        merge(&mut object, &change);
        let problems = lint(&object.to_string()).expect_err(&format!("{change} was accepted"));
        let [problem] = problems.as_slice() else {
            panic!("{change} makes {problems:#?}");
        };
        assert_eq!(problem.path, path, "{change}: {problem}");
        assert!(problem.message.contains(words), "{change}: {problem}\nwanted: {words}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut object = shortest();
    merge(&mut object, &json!({"spec": {"mode": "Dry", "sleep": 1, "escalation": {"unhealthySeconds": 0}}}));
    let problems = lint(&object.to_string()).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["spec.mode", "spec.sleep", "spec.escalation.unhealthySeconds"]);
    assert_eq!(lint("spec: [").unwrap_err().len(), 1);
    assert_eq!(lint("[]").unwrap_err().len(), 3);
    assert!(!lint("").unwrap_err().is_empty());
}

#[test]
fn nothing_a_file_can_hold_makes_lint_panic() {
    for text in ["null", "1", "\"\"", "{}", "spec: 1", "- - -", "a: &a [*a]", "\u{0}", "apiVersion: {}"] {
        assert!(lint(text).is_err(), "{text}");
    }
}

#[test]
fn the_workload_cannot_be_exchanged() {
    let old: HealedService = serde_json::from_value(shortest()).unwrap();
    let changed = |change: Value| -> HealedService {
        let mut object = shortest();
        merge(&mut object, &json!({"spec": {"workloadRef": change}}));
        serde_json::from_value(object).unwrap()
    };
    for change in [json!({"name": "web"}), json!({"kind": "StatefulSet"})] {
        let errors = changed(change).validate_cel_update(&old).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field_path, "spec.workloadRef");
        assert!(errors[0].message.contains("create another HealedService"), "{errors}");
    }
    // Writing what was implied is no change.
    changed(json!({"apiVersion": "apps/v1"})).validate_cel_update(&old).unwrap();
}

#[test]
fn a_newer_object_stays_readable() {
    let mut object = shortest();
    merge(
        &mut object,
        &json!({
            "spec": {"fromTheFuture": 1, "health": {"fromTheFuture": 1}},
            "status": {
                "history": [
                    {"time": "2026-11-22T10:00:30Z", "step": "Teleport", "outcome": "Bliss"},
                    {"time": "2026-11-22T10:00:31Z", "step": "Teleport", "outcome": "Verified"},
                ],
                "fromTheFuture": {},
            },
        }),
    );
    let service: HealedService = serde_json::from_value(object).unwrap();
    let history = service.status.unwrap().history;
    assert_eq!(
        (history.len(), history[0].step.as_str()),
        (1, "Teleport"),
        "what is not known is dropped, the rest stays"
    );
}

/// Puts `change` over `object`, field by field.
fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(fields.entry(name).or_insert(json!({})), change);
            }
        }
        (object, change) => *object = change.clone(),
    }
}

/// Where `kept` lacks or contradicts what `given` says.
fn added(given: &Value, kept: &Value) -> Vec<String> {
    match (given, kept) {
        (Value::Object(fields), Value::Object(_)) => fields
            .iter()
            .flat_map(|(name, given)| {
                let inner = added(given, &kept[name]);
                inner.into_iter().map(move |path| format!("{name}.{path}"))
            })
            .collect(),
        (Value::Array(given), Value::Array(kept)) if given.len() == kept.len() => {
            given.iter().zip(kept).flat_map(|(given, kept)| added(given, kept)).collect()
        }
        (given, kept) if given == kept => Vec::new(),
        (given, kept) => vec![format!(": {given} became {kept}")],
    }
}
