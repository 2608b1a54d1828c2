//! What arrives at receivers, over real HTTP: the form of each, and what becomes of answers.

use std::{sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube::{Client, client::Body};
use kubeheal::{
    api::Receiver,
    base::{Key, ReceiverHosts},
    notify::alert::{
        AlertDispatcher, AlertMessage, AlertRequest, AlertState, Environment, HttpSender, OwnHosts, RetryConfig,
        SIGNATURE_HEADER, TIMESTAMP_HEADER,
    },
    ops::{clock::Clock, metrics::Metrics},
};
use kubeheal_core::model::alert::{Delivered, Severity, Subject};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::http_receiver::{Answer, HttpReceiver, Request as Sent};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

const SINCE: &str = "2026-11-23T10:00:00Z";

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn alert(severity: Severity, state: AlertState) -> AlertMessage {
    AlertMessage {
        subject: Subject::Service,
        key: "kubeheal/uid-api".to_owned(),
        state,
        severity,
        knows: None,
        reason: "CrashLoop".to_owned(),
        since: time(SINCE),
        namespace: "shop".to_owned(),
        service: "api".to_owned(),
        workload: "Deployment/api".to_owned(),
        title: "shop/api is Unhealthy: CrashLoop".to_owned(),
        text: "0 of 2 pods ready: app exited 1: <!channel> & dial tcp: connection refused".to_owned(),
        doing: "RestartPod of api-1 is being verified".to_owned(),
    }
}

fn firing() -> AlertMessage {
    alert(Severity::Warning, AlertState::Firing)
}

/// Ceilings that name this machine, and what they cannot allow.
fn here() -> ReceiverHosts {
    let hosts = ["127.0.0.1", "localhost", "169.254.169.254"].map(str::to_owned).to_vec();
    std::iter::once(("ClusterHealingPolicy default".to_owned(), hosts)).collect()
}

fn resolved() -> AlertMessage {
    alert(Severity::Warning, AlertState::Resolved(time("2026-11-23T10:20:00Z")))
}

/// A dispatcher before a cluster that knows one Secret, `hook`, and may not show another, `locked`.
pub(super) struct Harness {
    dispatcher: Arc<AlertDispatcher>,
    metrics: Metrics,
    _ends: tokio_util::sync::DropGuard,
}

fn cluster(url: &str) -> Client {
    let data = json!({"url": encoded(url), "hmac": encoded("a key\n"), "empty": ""});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}, "data": data});
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let (code, body) = match path.rsplit('/').next().unwrap() {
            "hook" => (200, secret.clone()),
            "locked" => (403, json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden"})),
            _ => (404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"})),
        };
        let answer = Response::builder().status(StatusCode::from_u16(code).unwrap());
        let answer = answer.header("content-type", "application/json").body(Body::from(body.to_string().into_bytes()));
        async move { Ok::<_, std::convert::Infallible>(answer.unwrap()) }
    });
    Client::new(service, "shop")
}

fn encoded(text: &str) -> Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}

impl Harness {
    pub(super) fn open(url: &str) -> Self {
        let metrics = Metrics::new(time(SINCE));
        let retry = RetryConfig {
            patience: Duration::from_millis(250),
            first_wait: Duration::from_millis(20),
            last_wait: Duration::from_secs(2),
            refused_wait: Duration::from_secs(60),
            keep_alive: Duration::from_millis(100),
            forget: Duration::from_secs(60),
        };
        let clock = Clock::starting_at(time("2026-11-23T10:05:00Z"));
        let dispatcher = AlertDispatcher::new(Environment {
            secrets: cluster(url),
            sender: HttpSender::over_network(OwnHosts::default()),
            clock,
            retry,
            metrics: metrics.clone(),
            leading: Box::new(|| true),
            wake: Box::new(|_| {}),
        });
        Self { _ends: dispatcher.ends(), dispatcher, metrics }
    }

    pub(super) fn request(&self, sink: &Value, alert: AlertMessage) {
        self.mention(sink, alert, true);
    }

    fn mention(&self, sink: &Value, alert: AlertMessage, due: bool) {
        self.mention_at(sink, alert, due, here());
    }

