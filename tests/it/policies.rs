//! What is in force: a service's own fields over its policy's, inside the ceilings, and what is said of it.

use std::sync::Arc;

use kubeheal::{
    api::{self, lint},
    base::Key,
    cluster::{
        cache::Caches,
        kind::{Kind, Object},
    },
    policy::Effective,
};
use kubeheal_core::{
    action_rate::actions_in_an_hour,
    model::{
        policy::{Mode, Rung},
        reason::Reason,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    core::cases,
    support::world::{policy, service},
};

fn object(value: Value) -> Object {
    match value["kind"].as_str().unwrap() {
        "HealedService" => Object::Service(Arc::new(serde_json::from_value(value).unwrap())),
        "HealingPolicy" => Object::HealingPolicy(Arc::new(serde_json::from_value(value).unwrap())),
        "ClusterHealingPolicy" => Object::ClusterHealingPolicy(Arc::new(serde_json::from_value(value).unwrap())),
        other => panic!("{other}"),
    }
}

fn in_shop(mut value: Value) -> Value {
    value["metadata"]["namespace"] = json!("shop");
    value
}

fn api() -> Key {
    ("shop".to_owned(), "api".to_owned())
}

/// A policy of the service's namespace.
fn shops(name: &str, template: Value) -> Value {
    let mut object = in_shop(policy("HealingPolicy", name, json!({})));
    object["spec"]["template"] = template;
    object
}

/// A policy of the cluster.
fn clusters(name: &str, spec: Value) -> Value {
    policy("ClusterHealingPolicy", name, spec)
}

/// What is in force for a service with this spec among these policies.
fn effective(spec: Value, policies: &[Value]) -> Arc<Effective> {
    let mut caches = Caches::default();
    for policy in policies {
        let _touched = caches.apply(object(policy.clone()));
    }
    let _touched = caches.apply(object(in_shop(service("api", spec))));
    caches.effective(&api()).unwrap()
}

fn follows(kind: &str, name: &str) -> Value {
    json!({"policyRef": {"kind": kind, "name": name}})
}

#[test]
fn one_policy_stands_behind_a_service_the_nearest() {
    let named = shops("careful", json!({"escalation": {"unhealthySeconds": 1}}));
    let namespace = shops("default", json!({"escalation": {"unhealthySeconds": 2}}));
    let elsewhere = {
        let mut other = namespace.clone();
        other["metadata"]["namespace"] = json!("other");
        other
    };
    let strict = clusters("strict", json!({"template": {"escalation": {"unhealthySeconds": 3}}}));
    let cluster = clusters("default", json!({"template": {"escalation": {"unhealthySeconds": 4}, "mode": "Observe"}}));
    let all = [named, namespace, strict, cluster.clone()];
    let own = json!({"escalation": {"unhealthySeconds": 9}});
    let table = [
        ("nothing", json!({}), vec![], 1800, vec![]),
        ("own", own.clone(), all.to_vec(), 9, vec![]),
        (
            "named in the namespace",
            follows("HealingPolicy", "careful"),
            all.to_vec(),
            1,
            vec!["escalation.unhealthySeconds: HealingPolicy/careful"],
        ),
        (
            "named in the cluster",
            follows("ClusterHealingPolicy", "strict"),
            all.to_vec(),
            3,
            vec!["escalation.unhealthySeconds: ClusterHealingPolicy/strict"],
        ),
        (
            "the namespace's default, and nothing of the cluster's",
            json!({}),
            all.to_vec(),
            2,
            vec!["escalation.unhealthySeconds: HealingPolicy/default"],
        ),
        (
            "the cluster's default",
            json!({}),
            vec![elsewhere, cluster],
            4,
            vec!["escalation.unhealthySeconds: ClusterHealingPolicy/default", "mode: ClusterHealingPolicy/default"],
        ),
    ];
    for (what, spec, policies, seconds, mut overrides) in table {
        let effective = effective(spec, &policies);
        assert_eq!(effective.settings.escalation.unhealthy_seconds, seconds, "{what}");
        let mut said = effective.shown.overrides.clone();
        said.sort();
        overrides.sort_unstable();
        assert_eq!(said, overrides, "{what}");
        assert_eq!(effective.policy.held, None, "{what}");
        assert_eq!(effective.warnings, Vec::<String>::new(), "{what}");
        let observes = effective.policy.mode == Mode::Observe;
        assert_eq!(observes, what == "the cluster's default", "{what}");
    }
}

#[test]
fn the_digest_tells_settings_apart_and_not_where_they_come_from() {
    let own = effective(json!({"health": {"notReadySeconds": 60}}), &[]);
    let inherited = effective(json!({}), &[shops("default", json!({"health": {"notReadySeconds": 60}}))]);
    let other = effective(json!({"health": {"notReadySeconds": 61}}), &[]);
    let limited = effective(
        json!({"health": {"notReadySeconds": 60}}),
        &[clusters("default", json!({"ceilings": {"maxActionsPerHour": 12}}))],
    );
    assert_eq!(own.shown.digest, inherited.shown.digest);
    assert_ne!(own.shown.digest, other.shown.digest);
    assert_ne!(own.shown.digest, limited.shown.digest);
    assert!(own.shown.digest.len() <= 16, "{}", own.shown.digest);
}

#[test]
fn ceilings_hold_whatever_anybody_writes_and_the_tighter_wins() {
    let loose = clusters(
        "default",
        json!({"ceilings": {"maxActionsPerHour": 20, "allowedSteps": ["RestartPod", "RecreateWorkload"]}}),
    );
    let tight = clusters(
        "tight",
        json!({"ceilings": {"maxActionsPerHour": 8, "allowedSteps": ["RestartPod"], "allowedOnOpen": ["Hold"]}}),
    );
    let eager = json!({
        "remediation": {"ladder": ["RestartPod", "RecreateWorkload", "Rollback"]},
        "circuitBreaker": {"onOpen": {"action": "ScaleToZero"}},
    });
    let under = |reference: Option<Value>| {
        let mut spec = eager.clone();
        if let Some(reference) = reference {
            spec["policyRef"] = reference;
        }
        effective(spec, &[loose.clone(), tight.clone(), shops("mine", json!({}))])
    };

    let mine = json!({"kind": "HealingPolicy", "name": "mine"});
    for reference in [None, Some(mine), Some(json!({"name": "mine"}))] {
        let effective = under(reference);
        assert_eq!(effective.policy.remediation.ladder, [Rung::RestartPod, Rung::RecreateWorkload]);
        assert_eq!(effective.settings.circuit_breaker.on_open.action, api::OnOpenAction::ScaleToZero);
        assert_eq!(effective.policy.ceiling.as_ref().unwrap().actions_per_hour, 20);
        assert_eq!(effective.shown.overrides, ["remediation.ladder: ceilings of ClusterHealingPolicy/default"]);
        let told = "ClusterHealingPolicy/default does not allow the step Rollback".to_owned();
        assert!(effective.warnings.contains(&told), "{:?}", effective.warnings);
    }

    let both = under(Some(json!({"kind": "ClusterHealingPolicy", "name": "tight"})));
    assert_eq!(both.policy.remediation.ladder, [Rung::RestartPod]);
    assert_eq!(both.settings.circuit_breaker.on_open, api::OnOpen::default());
    let ceiling = both.policy.ceiling.clone().unwrap();
    assert_eq!((ceiling.actions_per_hour, ceiling.set_by.as_str()), (8, "ClusterHealingPolicy/tight"));
    assert_eq!(
        both.shown.overrides,
        [
            "remediation.ladder: ceilings of ClusterHealingPolicy/default",
            "remediation.ladder: ceilings of ClusterHealingPolicy/tight",
            "circuitBreaker.onOpen: ceilings of ClusterHealingPolicy/tight",
        ]
    );

    let nothing_left = effective(
        json!({"remediation": {"ladder": ["Rollback"]}}),
        &[clusters("default", json!({"ceilings": {"allowedSteps": ["RestartPod"]}}))],
    );
    assert_eq!(nothing_left.policy.remediation.ladder, []);
}

/// Settings, policies, and the one reason why nothing may be done, with words of its sentence.
#[rustfmt::skip]
fn refusals() -> Vec<(&'static str, Value, Vec<Value>, Reason, &'static str)> {
    let ceiling = |actions: i32| clusters("default", json!({"ceilings": {"maxActionsPerHour": actions}}));
    vec![
        ("a policy that is not there", follows("HealingPolicy", "careful"), vec![shops("default", json!({}))],
            Reason::PolicyNotFound, "policyRef names HealingPolicy/careful, which does not exist in namespace shop: create it"),
        ("a policy of the cluster that is not there", follows("ClusterHealingPolicy", "careful"), vec![shops("careful", json!({}))],
            Reason::PolicyNotFound, "policyRef names ClusterHealingPolicy/careful, which does not exist: create it"),
        ("a window that the policy makes too short", json!({"remediation": {"verifySeconds": 900}, "circuitBreaker": {"windowSeconds": 4500}}),
            vec![shops("default", json!({"circuitBreaker": {"failureThreshold": 4, "windowSeconds": 7200}}))],
            Reason::PolicyInvalid, "spec over HealingPolicy/default: circuitBreaker.windowSeconds is 4500, so the circuit could never open: write at least 6000"),
        ("calm that would never be proven", json!({"remediation": {"verifySeconds": 300}}), vec![shops("default", json!({"remediation": {"stabilizationSeconds": 400}}))],
            Reason::PolicyInvalid, "raise verifySeconds or lower stabilizationSeconds"),
        ("a pattern in the policy that costs too much", json!({}), vec![shops("default", json!({"diagnosis": {"rules": [{"name": "Wide", "pattern": "(\\w{40}){40}"}]}}))],
            Reason::PolicyInvalid, "diagnosis.rules[0].pattern"),
        ("a pattern in the policy that is none", json!({}), vec![shops("default", json!({"diagnosis": {"rules": [{"name": "Bad", "pattern": "("}]}}))],
            Reason::PolicyInvalid, "diagnosis.rules[0].pattern: is no regular expression"),
        ("a zone that does not exist", json!({}), vec![shops("default", json!({"remediation": {"windows": [{"start": "01:00", "end": "02:00", "timeZone": "Europe/Atlantis"}]}}))],
            Reason::PolicyInvalid, "is not a known time zone"),
        ("a field of another shape", json!({"health": {"notReadySeconds": "soon"}}), vec![], Reason::PolicyInvalid, "cannot be read: invalid type: string \"soon\""),
        ("so few actions that the circuit never opens", json!({"circuitBreaker": {"failureThreshold": 9, "windowSeconds": 10800, "recurrence": {"threshold": 20}}}), vec![ceiling(2)],
            Reason::PolicyInvalid, "ClusterHealingPolicy/default allows 2 actions an hour, so the circuit could never open"),
        ("limits that multiply", json!({"remediation": {"stabilizationSeconds": 10, "backoff": {"initialSeconds": 5, "factor": 1}}, "circuitBreaker": {"openSeconds": 60, "maxOpenSeconds": 60}}), vec![ceiling(12)],
            Reason::PolicyInvalid, "times in an hour, ClusterHealingPolicy/default allows 12: raise"),
        ("a calm that forgets at once", json!({"remediation": {"stabilizationSeconds": 60, "resetAfterHealthySeconds": 60}}), vec![ceiling(12)],
            Reason::PolicyInvalid, "times in an hour, ClusterHealingPolicy/default allows 12: raise"),
    ]
}

#[test]
fn what_cannot_be_followed_holds_still_and_says_why() {
    for (what, spec, policies, reason, words) in refusals() {
        let effective = effective(spec, &policies);
        let held = effective.policy.held.clone().unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!(held.reason, reason, "{what}: {}", held.message);
        assert!(held.message.contains(words), "{what}: {}\nwanted: {words}", held.message);
    }
}

#[test]
fn limits_that_multiply_are_counted_as_they_would_act() {
    let table = [
        ("five, then a pause, then a trial", json!({}), 6),
        (
            "a calm that forgets at once: 60 s and three quarters of 30 s, again and again",
            json!({"remediation": {"stabilizationSeconds": 60, "resetAfterHealthySeconds": 60}}),
            44,
        ),
        (
            "a circuit that is hardly ever open: each pause is 7 s, each third one a minute longer",
            json!({
                "remediation": {"stabilizationSeconds": 0, "backoff": {"initialSeconds": 10, "factor": 1, "maxSeconds": 10}},
                "circuitBreaker": {"recurrence": {"threshold": 3}, "openSeconds": 60, "maxOpenSeconds": 60},
            }),
            135,
        ),
        (
            "a dependency that comes and goes: 300 s of proof and 10 s, again and again",
            json!({"remediation": {"restartOnDependencyRecovery": true}}),
            12,
        ),
    ];
    for (what, spec, expected) in table {
        assert_eq!(actions_in_an_hour(&effective(spec, &[]).policy), expected, "{what}");
    }
}

#[test]
fn the_defaults_live_under_every_ceiling_that_the_schema_allows() {
    for actions in 2..=60 {
        let ceiling = clusters("default", json!({"ceilings": {"maxActionsPerHour": actions}}));
        assert_eq!(effective(json!({}), &[ceiling]).policy.held, None, "{actions}");
    }
}

#[test]
fn what_a_policy_says_for_many_is_left_out_where_it_does_not_apply() {
    let everybody = shops(
        "default",
        json!({
            "dependsOn": [{"name": "api"}, {"name": "db", "namespace": "data"}],
            "circuitBreaker": {"onOpen": {"action": "ScaleToZero"}},
        }),
    );
    let own = effective(json!({"workloadRef": {"kind": "DaemonSet", "name": "api"}}), std::slice::from_ref(&everybody));
    assert_eq!(own.settings.depends_on, [], "what everybody needs does not need itself, nor what else everybody needs");
    assert_eq!(own.settings.circuit_breaker.on_open, api::OnOpen::default());

    let mut caches = Caches::default();
    let _touched = caches.apply(object(everybody));
    let _touched = caches.apply(object(in_shop(service("web", json!({})))));
    let web = caches.effective(&("shop".to_owned(), "web".to_owned())).unwrap();
    assert_eq!(web.settings.depends_on.len(), 2);
    assert_eq!(web.settings.circuit_breaker.on_open.action, api::OnOpenAction::ScaleToZero);
}

#[test]
fn policies_that_cannot_be_read_are_said_and_hold_only_those_who_name_them() {
    let mut caches = Caches::default();
    for spec in [("api", json!({})), ("named", follows("ClusterHealingPolicy", "strict"))] {
        let _touched = caches.apply(object(in_shop(service(spec.0, spec.1))));
    }
    let named = ("shop".to_owned(), "named".to_owned());
    let touched = caches.readable(Kind::ClusterHealingPolicy, Some("not permitted".to_owned()));
    assert_eq!(touched.len(), 2);
    assert!(caches.readable(Kind::ClusterHealingPolicy, Some("not permitted".to_owned())).is_empty());
    let free = caches.effective(&api()).unwrap();
    assert_eq!(free.policy.held, None);
    assert_eq!(free.warnings, ["defaults, ceilings and limits of the cluster may be missing: not permitted"]);
    let held = caches.effective(&named).unwrap().policy.held.clone().unwrap();
    assert_eq!(held.reason, Reason::PolicyUnknown);
    assert!(held.message.contains("ClusterHealingPolicy/strict, which policyRef names, cannot be read: not permitted"));

    assert_eq!(caches.readable(Kind::ClusterHealingPolicy, None).len(), 2);
    assert_eq!(caches.effective(&named).unwrap().policy.held.clone().unwrap().reason, Reason::PolicyNotFound);
}

#[test]
fn a_change_of_a_policy_concerns_those_who_follow_it_and_those_who_depend_on_them() {
    let mut caches = Caches::default();
    for (name, spec) in [
        ("api", json!({})),
        ("named", follows("HealingPolicy", "careful")),
        ("own", json!({"escalation": {"unhealthySeconds": 7}})),
        (
            "dependent",
            json!({"policyRef": {"kind": "HealingPolicy", "name": "careful"}, "dependsOn": [{"name": "api"}]}),
        ),
    ] {
        let _touched = caches.apply(object(in_shop(service(name, spec))));
    }
    let mut touched_by = |policy: Value| {
        let touched = caches.apply(object(policy));
        touched.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(touched_by(shops("unused", json!({"mode": "Observe"}))), Vec::<String>::new());
    assert_eq!(touched_by(shops("default", json!({"escalation": {"unhealthySeconds": 60}}))), ["api"]);
    assert_eq!(touched_by(shops("default", json!({"escalation": {"unhealthySeconds": 60}}))), Vec::<String>::new());
    assert_eq!(touched_by(shops("careful", json!({"mode": "Observe"}))), ["dependent", "named"]);
    assert_eq!(touched_by(shops("default", json!({"dependsOn": [{"name": "named"}]}))), ["api", "dependent", "own"]);
    let paused = clusters("default", json!({"cluster": {"paused": ["a drill"]}}));
    assert_eq!(touched_by(paused), ["api", "dependent", "named", "own"]);
    let gone = caches.remove(Kind::ClusterHealingPolicy, &(String::new(), "default".to_owned()));
    assert_eq!(gone.len(), 4);
}

/// Objects that come and go: services and policies of a few names, with settings drawn from a few.
fn change() -> impl Strategy<Value = Value> {
    let settings = prop_oneof![
        Just(json!({})),
        Just(json!({"mode": "Observe"})),
        Just(json!({"remediation": {"ladder": ["RestartPod", "Rollback"], "verifySeconds": 900}})),
        Just(json!({"circuitBreaker": {"windowSeconds": 7200, "onOpen": {"action": "ScaleToZero"}}})),
        Just(json!({"dependsOn": [{"name": "db"}]})),
        Just(json!({"dependsOn": [{"name": "api"}], "health": {"minReady": "50%"}})),
    ];
    let reference = prop_oneof![
        3 => Just(json!({})),
        1 => Just(follows("HealingPolicy", "careful")),
        1 => Just(follows("ClusterHealingPolicy", "careful")),
    ];
    let ceilings = prop_oneof![
        2 => Just(json!({})),
        1 => Just(json!({"ceilings": {"allowedSteps": ["RestartPod"], "maxActionsPerHour": 3}})),
        1 => Just(json!({"cluster": {"paused": ["drill"]}})),
    ];
    let name = prop_oneof![Just("default"), Just("careful")];
    (0..3, name, settings, reference, ceilings).prop_map(|(kind, name, settings, reference, mut spec)| match kind {
        0 => {
            let mut own = settings;
            own.as_object_mut().unwrap().extend(reference.as_object().unwrap().clone());
            in_shop(service(if name == "default" { "api" } else { "db" }, own))
        }
        1 => shops(name, settings),
        _ => {
            spec["template"] = settings;
            clusters(name, spec)
        }
    })
}

fn everything(caches: &Caches) -> Vec<(Key, String, bool)> {
    let keys: Vec<Key> = caches.services().map(|(key, _)| key.clone()).collect();
    let said = |key: Key| {
        let Effective { settings, policy, rules: _, receivers: _, receiver_hosts, shown, warnings } =
            &*caches.effective(&key).unwrap();
        (key, format!("{settings:?} {policy:?} {receiver_hosts:?} {shown:?} {warnings:?}"), policy.held.is_some())
    };
    keys.into_iter().map(said).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn whatever_was_written_before_only_what_stands_there_now_is_in_force(
        changes in proptest::collection::vec((change(), any::<bool>()), 1..25)
    ) {
        let mut lived = Caches::default();
        let mut stands: Vec<Value> = Vec::new();
        for (value, removed) in changes {
            let place = |other: &Value| (other["kind"].clone(), other["metadata"].clone());
            stands.retain(|other| place(other) != place(&value));
            let known = object(value.clone());
            let kind = match known {
                Object::Service(_) => Kind::Service,
                Object::HealingPolicy(_) => Kind::HealingPolicy,
                _ => Kind::ClusterHealingPolicy,
            };
            let key = known.key();
            let before = everything(&lived);
            let touched = lived.apply(known);
            for (key, said, _) in everything(&lived) {
                let changed = before.iter().all(|(other, old, _)| *other != key || *old != said);
                assert!(!changed || touched.contains(&key), "nobody woke {key:?}");
            }
            if removed {
                let _touched = lived.remove(kind, &key);
            } else {
                stands.push(value);
            }
        }
        let mut fresh = Caches::default();
        for value in &stands {
            let _touched = fresh.apply(object(value.clone()));
        }
        assert_eq!(everything(&lived), everything(&fresh));
        // And it concerns the same others.
        for mut value in stands.into_iter().filter(|value| value["kind"] == "HealedService") {
            value["status"] = json!({"health": "Healthy"});
            assert_eq!(lived.apply(object(value.clone())), fresh.apply(object(value)));
        }
    }
}

#[test]
fn files_with_policies_are_read_as_strictly_as_services() {
    let shortest = [shops("default", json!({})), clusters("default", json!({}))];
    for object in &shortest {
        let read = lint(&object.to_string()).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(matches!(read, api::Document::HealingPolicy(_)), object["kind"] == "HealingPolicy");
    }
    let full: Value = serde_saphyr::from_str(include_str!("crds/full.yaml")).unwrap();
    let mut template = full["spec"].clone();
    for other in ["workloadRef", "policyRef", "grants"] {
        template.as_object_mut().unwrap().remove(other);
    }
    lint(&shops("full", template.clone()).to_string()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let all = json!({
        "template": template,
        "ceilings": {"maxActionsPerHour": 12, "allowedSteps": ["RestartPod", "RecreateWorkload"], "allowedOnOpen": ["Fallback"], "allowedReceiverHosts": ["*.example.com", "am.monitoring.svc", "10.0.0.7", "fd00::7"]},
        "cluster": {"maxInFlight": 3, "maxActionsPerMinute": 10, "storm": {"minimum": 2, "percent": 40, "perNamespacePercent": 50, "cooldownSeconds": 300}, "paused": ["a drill"]},
    });
    lint(&clusters("default", all).to_string()).unwrap_or_else(|problems| panic!("{problems:#?}"));
}

/// A policy, and the path and words of the one problem it has.
#[rustfmt::skip]
fn policy_refusals() -> Vec<(Value, &'static str, &'static str)> {
    let ceilings = |ceilings: Value| clusters("default", json!({"ceilings": ceilings}));
    let cluster = |limits: Value| clusters("default", json!({"cluster": limits}));
    vec![
        (shops("a", json!({"circuitBreaker": {"windowSeconds": 3599}})), "spec.template", "circuitBreaker.windowSeconds is 3599, so the circuit could never open: write at least 3600"),
        (shops("a", json!({"remediation": {"stabilizationSeconds": 601}})), "spec.template.remediation", "raise verifySeconds or lower stabilizationSeconds"),
        (shops("a", json!({"diagnosis": {"rules": [{"name": "Bad", "pattern": "("}]}})), "spec.template.diagnosis.rules[0].pattern", "is no regular expression"),
        (shops("a", json!({"workloadRef": {}})), "spec.template.workloadRef", "is not a known field"),
        (shops("a", json!({"grants": []})), "spec.template.grants", "is not a known field"),
        (in_shop(policy("HealingPolicy", "a", json!({"ceilings": {}}))), "spec.ceilings", "is not a known field: remove it, or write one of template"),
        (clusters("strict", json!({"cluster": {"paused": ["drill"]}})), "", "spec.cluster is read from the ClusterHealingPolicy named default only"),
        (clusters("a", json!({"template": {"remediation": {"ladder": ["Rollback"]}}, "ceilings": {"allowedSteps": ["RestartPod"]}})), "spec", "names a step that ceilings.allowedSteps does not allow"),
        (clusters("a", json!({"template": {"circuitBreaker": {"onOpen": {"action": "ScaleToZero"}}}, "ceilings": {"allowedOnOpen": ["Fallback"]}})), "spec", "names an action that ceilings.allowedOnOpen does not allow"),
        (ceilings(json!({"maxActionsPerHour": 1})), "spec.ceilings.maxActionsPerHour", "1 is too small: write a number from 2 to 60"),
        (ceilings(json!({"maxActionsPerHour": 61})), "spec.ceilings.maxActionsPerHour", "61 is too large"),
        (ceilings(json!({"allowedSteps": []})), "spec.ceilings.allowedSteps", "needs at least 1 entry, or leave the field out"),
        (ceilings(json!({"allowedSteps": ["Reboot"]})), "spec.ceilings.allowedSteps[0]", "write one of RestartPod, RecreateWorkload, Rollback"),
        (ceilings(json!({"allowedSteps": ["Rollback", "Rollback"]})), "spec.ceilings.allowedSteps[1]", "repeats"),
        (ceilings(json!({"allowedReceiverHosts": []})), "spec.ceilings.allowedReceiverHosts", "needs at least 1 entry, or leave the field out"),
        (ceilings(json!({"allowedReceiverHosts": ["https://a.example/x"]})), "spec.ceilings.allowedReceiverHosts[0]", "write text that matches"),
        (ceilings(json!({"allowedReceiverHosts": ["a.*.example"]})), "spec.ceilings.allowedReceiverHosts[0]", "write text that matches"),
        (cluster(json!({"maxInFlight": 0})), "spec.cluster.maxInFlight", "0 is too small"),
        (cluster(json!({"maxActionsPerMinute": 0})), "spec.cluster.maxActionsPerMinute", "0 is too small"),
        (cluster(json!({"storm": {"minimum": 0}})), "spec.cluster.storm.minimum", "0 is too small"),
        (cluster(json!({"storm": {"percent": 101}})), "spec.cluster.storm.percent", "101 is too large"),
        (cluster(json!({"storm": {"perNamespacePercent": 0}})), "spec.cluster.storm.perNamespacePercent", "0 is too small"),
        (cluster(json!({"paused": [""]})), "spec.cluster.paused[0]", "is empty"),
        (cluster(json!({"paused": "yes"})), "spec.cluster.paused", "must be a list"),
    ]
}

#[test]
fn each_refusal_of_a_policy_says_where_and_what_to_write() {
    for (object, path, words) in policy_refusals() {
        let problems = lint(&object.to_string()).expect_err(&format!("{object} was accepted"));
        let [problem] = problems.as_slice() else { panic!("{object} makes {problems:#?}") };
        assert_eq!(problem.path, path, "{object}: {problem}");
        assert!(problem.message.contains(words), "{object}: {problem}\nwanted: {words}");
    }
}

#[test]
fn a_restart_after_an_outage_that_the_ladder_does_not_allow_is_said() {
    let depends = json!([{"name": "db"}]);
    let asked = |ladder: &[&str]| json!({"dependsOn": depends, "remediation": {"restartOnDependencyRecovery": true, "ladder": ladder}});
    assert_eq!(effective(asked(&["RestartPod"]), &[]).warnings, Vec::<String>::new());
    let told = "remediation.restartOnDependencyRecovery does nothing: add RestartPod to remediation.ladder";
    assert_eq!(effective(asked(&["RecreateWorkload"]), &[]).warnings, [told]);
}
