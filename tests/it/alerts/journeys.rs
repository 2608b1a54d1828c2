//! Alerts of whole journeys on virtual time: one a service, one end, whatever happens to the controller meanwhile.

use kubeheal::controller::Clients;
use kubeheal_core::model::state::Outcome;
use std::collections::BTreeSet;

use jiff::Timestamp;
use kubeheal::{
    api::status::HealthState,
    controller::{Controller, Options},
    notify::alert::RetryConfig,
    ops::{
        leader::{Elector, Settings},
        metrics::Metrics,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::inbox::Mood;
use crate::{
    journeys::{is, well},
    support::world::{START, World, deployment, service},
};

fn hook(host: &str) -> Value {
    json!({"name": "hook", "type": "Webhook", "url": format!("http://{host}")})
}

fn notifying(sinks: &[Value]) -> Value {
    json!({"alerts": {"receivers": sinks}, "remediation": {"recreate": "Never"}})
}

/// Two pods and a service that tells one webhook.
async fn watched(world: &World, name: &str) {
    well(world, name, 2, notifying(&[hook("hook")])).await;
}

async fn gone_and_back(world: &World, name: &str, gone_for: u64) {
    world.delete("Deployment", name).await;
    world.pass(gone_for).await;
    world.create(deployment(name, 2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_alerts_once_whatever_number_of_pods_and_ends_once_when_it_has_been_well_for_long() {
    let world = World::new();
    watched(&world, "api").await;
    gone_and_back(&world, "api", 120).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
    assert_eq!(world.inbox.about("api"), ["firing warning"]);
    let known = world.status("api").await.memory.alerts;
    assert_eq!((known.len(), known[0].receivers.len()), (1, 1));
    assert_eq!((known[0].subject.as_str(), known[0].reason.as_str()), ("Service", "WorkloadMissing"));
    assert!(known[0].receivers[0].notified.is_some() && known[0].receivers[0].problem.is_none());

    world.pass(250).await;
    assert_eq!(world.inbox.about("api"), ["firing warning"], "well for less than the stabilization time is not over");
    world.pass(100).await;
    assert_eq!(world.inbox.about("api"), ["firing warning", "resolved warning"]);
    assert!(world.status("api").await.memory.alerts.is_empty(), "nothing is left to remember");

    let letter = world.inbox.letters().remove(0);
    assert_eq!(letter.body["title"], "default/api is Unhealthy: WorkloadMissing");
    assert_eq!(letter.body["text"], "Deployment api is gone");
    assert!(letter.body["kubeheal"].as_str().unwrap().contains("does not allow to recreate it"), "{}", letter.body);
    world.pass(7200).await;
    assert_eq!(world.inbox.letters().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_stays_is_repeated_grows_louder_once_and_costs_no_other_write() {
    let world = World::new();
    watched(&world, "api").await;
    world.delete("Deployment", "api").await;
    world.pass(600).await;
    let before = world.service("api").await.metadata.resource_version;
    world.pass(900).await;
    assert_eq!(world.service("api").await.metadata.resource_version, before, "nothing changed");
    world.pass(4 * 3600).await;
    let said = world.inbox.about("api");
    assert_eq!(said[..2], ["firing warning", "firing critical"], "louder after half an hour");
    assert_eq!(said.len(), 2 + 3, "then once an hour: {said:?}");
    let letters = world.inbox.letters();
    let gaps: Vec<_> = letters.windows(2).skip(1).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().all(|gap| (3600..3605).contains(gap)), "{gaps:?}");
    let ids: BTreeSet<_> = letters.iter().map(|letter| letter.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 2, "a repetition has the id of what it repeats");
}

#[tokio::test(start_paused = true)]
async fn neither_a_restart_nor_a_failover_pages_twice_or_forgets_the_end() {
    for (moment, kill) in (0..14).map(|moment| (moment, moment % 2 == 0)) {
        let mut world = World::new();
        watched(&world, "api").await;
        world.delete("Deployment", "api").await;
        world.pass(4 + moment).await;
        let end =
            async |world: &mut World| if kill { world.kill_controller().await } else { world.stop_controller().await };
        end(&mut world).await;
        world.pass(120).await;
        world.start_controller();
        world.pass(60).await;
        world.create(deployment("api", 2)).await;
        world.pass(20 + 23 * moment).await;
        end(&mut world).await;
        world.pass(30).await;
        world.start_controller();
        world.pass(900).await;
        assert_eq!(world.inbox.about("api"), ["firing warning", "resolved warning"], "ended after {moment} s");
        assert!(world.status("api").await.memory.alerts.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_delays_no_healing_and_hears_the_end_when_it_lives_again() {
    let mut repaired = Vec::new();
    for mood in [Mood::Well, Mood::Failing, Mood::Hanging] {
        let world = World::new();
        world.inbox.feels(mood);
        well(&world, "api", 2, json!({"alerts": {"receivers": [hook("hook")]}})).await;
        world.break_pods("api", "not-ready").await;
        world
            .until("api", "repaired", 2000, |s| s.history.iter().any(|entry| entry.outcome == Outcome::Verified))
            .await;
        repaired.push(world.status("api").await.history[0].time);
        if mood == Mood::Well {
            continue;
        }
        let alert = world.status("api").await.memory.alerts[0].clone();
        let problem = alert.receivers[0].problem.clone().unwrap();
        let words = if mood == Mood::Failing {
            "it answered 500"
        } else {
            "it could not be delivered: no answer; the log of kubeheal says more"
        };
        assert_eq!(problem, words);
        assert!(events(&world).await.contains(&("AlertNotSent".to_owned(), format!("hook: {words}"))));
        world.inbox.feels(Mood::Well);
        world.pass(1200).await;
        let said = world.inbox.about("api");
        assert_eq!(said.last().map(String::as_str), Some("resolved warning"), "{said:?}");
        assert!(world.status("api").await.memory.alerts.is_empty());
    }
    assert!(repaired.iter().all(|time| *time == repaired[0]), "{repaired:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_refuses_is_not_tried_again_before_it_is_time_to_repeat_it() {
    let world = World::new();
    world.inbox.feels(Mood::Refusing);
    watched(&world, "api").await;
    world.delete("Deployment", "api").await;
    world.pass(1500).await;
    assert_eq!(world.inbox.tries().len(), 1);
    let problem = world.status("api").await.memory.alerts[0].receivers[0].problem.clone().unwrap();
    assert_eq!(problem, "it answered 401: check its address and its credentials");
    assert!(events(&world).await.contains(&("AlertNotSent".to_owned(), format!("hook: {problem}"))));
    world.pass(3600).await;
    let tries = world.inbox.tries();
    let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 1, "louder after half an hour, and nothing else: {tries:?}");
}

async fn events(world: &World) -> Vec<(String, String)> {
    let events = world.api("Event").list(&kube::api::ListParams::default()).await.unwrap();
    let text =
        |object: &kube::core::DynamicObject, field: &str| object.data[field].as_str().unwrap_or_default().to_owned();
    events.items.iter().map(|object| (text(object, "reason"), text(object, "message"))).collect()
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_each_receiver_hears_of_the_storm_once_and_of_no_service() {
    let world = World::new();
    for name in ["a", "b", "c", "d", "e"] {
        let own = hook(if name == "d" { "other-team" } else { "hook" });
        well(&world, name, 1, json!({"alerts": {"receivers": [own]}})).await;
    }
    world.pass(400).await;
    for name in ["e", "d", "c", "b", "a"] {
        world.break_workload(name, "not-ready").await;
    }
    world.pass(1500).await;
    let told: BTreeSet<_> = world.inbox.of_storm().into_iter().collect();
    let firing = |host: &str| (host.to_owned(), "firing".to_owned());
    assert_eq!(told, BTreeSet::from([firing("hook"), firing("other-team")]));
    assert_eq!(world.inbox.letters().len(), 2, "{:?}", world.inbox.letters());
    let text = world.inbox.letters()[0].body["text"].to_string();
    assert!(text.contains("of 5 services are unhealthy at once"), "{text}");

    for name in ["a", "b", "c", "d"] {
        world.patch("Deployment", name, json!({"metadata": {"annotations": {"tinykube.dev/script": null}}})).await;
    }
    world.pass(1000).await;
    let over: Vec<_> = world.inbox.of_storm().into_iter().skip(2).collect();
    assert_eq!(over.iter().filter(|(_, status)| status == "resolved").count(), 2, "{over:?}");
    let left = world.inbox.about("e");
    assert!(!left.is_empty() && left[0].starts_with("firing"), "what is left after the storm is told by itself");
    assert!(world.inbox.about("a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_held_by_its_dependency_leaves_the_alert_to_it() {
    let world = World::new();
    watched(&world, "db").await;
    for name in ["api", "web"] {
        let mut spec = notifying(&[hook("hook")]);
        spec["dependsOn"] = json!([{"name": "db", "stableSeconds": 5}]);
        well(&world, name, 1, spec).await;
        world.break_workload(name, "'*': {readiness: {whileDown: Deployment/db}}").await;
    }
    world.delete("Deployment", "db").await;
    world.pass(1500).await;
    assert_eq!(world.inbox.about("db"), ["firing warning"]);
    assert!(world.inbox.about("api").is_empty() && world.inbox.about("web").is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_only_observes_alerts_too_and_says_that_nothing_is_done() {
    let world = World::new();
    well(&world, "api", 1, json!({"mode": "Observe", "alerts": {"receivers": [hook("hook")]}})).await;
    world.break_pods("api", "not-ready").await;
    world.pass(900).await;
    let letters = world.inbox.letters();
    let doing = letters[0].body["kubeheal"].as_str().unwrap();
    assert!(doing.starts_with("mode is Observe: nothing is done; it would be RestartPod of api-"), "{doing}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stumbles_and_recovers_pages_nobody() {
    let world = World::new();
    watched(&world, "api").await;
    world.break_workload("api", "app: {readiness: {flaps: {passes: 60s, fails: 40s}}}").await;
    world.pass(4 * 3600).await;
    assert!(world.inbox.letters().is_empty(), "{:?}", world.inbox.letters());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_watches_any_more_is_over() {
    let world = World::new();
    for name in ["deleted", "untold", "suspended"] {
        watched(&world, name).await;
    }
    world.pass(400).await;
    for name in ["deleted", "untold", "suspended"] {
        world.delete("Deployment", name).await;
    }
    world.pass(60).await;
    // Three of three at once are a storm: the one who tells of it is the first.
    let count = world.inbox.letters().len();
    assert!(count >= 1);
    world.delete("HealedService", "deleted").await;
    world.patch("HealedService", "untold", json!({"spec": {"alerts": {"receivers": []}}})).await;
    world.patch("HealedService", "suspended", json!({"spec": {"suspend": true}})).await;
    world.pass(900).await;
    for name in ["deleted", "untold", "suspended"] {
        let said = world.inbox.about(name);
        assert_ne!(said.last().map(String::as_str), Some("firing warning"), "{name}: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_said_and_its_coming_is_enough() {
    let world = World::new();
    let sink = json!({"name": "slack", "type": "Slack", "urlFrom": {"secretRef": {"name": "slack", "key": "url"}}});
    well(&world, "api", 1, notifying(&[sink])).await;
    world.delete("Deployment", "api").await;
    world.pass(60).await;
    let alert = world.status("api").await.memory.alerts[0].clone();
    let problem = alert.receivers[0].problem.clone().unwrap();
    assert_eq!(problem, "Secret slack does not exist in namespace default: create it");
    assert!(events(&world).await.contains(&("AlertNotSent".to_owned(), format!("slack: {problem}"))));
    let url = k8s_openapi::ByteString(b"http://slack/T0/secret".to_vec());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "slack"}, "data": {"url": url}});
    world.create(secret).await;
    world.pass(400).await;
    assert_eq!(world.inbox.letters().len(), 1);
    let status = serde_json::to_string(&world.status("api").await).unwrap();
    assert!(!status.contains("T0/secret") && status.contains("\"notified\""), "{status}");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_have_heard_of_the_trouble_is_not_told_that_it_is_over() {
    let sinks = |name: &str| match name {
        "refused" => hook("hook"),
        _ => json!({"name": "slack", "type": "Slack", "urlFrom": {"secretRef": {"name": "missing", "key": "url"}}}),
    };
    for name in ["refused", "unprepared"] {
        let world = World::new();
        world.inbox.feels(Mood::Refusing);
        well(&world, name, 1, notifying(&[sinks(name)])).await;
        world.delete("Deployment", name).await;
        world.pass(120).await;
        assert!(world.status(name).await.memory.alerts[0].receivers[0].problem.is_some());
        world.inbox.feels(Mood::Well);
        world.create(deployment(name, 1)).await;
        world.pass(600).await;
        assert!(world.status(name).await.memory.alerts.is_empty(), "{name}");
        assert!(world.inbox.letters().is_empty(), "{name}: {:?}", world.inbox.letters());
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_controllers_the_one_that_leads_alerts_and_the_other_goes_on_where_it_stopped() {
    let world = World::without_controller();
    let (first, stop_first) = candidate(&world, "first");
    world.pass(5).await;
    let (second, stop_second) = candidate(&world, "second");
    watched(&world, "api").await;
    world.delete("Deployment", "api").await;
    world.pass(60).await;
    assert_eq!(world.inbox.about("api"), ["firing warning"]);
    // As a machine that dies.
    first.abort();
    stop_first.cancel();
    world.pass(60).await;
    world.create(deployment("api", 2)).await;
    world.pass(600).await;
    assert_eq!(world.inbox.about("api"), ["firing warning", "resolved warning"]);
    assert!(world.status("api").await.memory.alerts.is_empty());
    stop_second.cancel();
    second.await.unwrap();
}

/// A controller that stands for election.
fn candidate(world: &World, identity: &str) -> (JoinHandle<()>, CancellationToken) {
    let (client, clock, stop) = (world.client.clone(), world.clock(), CancellationToken::new());
    let (elector, leadership) = Elector::new(client.clone(), clock.clone(), Settings::new("default", identity));
    let options = Options {
        namespace: None,
        concurrency: 4,
        observe_only: false,
        metrics: Metrics::new(clock.now()),
        leader: Some(leadership),
    };
    let controller = Controller::notifying(
        Clients { reads: client.clone(), actions: client },
        clock,
        options,
        (world.inbox.sender(), RetryConfig::default()),
    );
    let until = stop.clone();
    let both = async move { tokio::join!(elector.run(until.clone()), controller.run(until)) };
    (
        tokio::spawn(async move {
            let ((), ()) = both.await;
        }),
        stop,
    )
}

#[tokio::test(start_paused = true)]
async fn alertmanager_does_not_forget_what_still_fires_nor_hear_of_a_quieter_alert_again() {
    let mut world = World::new();
    let start: Timestamp = START.parse().unwrap();
    let sink = json!({"name": "am", "type": "Alertmanager", "url": "http://am"});
    well(&world, "api", 2, notifying(&[sink])).await;
    world.delete("Deployment", "api").await;
    world.pass(900).await;
    world.kill_controller().await;
    world.pass(300).await;
    world.start_controller();
    world.pass(3600).await;
    world.create(deployment("api", 2)).await;
    world.pass(900).await;

    let letters = world.inbox.letters();
    let ends = |alert: &Value| {
        let end: Timestamp = alert["endsAt"].as_str().unwrap().parse().unwrap();
        u64::try_from(end.duration_since(start).as_secs()).unwrap()
    };
    let (end, firing) = letters.split_last().unwrap();
    for (letter, next) in firing.iter().zip(&letters[1..]) {
        assert!(next.at < ends(&letter.body[0]), "forgotten between {} and {}", letter.at, next.at);
    }
    assert!(end.body.as_array().unwrap().iter().all(|alert| ends(alert) <= end.at), "{end:?}");
    let quieter_ended = firing.iter().filter(|letter| letter.body.as_array().unwrap().len() == 2);
    assert_eq!(quieter_ended.count(), 1, "when it grew louder, and not each time");
}

#[tokio::test(start_paused = true)]
async fn a_planted_secret_is_in_no_status_event_or_alert() {
    let world = World::new();
    world.create(deployment("api", 1)).await;
    world.create(service("api", notifying(&[hook("hook")]))).await;
    let said =
        "FATAL cannot connect to postgres://app:s3cr3t-value@db:5432/shop: connection refused, token=t0k3n-value";
    world.break_workload("api", &format!("app: {{exits: [{{after: 2s, log: '{said}'}}]}}")).await;
    world.pass(1800).await;
    let status = serde_json::to_string(&world.status("api").await).unwrap();
    let shown = format!("{status}{:?}{:?}", events(&world).await, world.inbox.letters());
    for secret in ["s3cr3t-value", "t0k3n-value"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let line = "cannot connect to postgres://***@db:5432/shop: connection refused";
    assert!(status.contains("DatabaseUnreachable") && status.contains(line), "{status}");
    let text = world.inbox.letters()[0].body["text"].to_string();
    assert!(text.contains(line), "the line that told: {text}");
    let told = events(&world).await.iter().any(|(_, note)| note.contains("postgres://***@db:5432"));
    assert!(told, "{:?}", events(&world).await);
}