    fn mention_at(&self, sink: &Value, alert: AlertMessage, due: bool, hosts: ReceiverHosts) {
        let sink: Receiver = serde_json::from_value(sink.clone()).unwrap();
        let destination = format!("{sink:?}");
        self.dispatcher.request(&key(), vec![AlertRequest { receiver: sink, destination, hosts, alert, due }]);
    }

    /// What became of it, once something did.
    pub(super) async fn news(&self) -> Delivered {
        let delivered = async {
            loop {
                if let Some(delivery) = self.dispatcher.deliveries(&key()).pop() {
                    self.dispatcher.written(&key(), std::slice::from_ref(&delivery));
                    return delivery.result;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, delivered).await.expect("something becomes of it")
    }

    fn counted(&self, kind: &str, result: &str) -> bool {
        let text = self.metrics.encode();
        let series = format!("kubeheal_alerts_total{{result=\"{result}\",type=\"{kind}\"}}");
        text.lines().any(|line| line.starts_with(&series) && !line.ends_with(" 0"))
    }
}

fn key() -> Key {
    ("shop".to_owned(), "api".to_owned())
}

pub(super) async fn receiver(answer: Answer) -> HttpReceiver {
    HttpReceiver::start(&[], answer).await
}

async fn until_received(server: &HttpReceiver, count: usize) {
    let arrived = async {
        while received(server).await.len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, arrived).await.expect("it arrives");
}

pub(super) async fn received(server: &HttpReceiver) -> Vec<(Sent, Value)> {
    let requests = server.requests();
    requests.into_iter().map(|request| (request.clone(), serde_json::from_slice(&request.body).unwrap())).collect()
}

fn told_firing(delivered: &Delivered) -> bool {
    matches!(delivered, Delivered::Firing(_, Severity::Warning))
}

#[tokio::test]
async fn alertmanager_gets_labels_and_an_end_that_is_moved_on_until_it_is_over() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    let sink = json!({"name": "am", "type": "Alertmanager", "url": format!("{}/", server.uri())});
    harness.request(&sink, firing());
    assert!(told_firing(&harness.news().await));
    until_received(&server, 3).await;
    assert!(harness.dispatcher.deliveries(&key()).is_empty(), "keeping it alive is no news, and no write");
    harness.request(&sink, alert(Severity::Critical, AlertState::Firing));
    assert!(matches!(harness.news().await, Delivered::Firing(_, Severity::Critical)));
    harness.request(&sink, alert(Severity::Critical, AlertState::Resolved(time("2026-11-23T10:04:00Z"))));
    assert_eq!(harness.news().await, Delivered::Resolved);

    let all = received(&server).await;
    let (first, body) = &all[0];
    assert_eq!((first.method.as_str(), first.uri.path()), ("POST", "/api/v2/alerts"));
    let labels = json!({
        "severity": "warning", "alertname": "HealedServiceUnhealthy", "namespace": "shop", "service": "api",
        "workload": "Deployment/api",
    });
    assert_eq!(body[0]["labels"], labels);
    assert_eq!((&body[0]["startsAt"], &body[0]["endsAt"]), (&json!(SINCE), &json!("2026-11-23T10:20:00Z")));
    assert!(body[0].get("generatorURL").is_none());
    let annotations = &body[0]["annotations"];
    assert_eq!(annotations["summary"], "shop/api is Unhealthy: CrashLoop");
    assert!(annotations["description"].as_str().unwrap().contains("connection refused"));

    let (_, over) = all.last().unwrap();
    let ends: Vec<_> =
        over.as_array().unwrap().iter().map(|one| (&one["labels"]["severity"], &one["endsAt"])).collect();
    let end = json!("2026-11-23T10:04:00Z");
    assert_eq!(ends, [(&json!("critical"), &end), (&json!("warning"), &end)], "the quieter one is over too");
}

#[tokio::test]
async fn pagerduty_is_triggered_and_resolved_under_one_key() {
    let server = receiver(Answer::new(202)).await;
    let harness = Harness::open("");
    let from = json!({"secretRef": {"name": "hook", "key": "hmac"}});
    let sink = json!({"name": "pager", "type": "PagerDuty", "url": server.uri(), "routingKeyFrom": from});
    harness.request(&sink, alert(Severity::Critical, AlertState::Firing));
    harness.news().await;
    harness.request(&sink, alert(Severity::Critical, AlertState::Resolved(time("2026-11-23T10:20:00Z"))));
    assert_eq!(harness.news().await, Delivered::Resolved);
    let all = received(&server).await;
    let field = |index: usize, name: &str| all[index].1[name].clone();
    assert_eq!([field(0, "event_action"), field(1, "event_action")], [json!("trigger"), json!("resolve")]);
    assert_eq!(field(0, "dedup_key"), field(1, "dedup_key"));
    assert_eq!(field(0, "routing_key"), json!("a key"), "without the line end of the file it came from");
    let payload = field(0, "payload");
    assert_eq!((&payload["severity"], &payload["source"]), (&json!("critical"), &json!("shop/api")));
    assert!(payload["summary"].as_str().unwrap().contains("CrashLoop"));
}

#[tokio::test]
async fn slack_is_told_in_words_that_call_nobody() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open(&server.uri());
    let sink = json!({"name": "slack", "type": "Slack", "urlFrom": {"secretRef": {"name": "hook", "key": "url"}}});
    harness.request(&sink, firing());
    harness.news().await;
    let (_, body) = received(&server).await.remove(0);
    let text = body.to_string();
    assert!(text.contains("&lt;!channel&gt; &amp; dial") && !text.contains("<!channel>"), "{text}");
    assert!(body["text"].as_str().unwrap().contains("shop/api is Unhealthy"));
}

