//! Events of pods: they give words to what a status shows, in whichever order they come, and are never the cause of anything.

use kubeheal_core::model::decision::Decision;
use serde_json::{Value, json};

use crate::support::scene::{
    Scene, deployment, described, end, held, owner, pod, ready, runs, stamp, stateful_set, waits, with,
};

const CALICO: &str = "plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory";

/// An Event of the pod `app-1-x`, seen at so many seconds.
fn event(reason: &str, message: &str, seen: i64) -> Value {
    json!({
        "kind": "Event", "metadata": {"name": format!("app-1-x.{reason}.{seen}")}, "reason": reason, "message": message,
        "involvedObject": {"kind": "Pod", "name": "app-1-x", "uid": "uid of app-1-x"},
        "type": "Warning", "lastTimestamp": stamp(seen),
    })
}

/// What a runtime says of a sandbox that it could not make, with the name that it had for it.
fn no_network(id: char) -> String {
    let id = id.to_string().repeat(64);
    format!(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"{id}\": {CALICO}"
    )
}

fn hook_failed(seen: i64) -> Value {
    let about = json!({"involvedObject": {"fieldPath": "spec.containers{app}"}});
    with(event("FailedPreStopHook", "PreStopHook failed", seen), &about)
}

fn deployed(pods: u32) -> Scene {
    let mut scene = Scene::new("Deployment", json!({}));
    scene.has_all(deployment(pods, &json!({})));
    scene
}

/// It has a node, and a sandbox or none.
fn creating(has_sandbox: &str) -> Value {
    pod(
        "app-1-x",
        &json!({"status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodReadyToStartContainers", "status": has_sandbox},
                {"type": "Initialized", "status": "True"}, {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(0)},
            ],
            "containerStatuses": [waits("app", "ContainerCreating", 0)],
        }}),
    )
}

fn message(decision: &Decision) -> String {
    decision.findings.first().map(|finding| finding.message.clone()).unwrap_or_default()
}

/// The Events come before the status, or after it.
fn in_both_orders(events: &[Value], status: &Value, look: impl Fn(&mut Scene, &str)) {
    for first in [true, false] {
        let mut scene = deployed(1);
        if first {
            scene.has_all(events.iter().cloned());
        }
        scene.has(status.clone());
        scene.reconcile(0);
        if !first {
            scene.has_all(events.iter().cloned());
        }
        look(&mut scene, if first { "Events first" } else { "status first" });
    }
}

#[test]
fn a_pod_without_a_sandbox_says_why_in_the_words_of_its_node() {
    const NOT_READY: &str = "network is not ready: container runtime network not ready: cni plugin not initialized";
    const SECRET: &str = "MountVolume.SetUp failed for volume \"config\" : secret \"tokens\" not found";
    const SUMMED_UP: &str = "Unable to attach or mount volumes: unmounted volumes=[config]: context deadline exceeded";
    const ATTACHED: &str = "Multi-Attach error for volume \"pvc-0d1e\" Volume is already used by pod(s) app-0";
    let network = format!("failed to setup network for sandbox: {CALICO}");
    let combined = format!("(combined from similar events): {}", no_network('b'));
    let table = [
        (vec![event("FailedCreatePodSandBox", &no_network('a'), 10)], "RuntimeError", network.as_str()),
        (vec![event("FailedCreatePodSandBox", &combined, 10)], "RuntimeError", &network),
        (vec![event("NetworkNotReady", NOT_READY, 10)], "RuntimeError", NOT_READY),
        (vec![event("FailedMount", SECRET, 10)], "ConfigError", SECRET),
        (vec![event("FailedAttachVolume", ATTACHED, 10)], "ConfigError", ATTACHED),
        (vec![event("FailedMount", SUMMED_UP, 10)], "ConfigError", SUMMED_UP),
        (vec![event("FailedMount", SECRET, 10), event("FailedMount", SUMMED_UP, 130)], "ConfigError", SECRET),
        (vec![event("FailedMount", SECRET, 10), event("NetworkNotReady", NOT_READY, 20)], "RuntimeError", NOT_READY),
        // Whose clock runs ahead says the same.
        (vec![event("FailedCreatePodSandBox", &no_network('a'), 90_000)], "RuntimeError", &network),
    ];
    for (events, cause, words) in table {
        let backwards: Vec<Value> = events.iter().rev().cloned().collect();
        for events in [events, backwards] {
            in_both_orders(&events, &creating("False"), |scene, order| {
                let decision = scene.pass(30, 299);
                assert_eq!(
                    (described(&decision), decision.verdict.health.as_str()),
                    (vec![], "Starting"),
                    "{words}, {order}"
                );
                let decision = scene.reconcile(300);
                assert_eq!(described(&decision), [format!("app {cause}!")], "{words}, {order}");
                let told = format!("app has not been created: it has no sandbox: {words} since");
                assert!(message(&decision).starts_with(&told), "{}", message(&decision));
                assert_eq!((held(&decision), decision.plan()), (vec!["RestartCannotHelp"], None), "{words}, {order}");
            });
        }
    }
}

