//! Answers over HTTP: with a whole body, or with one that is still to come.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

use crate::api::Status;

/// The body of an answer; a watch streams it.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer with a body that is there.
pub(crate) fn reply(code: u16, content_type: &'static str, mut body: Vec<u8>) -> Response<Body> {
    // JSON ends with its line, as Go writes it.
    if content_type.starts_with("application/json") && !body.is_empty() {
        body.push(b'\n');
    }
    reply_plainly(code, content_type, body)
}

/// The same, whose body is sent as it is.
pub(crate) fn reply_plainly(code: u16, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    response(code, content_type, body)
}

/// An answer whose body is still to come.
pub(crate) fn stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = events.map(|event| Ok(Frame::data(event)));
    response(200, "application/json", StreamBody::new(frames).boxed_unsync())
}

/// A text whose end is still to come.
pub(crate) fn stream_text(parts: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = parts.map(|part| Ok(Frame::data(part)));
    response(200, "text/plain", StreamBody::new(frames).boxed_unsync())
}

/// The answer to a request that failed.
pub(crate) fn failure(status: &Status) -> Response<Body> {
    let mut response = reply(status.code, "application/json", status.to_json().to_string().into_bytes());
    if let Some(seconds) = status.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn response(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
