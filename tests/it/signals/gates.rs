//! Readiness gates: conditions that another controller sets, without which a pod is not ready however well its containers are.

use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, end, held, pod, ready, runs, stamp, stateful_set, with};

const GATE: &str = "balancer.example/target-health";

/// All containers of the pod are ready; it is not, with these gates and conditions of others.
fn gated(name: &str, gates: &[&str], others: &[Value]) -> Value {
    let gates: Vec<_> = gates.iter().map(|gate| json!({"conditionType": gate})).collect();
    let own = json!({
        "type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "lastTransitionTime": stamp(0),
    });
    let conditions: Vec<_> = others.iter().cloned().chain([own]).collect();
    let status = json!({"conditions": conditions, "containerStatuses": [runs("app", 0, true, 0)]});
    pod(name, &json!({"spec": {"readinessGates": gates}, "status": status}))
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

fn well(name: &str) -> Value {
    pod(name, &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}))
}

fn scene(spec: Value) -> Scene {
    let mut scene = Scene::new("Deployment", spec);
    scene.has_all(deployment(2, &json!({})));
    scene.has(well("app-1-x"));
    scene
}

#[test]
fn a_readiness_gate_of_another_controller_is_named_and_left_alone_unless_the_policy_says_otherwise() {
    for (policy, acts) in [(json!({}), false), (json!({"health": {"readinessGates": "Restart"}}), true)] {
        let mut scene = scene(policy);
        scene.has(gated("app-1-y", &[GATE], &[]));
        assert!(described(&scene.reconcile(0)).is_empty(), "a moment is not worth a word");
        let decision = scene.pass(0, 299);
        assert_eq!(described(&decision), ["ReadinessGate"]);
        assert!(held(&decision).is_empty(), "every new pod waits for its gates: {:?}", held(&decision));
        let decision = scene.reconcile(300);
        assert_eq!(described(&decision), ["ReadinessGate!"]);
        assert_eq!((decision.verdict.health.as_str(), decision.verdict.reason.as_str()), ("Degraded", "ReadinessGate"));
        let message = &decision.findings[0].message;
        assert!(message.contains("readiness gate balancer.example/target-health was never set"), "{message}");
        assert!(message.contains("look at the controller that sets it"), "{message}");
        let plan =
            decision.plan().map(|plan| (plan.action.step.as_str(), plan.action.target.as_str(), plan.cause.as_str()));
        if acts {
            assert_eq!(plan, Some(("RestartPod", "app-1-y", "ReadinessGate")));
        } else {
            assert_eq!((plan, held(&decision)), (None, vec!["RestartCannotHelp"]));
            let sentence = &decision.blocked_by()[0].message;
            assert!(sentence.contains(GATE) && sentence.contains("a restart does not help"), "{sentence}");
            assert!(scene.pass(301, 7200).plan().is_none(), "however long it lasts");
        }
    }
}

#[test]
fn a_gate_is_named_with_its_status_and_what_was_said_of_it() {
    let long = "drains slowly ".repeat(100);
    let table = [
        (vec![GATE], vec![], "readiness gate balancer.example/target-health was never set;".to_owned()),
        (
            vec![GATE],
            vec![condition(GATE, "False", "Draining", "the target\n\u{1b}[31mdrains")],
            "readiness gate balancer.example/target-health is False (Draining: the target drains);".to_owned(),
        ),
        (vec![GATE], vec![condition(GATE, "Unknown", "", "")], "balancer.example/target-health is Unknown;".to_owned()),
        (
            vec!["a", "b", "c", "d", "e"],
            vec![condition("b", "True", "", ""), condition("c", "False", "", "why")],
            "readiness gates a was never set, c is False (why), d was never set and 1 more;".to_owned(),
        ),
        (vec![GATE], vec![condition(GATE, "False", "", &long)], format!("is False ({}", "drains slowly ".repeat(20))),
    ];
    for (gates, conditions, expected) in table {
        let mut scene = scene(json!({}));
        scene.has(gated("app-1-y", &gates, &conditions));
        let decision = scene.pass(0, 60);
        let message = &decision.findings[0].message;
        assert!(message.contains(&expected), "{message}, not {expected}");
        assert!(message.chars().count() < 800, "{message}");
    }
}

#[test]
fn gates_that_are_open_or_not_in_the_way_are_not_named() {
    // Something else keeps it from being ready, and nobody says what.
    let open = gated("app-1-y", &[GATE], &[condition(GATE, "True", "Healthy", "")]);
    let without = gated("app-1-y", &[], &[]);
    // Its probe fails: that comes first, whoever waits for it.
    let unready =
        with(gated("app-1-y", &[GATE], &[]), &json!({"status": {"containerStatuses": [runs("app", 0, false, 0)]}}));
    for (what, object, expected) in [
        ("open", open, "ReadinessFailed!"),
        ("none", without, "ReadinessFailed!"),
        ("probe", unready, "app ReadinessFailed!"),
    ] {
        let mut scene = scene(json!({}));
        scene.has(object);
        scene.reconcile(0);
        let decision = scene.reconcile(300);
        assert_eq!(described(&decision), [expected], "{what}");
        assert_eq!(decision.plan().map(|plan| plan.action.target.as_str()), Some("app-1-y"), "{what}");
    }
}

#[test]
fn a_closed_gate_hides_no_trouble_that_can_be_helped_and_makes_no_deadlock() {
    let mut scene = scene(json!({"health": {"restarts": {"threshold": 2}}}));
    scene.has(with(
        gated("app-1-y", &[GATE], &[]),
        &json!({"spec": {"containers": [{"name": "app"}, {"name": "side"}]}}),
    ));
    scene.pass(0, 300);
    // It falls and comes back between two looks.
    let falls = with(runs("side", 301, true, 3), &json!({"lastState": end(1, "Error", 290, 300)}));
    let both = json!({"status": {"containerStatuses": [runs("app", 0, true, 0), falls]}});
    scene.has(with(gated("app-1-y", &[GATE], &[]), &both));
    let decision = scene.reconcile(301);
    let found = described(&decision);
    assert!(found.contains(&"side CrashLoop!".to_owned()) && found.contains(&"ReadinessGate!".to_owned()), "{found:?}");
    // Of an old revision: the next one would wait for the same word.
    let mut scene = Scene::new("StatefulSet", json!({}));
    scene.has(stateful_set(1, &json!({"status": {"updatedReplicas": 0, "updateRevision": "app-2"}})));
    let meta = json!({"metadata": {
        "ownerReferences": [{"uid": "stateful", "controller": true}], "labels": {"controller-revision-hash": "app-1"},
    }});
    scene.has(with(gated("app-0", &[GATE], &[]), &meta));
    assert_eq!(described(&scene.pass(0, 300)), ["ReadinessGate!"]);
}
