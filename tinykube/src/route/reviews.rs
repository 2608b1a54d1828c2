//! Reviews are answered and never stored: who am I, and who may do what.

use http::Response;
use serde_json::{Value, json};

use super::{JSON, Request, body};
use crate::access::{self, Attempt};
use crate::api::{Options, Status};
use crate::auth::User;
use crate::http::{Body, reply};
use crate::managed;
use crate::object::{items, text};
use crate::resource::Resource;

/// Answers a review.
pub(super) fn answer(request: &Request<'_>, resource: &Resource, namespace: &str) -> Result<Response<Body>, Status> {
    if request.method != "POST" {
        return Err(Status::method_not_allowed());
    }
    let user = &request.user;
    let mut review = body::object(request, resource, &Options::default())?;
    let status = match resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": info(user)}),
        "SelfSubjectRulesReview" => access::rules(request.api, user, text(&review, "/spec/namespace")),
        "SelfSubjectAccessReview" => judged(request, user, &review["spec"], namespace)?,
        _ => judged(request, &named(&review["spec"]), &review["spec"], namespace)?,
    };
    if resource.kind == "SelfSubjectReview" {
        review["metadata"] = json!({"creationTimestamp": request.api.clock().seconds()});
    } else {
        let manager = request.user_agent.split('/').next().unwrap_or_default();
        review["metadata"] = json!({});
        managed::created(request.api, resource, &mut review, &Options::by(manager));
    }
    review["status"] = status;
    Ok(reply(201, JSON, review.to_string().into_bytes()))
}

fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    info
}

/// Somebody else, as a review names them.
fn named(spec: &Value) -> User {
    let groups = items(spec, "/groups").iter().filter_map(Value::as_str).map(str::to_owned);
    User::of(text(spec, "/user"), text(spec, "/uid"), groups.collect())
}

/// The status of a review of access.
fn judged(request: &Request<'_>, user: &User, spec: &Value, namespace: &str) -> Result<Value, Status> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() == path.is_null() {
        let message = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(Status::bad_request(message));
    }
    let of = |place: &Value, field: &str| place[field].as_str().unwrap_or_default().to_owned();
    let attempt = Attempt {
        verb: of(if path.is_null() { resource } else { path }, "verb"),
        group: of(resource, "group"),
        resource: of(resource, "resource"),
        subresource: of(resource, "subresource"),
        name: of(resource, "name"),
        namespace: if namespace.is_empty() { of(resource, "namespace") } else { namespace.to_owned() },
        path: of(path, "path"),
    };
    let verdict = access::judge(request.api, user, &attempt);
    let mut status = json!({"allowed": verdict.allowed});
    if !verdict.reason.is_empty() {
        status["reason"] = verdict.reason.into();
    }
    Ok(status)
}
