//! Logs: what only the log tells names the root cause, is read once, and is never waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode};
use kube::{Client, client::Body, core::Status};
use kubeheal::api::status::{HealedServiceStatus, HealthState};
use serde_json::{Value, json};

use super::{is, steps};
use crate::support::world::{World, deployment, service};

/// What becomes of a request for a log.
#[derive(Clone, Copy)]
enum Answer {
    Real,
    Forbidden,
    Never,
}

/// A client that counts requests for logs.
fn counting(inner: Client, asked: &Arc<AtomicUsize>, answer: Answer) -> Client {
    let asked = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, is_log) = (inner.clone(), request.uri().path().ends_with("/log"));
        asked.fetch_add(usize::from(is_log), Ordering::SeqCst);
        async move {
            match answer {
                Answer::Forbidden if is_log => {
                    let body = Status::failure("pods \"api\" is forbidden", "Forbidden").with_code(403);
                    let body = Body::from(serde_json::to_vec(&body).unwrap());
                    Ok(Response::builder().status(StatusCode::FORBIDDEN).body(body).unwrap())
                }
                Answer::Never if is_log => std::future::pending().await,
                Answer::Real | Answer::Forbidden | Answer::Never => inner.send(request).await,
            }
        }
    });
    Client::new(service, "default")
}

/// The message says nothing, the log says all.
const SILENT: &str = r#"app: {log: [{at: 0s, text: waking up}], exits: [{after: 2s,
    log: "\e[31mERROR\e[0m could not connect to postgres://app:hunter2@db:5432/shop: connection refused"}]}"#;

fn silent() -> Value {
    let mut silent = deployment("api", 1);
    silent["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] = json!("File");
    silent
}

/// A silent crash loop under that answer. Returns the world and how often a log was asked for.
async fn crashing(mode: &str, lines: u32, answer: Answer) -> (World, Arc<AtomicUsize>) {
    let mut world = World::without_controller();
    let asked = Arc::new(AtomicUsize::new(0));
    world.start_controller_with(counting(world.client.clone(), &asked, answer), None);
    world.create(silent()).await;
    world.create(service("api", json!({"mode": mode, "diagnosis": {"logTailLines": lines}}))).await;
    world.until("api", "healthy", 60, is(HealthState::Healthy)).await;
    world.break_workload("api", SILENT).await;
    (world, asked)
}

fn found(status: &HealedServiceStatus) -> Option<(Option<&str>, &str)> {
    let finding = status.findings.first()?;
    Some((finding.diagnosis.as_deref(), finding.message.as_str()))
}

#[tokio::test(start_paused = true)]
async fn a_root_cause_that_only_the_log_tells_is_named_and_each_end_is_read_once() {
    let (mut world, asked) = crashing("Observe", 50, Answer::Real).await;
    let named =
        |status: &HealedServiceStatus| found(status).is_some_and(|(name, _)| name == Some("DatabaseUnreachable"));
    let status = world.until("api", "diagnosed", 60, named).await;
    let (_, message) = found(&status).unwrap();
    assert!(
        message.contains("ERROR could not connect to postgres://***@db:5432")
            && message.contains("look at the database"),
        "{message}"
    );
    let whole = serde_json::to_string(&status).unwrap();
    assert!(!whole.contains("hunter2") && !whole.contains('\u{1b}') && !whole.contains("waking"), "{whole}");

    world.pass(280).await;
    world.kill_controller().await;
    let client = counting(world.client.clone(), &asked, Answer::Real);
    world.start_controller_with(client, None);
    world.pass(10).await;
    let ends: u64 = world
        .pods("api")
        .await
        .iter()
        .map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap())
        .sum();
    // The last end may not have been followed by a start yet.
    let read = asked.load(Ordering::SeqCst) as u64;
    assert!(ends > 3 && (read == ends || read == ends + 1), "{read} reads, {ends} restarts");
    let status = world.status("api").await;
    assert_eq!(status.memory.observed.logs.len(), 1, "{:?}", status.memory.observed.logs);
}

#[tokio::test(start_paused = true)]
async fn no_log_is_read_where_none_is_asked_for_or_the_message_says_enough() {
    let (world, asked) = crashing("Heal", 0, Answer::Real).await;
    world.pass(300).await;
    assert_eq!((asked.load(Ordering::SeqCst), found(&world.status("api").await).unwrap().0), (0, None));

    let (world, asked) = crashing("Heal", 50, Answer::Real).await;
    let message = SILENT.replace("exits: [{after: 2s", "exits: [{after: 2s, message: 'password authentication failed'");
    world.break_workload("api", &message).await;
    world.pass(300).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(found(&world.status("api").await).unwrap().0, Some("BadCredentials"));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_forbidden_or_does_not_come_is_said_and_holds_nothing_up() {
    let acted = |status: &HealedServiceStatus| !steps(status).is_empty();
    let (plain, _asked) = crashing("Heal", 0, Answer::Real).await;
    let status = plain.until("api", "acted on", 3600, acted).await;
    let expected = (status.history[0].clone(), status.memory.attempts.in_flight.clone().unwrap().started);
    for (answer, words) in [(Answer::Forbidden, "grant get on pods/log"), (Answer::Never, "no answer within 5 s")] {
        let (world, asked) = crashing("Heal", 50, answer).await;
        world.pass(30).await;
        let status = world.status("api").await;
        let (diagnosis, message) = found(&status).unwrap();
        assert!(
            diagnosis.is_none() && message.contains(words),
            "{message} {:?} {:?} {asked:?}",
            status.memory.observed.logs,
            world.pods("api").await[0]["status"]["containerStatuses"]
        );
        let status = world.until("api", "acted on", 3600, acted).await;
        assert_eq!(status.history[0].cause, expected.0.cause);
        let apart = status.memory.attempts.in_flight.clone().unwrap().started.duration_since(expected.1);
        assert!(apart.abs() < jiff::SignedDuration::from_secs(2), "{words}: {apart:?} later");
        assert!(asked.load(Ordering::SeqCst) > 0);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}
