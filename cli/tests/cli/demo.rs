//! `healctl demo`: the five stories end as they should, and a story that does not is told.

use serde_json::Value;

use crate::run::{Ran, file, repository, run};

const STORIES: [&str; 5] = ["ghost-restart", "hasty-health-check", "restart-loop", "start-order", "cascading-failure"];

fn story(name: &str) -> String {
    std::fs::read_to_string(repository().join(format!("cli/stories/{name}.yaml"))).unwrap()
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

#[test]
fn the_five_stories_end_as_they_should() {
    let ran = run(&["demo", "--output", "json"]);
    let report = report(&ran);
    let stories = report["stories"].as_array().unwrap();
    let names: Vec<_> = stories.iter().map(|story| story["name"].as_str().unwrap()).collect();
    assert_eq!(names, STORIES);
    for story in stories {
        let expectations = story["expectations"].as_array().unwrap();
        assert!(!expectations.is_empty());
        let failed: Vec<_> = expectations.iter().filter(|one| one["held"] != true).collect();
        assert!(failed.is_empty(), "{}: {failed:#?}\n{:#}", story["name"], story["timeline"]);
        assert_eq!(story["healed"], true);
    }
    assert_eq!((report["passed"].as_u64(), report["failed"].as_u64()), (Some(5), Some(0)));
    assert_eq!(ran.code, 0);

    let ghost = &stories[0];
    assert!(ghost["monitorOutageSeconds"].as_u64().unwrap() >= 18 * 3600, "restarting a ghost helps nobody: {ghost}");
    assert!(ghost["monitorActions"].as_u64().unwrap() > 200);
    assert!(ghost["outageSeconds"].as_u64().unwrap() < 120);
    assert_eq!(ghost["actions"], 1);
}

/// The post-mortems are told above.
#[test]
fn every_other_story_ends_as_it_should() {
    let listed = report(&run(&["demo", "--list", "--output", "json"]));
    let groups: Vec<&str> =
        listed["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(groups[0], "post-mortems");
    let arguments: Vec<&str> = ["demo"].iter().chain(&groups[1..]).copied().collect();
    let ran = run(&arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let told = ran.out.lines().filter(|line| line.starts_with("✓ ")).count();
    let others =
        listed["groups"].as_array().unwrap()[1..].iter().map(|group| group["stories"].as_array().unwrap().len());
    assert_eq!(told, others.sum::<usize>(), "one line each: {}", ran.out);
}

#[test]
fn people_see_which_stories_there_are() {
    let ran = run(&["demo", "--list"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for text in ["post-mortems: Five outages", "  ghost-restart ", "causes: ", "The registry is down"] {
        assert!(ran.out.contains(text), "{text:?} is not in {}", ran.out);
    }
}

#[test]
fn the_same_story_ends_the_same_way_twice() {
    let tell = || run(&["demo", "image-pull", "-o", "json"]).out;
    assert_eq!(tell(), tell());
}

/// Breaks in every way there is but the destructive ones, of which the built-in stories make use.
const MANY_WAYS: &str = r#"
title: Many ways
postMortem: none
manifests:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: api}
  spec:
    replicas: 2
    selector: {matchLabels: {app: api}}
    template:
      metadata: {labels: {app: api}}
      spec:
        containers:
        - name: app
          image: registry.example/api:1
          readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 5}
- {apiVersion: kubeheal.dev/v1alpha1, kind: HealedService, metadata: {name: api}, spec: {workloadRef: {kind: Deployment, name: api}}}
watch: Deployment/api
until: 40m
breaks:
- {at: 2m, what: It is not needed., scale: {target: Deployment/api, replicas: 0}}
- {at: 4m, what: It is needed again., scale: {target: Deployment/api, replicas: 2}}
- at: 6m
  what: A second service comes, whose workload does not exist.
  apply:
  - {apiVersion: kubeheal.dev/v1alpha1, kind: HealedService, metadata: {name: late}, spec: {workloadRef: {kind: Deployment, name: late}}}
- {at: 10m, what: The machine falls silent., node: down}
- {at: 12m, what: It is back., node: up}
- {at: 15m, what: Its owner suspends it., patch: {target: HealedService/api, merge: {spec: {suspend: true}}}}
- {at: 16m, what: The pods are not ready., scriptPods: {target: Deployment/api, act: not-ready}}
- {at: 25m, what: The pods are ready., scriptPods: {target: Deployment/api, act: null}}
- {at: 30m, what: It is looked after again., patch: {target: HealedService/api, merge: {spec: {suspend: false}}}}
expect:
  healed: true
  actions: {most: 0}
  outage: {least: 9m, most: 12m}
  services:
  - {service: default/api, when: 3m, health: Idle}
  - {service: default/api, when: 11m30s, finding: {cause: NodeLost}}
  - {service: default/api, when: 20m, health: Idle}
  - {service: default/api, health: Healthy}
  - {service: default/late, blockedBy: WorkloadNotFound, conditions: {Stalled: "True"}}
"#;

#[test]
fn a_story_of_ones_own_can_break_in_many_ways() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["demo", &file(&directory, "many.yaml", MANY_WAYS)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn a_story_does_not_end_well_on_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let doomed = story("post-mortems/ghost-restart").replace(
        "workloadRef: {kind: Deployment, name: checkout}",
        "mode: Observe, workloadRef: {kind: Deployment, name: checkout}",
    );
    let ran = run(&["demo", &file(&directory, "doomed.yaml", &doomed), "--output", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report = report(&ran);
    let told = &report["stories"][0];
    assert_eq!((told["healed"].as_bool(), told["actions"].as_u64()), (Some(false), Some(0)));
    assert_eq!(told["outageSeconds"], 18 * 3600, "nobody created it again");
}

#[test]
fn a_story_that_does_not_end_as_expected_fails() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = story("causes/image-pull").replace("actions: {most: 0}", "actions: {least: 7}");
    let path = file(&directory, "wrong.yaml", &wrong);
    let ran = run(&["demo", &path, "--output", "json"]);
    assert_eq!(ran.code, 1);
    let report = report(&ran);
    assert_eq!((report["passed"].as_u64(), report["failed"].as_u64()), (Some(0), Some(1)));
    let expectations = report["stories"][0]["expectations"].as_array().unwrap();
    let failed: Vec<_> = expectations.iter().filter(|one| one["held"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((failed[0]["what"].as_str(), failed[0]["seen"].as_str()), (Some("at least 7 actions"), Some("0")));

    let ran = run(&["demo", &path]);
    ran.fails(1, "wrong");
    assert!(ran.out.contains("✗ at least 7 actions; seen: 0"), "{}", ran.out);
}

#[test]
fn people_see_what_broke_and_what_came_of_it() {
    let ran = run(&["demo", "hasty-health-check"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for text in ["The machine is rebooted", "indexer has no probes", "Outage with monitor", "as expected"] {
        assert!(ran.out.contains(text), "{text:?} is not in {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn a_story_that_cannot_be_understood_is_told_by_file_and_line() {
    let good = story("post-mortems/ghost-restart");
    let directory = tempfile::tempdir().unwrap();
    for (from, to, problem) in [
        ("watch: Deployment/shop/checkout", "watch: ConfigMap/shop/checkout", "name one of Deployment"),
        ("monitor: {every: 5m}", "", "lessThanMonitor needs a monitor"),
        ("until: 18h30m", "until: tomorrow", "is not a duration"),
        ("until: 18h30m", "untill: 18h30m", "untill"),
        ("  delete: Deployment/shop/checkout", "  delete: Widget/shop/checkout", "no kind known"),
        ("  delete: Deployment/shop/checkout", "  node: sideways", "sideways"),
        ("- at: 30m", "- at: 30h", "after the story ends"),
        ("kind: Namespace", "kind: Nonsense", "Nonsense"),
        ("never: [RestartPod]", "never: [Pray]", "Pray"),
        ("{service: shop/checkout, when: 1h, health: Healthy}", "{service: shop/basket}", "no service \"shop/basket\""),
        ("spec: {workloadRef: {kind: Deployment, name: checkout}}", "spec: {workload: checkout}", "spec.workload"),
        ("title: Restarting", "title: [Restarting", ""),
    ] {
        assert!(good.contains(from), "{from}");
        let path = file(&directory, "bad.yaml", &good.replacen(from, to, 1));
        let ran = run(&["demo", &path]);
        ran.fails(2, problem);
        let line = ran.err.split_once("bad.yaml:").and_then(|(_, rest)| rest.split(':').next()?.parse::<usize>().ok());
        assert!(line.is_some(), "{to}: {}", ran.err);
    }
    run(&["demo", "no-such-story"]).fails(2, "no-such-story: there is no such story");
}
