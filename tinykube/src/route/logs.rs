//! `pods/NAME/log`: what a container has printed, as text.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use http::Response;
use serde_json::Value;

use super::Call;
use crate::api::{Api, Status};
use crate::http::{Body, reply, stream_text};
use crate::kubelet::{LogLines, Logs};
use crate::object;
use crate::resource::Resource;

/// How often a log that is followed is looked at for new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

const TEXT: &str = "text/plain";

/// What of a log is asked for.
struct Wanted {
    tail: Option<usize>,
    bytes: Option<usize>,
    since_seconds: Option<i64>,
    timestamps: bool,
}

impl Call<'_> {
    /// The log of a container; with `follow`, as it grows until the container ends.
    pub(super) fn log(&self) -> Result<Response<Body>, Status> {
        let query = &self.request.query;
        let (namespace, name) = (&self.path.namespace, &self.path.name);
        let pod = self.api.get(&self.resource, namespace, name)?;
        let container = container_of(&pod, query.get("container"))?;
        let previous = query.is_true("previous");
        let Some(logs) = self.request.logs else {
            return Err(Status::internal("there is no kubelet in this cluster, so there are no logs"));
        };
        let Some(lines) = logs.read(namespace, name, &container, previous) else {
            return Err(Status::bad_request(unavailable(&pod, &container, previous)));
        };
        let wanted = Wanted {
            tail: query.get("tailLines").parse().ok(),
            bytes: query.get("limitBytes").parse().ok(),
            since_seconds: query.get("sinceSeconds").parse().ok(),
            timestamps: query.is_true("timestamps"),
        };
        let printed = lines.len();
        let text = wanted.text(self.api, lines);
        if !query.is_true("follow") || previous {
            return Ok(reply(200, TEXT, text.into_bytes()));
        }
        let follow = Follow {
            api: self.api.clone(),
            logs: logs.clone(),
            pods: self.resource.clone(),
            place: [namespace.clone(), name.clone(), container],
            wanted,
            printed,
            first: Some(text),
        };
        Ok(stream_text(follow.lines()))
    }
}

impl Wanted {
    fn text(&self, api: &Api, mut lines: LogLines) -> String {
        if let Some(seconds) = self.since_seconds {
            let now = api.clock().now().as_second();
            lines.retain(|(at, _)| now.saturating_sub(at.as_second()) <= seconds);
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
struct Follow {
    api: Api,
    logs: Logs,
    pods: Resource,
    /// Namespace, pod and container.
    place: [String; 3],
    wanted: Wanted,
    /// How many lines were there at the last look.
    printed: usize,
    first: Option<String>,
}

impl Follow {
    fn lines(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut follow| async move {
            if let Some(first) = follow.first.take()
                && !first.is_empty()
            {
                return Some((first.into(), follow));
            }
            loop {
                let running = follow.is_running();
                let [namespace, pod, container] = &follow.place;
                // A new instance begins a new log, which is not followed.
                let mut lines = follow.logs.read(namespace, pod, container, false)?;
                if lines.len() < follow.printed {
                    return None;
                }
                let new = lines.split_off(follow.printed);
                if !new.is_empty() {
                    follow.printed += new.len();
                    follow.wanted.tail = None;
                    let text = follow.wanted.text(&follow.api, new);
                    return Some((text.into(), follow));
                }
                if !running {
                    return None;
                }
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
        })
    }

    fn is_running(&self) -> bool {
        let [namespace, pod, container] = &self.place;
        let Ok(pod) = self.api.get(&self.pods, namespace, pod) else { return false };
        status_of(&pod, container).is_some_and(|status| status["state"]["running"].is_object())
    }
}

/// The container asked for, or the only one.
fn container_of(pod: &Value, asked: &str) -> Result<String, Status> {
    let names = |list: &str| -> Vec<String> {
        object::items(pod, list).iter().map(|container| object::text(container, "/name").to_owned()).collect()
    };
    let (mains, inits) = (names("/spec/containers"), names("/spec/initContainers"));
    let pod = object::name(pod);
    if !asked.is_empty() {
        if mains.iter().chain(&inits).any(|name| name == asked) {
            return Ok(asked.to_owned());
        }
        return Err(Status::bad_request(format!("container {asked} is not valid for pod {pod}")));
    }
    if let ([only], []) = (mains.as_slice(), inits.as_slice()) {
        return Ok(only.clone());
    }
    let mut why = format!("a container name must be specified for pod {pod}, choose one of: [{}]", mains.join(" "));
    if !inits.is_empty() {
        why = format!("{why} or one of the init containers: [{}]", inits.join(" "));
    }
    Err(Status::bad_request(why))
}

fn unavailable(pod: &Value, container: &str, previous: bool) -> String {
    let name = object::name(pod);
    if previous {
        return format!("previous terminated container {container:?} in pod {name:?} not found");
    }
    let reason = status_of(pod, container).map(|status| object::text(status, "/state/waiting/reason"));
    let reason = reason.filter(|reason| !reason.is_empty());
    match reason {
        Some("ContainerCreating" | "PodInitializing") | None => {
            let reason = reason.unwrap_or("ContainerCreating");
            format!("container {container:?} in pod {name:?} is waiting to start: {reason}")
        }
        Some(reason) => {
            let why = match reason {
                "ImagePullBackOff" | "ErrImagePull" => "trying and failing to pull image",
                other => other,
            };
            format!("container {container:?} in pod {name:?} is waiting to start: {why}")
        }
    }
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["/status/containerStatuses", "/status/initContainerStatuses"];
    lists.into_iter().flat_map(|list| object::items(pod, list)).find(|status| status["name"] == container)
}
