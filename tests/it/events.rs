//! What Events tell: each thing once, when it begins, and a recovery when it is one.

use jiff::Timestamp;
use kubeheal::{
    api::status::{HealedServiceStatus, HealthState},
    notify::event::drafts,
    status::{load, render},
};
use kubeheal_core::{
    decide,
    model::{
        alert::Receiver,
        policy::Policy,
        reason::Reason,
        snapshot::{Readiness, Rollout, Snapshot, Workload, WorkloadKind},
    },
};
use serde_json::json;

use crate::{
    journeys::{blocked, is, well},
    support::fixtures::{at, beside, pod, policy, refusal, sick, snapshot, workload},
    support::world::World,
};

/// One service, looked at again and again.
struct Story {
    policy: Policy,
    status: HealedServiceStatus,
    now: i64,
    told: Vec<String>,
}

impl Story {
    fn begin() -> Self {
        Self { policy: policy(), status: HealedServiceStatus::default(), now: 0, told: Vec::new() }
    }

    /// So many seconds later this is seen.
    fn sees(&mut self, seconds: i64, mut seen: Snapshot) -> &mut Self {
        self.now += seconds;
        let now: Timestamp = at(self.now);
        let known = std::mem::take(&mut seen.state.observed.containers);
        seen.state = load(&self.status);
        if seen.state.observed.containers.is_empty() {
            seen.state.observed.containers = known;
        }
        let mut decision = decide(&self.policy, &seen, now);
        // Nothing is done here.
        decision.state.attempts.in_flight = None;
        let status = render(&decision, &self.status, beside(), now);
        self.told.extend(drafts(&self.status, &status).into_iter().map(|notice| notice.reason));
        self.status = status;
        self
    }

    fn count(&self, reason: &str) -> usize {
        self.told.iter().filter(|told| *told == reason).count()
    }
}

fn healthy() -> Snapshot {
    snapshot(workload(WorkloadKind::Deployment, 2), vec![pod("api-0", true), pod("api-1", true)])
}

fn ill() -> Snapshot {
    sick(workload(WorkloadKind::Deployment, 2))
}

/// What is no recovery, though nothing is wrong with any pod that can be seen.
fn in_between() -> Vec<(&'static str, Snapshot)> {
    let mut unseen = healthy();
    unseen.workload = Workload::Unknown("the watch is interrupted".to_owned());
    let mut lost = healthy();
    for pod in &mut lost.pods {
        (pod.ready, pod.reason) = (Readiness::Unknown, Some("NodeLost".to_owned()));
        pod.containers.clear();
    }
    let starting = snapshot(workload(WorkloadKind::Deployment, 2), Vec::new());
    let mut rolling = healthy();
    let Workload::Present(state) = &mut rolling.workload else { panic!("it is there") };
    (state.rollout, state.desired) = (Rollout::InProgress, 3);
    let mut missing = healthy();
    missing.pods.clear();
    missing.workload = Workload::Missing { kind: WorkloadKind::Deployment, name: "api".to_owned() };
    vec![
        ("nothing can be seen", unseen),
        ("its nodes are lost", lost),
        ("its pods begin anew", starting),
        ("it rolls out", rolling),
        ("it may be gone", missing),
    ]
}

#[test]
fn recovered_means_ready_again_and_is_said_once() {
    for (what, between) in in_between() {
        let mut story = Story::begin();
        story.sees(0, healthy()).sees(1000, ill()).sees(1, ill());
        assert_eq!(story.count("ReadinessFailed"), 1, "{what}: {:?}", story.told);
        for _look in 0..3 {
            story.sees(5, between.clone());
            assert_eq!(story.count("Recovered"), 0, "{what}: {:?}", story.status.conditions);
        }
        story.sees(1, ill()).sees(1, between);
        assert_eq!(story.count("ReadinessFailed"), 1, "{what}: the same trouble goes on: {:?}", story.told);
        for _look in 0..3 {
            story.sees(100, healthy());
        }
        assert_eq!(story.count("Recovered"), 1, "{what}: {:?}", story.told);
        assert_eq!(story.status.health, Some(HealthState::Healthy), "{what}");
    }
}

#[test]
fn who_was_not_degraded_does_not_recover() {
    for (what, between) in in_between() {
        let mut story = Story::begin();
        story.sees(0, between.clone()).sees(5, healthy()).sees(1000, between).sees(5, healthy()).sees(100, healthy());
        assert_eq!(story.count("Recovered"), usize::from(story.told.len() > 1), "{what}: {:?}", story.told);
    }
    let mut story = Story::begin();
    let mut idle = snapshot(workload(WorkloadKind::Deployment, 0), Vec::new());
    idle.state.observed.last_replicas = Some(0);
    story.sees(0, healthy()).sees(1000, ill()).sees(5, idle).sees(100, healthy()).sees(100, healthy());
    assert_eq!(story.count("Recovered"), 0, "that nothing is wanted is no recovery: {:?}", story.told);
}