#[test]
fn what_an_event_says_that_is_not_of_this_trouble_is_not_repeated() {
    let network = event("FailedCreatePodSandBox", &no_network('a'), 10);
    let of = |more: Value| with(network.clone(), &more);
    let table = [
        ("another pod of that name", of(json!({"involvedObject": {"uid": "uid of the one before"}})), "False"),
        ("no pod", of(json!({"involvedObject": {"kind": "Node"}})), "False"),
        ("nobody", of(json!({"involvedObject": null})), "False"),
        ("nothing", of(json!({"message": null})), "False"),
        ("no reason", of(json!({"reason": null})), "False"),
        ("something else", of(json!({"reason": "FailedDaemonPod"})), "False"),
        ("a UID that is none", of(json!({"involvedObject": {"uid": "u".repeat(1 << 20)}})), "False"),
        ("what is over: it has its sandbox", network.clone(), "True"),
    ];
    for (what, event, has_sandbox) in table {
        if event["involvedObject"].is_null() {
            // It cannot be read at all, which the watch says and leaves out.
            assert!(serde_json::from_value::<kubeheal::cluster::pod_event::PodEvent>(event).is_err(), "{what}");
            continue;
        }
        in_both_orders(&[event], &creating(has_sandbox), |scene, order| {
            let decision = scene.pass(1, 300);
            assert_eq!(described(&decision), ["app ConfigError!"], "{what}, {order}");
            assert!(!message(&decision).contains("calico"), "{what}, {order}: {}", message(&decision));
        });
    }
}

#[test]
fn what_an_event_says_is_bounded_plain_and_without_secrets() {
    let long = format!("{} {}", no_network('a'), "and on \n\u{202e} and on ".repeat(1 << 16));
    let secret = "Failed to create pod sandbox: cni config {\"password\": \"hunter2\"} \u{1b}[31mrefused";
    for said in [long.as_str(), secret] {
        in_both_orders(&[event("FailedCreatePodSandBox", said, 10)], &creating("False"), |scene, order| {
            let message = message(&scene.pass(1, 300));
            assert!(message.contains("no sandbox: ") && message.chars().count() < 600, "{order}: {message}");
            assert!(
                !message.contains("hunter2") && !message.contains(['\n', '\u{1b}', '\u{202e}']),
                "{order}: {message}"
            );
        });
    }
}

#[test]
fn the_same_trouble_at_the_next_try_is_no_news_and_another_is() {
    let mut scene = deployed(1);
    scene.has(creating("False"));
    let mut news = |event: Value| {
        let event = with(event, &json!({"metadata": {"namespace": "shop"}}));
        !scene.touched_by(event).is_empty()
    };
    assert!(
        news(event("FailedCreatePodSandBox", &no_network('a'), 10)),
        "whom it concerns is told, for it may come late"
    );
    assert!(!news(event("FailedCreatePodSandBox", &no_network('b'), 25)), "the same with another name for the sandbox");
    assert!(!news(event("FailedMount", "timed out", 5)), "what was said before, and comes later");
    assert!(!news(event("Pulled", "Successfully pulled image", 30)));
    assert!(news(event("FailedCreatePodSandBox", "Failed to create pod sandbox: no addresses left", 40)));
}

