//! Replaying a failure mode and comparing what is seen with what was recorded.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::{DeleteOptions, Options, Part};
use tinykube::clock::Clock;
use tinykube::node::Node;
use tokio_util::sync::CancellationToken;

use crate::recording::{self, Event};
use crate::shape::{Shape, distinct};

/// Something a person does.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// Creates the Secret that is missing.
    CreateSecret,
    /// `kubectl rollout restart`.
    RolloutRestart,
    /// Deletes the pod that was deleted in the recording.
    DeletePod,
    /// Scales the Deployment.
    Scale(i64),
    /// Deletes the Deployment.
    DeleteWorkload,
    /// Stops the kubelet.
    StopKubelet,
    /// Starts it again.
    StartKubelet,
}

/// A difference that is known and means nothing, with its reason.
pub(crate) struct Tolerance {
    /// Why it may differ.
    pub(crate) reason: &'static str,
    /// Whether to leave out the second of two shapes of a pod that follow each other.
    pub(crate) skips: fn(&Shape, &Shape) -> bool,
}

/// A recorded failure mode and how to bring it about here.
pub(crate) struct Mode {
    name: &'static str,
    script: String,
    /// Scripts of single pods, put on them as soon as they are there.
    pods: Vec<(&'static str, String)>,
    acts: Vec<(f64, Act)>,
    tolerances: Vec<Tolerance>,
    /// The recording began when its pods had been running for a while.
    begins_running: bool,
}

impl Mode {
    pub(crate) fn new(name: &'static str, script: &str) -> Mode {
        let (pods, acts, tolerances) = (Vec::new(), Vec::new(), Vec::new());
        Mode { name, script: script.to_owned(), pods, acts, tolerances, begins_running: false }
    }

    pub(crate) fn begins_running(mut self) -> Mode {
        self.begins_running = true;
        self
    }

    pub(crate) fn pod(mut self, name: &'static str, script: &str) -> Mode {
        self.pods.push((name, script.to_owned()));
        self
    }

    pub(crate) fn act(mut self, at: f64, act: Act) -> Mode {
        self.acts.push((at, act));
        self
    }

    pub(crate) fn tolerate(mut self, reason: &'static str, skips: fn(&Shape, &Shape) -> bool) -> Mode {
        self.tolerances.push(Tolerance { reason, skips });
        self
    }
}

/// Who acts out the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// The cluster's own node.
    Inside,
    /// A node that is a client of the cluster.
    Client,
}

/// Fails unless every recorded pod has a counterpart with the same shapes, on the cluster's own node and on one that is a
/// client, and unless both say the same of it in Events.
pub(crate) async fn check(mode: &Mode) {
    let events = recording::read(mode.name);
    let recorded = events.iter().filter(|event| event.resource == "pods").map(|event| &event.object);
    let recorded = recording::pods(recorded);
    let mut told = Vec::new();
    for driver in [Driver::Inside, Driver::Client] {
        let (seen, said) = run(mode, &events, driver).await;
        let seen = recording::pods(seen.iter().map(|pod| &**pod));
        assert_eq!(seen.len(), recorded.len(), "{} {driver:?}: number of pods", mode.name);
        for ((name, seen), (_, recorded)) in seen.into_iter().zip(&recorded) {
            compare(mode, &format!("{driver:?} {name}"), &tolerate(mode, seen), &tolerate(mode, recorded.clone()));
        }
        told.push(said);
    }
    assert_eq!(told[1], told[0], "{}: what a client and the cluster's own node say", mode.name);
}

