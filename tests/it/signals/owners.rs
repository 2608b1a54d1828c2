//! What belongs to somebody else: pods of controllers of any kind, and pods that another controller took over.

use serde_json::{Value, json};

use crate::support::scene::{Scene, deployment, described, held, pod, ready, runs, with};

fn owned_by(api_version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true}])
}

fn set(name: &str, owners: &Value, replicas: u32, labels: &Value) -> Value {
    json!({
        "kind": "ReplicaSet", "metadata": {"name": name, "uid": format!("uid of {name}"), "ownerReferences": owners},
        "spec": {"replicas": replicas, "template": {"metadata": {"creationTimestamp": null, "labels": labels}}},
    })
}

fn of(owners: &Value) -> Value {
    let mut object =
        pod("app", &json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}}));
    object["metadata"]["ownerReferences"] = owners.clone();
    object
}

#[test]
fn a_pod_that_a_controller_made_is_said_to_be_its_and_is_never_missing() {
    let instead = |whose: &str| format!("Pod app belongs to {whose}: name that in spec.workloadRef instead");
    let look = |whose: &str| format!("Pod app belongs to {whose}, a kind that kubeheal does not heal: look at {whose}");
    let of_set = |name: &str| owned_by("apps/v1", "ReplicaSet", name, &format!("uid of {name}"));
    let table = [
        ("a CloneSet", owned_by("apps.kruise.io/v1alpha1", "CloneSet", "shop", "c"), look("CloneSet shop")),
        ("a Job", owned_by("batch/v1", "Job", "nightly", "j"), look("Job nightly")),
        ("a StatefulSet", owned_by("apps/v1", "StatefulSet", "db", "s"), instead("StatefulSet db")),
        (
            "a StatefulSet of another group",
            owned_by("apps.kruise.io/v1beta1", "StatefulSet", "db", "s"),
            look("StatefulSet db"),
        ),
        ("a Deployment", of_set("of-deployment"), instead("Deployment web")),
        ("an Argo Rollout", of_set("of-rollout"), look("Rollout web")),
        ("a ReplicaSet of nobody", of_set("of-nobody"), look("ReplicaSet of-nobody")),
        ("nobody says who", json!([{"uid": "x", "controller": true}]), instead("a controller")),
    ];
    for (what, owners, expected) in table {
        let mut scene = Scene::new("Pod", json!({}));
        let of_deployment = owned_by("apps/v1", "Deployment", "web", "d");
        scene.has(set("of-deployment", &of_deployment, 1, &json!({})));
        scene.has(set("of-rollout", &owned_by("argoproj.io/v1alpha1", "Rollout", "web", "r"), 1, &json!({})));
        scene.has(of(&owners));
        let decision = scene.pass(0, 3600);
        let verdict = &decision.verdict;
        assert_eq!((verdict.health.as_str(), verdict.reason.as_str()), ("Unknown", "WorkloadUnknown"), "{what}");
        assert_eq!(verdict.message, expected, "{what}");
        assert_eq!((described(&decision), held(&decision), decision.proposal()), (vec![], vec![], None), "{what}");
    }
}

#[test]
fn a_bare_pod_that_is_adopted_is_a_workload_no_more() {
    let mut scene = Scene::new("Pod", json!({}));
    scene.has(of(&json!([])));
    assert_eq!(scene.reconcile(0).verdict.health.as_str(), "Healthy");
    scene.has(of(&owned_by("apps/v1", "ReplicaSet", "web-1", "uid of web-1")));
    let decision = scene.reconcile(10);
    assert_eq!(decision.verdict.reason.as_str(), "WorkloadUnknown");
    assert!(decision.verdict.message.contains("ReplicaSet web-1"), "{}", decision.verdict.message);
}

#[test]
fn a_deployment_at_zero_names_who_runs_pods_with_its_labels() {
    let labels = json!({"app": "app", "rollouts-pod-template-hash": "1"});
    let rollout = owned_by("argoproj.io/v1alpha1", "Rollout", "app", "r");
    let own = owned_by("apps/v1", "Deployment", "app", "deployment");
    let selector = json!({"spec": {"selector": {"matchLabels": {"app": "app"}}}});
    let taken = "scaled to zero; pods with its labels run under Rollout app: look there";
    let table = [
        ("taken over", 0, selector.clone(), set("r-1", &rollout, 2, &labels), taken),
        ("not yet", 0, selector.clone(), set("r-1", &rollout, 0, &labels), "scaled to zero"),
        ("other labels", 0, selector.clone(), set("r-1", &rollout, 2, &json!({"app": "other"})), "scaled to zero"),
        ("its own", 0, selector.clone(), set("app-2", &own, 2, &labels), "scaled to zero"),
        (
            "a selector that asks for more",
            0,
            with(
                selector.clone(),
                &json!({"spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}}),
            ),
            set("r-1", &rollout, 2, &labels),
            "scaled to zero",
        ),
        ("both run", 1, selector, set("r-1", &rollout, 2, &labels), "1 of 1 pods ready"),
    ];
    for (what, replicas, selector, other, expected) in table {
        let mut scene = Scene::new("Deployment", json!({}));
        scene.has_all(deployment(replicas, &selector));
        if replicas > 0 {
            let well = json!({"status": {"conditions": ready(0), "containerStatuses": [runs("app", 0, true, 0)]}});
            scene.has(pod("app-1-x", &well));
        }
        scene.has(other);
        let decision = scene.pass(0, 3600);
        assert_eq!(decision.verdict.message, expected, "{what}");
        assert_eq!(decision.proposal(), None, "{what}");
    }
}