#[tokio::test]
async fn a_webhook_is_signed_over_time_and_body() {
    let server = receiver(Answer::new(204)).await;
    let harness = Harness::open(&server.uri());
    let of = |key: &str| json!({"secretRef": {"name": "hook", "key": key}});
    let sink = json!({"name": "hook", "type": "Webhook", "urlFrom": of("url"), "hmacFrom": of("hmac")});
    harness.request(&sink, resolved());
    assert_eq!(harness.news().await, Delivered::Resolved);
    let (request, body) = received(&server).await.remove(0);
    let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
    let signed = [header(TIMESTAMP_HEADER).as_bytes(), b".", &request.body].concat();
    let signature: Vec<u8> = (0..32)
        .map(|byte| {
            u8::from_str_radix(&header(SIGNATURE_HEADER)["sha256=".len()..][2 * byte..2 * byte + 2], 16).unwrap()
        })
        .collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a key").unwrap();
    mac.update(&signed);
    mac.verify_slice(&signature).unwrap();
    assert_eq!((&body["status"], &body["resolvedAt"]), (&json!("resolved"), &json!("2026-11-23T10:20:00Z")));
    assert_eq!(header("content-type"), "application/json");
}

#[tokio::test]
async fn a_cloud_event_has_what_version_one_asks_for() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    harness.request(&json!({"name": "bus", "type": "CloudEvents", "url": server.uri()}), firing());
    harness.news().await;
    let (request, event) = received(&server).await.remove(0);
    assert_eq!(request.headers["content-type"], "application/cloudevents+json; charset=UTF-8");
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("dev.kubeheal.alert.firing")));
    assert_eq!(event["source"], "/kubeheal.dev/namespaces/shop/healedservices/api");
    assert!(event["id"].as_str().unwrap().starts_with("kubeheal/uid-api/"));
    assert_eq!(event["data"]["reason"], "CrashLoop");
    assert!(event["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
}

#[tokio::test]
async fn what_fails_is_tried_again_and_arrives_once() {
    for (answer, times) in [
        (Answer::new(500), 2),
        (Answer::new(429).header("retry-after", "1"), 1),
        (Answer::new(503), 4),
        (Answer::new(200).after(Duration::from_secs(30)), 1),
    ] {
        let server = HttpReceiver::start(&vec![answer; times], Answer::new(200)).await;
        let harness = Harness::open("");
        harness.request(&json!({"name": "hook", "type": "Webhook", "url": server.uri()}), firing());
        let mut news = harness.news().await;
        while let Delivered::Problem(why) = &news {
            assert!(times >= 3 && why == "it answered 503", "{why}");
            news = harness.news().await;
        }
        assert!(told_firing(&news), "{news:?}");
        let all = received(&server).await;
        assert_eq!(all.len(), times + 1);
        assert!(all.iter().all(|(_, body)| body["id"] == all[0].1["id"]), "the same notice under the same id");
        assert!(harness.counted("Webhook", "failed") && harness.counted("Webhook", "sent"));
    }
}

#[tokio::test]
async fn a_look_that_began_before_a_notice_arrived_does_not_send_it_again() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    let sink = json!({"name": "hook", "type": "Webhook", "url": server.uri()});
    let statuses = || async {
        let all = received(&server).await;
        all.into_iter().map(|(_, body)| body["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for alert in [firing(), resolved()] {
        harness.request(&sink, alert.clone());
        harness.news().await;
        harness.request(&sink, alert);
    }
    // Whatever was sent twice arrives before this one.
    harness.request(&sink, firing());
    harness.news().await;
    assert_eq!(statuses().await, ["firing", "resolved", "firing"]);
    harness.mention(&sink, firing(), false);
    harness.request(&sink, firing());
    harness.news().await;
    assert_eq!(statuses().await, ["firing", "resolved", "firing", "firing"], "who knows and asks again is heard");
}

#[tokio::test]
async fn what_only_a_person_can_mend_is_said_in_a_sentence() {
    let elsewhere = receiver(Answer::new(200)).await;
    let redirect = Answer::new(302).header("location", elsewhere.uri().as_str());
    let redirecting = receiver(redirect).await;
    let refusing = receiver(Answer::new(401)).await;
    let secret = |name: &str, key: &str| json!({"name": "hook", "type": "Slack", "urlFrom": {"secretRef": {"name": name, "key": key}}});
    let table = [
        (
            json!({"name": "a", "type": "Slack", "url": redirecting.uri()}),
            "it answered 302: redirects are not followed",
        ),
        (json!({"name": "a", "type": "Slack", "url": refusing.uri()}), "it answered 401: check its address"),
        (
            json!({"name": "a", "type": "Slack", "url": "http://169.254.169.254/latest"}),
            "where no receiver of alerts may be",
        ),
        (json!({"name": "a", "type": "Slack", "url": "not an address"}), "its address is none"),
        (json!({"name": "a", "type": "Slack", "url": "ftp://chat.example/x"}), "its address is none"),
        (secret("missing", "url"), "Secret missing does not exist in namespace shop: create it"),
        (
            secret("locked", "url"),
            "kubeheal may not read Secret locked in namespace shop: see deploy/components/alert-secrets",
        ),
        (secret("hook", "uri"), "Secret hook in namespace shop has no key uri"),
        (secret("hook", "empty"), "Secret hook in namespace shop has no key empty"),
    ];
    for (sink, words) in table {
        let harness = Harness::open("");
        harness.request(&sink, firing());
        let Delivered::Problem(why) = harness.news().await else { panic!("{sink} was told") };
        assert!(why.contains(words), "{sink}: {why}");
    }
    assert!(received(&elsewhere).await.is_empty(), "another host got what was not meant for it");
}

#[tokio::test]
async fn a_name_and_password_in_an_address_are_sent_as_a_header_and_not_in_the_address() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open(&server.uri().replace("http://", "http://me:p%40ss@"));
    let from = json!({"secretRef": {"name": "hook", "key": "url"}});
    harness.request(&json!({"name": "am", "type": "Alertmanager", "urlFrom": from}), firing());
    assert!(told_firing(&harness.news().await));
    let (request, _) = received(&server).await.remove(0);
    assert_eq!(request.headers["authorization"], "Basic bWU6cEBzcw==");
    assert_eq!(request.uri.path(), "/api/v2/alerts");
    assert!(!request.uri.to_string().contains('@') && !request.headers["host"].to_str().unwrap().contains('@'));
}

#[tokio::test]
async fn a_receiver_that_cannot_be_reached_is_no_secret_but_its_address_is() {
    let harness = Harness::open("http://user:hunter2@127.0.0.1:1/services/T0/B0/secret-part");
    harness.request(
        &json!({"name": "slack", "type": "Slack", "urlFrom": {"secretRef": {"name": "hook", "key": "url"}}}),
        firing(),
    );
    let Delivered::Problem(why) = harness.news().await else { panic!("nobody is there") };
    assert_eq!(why, "it could not be delivered: no answer; the log of kubeheal says more");
    assert!(!why.contains("secret-part") && !why.contains("hunter2") && !why.contains("127.0.0.1"), "{why}");
}

/// What is nobody's receiver: the controller's own machine, however it is written, unless the cluster names it.
#[tokio::test]
async fn nothing_is_sent_to_the_controllers_own_machine() {
    let server = receiver(Answer::new(200)).await;
    let port = server.uri().rsplit(':').next().unwrap().to_owned();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user:password@127.0.0.1",
    ];
    for host in hosts {
        let harness = Harness::open("");
        let sink = json!({"name": "hook", "type": "Webhook", "url": format!("http://{host}:{port}/")});
        harness.mention_at(&sink, firing(), true, ReceiverHosts::default());
        let Delivered::Problem(why) = harness.news().await else { panic!("{host} was told") };
        assert_eq!(why, "its address is one where no receiver of alerts may be", "{host}");
    }
    assert!(received(&server).await.is_empty());
}

