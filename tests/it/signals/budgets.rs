//! Disruption budgets: what the API server would answer to an eviction, known before it is asked.

use kubeheal_core::model::snapshot::BudgetRefusal;
use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, held, pod, ready, runs, stateful_set, waits, with};

/// A budget for the pods of `app` that allows nothing while both wanted pods are healthy.
fn budget(name: &str, more: &Value) -> Value {
    let object = json!({
        "kind": "PodDisruptionBudget", "metadata": {"name": name, "generation": 1},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "app"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2},
    });
    with(object, more)
}

/// A pod of `app`, ready or not.
fn one(name: &str, is_ready: bool, more: &Value) -> Value {
    let status = json!({"containerStatuses": [runs("app", 0, is_ready, 0)]});
    let status = if is_ready { with(status, &json!({"conditions": ready(0)})) } else { status };
    with(pod(name, &json!({"metadata": {"labels": {"app": "app"}}, "status": status})), more)
}

fn nothing_allowed(unready: bool) -> BudgetRefusal {
    BudgetRefusal::NothingAllowed { budget: "one".to_owned(), unready }
}

/// What it is, whether the pod is ready, what else it is, its budgets, and what is expected.
type Row = (&'static str, bool, Value, Vec<Value>, Option<BudgetRefusal>);

#[test]
fn what_the_api_server_would_answer_to_an_eviction_is_known_in_its_own_order() {
    let none = json!({});
    let of = |more: Value| vec![budget("one", &more)];
    let always = json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"});
    let short = json!({"status": {"currentHealthy": 1}});
    let two =
        || vec![budget("two", &json!({"spec": always, "status": {"disruptionsAllowed": 9}})), budget("one", &none)];
    let several = Some(BudgetRefusal::Several { budgets: vec!["one".to_owned(), "two".to_owned()] });
    let uncounted = json!({"metadata": {"generation": 2}, "status": {"disruptionsAllowed": 5}});
    let not_counted = Some(BudgetRefusal::NotCounted { budget: "one".to_owned() });
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    let leaving = json!({"metadata": {"deletionTimestamp": "2026-01-05T00:00:00Z"}});
    let odd = json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Near"}]}}});
    let table: Vec<Row> = vec![
        ("no budget", true, none.clone(), vec![], None),
        ("ready, none allowed", true, none.clone(), of(none.clone()), Some(nothing_allowed(false))),
        ("ready, one allowed", true, none.clone(), of(json!({"status": {"disruptionsAllowed": 1}})), None),
        ("not ready, met without it", false, none.clone(), of(none.clone()), None),
        ("not ready, not met", false, none.clone(), of(short.clone()), Some(nothing_allowed(true))),
        (
            "nothing is desired, so nothing is met",
            false,
            none.clone(),
            of(json!({"status": {"desiredHealthy": 0}})),
            Some(nothing_allowed(true)),
        ),
        ("not ready, always allowed", false, none.clone(), of(with(short.clone(), &json!({"spec": always}))), None),
        (
            "ready, always allowed is for others",
            true,
            none.clone(),
            of(json!({"spec": always})),
            Some(nothing_allowed(false)),
        ),
        ("pending", false, phase("Pending"), of(short.clone()), None),
        ("failed", false, phase("Failed"), of(short.clone()), None),
        ("over", false, phase("Succeeded"), of(short.clone()), None),
        ("leaving", false, leaving, of(short.clone()), None),
        ("two, whatever they allow", false, none.clone(), two(), several.clone()),
        ("two, and ready", true, none.clone(), two(), several),
        ("two, and pending", false, phase("Pending"), two(), None),
        ("another's budget", true, json!({"metadata": {"labels": {"app": "other"}}}), of(none.clone()), None),
        ("an empty selector covers all", true, none.clone(), vec![selecting(&json!({}))], Some(nothing_allowed(false))),
        ("no selector covers nothing", true, none.clone(), vec![selecting(&Value::Null)], None),
        ("a selector not understood covers all", true, none.clone(), of(odd.clone()), Some(nothing_allowed(false))),
        (
            "a selector not understood is no second budget",
            false,
            none.clone(),
            vec![budget("two", &none), budget("one", &odd)],
            None,
        ),
        ("not counted anew", true, none.clone(), of(uncounted.clone()), not_counted.clone()),
        ("not counted anew, not ready, met", false, none.clone(), of(uncounted.clone()), None),
        ("not counted anew, not ready, not met", false, none.clone(), of(with(uncounted, &short)), not_counted),
    ];
    for (what, is_ready, more, budgets, expected) in table {
        let mut scene = Scene::new("Deployment", json!({}));
        scene.has_all(deployment(1, &json!({})));
        scene.has(one("app-1-x", is_ready, &more));
        scene.has_all(budgets);
        assert_eq!(scene.sees().pods[0].refusal, expected, "{what}");
    }
}

fn selecting(selector: &Value) -> Value {
    let mut object = budget("one", &json!({}));
    object["spec"]["selector"] = selector.clone();
    object
}

/// Three pods, one of which has been unready for long.
fn sick(spec: Value, budgets: Vec<Value>) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(3, &json!({})));
    scene.has_all(["app-1-x", "app-1-y"].map(|name| one(name, true, &json!({}))));
    scene.has(one("app-1-z", true, &json!({})));
    scene.has_all(budgets);
    scene.reconcile(0);
    scene.has(one("app-1-z", false, &json!({})));
    scene
}

