//! The API server as a `tower::Service`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};

use crate::api::{AUDIENCE, Api, Status};
use crate::auth::{Auth, User};
use crate::kubelet::Logs;
pub use crate::response::Body;
use crate::response::failure;
use crate::{impersonation, route};

/// Largest request body, as the real server limits it.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The API server for one way of authentication. Clones share the cluster.
#[derive(Clone, Debug)]
pub struct Service {
    api: Api,
    auth: Auth,
    logs: Option<Logs>,
}

impl Service {
    /// Serves `api` to the users of `auth`.
    pub fn new(api: Api, auth: Auth) -> Service {
        Service { api, auth, logs: None }
    }

    /// Serves these logs at `pods/NAME/log`; without them every such request fails with 500.
    #[must_use]
    pub fn with_logs(mut self, logs: Logs) -> Service {
        self.logs = Some(logs);
        self
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (accept, pretty) = form(&request);
        let is_head = request.method() == http::Method::HEAD;
        let mut response = route::accept::shaped(self.handle(request).await, &accept, pretty).await;
        if is_head {
            *response.body_mut() = Full::new(Bytes::new()).boxed_unsync();
        }
        response
    }

    async fn handle<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let Some(user) = self.user(header(header::AUTHORIZATION)) else {
            return failure(&Status::new(401, "Unauthorized", "Unauthorized"));
        };
        let query = crate::api::path::Query::parse(parts.uri.query().unwrap_or_default());
        let attempt = route::attempt(parts.method.as_str(), parts.uri.path(), &query);
        let user = match impersonation::speaking_for(&self.api, user, &parts.headers, &attempt) {
            Ok(user) => user,
            Err(status) => return failure(&status),
        };
        let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
            let message = format!("Request entity too large: limit is {BODY_LIMIT}");
            return failure(&Status::new(413, "RequestEntityTooLarge", message));
        };
        let request = route::Request {
            api: &self.api,
            logs: self.logs.as_ref(),
            auth: &self.auth,
            user,
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query,
            accept: header(header::ACCEPT).unwrap_or("application/json"),
            content_type: header(header::CONTENT_TYPE).unwrap_or("application/json"),
            user_agent: header(header::USER_AGENT).unwrap_or_default(),
            body: body.to_bytes(),
        };
        route::answer(&request).unwrap_or_else(|status| failure(&status))
    }
}

/// What form of answer a request wants: what it accepts, and whether people are to read it.
fn form<B>(request: &Request<B>) -> (String, bool) {
    const OF_PEOPLE: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];
    let header = |name| request.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let agent = header(header::USER_AGENT).unwrap_or_default();
    let query = crate::api::path::Query::parse(request.uri().query().unwrap_or_default());
    let pretty = if query.has("pretty") {
        query.is_true("pretty")
    } else {
        OF_PEOPLE.iter().any(|known| agent.starts_with(known))
    };
    (header(header::ACCEPT).unwrap_or("*/*").to_owned(), pretty)
}

impl Service {
    /// The user a request says it comes from: one of those that were given, or the holder of a service account's token.
    fn user(&self, authorization: Option<&str>) -> Option<User> {
        self.auth.user(authorization).or_else(|| {
            let token = authorization.unwrap_or_default().trim_start_matches("Bearer ").trim();
            self.api.holder(token, &[AUDIENCE.to_owned()]).ok().map(|(user, _)| user)
        })
    }
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