#[tokio::test]
async fn a_host_that_the_ceilings_of_the_cluster_do_not_name_is_told_nothing() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    let elsewhere = vec!["*.example.com".to_owned()];
    let hosts = std::iter::once(("ClusterHealingPolicy default".to_owned(), elsewhere)).collect();
    harness.mention_at(&json!({"name": "hook", "type": "Webhook", "url": server.uri()}), firing(), true, hosts);
    let Delivered::Problem(why) = harness.news().await else { panic!("it was told") };
    let expected = "ClusterHealingPolicy default does not allow receivers there (ceilings.allowedReceiverHosts)";
    assert_eq!(why, expected);
    assert!(received(&server).await.is_empty());
}

/// Whoever may write an address must not learn from the status what is around kubeheal.
#[tokio::test]
async fn closed_ports_and_those_that_speak_something_else_are_told_in_the_same_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _sent = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n").await;
        }
    });
    let urls = [format!("http://{address}"), format!("https://{address}"), "http://127.0.0.1:1".to_owned()];
    for url in urls {
        let harness = Harness::open("");
        harness.request(&json!({"name": "hook", "type": "Webhook", "url": url}), firing());
        let Delivered::Problem(why) = harness.news().await else { panic!("{url} was told") };
        assert_eq!(why, "it could not be delivered: no answer; the log of kubeheal says more", "{url}");
    }
}