fn stalled(scene: &Scene) -> (String, String) {
    let conditions = scene.status().conditions;
    let stalled = conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    (format!("{}/{}", stalled.status, stalled.reason), stalled.message.clone())
}

#[test]
fn a_pod_under_two_budgets_is_for_a_person_whatever_they_allow_and_whoever_asks() {
    for remediation in [json!({}), json!({"evictionPolicy": "DeleteWhenUnready"})] {
        let many = json!({"status": {"disruptionsAllowed": 9}});
        let mut scene = sick(json!({"remediation": remediation}), vec![budget("chart", &many), budget("team", &many)]);
        let warned = &scene.status().conditions;
        let allowed = warned.iter().find(|condition| condition.type_ == "RemediationAllowed").unwrap();
        assert_eq!(allowed.status, "True");
        assert!(allowed.message.contains("2 budgets cover it (chart, team)"), "said while all is well: {allowed:?}");
        assert_eq!(stalled(&scene).0, "False/AsExpected", "nothing is to be done yet");
        let decision = scene.pass(1, 600);
        assert_eq!((held(&decision), decision.plan()), (vec!["DisruptionBudget"], None), "{remediation}");
        let (status, message) = stalled(&scene);
        assert_eq!(status, "True/DisruptionBudget");
        assert_eq!(
            message,
            "app-1-z cannot be evicted: 2 budgets cover it (chart, team), and the API server evicts no such pod: remove all but one"
        );
    }
}

#[test]
fn one_budget_that_allows_nothing_is_named_and_nobody_is_stalled() {
    let mut scene = sick(json!({}), vec![budget("one", &json!({"status": {"currentHealthy": 1}}))]);
    let decision = scene.pass(1, 600);
    assert_eq!(held(&decision), ["DisruptionBudget"]);
    let message = &decision.blocked_by()[0].message;
    assert!(message.contains("budget one allows 0 disruptions") && message.contains("AlwaysAllow"), "{message}");
    assert_eq!(stalled(&scene).0, "False/AsExpected");
    // What is there now is met without it.
    scene.has(budget("one", &json!({})));
    assert_eq!(scene.reconcile(601).plan().map(|plan| plan.action.target.as_str()), Some("app-1-z"));
}

#[test]
fn no_budget_holds_back_a_pod_that_never_began_or_is_over() {
    let never = json!({"status": {"phase": "Pending", "containerStatuses": [waits("app", "ImagePullBackOff", 0)]}});
    let failed = json!({"status": {"phase": "Failed", "reason": "Evicted", "containerStatuses": []}});
    for (what, more) in [("stuck on an old revision", never), ("failed", failed)] {
        let mut scene = Scene::new("StatefulSet", json!({}));
        let halfway = json!({"status": {"updatedReplicas": 0, "updateRevision": "app-2"}});
        scene.has(stateful_set(1, &halfway));
        let meta = json!({"metadata": {
            "ownerReferences": [{"uid": "stateful", "controller": true}],
            "labels": {"app": "app", "controller-revision-hash": "app-1"},
        }});
        scene.has(with(one("app-0", false, &meta), &more));
        scene.has_all([budget("one", &json!({"status": {"currentHealthy": 0}})), budget("two", &json!({}))]);
        scene.reconcile(0);
        let decision = scene.reconcile(300);
        assert!(described(&decision).iter().any(|found| found.ends_with("Deadlocked!")), "{what}");
        assert_eq!(
            decision.plan().map(|plan| plan.action.target.as_str()),
            Some("app-0"),
            "{what}: {:?}",
            held(&decision)
        );
    }
}
