//! A collector of traces: it takes OTLP over HTTP and keeps it.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

/// What was sent, each time with its headers.
type Sent = Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>;

pub(super) struct Collector {
    pub(super) endpoint: String,
    sent: Sent,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let sent = Sent::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(sent.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { endpoint, sent }
    }

    /// Every span of every request.
    pub(super) fn spans(&self) -> Vec<Span> {
        let sent = self.sent.lock().unwrap();
        let scopes = sent.iter().flat_map(|(_, request)| &request.resource_spans).flat_map(|spans| &spans.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What each request says about its sender.
    pub(super) fn senders(&self) -> Vec<Vec<KeyValue>> {
        let sent = self.sent.lock().unwrap();
        let resources = sent.iter().flat_map(|(_, request)| &request.resource_spans);
        resources.map(|spans| spans.resource.clone().unwrap().attributes).collect()
    }

    pub(super) fn headers(&self, name: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|(headers, _)| headers[name].to_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(sent): State<Sent>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("a request as OTLP has it");
    sent.lock().unwrap().push((headers, request));
}

/// An attribute that is text; empty if it is not there.
pub(super) fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(other) => panic!("{key} is no text: {other:?}"),
        None => String::new(),
    }
}

/// The trace of a span, as logs have it.
pub(super) fn trace_of(span: &Span) -> String {
    TraceId::from_bytes(span.trace_id.as_slice().try_into().unwrap()).to_string()
}
