//! `pods/NAME/log`: what a container has printed, as text.

use http::Response;
use serde_json::Value;

use super::Call;
use crate::api::Status;
use crate::kubelet::{Follow, Wanted, log_unavailable};
use crate::object;
use crate::response::{Body, reply, stream_text};

const TEXT: &str = "text/plain";

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
        let wanted = Wanted::of(|name| query.get(name));
        if !query.is_true("follow") || previous {
            return Ok(reply(200, TEXT, wanted.text(self.api.clock().now(), lines).into_bytes()));
        }
        let follow = Follow::new(logs, [namespace, name, &container], wanted, lines);
        Ok(stream_text(follow.lines()))
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

/// Why there is no log, by the status of the container.
fn unavailable(pod: &Value, container: &str, previous: bool) -> String {
    let reason = status_of(pod, container).map(|status| object::text(status, "/state/waiting/reason"));
    let reason = reason.filter(|reason| !reason.is_empty());
    log_unavailable((object::name(pod), container), previous, reason)
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["/status/containerStatuses", "/status/initContainerStatuses"];
    lists.into_iter().flat_map(|list| object::items(pod, list)).find(|status| status["name"] == container)
}
