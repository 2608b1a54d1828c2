//! The life of `CustomResourceDefinition`s: how they come to be served, what they say, and how they end.

use std::time::Duration;

use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::clock::Clock;
use tokio::time::sleep;

use crate::strict::send;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const BELLS: &str = "/apis/test.dev/v1/namespaces/default/bells";
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

fn cluster() -> Cluster {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    Cluster::builder().clock(clock).seed(7).without_controllers().start().unwrap()
}

/// A definition of bells, rung by number; `names` are added to its own.
fn definition(plural: &str, kind: &str, names: &Value) -> Value {
    let mut definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.test.dev")},
        "spec": {
            "group": "test.dev",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version("v1", true)],
        },
    });
    let own = definition["spec"]["names"].as_object_mut().unwrap();
    own.extend(names.as_object().unwrap().clone());
    definition
}

fn version(name: &str, storage: bool) -> Value {
    let spec = json!({
        "type": "object",
        "properties": {
            "rings": {"type": "integer"},
            "per": {"type": "integer"},
            "tunes": {
                "type": "object",
                "maxProperties": 4,
                "additionalProperties": {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 10"}]},
            },
        },
        "x-kubernetes-validations": [
            {"rule": "!has(self.per) || self.rings / self.per < 9", "message": "too loud"},
            {"rule": "!has(self.per) || self.rings % self.per < 9"},
        ],
    });
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "subresources": {"scale": {"specReplicasPath": ".spec.rings", "statusReplicasPath": ".status.rings"}},
    })
}

fn bell(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "test.dev/v1", "kind": "Bell", "metadata": {"name": name}, "spec": spec})
}