#[tokio::test]
async fn a_dead_receiver_delays_no_other_and_who_heard_the_beginning_hears_the_end() {
    let dead = receiver(Answer::new(200).after(Duration::from_secs(60))).await;
    let alive = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    let offer = |name: &str, server: &HttpReceiver| {
        let sink: Receiver =
            serde_json::from_value(json!({"name": name, "type": "Webhook", "url": server.uri()})).unwrap();
        AlertRequest { receiver: sink, destination: server.uri(), hosts: here(), alert: firing(), due: true }
    };
    harness.dispatcher.request(&key(), vec![offer("dead", &dead), offer("alive", &alive)]);
    assert!(told_firing(&harness.news().await));
    // Neither is named any more.
    harness.dispatcher.request(&key(), vec![]);
    until_received(&alive, 2).await;
    assert_eq!(received(&alive).await[1].1["status"], "resolved");
}

#[tokio::test]
async fn who_led_before_does_not_end_what_another_leader_has_ended() {
    let server = receiver(Answer::new(200)).await;
    let harness = Harness::open("");
    harness.request(&json!({"name": "hook", "type": "Webhook", "url": server.uri()}), firing());
    harness.news().await;
    harness.dispatcher.leave(&key());
    // Leading again: the status knows of no alert any more.
    harness.dispatcher.request(&key(), vec![]);
    harness.request(&json!({"name": "other", "type": "Webhook", "url": format!("{}/other", server.uri())}), firing());
    harness.news().await;
    let said: Vec<Value> = received(&server).await.into_iter().map(|(_, body)| body["status"].clone()).collect();
    assert_eq!(said, ["firing", "firing"]);
}
