//! A request by POST, and where it goes.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderName, HeaderValue, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
    uri::Scheme,
};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Where a receiver is and what it wants to know us by; secrets, if they came from a Secret. Not to be shown.
#[derive(Clone, Default)]
pub(super) struct Target {
    /// Its address.
    pub(super) url: String,
    /// The key to sign with, or the integration key.
    pub(super) key: Option<String>,
}

/// JSON by POST.
pub(super) fn post(url: &str, content_type: &'static str, body: &Value) -> Result<Request<Vec<u8>>, String> {
    post_bytes(url, content_type, body.to_string().into_bytes(), Vec::new())
}

/// Bytes by POST, with headers. An address may be a secret, so no error repeats it.
pub(super) fn post_bytes(
    url: &str,
    content_type: &'static str,
    body: Vec<u8>,
    headers: Vec<(HeaderName, HeaderValue)>,
) -> Result<Request<Vec<u8>>, String> {
    let bad = || "its address is none: write one that begins with http:// or https://".to_owned();
    let (address, authorization) = without_credentials(url).ok_or_else(bad)?;
    let mut request = Request::post(address).header(CONTENT_TYPE, content_type).body(body).map_err(|_| bad())?;
    request.headers_mut().extend(headers);
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    Ok(request)
}

/// An address without the name and password in it, and these as the header that carries them.
fn without_credentials(url: &str) -> Option<(Uri, Option<HeaderValue>)> {
    let mut parts = url.parse::<Uri>().ok()?.into_parts();
    if parts.scheme.as_ref().is_none_or(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return None;
    }
    let authority = parts.authority.take()?;
    let (credentials, place) = match authority.as_str().rsplit_once('@') {
        Some((credentials, place)) => (Some(basic(credentials)?), place),
        None => (None, authority.as_str()),
    };
    parts.authority = Some(place.parse().ok()?);
    Some((Uri::from_parts(parts).ok()?, credentials))
}

fn basic(credentials: &str) -> Option<HeaderValue> {
    let mut plain: Vec<u8> = percent_decode_str(credentials).collect();
    if !plain.contains(&b':') {
        plain.push(b':');
    }
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(plain))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
