//! Reviews are answered and never stored: who am I, and may I.

use http::Response;
use serde_json::{Value, json};

use super::{JSON, Request, body};
use crate::api::{Options, Status};
use crate::http::{Body, reply};
use crate::managed;
use crate::resource::Resource;

/// Answers a review.
pub(super) fn answer(request: &Request<'_>, resource: &Resource) -> Result<Response<Body>, Status> {
    if request.method != "POST" {
        return Err(Status::method_not_allowed());
    }
    let user = &request.user;
    let mut review = body::object(request, resource, &Options::default())?;
    if resource.kind == "SelfSubjectReview" {
        let mut info = json!({"username": user.name, "groups": user.groups});
        if !user.uid.is_empty() {
            info["uid"] = user.uid.clone().into();
        }
        review["metadata"] = json!({"creationTimestamp": request.api.clock().seconds()});
        review["status"] = json!({"userInfo": info});
    } else {
        let manager = request.user_agent.split('/').next().unwrap_or_default();
        review["metadata"] = json!({});
        managed::created(request.api, resource, &mut review, &Options::by(manager));
        review["status"] = json!({"allowed": user.admin});
    }
    let text = Value::to_string(&review);
    Ok(reply(201, JSON, text.into_bytes()))
}
