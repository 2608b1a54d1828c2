//! Each kind of fault by itself.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use tinykube::faults::{Crash, Plan};

use crate::client::{behind, cluster, map};

const ALWAYS: u64 = 1000;

fn plan(set: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan::none();
    set(&mut plan);
    plan
}

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

/// What a faulty create answers (0 for no answer), and whether it was carried out.
async fn create_under(plan: Plan, seed: u64) -> (u16, bool) {
    let cluster = cluster();
    let (_, maps) = behind(&cluster, plan, seed);
    let answer = maps.create(&PostParams::default(), &map("m")).await;
    let there = Api::<ConfigMap>::default_namespaced(cluster.client()).get("m").await.is_ok();
    (answer.map_or_else(|error| code(&error), |_| 201), there)
}

#[tokio::test(start_paused = true)]
async fn errors_are_answered_and_nothing_is_done_unless_said() {
    assert_eq!(create_under(Plan::none(), 0).await, (201, true));
    assert_eq!(create_under(plan(|plan| plan.drop_before = ALWAYS), 0).await, (0, false));
    assert_eq!(create_under(plan(|plan| plan.drop_after = ALWAYS), 0).await, (0, true));
    assert_eq!(create_under(plan(|plan| plan.too_many = ALWAYS), 0).await, (429, false));
    assert_eq!(create_under(plan(|plan| plan.unavailable = ALWAYS), 0).await, (503, false));
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..20 {
        outcomes.insert(create_under(plan(|plan| plan.internal = ALWAYS), seed).await);
        outcomes.insert(create_under(plan(|plan| plan.timeout = ALWAYS), seed).await);
    }
    assert_eq!(Vec::from_iter(outcomes), [(500, false), (500, true), (504, false), (504, true)]);
    let cluster = cluster();
    let (_, maps) = behind(&cluster, plan(|plan| plan.conflict = ALWAYS), 0);
    let made = maps.create(&PostParams::default(), &map("m")).await.unwrap();
    assert_eq!(code(&maps.replace("m", &PostParams::default(), &made).await.unwrap_err()), 409);
    let (_, maps) = behind(&cluster, plan(|plan| plan.gone = ALWAYS), 0);
    assert_eq!(code(&maps.watch(&WatchParams::default(), "1").await.err().unwrap()), 410);
}

#[tokio::test(start_paused = true)]
async fn half_of_the_refusals_say_when_to_come_again() {
    use tower::{Layer, ServiceExt};
    let cluster = cluster();
    let faults = tinykube::faults::Faults::new(cluster.api(), plan(|plan| plan.too_many = ALWAYS), 1);
    let mut said = 0;
    for _ in 0..100 {
        let request = http::Request::get("/api/v1/pods").body(http_body_util::Full::<bytes::Bytes>::default()).unwrap();
        let answer = faults.layer(cluster.service()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 429);
        said += u32::from(answer.headers().contains_key("retry-after"));
    }
    assert!((30..70).contains(&said), "{said}");
}

#[tokio::test(start_paused = true)]
async fn lists_of_any_version_may_be_old() {
    let cluster = cluster();
    let (_, sound) = behind(&cluster, Plan::none(), 0);
    for index in 0..30 {
        sound.create(&PostParams::default(), &map(&format!("m{index}"))).await.unwrap();
    }
    let (_, maps) = behind(&cluster, plan(|plan| plan.stale = ALWAYS), 0);
    assert!(maps.list(&ListParams::default().at("0")).await.unwrap().items.len() < 30);
    assert_eq!(maps.list(&ListParams::default()).await.unwrap().items.len(), 30);
}

/// The types of the events a watch of five new maps gets, and how it ended: in time, by itself or with an error.
async fn events_under(plan: Plan, seed: u64) -> (Vec<&'static str>, &'static str) {
    let cluster = cluster();
    let (_, sound) = behind(&cluster, Plan::none(), 0);
    let (_, maps) = behind(&cluster, plan, seed);
    let mut events = maps.watch(&WatchParams::default().timeout(60), "4").await.unwrap().boxed();
    for index in 0..5 {
        let made = sound.create(&PostParams::default(), &map(&format!("m{index}"))).await.unwrap();
        let mut changed = made.clone();
        changed.data.as_mut().unwrap().insert("n".into(), "1".into());
        sound.replace(&format!("m{index}"), &PostParams::default(), &changed).await.unwrap();
    }
    let mut got = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(3600), events.try_next()).await {
            Err(_) => return (got, "silent"),
            Ok(Err(_)) => return (got, "broken"),
            Ok(Ok(None)) => return (got, "ended"),
            Ok(Ok(Some(WatchEvent::Error(status)))) if status.code == 410 => return (got, "gone"),
            Ok(Ok(Some(event))) => got.push(match event {
                WatchEvent::Added(_) => "A",
                WatchEvent::Modified(_) => "M",
                _ => "?",
            }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn watches_suffer_as_planned() {
    let (sound, end) = events_under(Plan::none(), 0).await;
    assert_eq!((sound.concat().as_str(), end), ("AMAMAMAMAM", "ended"));
    let (merged, _) = events_under(plan(|plan| plan.watch_merge = ALWAYS), 0).await;
    assert_eq!(merged.concat(), "AAAAA");
    let (twice, _) = events_under(plan(|plan| plan.watch_replay = ALWAYS), 0).await;
    assert_eq!(twice.concat(), "AAMM".repeat(5));
    let (some, end) = events_under(plan(|plan| plan.watch_stall = ALWAYS), 0).await;
    assert!(some.len() < 6 && end == "silent", "{some:?} {end}");
    let (some, end) = events_under(plan(|plan| plan.watch_gone = ALWAYS), 0).await;
    assert!(some.len() < 6 && end == "gone", "{some:?} {end}");
    for seed in 0..10 {
        let (some, end) = events_under(plan(|plan| plan.watch_cut = ALWAYS), seed).await;
        assert!(some.len() < 6 && end != "silent", "{some:?} {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_nothing_is_answered() {
    for after_commit in [false, true] {
        let cluster = cluster();
        let (faults, maps) = behind(&cluster, plan(|plan| plan.crash = Some(Crash { request: 2, after_commit })), 0);
        maps.create(&PostParams::default(), &map("a")).await.unwrap();
        let minute = Duration::from_secs(60);
        for name in ["b", "c"] {
            assert!(tokio::time::timeout(minute, maps.create(&PostParams::default(), &map(name))).await.is_err());
        }
        faults.crashed().await;
        let there = Api::<ConfigMap>::default_namespaced(cluster.client()).list(&ListParams::default()).await.unwrap();
        assert_eq!(there.items.len(), if after_commit { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_jumps_and_calm_ends_it() {
    let cluster = cluster();
    let hour = Duration::from_secs(3600);
    let (faults, maps) = behind(
        &cluster,
        plan(|plan| {
            plan.clock_jump = ALWAYS;
            plan.largest_jump = hour;
        }),
        3,
    );
    let before = cluster.clock().now();
    maps.list(&ListParams::default()).await.unwrap();
    let after = cluster.clock().now();
    assert_ne!(before, after);
    assert!(after.duration_since(before).unsigned_abs() <= hour);
    faults.set_paused(true);
    maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(cluster.clock().now(), after);
    assert_eq!(faults.requests(), 2);
}
