//! A container's log as text: what of it is asked for, and how it goes on while it is followed.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use jiff::Timestamp;

use super::pods::{LogLines, Logs};

/// How often a log that is followed is looked at for new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// What of a log is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    tail: Option<usize>,
    bytes: Option<usize>,
    since: Option<Timestamp>,
    since_seconds: Option<i64>,
    timestamps: bool,
}

impl Wanted {
    /// As the parameters of a request say; those that are missing are empty.
    pub(crate) fn of<'a>(parameter: impl Fn(&str) -> &'a str) -> Wanted {
        Wanted {
            tail: parameter("tailLines").parse().ok(),
            bytes: parameter("limitBytes").parse().ok(),
            since: parameter("sinceTime").parse().ok(),
            since_seconds: parameter("sinceSeconds").parse().ok(),
            timestamps: matches!(parameter("timestamps"), "true" | "1"),
        }
    }

    /// That part of the lines.
    pub(crate) fn text(&self, now: Timestamp, mut lines: LogLines) -> String {
        if let Some(since) = self.since {
            lines.retain(|(at, _)| *at >= since);
        }
        if let Some(seconds) = self.since_seconds {
            lines.retain(|(at, _)| now.as_second().saturating_sub(at.as_second()) <= seconds);
        }
        if let Some(tail) = self.tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut text = String::new();
        for (at, line) in lines {
            if self.timestamps {
                text.push_str(&at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string());
            }
            text.push_str(&line);
            text.push('\n');
        }
        if let Some(limit) = self.bytes {
            let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        text
    }
}

/// A log that is being followed.
pub(crate) struct Follow {
    logs: Logs,
    /// Namespace, pod and container.
    place: [String; 3],
    wanted: Wanted,
    /// How many lines were there at the last look.
    printed: usize,
    first: Option<String>,
}

impl Follow {
    /// Goes on from the lines that are there.
    pub(crate) fn new(logs: &Logs, place: [&str; 3], wanted: Wanted, lines: LogLines) -> Follow {
        let printed = lines.len();
        let first = Some(wanted.text(logs.now(), lines));
        Follow { logs: logs.clone(), place: place.map(str::to_owned), wanted, printed, first }
    }

    /// The lines as they come, until the container ends.
    pub(crate) fn lines(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut follow| async move {
            if let Some(first) = follow.first.take()
                && !first.is_empty()
            {
                return Some((first.into(), follow));
            }
            loop {
                let [namespace, pod, container] = &follow.place;
                let running = follow.logs.is_running(namespace, pod, container);
                // A new instance begins a new log, which is not followed.
                let mut lines = follow.logs.read(namespace, pod, container, false)?;
                if lines.len() < follow.printed {
                    return None;
                }
                let new = lines.split_off(follow.printed);
                if !new.is_empty() {
                    follow.printed += new.len();
                    follow.wanted.tail = None;
                    let text = follow.wanted.text(follow.logs.now(), new);
                    return Some((text.into(), follow));
                }
                if !running {
                    return None;
                }
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
        })
    }
}

/// Why a container of a pod has no log to show, given the reason it waits for.
pub(crate) fn unavailable((pod, container): (&str, &str), previous: bool, reason: Option<&str>) -> String {
    if previous {
        return format!("previous terminated container {container:?} in pod {pod:?} not found");
    }
    let why = match reason {
        None => "ContainerCreating",
        Some("ImagePullBackOff" | "ErrImagePull") => "trying and failing to pull image",
        Some(other) => other,
    };
    format!("container {container:?} in pod {pod:?} is waiting to start: {why}")
}
