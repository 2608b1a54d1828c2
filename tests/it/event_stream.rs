//! The stream of Events proves nothing: whatever becomes of it, nobody is held for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use kubeheal::api::status::HealthState;
use kubeheal_core::model::state::{HistoryEntry, Outcome};
use serde_json::{Value, json};

use crate::{
    journeys::{is, well},
    support::world::World,
    undecoded::{far_event, hasty},
};

/// What becomes of the requests for Events.
#[derive(Debug, Clone, Copy, PartialEq)]
enum EventsAre {
    /// Answered like this, lists and watches.
    Refused(StatusCode),
    /// Listed, and each watch answers 410.
    Expired,
    /// Listed, and each watch says 410 in an event.
    ExpiredEvent,
    /// Listed and watched, and none of them can be read.
    Garbled,
    /// Listed, and a watch says what is no event.
    NoEvent,
}

fn events_are(inner: Client, events: EventsAre, asked: Arc<AtomicUsize>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, asked) = (inner.clone(), asked.clone());
        async move {
            let is_for_events = request.uri().path() == "/api/v1/events";
            let is_watch = request.uri().query().unwrap_or_default().contains("watch=true");
            let answer = match answered(events, is_watch).filter(|_| is_for_events) {
                Some((status, body)) => {
                    let body = Body::from(format!("{body}\n").into_bytes());
                    http::Response::builder().status(status).body(body).unwrap()
                }
                None => inner.send(request).await?,
            };
            asked.fetch_add(usize::from(is_for_events), Ordering::Relaxed);
            let garbles = is_for_events && events == EventsAre::Garbled;
            let pass = move |data: bytes::Bytes| if garbles { garble(&data) } else { data };
            Ok::<_, kube::Error>(answer.map(|body| body.map_frame(move |frame| frame.map_data(pass))))
        }
    });
    Client::new(service, "default")
}

/// What is answered in the place of the API server.
fn answered(events: EventsAre, is_watch: bool) -> Option<(StatusCode, Value)> {
    let failure =
        |code: u16| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": code});
    match (events, is_watch) {
        (EventsAre::Refused(status), _) => Some((status, failure(status.as_u16()))),
        (EventsAre::Expired, true) => Some((StatusCode::GONE, failure(410))),
        (EventsAre::ExpiredEvent, true) => Some((StatusCode::OK, json!({"type": "ERROR", "object": failure(410)}))),
        (EventsAre::NoEvent, true) => Some((StatusCode::OK, json!([1]))),
        (EventsAre::Expired | EventsAre::ExpiredEvent | EventsAre::NoEvent, false) | (EventsAre::Garbled, _) => None,
    }
}

fn garble(data: &bytes::Bytes) -> bytes::Bytes {
    let text = String::from_utf8_lossy(data);
    text.replace("\"involvedObject\":{", "\"involvedObject\":7,\"was\":{").into()
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_events_holds_nothing_for_hours_whatever_becomes_of_it() {
    // The 200 answers what is no list at all.
    let refused = [StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK].map(EventsAre::Refused);
    let streams = [EventsAre::Expired, EventsAre::ExpiredEvent, EventsAre::Garbled, EventsAre::NoEvent];
    for events in refused.into_iter().chain(streams) {
        let mut world = World::without_controller();
        let asked = Arc::new(AtomicUsize::default());
        world.start_controller_with(events_are(world.client.clone(), events, asked.clone()), None);
        well(&world, "app", 2, hasty()).await;
        for restarts in 1..=3 {
            for _look in 0..12 {
                world.pass(300).await;
                assert_eq!(world.ready(), Ok(()), "{events:?}");
                let status = world.status("app").await;
                assert_eq!(status.health, Some(HealthState::Healthy), "{events:?}: {:?}", status.blocked_by);
            }
            world.create(far_event(&format!("killing-{restarts}"))).await;
            let sick = world.pods("app").await[0]["metadata"]["name"].as_str().unwrap().to_owned();
            world.patch("Pod", &sick, json!({"metadata": {"annotations": {"tinykube.dev/script": "not-ready"}}})).await;
            let helped = |entry: &&HistoryEntry| entry.step == "RestartPod" && entry.outcome == Outcome::Verified;
            world.until("app", "healed", 900, |status| status.history.iter().filter(helped).count() == restarts).await;
            world.until("app", "healthy", 300, is(HealthState::Healthy)).await;
        }
        assert!(asked.load(Ordering::Relaxed) > 20, "{events:?}: it is asked again and again");
    }
}
