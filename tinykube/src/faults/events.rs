//! A watch that suffers: cut, silent, told that history is gone, with events twice or merged.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body::Frame;
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use serde_json::{Value, json};

use super::Faults;
use super::plan::Fate;
use crate::api::Status;
use crate::response::Body;

/// Changes of one object within this time come as one event.
const TOGETHER: Duration = Duration::from_secs(2);

struct Events {
    faults: Faults,
    request: u64,
    fate: Fate,
    source: BodyDataStream<Body>,
    sent: u64,
    /// An event that may be merged with the next one.
    held: Option<Bytes>,
    ready: VecDeque<Bytes>,
    over: bool,
}

/// The body of a watch, as its fate lets it through.
pub(super) fn through(faults: Faults, request: u64, fate: Fate, body: Body) -> Body {
    let source = body.into_data_stream();
    let events = Events { faults, request, fate, source, sent: 0, held: None, ready: VecDeque::new(), over: false };
    StreamBody::new(events.stream().map(|event| Ok(Frame::data(event)))).boxed_unsync()
}

impl Events {
    fn stream(self) -> impl Stream<Item = Bytes> + Send {
        futures::stream::unfold(self, |mut events| async move {
            let event = events.next().await?;
            Some((event, events))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.sent += 1;
                self.note(&event);
                return Some(event);
            }
            if self.over {
                return None;
            }
            match self.fate {
                Fate::Cut { after, torn } if self.sent >= after => {
                    self.over = true;
                    if torn && let Some(event) = self.receive().await {
                        return Some(event.slice(..event.len() / 2));
                    }
                }
                Fate::Stall { after } if self.sent >= after => return std::future::pending().await,
                Fate::Gone { after } if self.sent >= after => {
                    self.over = true;
                    let status = Status::expired("too old resource version").to_json();
                    let event = json!({"type": "ERROR", "object": status});
                    self.ready.push_back(format!("{event}\n").into());
                }
                _ => self.take_one().await,
            }
        }
    }

    async fn take_one(&mut self) {
        let received = match &self.held {
            None => self.receive().await,
            Some(_) => match tokio::time::timeout(TOGETHER, self.receive()).await {
                Ok(received) => received,
                Err(_) => return self.ready.extend(self.held.take()),
            },
        };
        let Some(event) = received else {
            self.over = true;
            return self.ready.extend(self.held.take());
        };
        match self.fate {
            Fate::Replay => self.ready.extend([event.clone(), event]),
            Fate::Merge => self.merge(event),
            _ => self.ready.push_back(event),
        }
    }

    /// Holds the event; the one held before is let go, unless this is a later state of the same object.
    fn merge(&mut self, event: Bytes) {
        let Some(held) = self.held.take() else {
            self.held = Some(event);
            return;
        };
        match merged(&held, &event) {
            Some(merged) => self.held = Some(merged),
            None => {
                self.ready.push_back(held);
                self.held = Some(event);
            }
        }
    }

    /// The next event; never one after the crash of the client.
    async fn receive(&mut self) -> Option<Bytes> {
        let faults = self.faults.clone();
        tokio::select! {
            biased;
            () = faults.crashed() => std::future::pending().await,
            event = self.source.next() => event.map(|Ok(event)| event),
        }
    }

    fn note(&self, event: &Bytes) {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        let rv = event["object"]["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or("torn");
        self.faults.note(format!("{} event {kind} rv {rv}", self.request));
    }
}

/// Two changes of one object as one: added and modified is added as it is now.
fn merged(first: &Bytes, second: &Bytes) -> Option<Bytes> {
    let read = |event: &Bytes| serde_json::from_slice::<Value>(event).unwrap_or_default();
    let (first, mut second) = (read(first), read(second));
    let uid = second["object"]["metadata"]["uid"].as_str()?;
    if second["type"] != "MODIFIED" || first["object"]["metadata"]["uid"] != uid || first["type"] == "DELETED" {
        return None;
    }
    second["type"] = first["type"].clone();
    Some(format!("{second}\n").into())
}
