//! Whoever does what must not be done, to see that the judge sees it.

use serde_json::{Value, json};
use tinykube::{
    api::{Api, Options, Part},
    patch::Patch,
    resource::ObjectRef,
};

use super::{Rival, Tool, folder, read, tell_under};

/// Writes as somebody, to the first object of a kind.
fn write(api: &Api, manager: &str, (group, plural): (&str, &str), part: Part, patch: &Patch) {
    let resource = api.resource(group, plural).unwrap();
    let object = api.list(&resource, "").remove(0);
    api.patch(ObjectRef::of(&resource, &object), part, patch, &Options::by(manager)).unwrap();
}

const DEPLOYMENT: (&str, &str) = ("apps", "deployments");
const SERVICE: (&str, &str) = ("kubeheal.dev", "healedservices");

fn merge(patch: Value) -> Patch {
    Patch::Merge(patch)
}

/// As `kubectl rollout restart` does it.
fn restarts_by_the_template(api: &Api) {
    let now = json!({"kubectl.kubernetes.io/restartedAt": api.clock().seconds()});
    let patch = merge(json!({"spec": {"template": {"metadata": {"annotations": now}}}}));
    write(api, "kubeheal", DEPLOYMENT, Part::Main, &patch);
}

fn wants_other_replicas(api: &Api) {
    write(api, "kubeheal", DEPLOYMENT, Part::Main, &merge(json!({"spec": {"replicas": 7}})));
}

fn writes_a_spec_of_ours(api: &Api) {
    write(api, "kubeheal", SERVICE, Part::Main, &merge(json!({"spec": {"suspend": true}})));
}

fn notes_something_on_a_workload(api: &Api) {
    let patch = merge(json!({"metadata": {"annotations": {"kubeheal.dev/note": "seen"}}}));
    write(api, "kubeheal", DEPLOYMENT, Part::Main, &patch);
}

/// A controller that writes no name, as those of tinykube.
fn changes_a_template_in_secret(api: &Api) {
    let resource = api.resource("apps", "deployments").unwrap();
    let object = api.list(&resource, "").remove(0);
    let change = |object: &mut Value| object["spec"]["template"]["metadata"]["labels"]["tier"] = "front".into();
    api.modify(ObjectRef::of(&resource, &object), Part::Main, &Options::default(), change).unwrap();
}

/// A tool that has a status in Git.
fn takes_over_the_status(api: &Api) {
    let object = json!({
        "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "status": {"health": "Healthy"},
    });
    write(api, "argocd-controller", SERVICE, Part::Status, &Patch::Apply { object, force: true });
}

#[test]
fn the_judge_sees_who_meddles() {
    let story = read(&folder().join("causes/crash-loop.yaml"));
    let rivals: [(Rival, &[&str]); 6] = [
        (restarts_by_the_template, &["Deployment", "the spec was changed by kubeheal", "more than the status"]),
        (wants_other_replicas, &["a field of the tool was changed by kubeheal", "the tool had to change it back"]),
        (writes_a_spec_of_ours, &["HealedService", "the spec was changed by kubeheal"]),
        (notes_something_on_a_workload, &["more than the status was written by kubeheal"]),
        (changes_a_template_in_secret, &["the spec was changed by a controller"]),
        (takes_over_the_status, &["f:status of healedservices", "argocd-controller"]),
    ];
    for (rival, expected) in rivals {
        let wrong = tell_under(&story, Tool::ArgoCd, Some(rival)).wrong.join("\n");
        for part in expected {
            assert!(wrong.contains(part), "\"{part}\" is not said of it: {wrong}");
        }
    }
}