async fn run(mode: &Mode, events: &[Event], driver: Driver) -> (Vec<Arc<Value>>, Vec<String>) {
    let clock = Clock::starting_at("2026-11-22T23:57:22Z".parse().unwrap());
    let builder = Cluster::builder().clock(clock.clone());
    let builder = if driver == Driver::Inside { builder } else { builder.without_node() };
    let cluster = builder.start().unwrap();
    let end = CancellationToken::new();
    if driver == Driver::Client {
        let node = Node::new("n1", cluster.client()).unwrap().clock(clock);
        tokio::spawn(node.run(end.clone()));
        tokio::task::yield_now().await;
    }
    let _end = end.drop_guard();
    let api = cluster.api().clone();
    let create = |group: &str, plural: &str, namespace: &str, object: Value| {
        let resource = api.resource(group, plural).unwrap();
        api.create(&resource, namespace, object, &Options::default()).unwrap_or_else(|s| panic!("{}", s.message));
    };
    create("", "namespaces", "", json!({"metadata": {"name": mode.name}}));
    for (pod, script) in &mode.pods {
        tokio::spawn(annotate(cluster.clone(), mode.name, pod, script.clone()));
    }
    let lead = if mode.begins_running { LEAD } else { 0.0 };
    let started = tokio::time::Instant::now() + Duration::from_secs_f64(lead);
    let mut steps: Vec<(f64, Step)> = Vec::new();
    for (at, resource, object) in recording::manifests(events) {
        steps.push((at - lead, Step::Apply(resource, object)));
    }
    if mode.begins_running {
        steps.push((0.0, Step::Begin));
    }
    steps.extend(mode.acts.iter().map(|(at, act)| (*at, Step::Act(*act))));
    steps.push((events.iter().map(|event| event.at).fold(0.0, f64::max), Step::End));
    steps.sort_by(|one, other| one.0.total_cmp(&other.0));
    let pods = api.resource("", "pods").unwrap();
    let (mut seen, mut since) = (Vec::new(), 1);
    for (at, step) in steps {
        tokio::time::sleep_until(started - Duration::from_secs_f64(lead) + Duration::from_secs_f64(at + lead)).await;
        match step {
            Step::Apply(resource, mut object) => {
                object["metadata"]["annotations"] = json!({"tinykube.dev/script": mode.script});
                let group = match resource.as_str() {
                    "deployments" | "statefulsets" => "apps",
                    "poddisruptionbudgets" => "policy",
                    _ => "",
                };
                create(group, &resource, mode.name, object);
            }
            Step::Act(act) => do_as_recorded(&cluster, mode, events, act),
            Step::Begin => (seen, since) = (api.list(&pods, mode.name), api.store().rv()),
            Step::End => {}
        }
    }
    let (changes, _) = api.store().changes_of(&pods, since).unwrap();
    seen.extend(changes.into_iter().map(|change| change.object.value()));
    let said = said(&api.list(&api.resource("", "events").unwrap(), mode.name));
    (seen, said)
}

/// What kubelets said, without names, times and counts.
fn said(events: &[Arc<Value>]) -> Vec<String> {
    let kubelets = events.iter().filter(|event| event["source"]["component"] == "kubelet");
    let text = |event: &Arc<Value>| {
        let parts = [&event["type"], &event["reason"], &event["involvedObject"]["fieldPath"], &event["source"]["host"]];
        parts.map(|part| part.as_str().unwrap_or("-")).join(" ")
    };
    let mut said: Vec<String> = kubelets.map(text).collect();
    said.sort();
    said
}

/// Puts a script on a pod as soon as it appears.
async fn annotate(cluster: Cluster, namespace: &'static str, pod: &'static str, script: String) {
    let api = cluster.api();
    let pods = api.resource("", "pods").unwrap();
    let mut latest = api.store().subscribe();
    while api.get(&pods, namespace, pod).is_err() {
        latest.changed().await.unwrap();
    }
    let options = Options::default();
    let annotate = |pod: &mut Value| pod["metadata"]["annotations"]["tinykube.dev/script"] = script.into();
    api.modify(pods.named(namespace, pod), Part::Main, &options, annotate).unwrap();
}

/// How long pods ran before a recording that begins with running pods, in seconds.
const LEAD: f64 = 600.0;

enum Step {
    Apply(String, Value),
    Act(Act),
    /// What is there now is the first that the recording saw.
    Begin,
    End,
}