async fn post(cluster: &Cluster, path: &str, object: &Value) -> Value {
    let (status, made, _) = send(cluster, "POST", path, JSON, &object.to_string()).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn get(cluster: &Cluster, path: &str) -> Value {
    send(cluster, "GET", path, "", "").await.1
}

async fn patch(cluster: &Cluster, path: &str, change: &Value) -> (u16, Value) {
    let (status, patched, _) = send(cluster, "PATCH", path, MERGE, &change.to_string()).await;
    (status, patched)
}

/// Type, status and reason of each condition.
fn conditions(definition: &Value) -> Vec<String> {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    let text = |condition: &Value, key: &str| condition[key].as_str().unwrap().to_owned();
    conditions.map(|condition| ["type", "status", "reason"].map(|key| text(condition, key)).join(" ")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_named_then_established() {
    let cluster = cluster();
    let before = cluster.api().store().rv();
    let made = post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    assert_eq!(conditions(&made), Vec::<String>::new());
    let changes = cluster.api().store().changes_since(before).unwrap();
    let said: Vec<_> = changes.iter().map(|change| conditions(&change.object.value())).collect();
    let named = "NamesAccepted True NoConflicts".to_owned();
    assert_eq!(
        said,
        [
            Vec::new(),
            vec![named.clone(), "Established False Installing".to_owned()],
            vec![named, "Established True InitialNamesAccepted".to_owned()],
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_belongs_to_who_came_first_until_that_one_gives_it_up() {
    for (names, reason, accepted) in [
        (
            json!({"shortNames": ["b"]}),
            "ShortNamesConflict",
            json!({"plural": "horns", "singular": "horn", "kind": "Horn", "listKind": "HornList"}),
        ),
        (
            json!({"singular": "bell"}),
            "SingularConflict",
            json!({"plural": "horns", "kind": "Horn", "listKind": "HornList"}),
        ),
        (
            json!({"kind": "Bell", "singular": "horn", "listKind": "HornList"}),
            "KindConflict",
            json!({"plural": "horns", "singular": "horn", "kind": "", "listKind": "HornList"}),
        ),
        (
            json!({"listKind": "BellList"}),
            "ListKindConflict",
            json!({"plural": "horns", "singular": "horn", "kind": "Horn"}),
        ),
    ] {
        let cluster = cluster();
        post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({"shortNames": ["b"]}))).await;
        post(&cluster, DEFINITIONS, &definition("horns", "Horn", &names)).await;
        let (bells, horns) = (format!("{DEFINITIONS}/bells.test.dev"), format!("{DEFINITIONS}/horns.test.dev"));
        let late = get(&cluster, &horns).await;
        assert_eq!(conditions(&late), [&format!("NamesAccepted False {reason}"), "Established False NotAccepted"]);
        assert_eq!(late["status"]["acceptedNames"], accepted, "{reason}");
        let served = || get(&cluster, "/apis/test.dev/v1/namespaces/default/horns");
        assert_eq!(served().await, Value::Null, "{reason}");
        assert_eq!(send(&cluster, "DELETE", &bells, "", "").await.0, 200);
        sleep(Duration::from_secs(1)).await;
        let now = get(&cluster, &horns).await;
        assert_eq!(conditions(&now), ["NamesAccepted True NoConflicts", "Established True InitialNamesAccepted"]);
        assert_eq!(now["status"]["acceptedNames"], now["spec"]["names"], "{reason}");
        assert_ne!(served().await, Value::Null, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_ends_after_its_objects_and_lets_nothing_new_in_meanwhile() {
    let cluster = cluster();
    post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    let held = json!({"apiVersion": "test.dev/v1", "kind": "Bell", "metadata": {"name": "held", "finalizers": ["test.dev/hold"]}});
    post(&cluster, BELLS, &held).await;
    post(&cluster, BELLS, &bell("free", &json!({}))).await;
    let path = format!("{DEFINITIONS}/bells.test.dev");
    let dry = send(&cluster, "DELETE", &format!("{path}?dryRun=All"), "", "").await.1;
    assert!(dry["metadata"]["deletionTimestamp"].is_string(), "{dry}");
    assert!(get(&cluster, &path).await["metadata"]["deletionTimestamp"].is_null());

    let (status, ending, _) = send(&cluster, "DELETE", &path, "", "").await;
    assert_eq!(status, 200);
    assert_eq!(ending["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    assert_eq!(conditions(&ending)[2], "Terminating True InstanceDeletionPending");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(conditions(&get(&cluster, &path).await)[2], "Terminating True InstanceDeletionInProgress");
    let left = get(&cluster, BELLS).await;
    let names: Vec<_> = left["items"].as_array().unwrap().iter().map(|bell| &bell["metadata"]["name"]).collect();
    assert_eq!(names, ["held"]);
    assert!(left["items"][0]["metadata"]["deletionTimestamp"].is_string(), "{left}");
    let resources = get(&cluster, "/apis/test.dev/v1").await;
    assert_eq!(resources["resources"][0]["verbs"], json!(["delete", "deletecollection", "get", "list", "watch"]));

    // Nothing new, by no way; what is there may change.
    let why =
        "bells.test.dev \"late\" is forbidden: create not allowed while custom resource definition is terminating";
    let late = bell("late", &json!({})).to_string();
    for (method, at, kind) in [
        ("POST", BELLS.to_owned(), JSON),
        ("PATCH", format!("{BELLS}/late?fieldManager=me"), "application/apply-patch+yaml"),
    ] {
        let (status, refused, _) = send(&cluster, method, &at, kind, &late).await;
        assert_eq!((status, &refused["message"]), (403, &json!(why)));
    }
    let held = format!("{BELLS}/held");
    assert_eq!(patch(&cluster, &held, &json!({"spec": {"rings": 3}})).await.0, 200);

    // After a minute it says what it waits for, and begins again.
    let before = cluster.api().store().rv();
    sleep(Duration::from_secs(60)).await;
    let changes = cluster.api().store().changes_since(before).unwrap();
    let said: Vec<_> = changes.iter().map(|change| conditions(&change.object.value())[2].clone()).collect();
    assert_eq!(said, ["Terminating True InstanceDeletionCheck", "Terminating True InstanceDeletionInProgress"]);
    assert_eq!(patch(&cluster, &held, &json!({"metadata": {"finalizers": null}})).await.0, 200);
    sleep(Duration::from_secs(6)).await;
    for gone in [path.as_str(), BELLS, "/apis/test.dev/v1"] {
        assert_eq!(send(&cluster, "GET", gone, "", "").await.0, 404, "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_definition_that_is_meant_is_deleted() {
    let cluster = cluster();
    post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    let path = format!("{DEFINITIONS}/bells.test.dev");
    let there = get(&cluster, &path).await;
    let (uid, rv) = (&there["metadata"]["uid"], &there["metadata"]["resourceVersion"]);
    for (condition, says) in [
        (json!({"uid": "other"}), format!("UID in precondition: other, UID in object meta: {}", uid.as_str().unwrap())),
        (
            json!({"resourceVersion": "1"}),
            format!("ResourceVersion in precondition: 1, ResourceVersion in object meta: {}", rv.as_str().unwrap()),
        ),
    ] {
        let options = json!({"preconditions": condition}).to_string();
        let (status, refused, _) = send(&cluster, "DELETE", &path, JSON, &options).await;
        let message = refused["message"].as_str().unwrap();
        assert_eq!(status, 409);
        assert!(message.ends_with(&format!("\"bells.test.dev\": Precondition failed: {says}")), "{message}");
    }
    let options = json!({"preconditions": {"uid": uid, "resourceVersion": rv}}).to_string();
    assert_eq!(send(&cluster, "DELETE", &path, JSON, &options).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn objects_of_a_version_that_is_gone_are_there_again_when_it_is_declared_again() {
    let cluster = cluster();
    post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    post(&cluster, BELLS, &bell("old", &json!({"rings": 1}))).await;
    let path = format!("{DEFINITIONS}/bells.test.dev");
    let declare = |versions: Value| {
        let (cluster, path) = (&cluster, &path);
        async move { patch(cluster, path, &json!({"spec": {"versions": versions}})).await }
    };
    assert_eq!(declare(json!([version("v1", false), version("v2", true)])).await.0, 200);
    let unsaid = patch(&cluster, &format!("{path}/status"), &json!({"status": {"storedVersions": []}})).await.1;
    assert_eq!(unsaid["status"]["storedVersions"], json!(["v2"]), "the version that is stored is always said");
    assert_eq!(declare(json!([version("v2", true)])).await.0, 200);
    let bells = BELLS.replace("v1", "v2");
    let why = "request to convert CR from an invalid group/version: test.dev/v1";
    let (status, one, _) = send(&cluster, "GET", &format!("{bells}/old"), "", "").await;
    assert_eq!((status, &one["message"]), (500, &json!(why)));
    for list in [bells.clone(), format!("{bells}?watch=1"), "/apis/test.dev/v2/bells".to_owned()] {
        let (status, all, _) = send(&cluster, "GET", &list, "", "").await;
        let message = all["message"].as_str().unwrap();
        assert_eq!((status, &all["details"]["retryAfterSeconds"]), (429, &json!(1)), "{list}");
        assert!(message.ends_with(why), "{message}");
    }
    // What is written as it is moves to the version that is stored.
    let mut v1 = version("v1", false);
    v1["served"] = false.into();
    assert_eq!(declare(json!([v1, version("v2", true)])).await.0, 200);
    let old = get(&cluster, &format!("{bells}/old")).await;
    assert_eq!(send(&cluster, "PUT", &format!("{bells}/old"), JSON, &old.to_string()).await.0, 200);
    assert_eq!(declare(json!([version("v2", true)])).await.0, 200);
    let moved = get(&cluster, &format!("{bells}/old")).await;
    assert_eq!(moved["spec"], json!({"rings": 1}), "{moved}");
    // Who wrote what in the version that is gone cannot be told any more.
    assert_eq!(moved["metadata"]["managedFields"][0]["apiVersion"], "test.dev/v1");
    let (_, patched) = patch(&cluster, &format!("{bells}/old"), &json!({"spec": {"rings": 2}})).await;
    assert!(patched["metadata"]["managedFields"].is_null(), "{patched}");
}

#[tokio::test(start_paused = true)]
async fn formats_that_nobody_knows_are_warned_of_when_they_come() {
    let cluster = cluster();
    let mut odd = definition("bells", "Bell", &json!({}));
    odd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["rings"]["format"] =
        "uint32".into();
    let warns = |format: &str| vec![format!("299 - \"unrecognized format \\\"{format}\\\"\"")];
    let (status, _, warnings) = send(&cluster, "POST", DEFINITIONS, JSON, &odd.to_string()).await;
    assert_eq!((status, warnings), (201, warns("uint32")));
    let path = format!("{DEFINITIONS}/bells.test.dev");
    for (format, expected) in [("uint32", Vec::new()), ("int64", Vec::new()), ("year", warns("year"))] {
        let mut changed = get(&cluster, &path).await;
        let per =
            &mut changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["per"];
        per["format"] = format.into();
        let (status, _, warnings) = send(&cluster, "PUT", &path, JSON, &changed.to_string()).await;
        assert_eq!((status, warnings), (200, expected), "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_an_object_is_said_with_its_place() {
    let cluster = cluster();
    post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    let whole = "Bell.test.dev \"b\" is invalid: ";
    for (spec, says) in [
        (
            json!({"rings": 1, "per": 0}),
            "[spec: Invalid value: \"object\": division by zero evaluating rule: too loud, ",
        ),
        (json!({"per": 1}), "[spec: Invalid value: \"object\": no such key: rings evaluating rule: too loud, "),
        (json!({"tunes": {"a.b": 11}}), "spec.tunes[a.b]: Invalid value: 11: failed rule: self < 10"),
    ] {
        let (status, refused, _) = send(&cluster, "POST", BELLS, JSON, &bell("b", &spec).to_string()).await;
        let message = refused["message"].as_str().unwrap();
        assert_eq!(status, 422);
        assert!(message.starts_with(&format!("{whole}{says}")), "{message}");
    }
    // A rule that says nothing is shown itself.
    let (_, refused, _) =
        send(&cluster, "POST", BELLS, JSON, &bell("b", &json!({"rings": 1, "per": 0})).to_string()).await;
    let causes = refused["details"]["causes"].to_string();
    assert!(causes.contains("evaluating rule: !has(self.per) || self.rings % self.per < 9"), "{causes}");
    post(&cluster, BELLS, &bell("b", &json!({"rings": 1}))).await;
    let (status, refused) = patch(&cluster, &format!("{BELLS}/b/scale"), &json!({"spec": {"replicas": -1}})).await;
    let says = format!("{whole}.spec.rings: Invalid value: -1: should be a non-negative integer");
    assert_eq!((status, &refused["message"]), (422, &json!(says)));
}

#[tokio::test(start_paused = true)]
async fn a_value_of_a_map_that_was_wrong_before_may_stay_when_its_neighbour_changes() {
    let cluster = cluster();
    let mut lax = definition("bells", "Bell", &json!({}));
    let rules = lax["spec"]["versions"][0].take();
    lax["spec"]["versions"][0] = rules.clone();
    let tunes =
        &mut lax["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tunes"];
    tunes["additionalProperties"].as_object_mut().unwrap().remove("x-kubernetes-validations");
    post(&cluster, DEFINITIONS, &lax).await;
    post(&cluster, BELLS, &bell("b", &json!({"tunes": {"low.c": 20, "d": 1}}))).await;
    let path = format!("{DEFINITIONS}/bells.test.dev");
    assert_eq!(patch(&cluster, &path, &json!({"spec": {"versions": [rules]}})).await.0, 200);
    let one = format!("{BELLS}/b");
    assert_eq!(patch(&cluster, &one, &json!({"spec": {"tunes": {"d": 2}}})).await.0, 200);
    assert_eq!(patch(&cluster, &one, &json!({"spec": {"tunes": {"low.c": 21}}})).await.0, 422);
}

#[tokio::test(start_paused = true)]
async fn fields_of_an_object_of_another_version_are_told_even_if_it_is_refused() {
    let cluster = cluster();
    post(&cluster, DEFINITIONS, &definition("bells", "Bell", &json!({}))).await;
    let mut other = bell("b", &json!({"rings": 1}));
    other["apiVersion"] = "test.dev/v9".into();
    let (status, refused, warnings) = send(&cluster, "POST", BELLS, JSON, &other.to_string()).await;
    let says = "the API version in the data (test.dev/v9) does not match the expected API version (test.dev/v1)";
    assert_eq!((status, &refused["message"]), (400, &json!(says)));
    assert_eq!(warnings, ["299 - \"unknown field \\\"spec\\\"\""]);
    let strict = format!("{BELLS}?fieldValidation=Strict");
    let (_, refused, warnings) = send(&cluster, "POST", &strict, JSON, &other.to_string()).await;
    let says = "Bell in version \"v9\" cannot be handled as a Bell: strict decoding error: unknown field \"spec\"";
    assert_eq!((&refused["message"], warnings), (&json!(says), Vec::new()));
    // The same is told of a declared version that is refused for another reason.
    let loud = json!({"apiVersion": "test.dev/v1", "kind": "Bell", "metadata": {"name": "b"}, "spec": {"tunes": {"a": 11}, "odd": 1}});
    let (status, _, warnings) = send(&cluster, "POST", BELLS, JSON, &loud.to_string()).await;
    assert_eq!((status, warnings), (422, vec!["299 - \"unknown field \\\"spec.odd\\\"\"".to_owned()]));
}