#[test]
fn what_was_said_of_a_pod_goes_with_it() {
    let mut scene = deployed(1);
    scene.has_all([creating("False"), event("FailedCreatePodSandBox", &no_network('a'), 10)]);
    let told = |scene: &Scene| scene.sees().pods[0].events.no_sandbox.is_some();
    assert!(told(&scene));
    scene.loses("app-1-x");
    scene.has(creating("False"));
    assert!(!told(&scene), "it was deleted");
    scene.has(event("FailedCreatePodSandBox", &no_network('a'), 10));
    scene.has(with(creating("False"), &json!({"metadata": {"uid": "another"}})));
    assert!(!told(&scene), "another came in its place");
    scene.has(creating("False"));
    assert!(!told(&scene), "which nobody saw go");
}

#[test]
fn of_very_many_pods_and_containers_the_latest_words_are_kept() {
    let mut scene = deployed(1);
    scene.has(creating("False"));
    for number in 0..5000 {
        let about = json!({"involvedObject": {"uid": format!("uid {number}")}});
        scene.has(with(event("NetworkNotReady", "network is not ready", number), &about));
    }
    for number in 0..100 {
        let about = json!({"involvedObject": {"fieldPath": format!("spec.containers{{of-nobody-{number}}}")}});
        scene.has(with(hook_failed(number), &about));
    }
    scene.has_all([event("FailedCreatePodSandBox", &no_network('a'), 6000), hook_failed(6000)]);
    let pod = &scene.sees().pods[0];
    assert!(pod.events.no_sandbox.is_some() && pod.containers[0].failed_pre_stop.is_some());
}

/// A pod of a StatefulSet that is being deleted and was to be gone at 130 s.
fn stuck(container: &Value, events: Vec<Value>) -> Decision {
    let mut scene = Scene::new("StatefulSet", json!({}));
    scene.has(stateful_set(1, &json!({})));
    let leaving = json!({"ownerReferences": owner("stateful"), "deletionTimestamp": stamp(130)});
    let status = json!({"conditions": ready(0), "containerStatuses": [container]});
    scene.has(pod("app-1-x", &json!({"metadata": leaving, "spec": {"nodeName": "n1"}, "status": status})));
    scene.pass(100, 200);
    scene.has_all(events);
    scene.pass(200, 430)
}

#[test]
fn a_pod_that_does_not_go_says_which_hook_failed_and_why_it_could_not_be_ended() {
    const UNCONFIRMED: &str = "node n1 has not confirmed that it has ended: a process or a volume may not let go";
    const NOT_KILLED: &str = "error killing pod: failed to \"KillContainer\" for \"app\": context deadline exceeded";
    let running = runs("app", 0, true, 0);
    let again = runs("app", 60, true, 1);
    let ended = json!({"name": "app", "restartCount": 0, "state": end(137, "Error", 0, 130)});
    let hook = format!("{UNCONFIRMED}; the preStop hook of app failed at {}", stamp(101));
    let table = [
        ("nothing said", &running, vec![], UNCONFIRMED.to_owned()),
        ("the hook", &running, vec![hook_failed(101)], hook.clone()),
        ("the hook of a container that has ended", &ended, vec![hook_failed(101)], hook),
        ("the hook of the run before", &again, vec![hook_failed(30)], UNCONFIRMED.to_owned()),
        ("a hook that fails next week", &running, vec![hook_failed(600_000)], UNCONFIRMED.to_owned()),
        (
            "the kubelet",
            &running,
            vec![event("FailedKillPod", NOT_KILLED, 140)],
            format!("node n1 has not confirmed that it has ended: {NOT_KILLED}"),
        ),
    ];
    for (what, container, events, words) in table {
        let decision = stuck(container, events);
        assert_eq!(described(&decision), ["StuckTerminating!"], "{what}");
        assert!(message(&decision).ends_with(&words), "{what}: {}", message(&decision));
        assert_eq!((held(&decision), decision.plan()), (vec!["RestartCannotHelp"], None), "{what}");
    }
}

