//! Storms: what most of the services have in common that are unhealthy at once is named.

use std::sync::Arc;

use kubeheal::cluster::{cache::Caches, kind::Object};
use kubeheal_core::model::{moment::Moment, policy::ClusterPolicy};
use serde_json::{Value, json};

use crate::support::scene::{at, pod, stamp, waits};

/// A service that is unhealthy: a container of its one pod falls, or waits for an image.
#[derive(Debug, Clone, Copy, Default)]
struct Sick<'a> {
    node: &'a str,
    image: Option<&'a str>,
    diagnosis: Option<&'a str>,
    needs: Option<&'a str>,
}

fn node(name: &str, zone: Option<&str>) -> Value {
    let labels = zone.map(|zone| json!({"topology.kubernetes.io/zone": zone}));
    json!({
        "metadata": {"name": name, "uid": name, "labels": labels.unwrap_or(json!({}))}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// The nodes n1 to n4, two of them in each of two zones.
const TWO_ZONES: [(&str, Option<&str>); 4] =
    [("n1", Some("west-1a")), ("n2", Some("west-1a")), ("n3", Some("west-1b")), ("n4", Some("west-1b"))];

/// What is said of a storm of these.
fn message(nodes: &[(&str, Option<&str>)], sick: &[Sick<'_>]) -> String {
    let mut caches = Caches::default();
    let mut put = |object: Object| drop(caches.apply(object));
    for (name, zone) in nodes {
        put(Object::Node(serde_json::from_value(node(name, *zone)).unwrap()));
    }
    for (number, one) in sick.iter().enumerate() {
        let name = format!("app-{number}");
        let waiting = waits("app", if one.image.is_some() { "ImagePullBackOff" } else { "CrashLoopBackOff" }, 0);
        let place = json!({
            "metadata": {"namespace": "shop"},
            "spec": {"nodeName": one.node, "containers": [{"name": "app", "image": one.image.unwrap_or("app:1")}]},
            "status": {"containerStatuses": [waiting]},
        });
        put(Object::Pod(Box::new(serde_json::from_value(pod(&name, &place)).unwrap())));
        let cause = if one.image.is_some() { "ImagePull" } else { "CrashLoop" };
        let finding = json!({
            "pod": name, "container": "app", "cause": cause, "diagnosis": one.diagnosis, "since": stamp(0),
            "message": "it is ill",
        });
        let needs: Vec<Value> = one.needs.iter().map(|name| json!({"name": name})).collect();
        let service = json!({
            "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"workloadRef": {"kind": "Deployment", "name": name}, "dependsOn": needs},
            "status": {"findings": [finding], "memory": {"health": {"proven": true, "episode": {"since": stamp(0)}}}},
        });
        put(Object::Service(Arc::new(serde_json::from_value(service).unwrap())));
    }
    let fleet = caches.fleet(&("shop".to_owned(), "app-0".to_owned()));
    fleet.storm(&ClusterPolicy::default(), &Moment::new(at(60))).expect("a storm").message
}

/// Nothing that they share is named.
const NOTHING: &str = "something they share is";

#[test]
fn a_storm_names_the_zone_only_where_there_are_several() {
    let on = |nodes: [&'static str; 5]| nodes.map(|node| Sick { node, ..Sick::default() });
    let one_zone = TWO_ZONES.map(|(name, _)| (name, Some("west-1a")));
    let no_zone = TWO_ZONES.map(|(name, _)| (name, None));
    let half = [TWO_ZONES[0], ("n2", None), TWO_ZONES[2]];
    let in_zone = |count: usize| format!("; what is wrong with {count} of them lies in zone west-1a");
    for (nodes, sick, end) in [
        (&TWO_ZONES[..], on(["n1", "n2", "n1", "n2", "n1"]), in_zone(5)),
        (&TWO_ZONES, on(["n1", "n2", "n2", "n1", "n3"]), in_zone(4)),
        // As many on one node as in its zone: the node tells more.
        (&TWO_ZONES, on(["n1", "n1", "n1", "n3", "n4"]), "; what is wrong with 3 of them lies on node n1".to_owned()),
        (&TWO_ZONES, on(["n1", "n2", "n3", "n4", ""]), NOTHING.to_owned()),
        (&one_zone, on(["n1", "n2", "n1", "n2", "n3"]), NOTHING.to_owned()),
        (&no_zone, on(["n1", "n2", "n1", "n2", "n3"]), NOTHING.to_owned()),
        (&half, on(["n1", "n2", "n2", "n1", "n3"]), NOTHING.to_owned()),
    ] {
        let said = message(nodes, &sick);
        assert!(said.ends_with(&end), "{sick:?}: {said}");
    }
}

#[test]
fn a_storm_names_the_image_that_cannot_be_had_or_its_registry() {
    let nodes = ["n1", "n2", "n3", "n4", ""];
    let of = |images: [&'static str; 5]| {
        let one = |index: usize| Sick { node: nodes[index], image: Some(images[index]), ..Sick::default() };
        [0, 1, 2, 3, 4].map(one)
    };
    let registry = "registry.example:5000";
    for (images, end) in [
        (["base:1"; 5], "; 5 of them wait for image base:1"),
        (
            ["r.example/a:1", "r.example/b:1", "r.example/c:1", "r.example/d@sha256:0f", "e:1"],
            "; 4 of them wait for images from registry r.example",
        ),
        (["a:1", "team/b:1", "c", "localhost/d", "e.example/e"], "; 3 of them wait for images from registry docker.io"),
        // As many wait for the image as for its registry: the image tells more.
        (
            ["r.example/a:1", "r.example/a:1", "r.example/a:1", "b:1", "c.example/c:1"],
            "; 3 of them wait for image r.example/a:1",
        ),
        (["a.example/a", "b.example/b", "c.example/c", "d.example/d", "e.example/e"], NOTHING),
        // What is no reference is not shown to anybody.
        (["user:secret@r.example/a"; 5], NOTHING),
        (["user:secret@host"; 5], NOTHING),
        (["a\n[31m"; 5], NOTHING),
    ] {
        let said = message(&[("n1", None), ("n2", None), ("n3", None), ("n4", None)], &of(images));
        assert!(said.ends_with(end), "{images:?}: {said}");
    }
    let long = format!("{registry}/{}", "x".repeat(600));
    let sick = nodes.map(|node| Sick { node, image: Some(&long), ..Sick::default() });
    assert!(message(&TWO_ZONES, &sick).ends_with(NOTHING));
}

#[test]
fn a_storm_names_the_service_that_most_depend_on() {
    let nodes = ["n1", "n2", "n3", "n4", ""];
    let (db, disk) = (Some("db"), Some("DiskFull"));
    let of = |each: [(Option<&'static str>, Option<&'static str>); 5]| {
        let one = |index: usize| {
            let (needs, diagnosis) = each[index];
            Sick { node: nodes[index], needs, diagnosis, ..Sick::default() }
        };
        [0, 1, 2, 3, 4].map(one)
    };
    for (each, end) in [
        ([(db, None); 5], "; 5 of them depend on shop/db"),
        ([(db, disk), (db, None), (db, None), (None, disk), (None, None)], "; 3 of them depend on shop/db"),
        // A root cause that was found tells more than what is only named in a spec.
        ([(db, disk); 5], "; 5 of them say DiskFull"),
        ([(db, None), (db, None), (Some("cache"), None), (Some("queue"), None), (None, None)], NOTHING),
    ] {
        let said = message(&TWO_ZONES, &of(each));
        assert!(said.ends_with(end), "{each:?}: {said}");
    }
}

#[test]
fn what_two_of_twelve_share_is_not_said() {
    let names: Vec<String> = (0..12).map(|number| format!("n{number}")).collect();
    let zones: Vec<String> = (0..12).map(|number| format!("zone-{}", if number < 2 { 0 } else { number })).collect();
    let nodes: Vec<_> = names.iter().zip(&zones).map(|(name, zone)| (name.as_str(), Some(zone.as_str()))).collect();
    let images: Vec<String> = (0..12).map(|number| format!("r{number}.example/a")).collect();
    for kind in ["node", "zone", "image", "diagnosis", "dependency"] {
        let sick: Vec<Sick<'_>> = (0..12)
            .map(|index| {
                let shares = index < 2;
                Sick {
                    node: &names[if kind == "node" && shares { 2 } else { index }],
                    image: (kind == "image").then(|| images[if shares { 0 } else { index }].as_str()),
                    diagnosis: (kind == "diagnosis" && shares).then_some("DiskFull"),
                    needs: (kind == "dependency" && shares).then_some("db"),
                }
            })
            .collect();
        let said = message(&nodes, &sick);
        assert!(said.starts_with("12 of 12 services") && said.ends_with(NOTHING), "{kind}: {said}");
    }
}

#[test]
fn what_a_hostile_status_names_is_not_said() {
    let long = "X".repeat(5000);
    for diagnosis in [long.as_str(), "two words", "\u{1b}[31mRed", ""] {
        let sick =
            ["n1", "n2", "n3", "n4", ""].map(|node| Sick { node, diagnosis: Some(diagnosis), ..Sick::default() });
        assert!(message(&TWO_ZONES, &sick).ends_with(NOTHING), "{}", diagnosis.len());
    }
}
