//! Leader election between candidates on one cluster, in virtual time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    client::Body,
};
use kubeheal::ops::{
    clock::Clock,
    leader::{ACTION_MARGIN, Elector, LEASE_NAME, Leadership, Settings, Standing},
};
use tinykube::Cluster;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const NAMESPACE: &str = "default";

fn cluster() -> Cluster {
    let clock = tinykube::clock::Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    Cluster::builder().clock(clock).without_controllers().start().unwrap()
}

fn leases(cluster: &Cluster) -> Api<Lease> {
    Api::namespaced(cluster.client(), NAMESPACE)
}

/// A candidate whose connection can be cut and whose machine may show any time.
struct Candidate {
    leadership: Leadership,
    cut: Arc<AtomicBool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Candidate {
    fn start(cluster: &Cluster, identity: &str, wall_clock: &str) -> Self {
        let cut = Arc::new(AtomicBool::new(false));
        let client = cuttable(cluster, cut.clone());
        let clock = Clock::starting_at(wall_clock.parse().unwrap());
        let (elector, leadership) = Elector::new(client, clock, Settings::new(NAMESPACE, identity));
        let stop = CancellationToken::new();
        let task = tokio::spawn(elector.run(stop.clone()));
        Self { leadership, cut, stop, task }
    }

    fn cut_off(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    async fn until_leading(&self) {
        let mut standing = self.leadership.subscribe();
        standing.wait_for(|standing| matches!(standing, Standing::Leading { .. })).await.unwrap();
    }
}

/// A client that hears nothing any more once `cut` is set: requests hang, as they do in a broken network.
fn cuttable(cluster: &Cluster, cut: Arc<AtomicBool>) -> Client {
    let inner = cluster.service();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, cut) = (inner.clone(), cut.clone());
        async move {
            if cut.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let answer: Result<Response<_>, std::convert::Infallible> = inner.oneshot(request).await;
            answer
        }
    });
    Client::new(service, NAMESPACE)
}

/// Watches for `span` that never two of them lead, in steps of 50 ms.
async fn never_both(first: &Candidate, second: &Candidate, span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(!(first.leadership.is_leading() && second.leadership.is_leading()), "two leaders");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_renews_the_other_stands_by() {
    let cluster = cluster();
    let first = Candidate::start(&cluster, "a", "2026-11-23T00:00:00Z");
    first.until_leading().await;
    let second = Candidate::start(&cluster, "b", "2026-11-23T00:00:00Z");
    never_both(&first, &second, Duration::from_secs(120)).await;

    assert!(first.leadership.may_act() && !second.leadership.is_leading());
    let held_by_a = Standing::Standby { holder: Some("a".to_owned()) };
    assert_eq!(*second.leadership.subscribe().borrow(), held_by_a);
    let spec = leases(&cluster).get(LEASE_NAME).await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("a"));
    assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(0)));
    assert!(spec.renew_time > spec.acquire_time, "it renews: {spec:?}");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_falls_silent_steps_down_before_another_takes_over() {
    let cluster = cluster();
    let first = Candidate::start(&cluster, "a", "2026-11-23T00:00:00Z");
    first.until_leading().await;
    let second = Candidate::start(&cluster, "b", "2026-11-23T00:00:00Z");
    sleep(Duration::from_secs(30)).await;

    first.cut_off();
    let cut = Instant::now();
    while first.leadership.is_leading() {
        assert!(!second.leadership.is_leading());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(cut.elapsed() <= Duration::from_millis(10_100), "stepped down after {:?}", cut.elapsed());
    second.until_leading().await;
    // At least a lease after the last renewal was seen, at most a lease, a renewal and two pauses later.
    let taken = cut.elapsed();
    assert!(taken >= Duration::from_secs(13) && taken <= Duration::from_secs(24), "taken over after {taken:?}");
    let spec = leases(&cluster).get(LEASE_NAME).await.unwrap().spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));

    // The silent one comes back and finds that it lost.
    first.cut.store(false, Ordering::Relaxed);
    never_both(&first, &second, Duration::from_secs(60)).await;
    assert!(second.leadership.is_leading());
}

#[tokio::test(start_paused = true)]
async fn clocks_of_two_machines_are_not_compared() {
    let cluster = cluster();
    let late = Candidate::start(&cluster, "late", "2020-01-01T00:00:00Z");
    late.until_leading().await;
    let early = Candidate::start(&cluster, "early", "2030-01-01T00:00:00Z");
    never_both(&late, &early, Duration::from_secs(120)).await;
    assert!(late.leadership.is_leading(), "a renewal that reconciles ten years old is a renewal");
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_hands_over_at_once() {
    let cluster = cluster();
    let first = Candidate::start(&cluster, "a", "2026-11-23T00:00:00Z");
    first.until_leading().await;
    let second = Candidate::start(&cluster, "b", "2026-11-23T00:00:00Z");
    sleep(Duration::from_secs(10)).await;

    first.stop.cancel();
    first.task.await.unwrap();
    assert!(!first.leadership.is_leading());
    let released = Instant::now();
    second.until_leading().await;
    assert!(released.elapsed() <= Duration::from_millis(4_400), "one pause, not a lease: {:?}", released.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_not_leadership() {
    let cluster = cluster();
    // Every PUT is overtaken by somebody else's between our read and our write.
    let rival = leases(&cluster);
    let inner = cluster.service();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, rival) = (inner.clone(), rival.clone());
        async move {
            if request.method() == http::Method::PUT {
                let label = serde_json::json!({"metadata": {"annotations": {"at": format!("{:?}", Instant::now())}}});
                rival.patch(LEASE_NAME, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
            }
            let answer: Result<Response<_>, std::convert::Infallible> = inner.oneshot(request).await;
            answer
        }
    });
    let ended = serde_json::json!({
        "metadata": {"name": LEASE_NAME},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": 4},
    });
    leases(&cluster).create(&kube::api::PostParams::default(), &serde_json::from_value(ended).unwrap()).await.unwrap();
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    let (elector, leadership) = Elector::new(Client::new(service, NAMESPACE), clock, Settings::new(NAMESPACE, "a"));
    let task = tokio::spawn(elector.run(CancellationToken::new()));
    for _ in 0..600 {
        assert!(!leadership.is_leading());
        sleep(Duration::from_millis(100)).await;
    }
    task.abort();
    let spec = leases(&cluster).get(LEASE_NAME).await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some(""), "never written");
}

#[tokio::test(start_paused = true)]
async fn a_lease_taken_from_us_ends_our_lead_at_the_next_look() {
    let cluster = cluster();
    let first = Candidate::start(&cluster, "a", "2026-11-23T00:00:00Z");
    first.until_leading().await;
    let taken = serde_json::json!({"spec": {"holderIdentity": "intruder"}});
    leases(&cluster).patch(LEASE_NAME, &PatchParams::default(), &Patch::Merge(taken)).await.unwrap();
    sleep(Duration::from_millis(2_100)).await;
    assert!(!first.leadership.is_leading());
}

#[tokio::test(start_paused = true)]
async fn no_action_may_begin_shortly_before_the_end_of_the_lease() {
    let cluster = cluster();
    let first = Candidate::start(&cluster, "a", "2026-11-23T00:00:00Z");
    first.until_leading().await;
    assert!(first.leadership.may_act());
    // As if the process stood still: nothing is renewed, nothing stepped down from.
    first.task.abort();
    sleep(Duration::from_secs(15).saturating_sub(ACTION_MARGIN)).await;
    assert!(first.leadership.is_leading() && !first.leadership.may_act());
    sleep(ACTION_MARGIN).await;
    assert!(!first.leadership.is_leading());
}