#[test]
fn an_end_after_a_hook_that_failed_says_so_and_no_other_end_does() {
    let liveness = json!({"spec": {"containers": [{"name": "app", "livenessProbe": {"periodSeconds": 10}}]}});
    let restarted = |from: i64, to: i64| {
        let again = with(runs("app", to, false, 1), &json!({"lastState": end(137, "Error", from, to)}));
        with(pod("app-1-x", &json!({"status": {"containerStatuses": [again]}})), &liveness)
    };
    let table = [
        (vec![hook_failed(90)], " after its preStop hook failed, 1 restart"),
        (vec![], ", 1 restart"),
        (vec![hook_failed(5)], ", 1 restart"),
        (vec![hook_failed(10)], ", 1 restart"),
        (vec![hook_failed(200)], ", 1 restart"),
        (vec![hook_failed(5), hook_failed(90)], " after its preStop hook failed, 1 restart"),
        (vec![with(hook_failed(90), &json!({"lastTimestamp": null}))], ", 1 restart"),
        (vec![with(hook_failed(90), &json!({"involvedObject": {"fieldPath": "spec.containers{log}"}}))], ", 1 restart"),
    ];
    for (events, words) in table {
        for first in [true, false] {
            let mut scene = deployed(1);
            scene.has(pod(
                "app-1-x",
                &with(liveness.clone(), &json!({"status": {"containerStatuses": [runs("app", 10, true, 0)]}})),
            ));
            scene.reconcile(20);
            if first {
                scene.has_all(events.clone());
            }
            scene.has(restarted(10, 100));
            scene.reconcile(100);
            if !first {
                scene.has_all(events.clone());
            }
            let decision = scene.reconcile(101);
            assert_eq!(described(&decision), ["app LivenessFailed"], "{events:?}");
            let expected = format!("app was killed by its liveness probe{words}");
            assert!(message(&decision).starts_with(&expected), "{events:?}: {}", message(&decision));
        }
    }
}

#[test]
fn what_holds_a_restart_back_says_why_the_other_pod_has_no_sandbox() {
    let sick = |name: &str| pod(name, &json!({"status": {"containerStatuses": [runs("app", 0, false, 0)]}}));
    let said = |events: Vec<Value>| {
        let mut scene = deployed(2);
        scene.has_all([sick("app-1-y"), creating("False")]);
        scene.has_all(events);
        let decision = scene.pass(0, 320);
        assert_eq!((held(&decision)[0], decision.plan()), ("ReplacementUncertain", None));
        decision.blocked_by()[0].message.clone()
    };
    let plain = "what replaces app-1-y may not come: app of app-1-x has not been created";
    assert_eq!(said(vec![]), plain);
    let words = format!("{plain}: it has no sandbox: failed to setup network for sandbox: {CALICO}");
    assert_eq!(said(vec![event("FailedCreatePodSandBox", &no_network('a'), 10)]), words);
}

#[test]
fn no_event_changes_what_is_planned_or_makes_a_finding() {
    let all = |seen: i64| {
        let killing = with(
            event("Killing", "Container app failed liveness probe, will be restarted", seen),
            &json!({
                "involvedObject": {"fieldPath": "spec.containers{app}"},
            }),
        );
        let mounts = event("FailedMount", "MountVolume.SetUp failed", seen);
        let kill = event("FailedKillPod", "error killing pod", seen);
        [killing, mounts, kill, event("FailedCreatePodSandBox", &no_network('a'), seen), hook_failed(seen)]
    };
    let seen = |status: Value| pod("app-1-x", &json!({"status": status}));
    let table = [
        ("well", seen(json!({"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}))),
        ("not ready", seen(json!({"containerStatuses": [runs("app", 0, false, 0)]}))),
        ("being created", creating("False")),
        ("has a sandbox", creating("True")),
        (
            "not started again",
            seen(json!({"containerStatuses": [
                {"name": "app", "ready": false, "restartCount": 0, "state": end(1, "Error", 0, 5)},
            ]})),
        ),
    ];
    for (what, status) in table {
        let play = |with_events: bool| {
            let mut scene = deployed(1);
            scene.has(status.clone());
            let mut all_said = Vec::new();
            for from in (0..900).step_by(100) {
                if with_events {
                    scene.has_all(all(from));
                }
                let decision = scene.pass(from, from + 99);
                let plan = decision.plan().map(|plan| (plan.action.clone(), plan.effect.clone()));
                all_said.push((decision.verdict.health, decision.findings.len(), plan, held(&decision)));
            }
            all_said
        };
        assert_eq!(play(false), play(true), "{what}");
    }
}