fn do_as_recorded(cluster: &Cluster, mode: &Mode, events: &[Event], act: Act) {
    let api = cluster.api();
    let (options, ns) = (Options::default(), mode.name);
    let deployments = api.resource("apps", "deployments").unwrap();
    let pods = api.resource("", "pods").unwrap();
    match act {
        Act::CreateSecret => {
            let secrets = api.resource("", "secrets").unwrap();
            api.create(&secrets, ns, json!({"metadata": {"name": "no-such-secret"}}), &options).unwrap();
        }
        Act::RolloutRestart => {
            api.modify(deployments.named(ns, "app"), Part::Main, &options, |deployment| {
                deployment["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
                    "now".into();
            })
            .unwrap();
        }
        Act::Scale(replicas) => {
            api.modify(deployments.named(ns, "app"), Part::Main, &options, |d| d["spec"]["replicas"] = replicas.into())
                .unwrap();
        }
        Act::DeleteWorkload => {
            api.delete(&deployments, ns, "app", &DeleteOptions::default()).unwrap();
        }
        Act::StopKubelet | Act::StartKubelet => {
            let nodes = api.resource("", "nodes").unwrap();
            let lost = matches!(act, Act::StopKubelet).to_string();
            let mark = |node: &mut Value| node["metadata"]["annotations"]["tinykube.dev/lost"] = lost.clone().into();
            api.modify(nodes.named("", "n1"), Part::Main, &options, mark).unwrap();
        }
        Act::DeletePod => {
            let index = deleted_pod(events);
            let (changes, _) = api.store().changes_of(&pods, 1).unwrap();
            let added: Vec<_> = changes.iter().filter(|change| change.previous.is_none()).collect();
            api.delete(&pods, ns, added[index].object.name(), &DeleteOptions::default()).unwrap();
        }
    }
}

/// Which of the recorded pods, in the order of their creation, was deleted first.
fn deleted_pod(events: &[Event]) -> usize {
    let pods: Vec<&Event> = events.iter().filter(|event| event.resource == "pods").collect();
    let deleted = pods.iter().find(|event| event.object["metadata"]["deletionTimestamp"].is_string()).unwrap();
    let mut added = pods.iter().filter(|event| event.kind == "ADDED");
    added.position(|event| event.object["metadata"]["uid"] == deleted.object["metadata"]["uid"]).unwrap()
}

fn tolerate(mode: &Mode, shapes: Vec<Shape>) -> Vec<Shape> {
    let mut kept: Vec<Shape> = Vec::new();
    for shape in shapes {
        let skipped = kept.last().is_some_and(|last| mode.tolerances.iter().any(|t| (t.skips)(last, &shape)));
        if !skipped {
            kept.push(shape);
        }
    }
    distinct(kept)
}

/// The shorter sequence must begin the longer one and be nearly as long: times differ a little, so one more or one less
/// restart fits into the recorded ten minutes; where there are few shapes, none may be missing.
fn compare(mode: &Mode, pod: &str, seen: &[Shape], recorded: &[Shape]) {
    let common = seen.iter().zip(recorded).take_while(|(seen, recorded)| seen == recorded).count();
    let (short, long) = (seen.len().min(recorded.len()), seen.len().max(recorded.len()));
    if common == short && long - short <= (long / 4).min(4) {
        return;
    }
    let from = common.saturating_sub(2);
    let excerpt = |shapes: &[Shape]| {
        let lines =
            shapes.iter().enumerate().skip(from).take(7).map(|(index, shape)| format!("  {index:3} {shape:?}\n"));
        lines.collect::<String>()
    };
    let reasons: Vec<&str> = mode.tolerances.iter().map(|tolerance| tolerance.reason).collect();
    panic!(
        "{} {pod}: {common} of {} shapes as recorded ({}), tolerated: {reasons:?}\nseen:\n{}recorded:\n{}",
        mode.name,
        seen.len(),
        recorded.len(),
        excerpt(seen),
        excerpt(recorded)
    );
}