#[test]
fn an_alert_is_not_over_because_nothing_can_be_seen() {
    for (what, between) in in_between() {
        let mut story = Story::begin();
        let sink = Receiver { name: "hook".to_owned(), destination: "there".to_owned(), kept_alive: false };
        let heard = |mut seen: Snapshot| {
            seen.receivers.list = vec![sink.clone()].into();
            seen
        };
        story.sees(0, heard(healthy())).sees(1000, heard(ill())).sees(1, heard(ill()));
        assert_eq!(story.status.memory.alerts.len(), 1, "{what}");
        for _look in 0..5 {
            story.sees(400, heard(between.clone()));
            assert!(story.status.memory.alerts.iter().all(|alert| alert.resolved.is_none()), "{what}");
        }
        assert!(!story.status.memory.alerts.is_empty(), "{what}");
    }
}

fn hasty(more: &serde_json::Value) -> serde_json::Value {
    let mut spec = json!({
        "health": {"notReadySeconds": 20}, "remediation": {"stabilizationSeconds": 20, "verifySeconds": 120},
    });
    for (name, value) in more.as_object().unwrap() {
        for (field, value) in value.as_object().unwrap() {
            spec[name][field] = value.clone();
        }
    }
    spec
}

/// A budget that lets no pod of the app go.
fn budget(app: &str) -> serde_json::Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": app}}},
    })
}

#[tokio::test(start_paused = true)]
async fn what_begins_to_hold_a_repair_back_is_an_event_once() {
    let mut world = World::new();
    world.create(budget("app")).await;
    well(&world, "app", 2, hasty(&json!({}))).await;
    world.break_pods("app", "not-ready").await;
    world.until("app", "held", 300, blocked("DisruptionBudget")).await;
    let events = world.events("DisruptionBudget").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("RestartPod of app-") && events[0].contains("is held back"), "{events:?}");
    // It goes on holding, with and without us.
    world.pass(1800).await;
    world.stop_controller().await;
    world.start_controller();
    world.pass(1200).await;
    assert!(blocked("DisruptionBudget")(&world.status("app").await));
    assert_eq!(world.events("DisruptionBudget").await.len(), 1);
    world.delete("PodDisruptionBudget", "app").await;
    world.until("app", "healthy", 900, is(HealthState::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn what_holds_by_turns_is_told_once_for_one_trouble_and_anew_for_the_next() {
    let world = World::new();
    let mut watched = hasty(&json!({}));
    watched["mode"] = "Observe".into();
    well(&world, "app", 2, watched).await;
    for troubles in 1..=2 {
        world.break_pods("app", "not-ready").await;
        for _turn in 0..5 {
            world.create(budget("app")).await;
            world.until("app", "held", 300, blocked("DisruptionBudget")).await;
            world.delete("PodDisruptionBudget", "app").await;
            world.until("app", "free", 300, |status| status.blocked_by.is_empty()).await;
        }
        let events = world.list("Event").await;
        let of = events.iter().filter(|event| event["reason"] == "DisruptionBudget");
        let times: i64 = of.map(|event| event["series"]["count"].as_i64().unwrap_or(1)).sum();
        assert_eq!(times, troubles);
        world.break_pods("app", "healthy").await;
        world.until("app", "healthy", 300, is(HealthState::Healthy)).await;
        world.pass(120).await;
    }
}

#[test]
fn what_each_repair_waits_for_and_what_other_events_tell_is_no_event_of_its_own() {
    let budget = || {
        let mut seen = ill();
        for pod in &mut seen.pods {
            pod.refusal = Some(refusal("budget"));
        }
        seen
    };
    let mut story = Story::begin();
    story.sees(0, healthy());
    for _look in 0..10 {
        story.sees(100, budget());
    }
    assert_eq!(story.count("DisruptionBudget"), 1, "{:?}", story.told);
    for reason in &story.status.blocked_by {
        let told = reason.reason.parse::<Reason>().is_ok_and(|reason| !reason.holds_quietly());
        assert_eq!(usize::from(told), story.count(&reason.reason), "{reason:?}: {:?}", story.told);
    }
    for quiet in ["NotYet", "BackOff", "ActionInFlight", "BreakerOpen", "DependencyDown", "PolicyInvalid"] {
        assert!(quiet.parse::<Reason>().is_ok_and(Reason::holds_quietly), "{quiet}");
    }
    for told in [
        "DisruptionBudget",
        "OutsideWindow",
        "StormHold",
        "ClusterBudget",
        "ActionCeiling",
        "ClusterPaused",
        "GitOpsGrace",
    ] {
        assert!(told.parse::<Reason>().is_ok_and(|reason| !reason.holds_quietly()), "{told}");
    }
}
