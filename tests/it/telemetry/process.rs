//! The controller as a process: its environment, its log, its collector.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::net::TcpListener;

use super::{
    collector::{Collector, text, trace_of},
    program::{Program, message},
};

/// A look at the service has been recorded in its status.
fn looked(line: &Value) -> bool {
    message(line) == Some("event")
}

fn trace_id(line: &Value) -> Option<&str> {
    line["spans"][0]["trace_id"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reconcile_is_a_span_at_the_collector_and_the_log_names_its_trace() {
    let collector = Collector::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let mut program = Program::start(&[], &environment).await;
    let line = program.says(looked).await;
    assert!(program.stop().await.success());

    let spans = collector.spans();
    let reconciles: Vec<_> = spans.iter().filter(|span| span.name == "reconcile").collect();
    assert!(!reconciles.is_empty(), "what was not sent yet is sent at the end");
    for span in &reconciles {
        assert!(span.parent_span_id.is_empty());
        let attributes = &span.attributes;
        assert_eq!((text(attributes, "namespace"), text(attributes, "service")), ("default".into(), "api".into()));
        assert!(!text(attributes, "kubeheal.health").is_empty(), "{attributes:?}");
        assert_eq!(text(attributes, "kubeheal.circuit"), "Closed");
    }
    let traces: BTreeSet<_> = reconciles.iter().map(|span| trace_of(span)).collect();
    assert_eq!(traces.len(), reconciles.len(), "one span for each");
    assert!(traces.contains(trace_id(&line).unwrap()), "{line}");

    let parents: BTreeSet<_> = reconciles.iter().map(|span| &span.span_id).collect();
    let requests: Vec<_> = spans.iter().filter(|span| span.name != "reconcile").collect();
    assert!(requests.iter().all(|span| parents.contains(&span.parent_span_id)), "watches belong to no reconcile");
    let names: BTreeSet<_> = requests.iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains("replace_status"), "{names:?}");

    for sender in collector.senders() {
        let of = |key| text(&sender, key);
        assert_eq!((of("service.name").as_str(), of("service.instance.id").as_str()), ("kubeheal", "replica-0"));
        assert_eq!((of("deployment.environment.name").as_str(), of("service.version").is_empty()), ("test", false));
    }
    assert!(collector.headers("x-tenant").iter().all(|tenant| tenant == "shop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nothing_up_and_is_named_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    // A batch as soon as there is a span.
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let mut program = Program::start(&[], &environment).await;
    program.says(|line| message(line).is_some_and(|said| said.contains("do not get through"))).await;
    assert!(program.stop().await.success());
    assert!(program.said.iter().any(looked), "{:#?}", program.said);
    let said = program.messages("collector").into_iter().chain(program.messages("do not get through"));
    let said: Vec<_> = said.collect();
    assert_eq!(said.len(), 1, "each batch was tried four times: {said:#?}");
    assert!(said[0].contains(&endpoint) && said[0].contains("refused"), "{}", said[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_cannot_be_one_is_said_in_a_line_and_the_controller_works() {
    for (variable, value) in
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
    {
        let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"), (variable, value)];
        let mut program = Program::start(&[], &environment).await;
        program.says(looked).await;
        assert!(program.stop().await.success());
        let [said] = program.messages("no traces are exported")[..] else { panic!("{:#?}", program.said) };
        assert!(said.contains(variable) && said.contains(value) && said.contains("4318"), "{said}");
        assert_eq!(program.said.iter().find_map(trace_id), None, "no trace that nobody can find");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_changes_with_the_file_and_a_bad_filter_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filter");
    let argument = format!("--log-from={}", file.display());
    let mut program = Program::start(&[&argument], &[]).await;
    let line = program.says(looked).await;
    assert_eq!((line["spans"][0]["service"].as_str(), trace_id(&line)), (Some("api"), None), "no collector, no trace");
    assert_eq!(program.messages("filter"), Vec::<&str>::new(), "a file that is missing is nothing to speak of");

    std::fs::write(&file, "info,kubeheal=loud").unwrap();
    let line = program.says(|line| message(line).is_some_and(|said| said.contains("stays as it was"))).await;
    assert!(message(&line).unwrap().contains("kubeheal=loud") && line["level"] == "WARN", "{line}");
    assert!(program.said.iter().all(|line| line["level"] != "DEBUG"));

    std::fs::write(&file, "info,kube_client=debug").unwrap();
    let line = program.says(|line| message(line) == Some("the log filter has changed")).await;
    assert!(line["filter"].as_str().unwrap().contains("kube_client=debug"), "{line}");
    program.change_service().await;
    program.says(|line| line["level"] == "DEBUG" && line["target"].as_str().unwrap().starts_with("kube_client")).await;
    assert!(program.stop().await.success());
}
