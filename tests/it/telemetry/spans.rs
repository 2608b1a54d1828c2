//! What the span of a reconcile says of its decision, on virtual time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use kubeheal::ops::telemetry;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use crate::{
    journeys::{blocked, well},
    support::world::World,
};

/// Keeps the spans.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    /// The attributes of each reconcile since the last question.
    fn reconciles(&self) -> Vec<BTreeMap<String, String>> {
        let spans = std::mem::take(&mut *self.0.lock().unwrap());
        let attributes = |span: SpanData| {
            span.attributes.into_iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
        };
        spans.into_iter().filter(|span| span.name == "reconcile").map(attributes).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_says_how_the_service_is_and_what_is_done_or_why_not() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let _telling = tracing::subscriber::set_default(tracing_subscriber::registry().with(telemetry::layer(&provider)));
    let world = World::new();
    well(&world, "api", 2, json!({})).await;
    let spans = kept.reconciles();
    let last = spans.last().unwrap();
    assert_eq!((&*last["namespace"], &*last["service"]), ("default", "api"));
    assert_eq!((&*last["kubeheal.health"], &*last["kubeheal.circuit"]), ("Healthy", "Closed"));
    assert!(!last.contains_key("kubeheal.step") && !last.contains_key("kubeheal.held_by"), "{last:?}");

    world.break_pods("api", "not-ready").await;
    world.until("api", "held", 600, |status| !status.history.is_empty() && blocked("BackOff")(status)).await;
    let spans = kept.reconciles();
    let acting: Vec<_> = spans.iter().filter(|span| span.contains_key("kubeheal.step")).collect();
    let [acting] = acting[..] else { panic!("one span acts: {spans:#?}") };
    assert_eq!((&*acting["kubeheal.step"], &*acting["kubeheal.health"]), ("RestartPod", "Unhealthy"));
    assert!(acting["kubeheal.target"].starts_with("api-") && !acting.contains_key("kubeheal.held_by"), "{acting:?}");
    assert!(acting["kubeheal.next_check"].starts_with("2026-01-05T08:"), "{acting:?}");
    let held = spans.last().unwrap();
    assert_eq!((&*held["kubeheal.held_step"], held.get("kubeheal.step")), ("RestartPod", None));
    assert!(held["kubeheal.held_by"].split(',').any(|reason| reason == "BackOff"), "{held:?}");

    world.patch("HealedService", "api", json!({"spec": {"mode": "Observe"}})).await;
    world.pass(1200).await;
    let spans = kept.reconciles();
    assert!(spans.iter().all(|span| !span.contains_key("kubeheal.step")), "{spans:#?}");
    let watched = spans.iter().find(|span| span.get("kubeheal.held_by").is_some_and(|reason| reason == "Observing"));
    assert_eq!(watched.unwrap()["kubeheal.held_step"], "RestartPod");
}
