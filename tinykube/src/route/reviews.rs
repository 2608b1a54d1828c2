//! Reviews are answered and never stored: who am I, and who may do what.

use http::Response;
use serde_json::{Value, json};

use super::{JSON, Request, body};
use crate::access::{self, Attempt};
use crate::api::{AUDIENCE, Cause, Options, Status};
use crate::auth::User;
use crate::managed;
use crate::object::{items, text};
use crate::resource::Resource;
use crate::response::{Body, reply};

/// Answers a review.
pub(super) fn answer(request: &Request<'_>, resource: &Resource, namespace: &str) -> Result<Response<Body>, Status> {
    if request.method != "POST" {
        return Err(Status::method_not_allowed());
    }
    let user = &request.user;
    let mut review = body::object(request, resource, &Options::default())?;
    if let Some(attributes) = review.pointer_mut("/spec/resourceAttributes").and_then(Value::as_object_mut) {
        attributes.retain(|_, value| *value != "");
    }
    let status = match resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": info(user)}),
        "TokenReview" => recognised(request, &review["spec"])?,
        "SelfSubjectRulesReview" => {
            let namespace = text(&review, "/spec/namespace").to_owned();
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            review["spec"] = json!({});
            access::rules(request.api, user, &namespace)
        }
        kind => {
            check(kind, namespace, &review["spec"])?;
            let asked = named(&review["spec"]);
            judged(request, if kind == "SelfSubjectAccessReview" { user } else { &asked }, &review["spec"], namespace)
        }
    };
    if resource.kind == "SelfSubjectReview" {
        review["metadata"] = json!({"creationTimestamp": request.api.clock().seconds()});
    } else {
        let manager = request.user_agent.split('/').next().unwrap_or_default();
        let name = text(&review, "/metadata/name").to_owned();
        review["metadata"] = if namespace.is_empty() { json!({}) } else { json!({"namespace": namespace}) };
        if !name.is_empty() {
            review["metadata"]["name"] = name.into();
        }
        managed::created(request.api, resource, &mut review, &Options::by(manager));
    }
    review["status"] = status;
    Ok(reply(201, JSON, review.to_string().into_bytes()))
}

/// Whom a token belongs to.
fn recognised(request: &Request<'_>, spec: &Value) -> Result<Value, Status> {
    let token = text(spec, "/token");
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let asked: Vec<String> = items(spec, "/audiences").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let audiences = if asked.is_empty() { vec![AUDIENCE.to_owned()] } else { asked };
    // Those whom the server was told of are for whoever the server is for.
    let told = request.auth.user(Some(&format!("Bearer {token}"))).map(|user| (user, vec![AUDIENCE.to_owned()]));
    Ok(match told.map_or_else(|| request.api.holder(token, &audiences), Ok) {
        Ok((user, audiences)) => json!({"authenticated": true, "user": info(&user), "audiences": audiences}),
        Err(error) => json!({"user": {}, "error": error}),
    })
}

fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

/// Somebody else, as a review names them.
fn named(spec: &Value) -> User {
    let groups = items(spec, "/groups").iter().filter_map(Value::as_str).map(str::to_owned);
    User::of(text(spec, "/user"), text(spec, "/uid"), groups.collect())
}

/// What cannot be asked.
fn check(kind: &str, namespace: &str, spec: &Value) -> Result<(), Status> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let local = kind == "LocalSubjectAccessReview";
    let shown = json!({"Path": text(path, "/path"), "Verb": text(path, "/verb")});
    let mut causes = Vec::new();
    if resource.is_null() && path.is_null() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        causes.push(Cause::invalid("spec.resourceAttributes", &Value::Null, why));
    }
    if local && !path.is_null() {
        causes.push(Cause::invalid("spec.nonResourceAttributes", &shown, "disallowed on this kind of request"));
    } else if !resource.is_null() && !path.is_null() {
        let why = "cannot be specified in combination with resourceAttributes";
        causes.push(Cause::invalid("spec.nonResourceAttributes", &shown, why));
    }
    if kind != "SelfSubjectAccessReview" && text(spec, "/user").is_empty() && items(spec, "/groups").is_empty() {
        causes.push(Cause::invalid("spec.user", &"".into(), "at least one of user or group must be specified"));
    }
    for selector in ["labelSelector", "fieldSelector"] {
        let raw = text(resource, &format!("/{selector}/rawSelector"));
        if !raw.is_empty() && !items(resource, &format!("/{selector}/requirements")).is_empty() {
            let why = "may not specified at the same time as requirements";
            causes.push(Cause::invalid(format!("spec.resourceAttributes.{selector}.rawSelector"), &raw.into(), why));
        }
    }
    if local && !resource.is_null() && text(resource, "/namespace") != namespace {
        let why = "must match metadata.namespace";
        causes.push(Cause::invalid("spec.resourceAttributes.namespace", &resource["namespace"], why));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_kind("authorization.k8s.io", "", "", &causes)) }
}

/// The status of a review of access.
fn judged(request: &Request<'_>, user: &User, spec: &Value, namespace: &str) -> Value {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
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
    status
}
