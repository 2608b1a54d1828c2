//! One request and its answer: how a line is asked, and how the answer is compared with the recorded one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, WARNING};
use http::{HeaderMap, Request};
use serde_json::Value;

use crate::alike::{Bindings, in_any_order};

/// What stands for the token of the user `admin`.
pub(crate) const ADMIN_TOKEN: &str = "<admin-token>";
/// What stands for the token of the user `limited`.
pub(crate) const LIMITED_TOKEN: &str = "<limited-token>";
/// What the recording client called itself; servers derive the field manager from it.
const AGENT: &str = "Python-urllib/3.14";
const JSON: &str = "application/json";

/// What a line asks, in the words of this server.
pub(crate) struct Question {
    pub(crate) user: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Question {
    pub(crate) fn of(line: &Value, bindings: &Bindings) -> Question {
        let text = |key: &str| line[key].as_str();
        let body = match &line["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => bindings.translate_body(other).to_string(),
        };
        let accept = match line.get("accept") {
            Some(Value::Null) => None,
            _ => Some(text("accept").unwrap_or(JSON)),
        };
        let given = line["headers"].as_object().into_iter().flatten();
        let mut headers: Vec<(String, String)> =
            given.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(USER_AGENT.as_str())) {
            headers.push((USER_AGENT.to_string(), AGENT.to_owned()));
        }
        let mut user = text("user").unwrap_or("admin").to_owned();
        if user.starts_with('<') {
            headers.push((AUTHORIZATION.to_string(), format!("Bearer {}", bindings.translate(&user))));
            // The token says who it is.
            "anonymous".clone_into(&mut user);
        }
        headers.extend(accept.map(|accept| (ACCEPT.to_string(), accept.to_owned())));
        headers.extend(text("type").map(|kind| (CONTENT_TYPE.to_string(), kind.to_owned())));
        let path = bindings.translate_path(text("path").unwrap_or_default());
        Question { user, method: text("method").unwrap_or("GET").to_owned(), path, headers, body }
    }

    pub(crate) fn request(&self) -> Result<Request<Bytes>, String> {
        let Question { method, path, .. } = self;
        let request = Request::builder().method(method.as_str()).uri(path);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let body = Bytes::from(self.body.clone());
        request.body(body).map_err(|error| format!("{method} {path} cannot be sent: {error}"))
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Differences of status and headers. The first set has no content types, and of several warnings the first.
    pub(crate) fn head_differs(&self, line: &Value, first: bool) -> Vec<String> {
        let mut differences = status_differs(line, self.status);
        let mut compare = |name: &http::HeaderName, recorded: &[&str], here: &[&str]| {
            if recorded != here {
                differences.push(format!("{name}: recorded {recorded:?}, here {here:?}"));
            }
        };
        let here = |name: &http::HeaderName| -> Vec<&str> {
            self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
        };
        let recorded = |key: &str| -> Vec<&str> { line[key].as_str().into_iter().collect() };
        compare(&RETRY_AFTER, &recorded("retryAfter"), &here(&RETRY_AFTER));
        let (mut warnings, mut warned) = (recorded("warning"), here(&WARNING));
        if first {
            warned.truncate(1);
        } else {
            if let Some(all) = line["warnings"].as_array() {
                warnings = all.iter().filter_map(Value::as_str).collect();
            }
            compare(&ALLOW, &recorded("allow"), &here(&ALLOW));
            // What has no body may have no type.
            if line["reply"] != "" || line["contentType"].is_string() {
                compare(&CONTENT_TYPE, &[line["contentType"].as_str().unwrap_or(JSON)], &here(&CONTENT_TYPE));
            }
        }
        compare(&WARNING, &warnings, &warned);
        differences
    }

    /// Differences of the body. Binds what is new.
    pub(crate) fn body_differs(&self, line: &Value, bindings: &mut Bindings, unordered: bool) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body);
        let here = serde_json::from_slice(&self.body).unwrap_or_else(|_| Value::String(text.clone().into_owned()));
        if line["reply"].as_str().is_some_and(|reply| reply.starts_with("(left out")) {
            bindings.track(&here);
            return Vec::new();
        }
        let mut differences = if unordered {
            bindings.differences(&in_any_order(&line["reply"]), &in_any_order(&here))
        } else {
            bindings.differences(&line["reply"], &here)
        };
        if let Some(recorded) = line["text"].as_str()
            && !bindings.text_alike(recorded, &text)
        {
            differences.push(format!("as text: recorded {recorded:?}, here {text:?}"));
        }
        if let Some(recorded) = line.get("claims") {
            match claims(here["status"]["token"].as_str().unwrap_or_default()) {
                Some(claims) => {
                    let mut recorded = recorded.clone();
                    // By which key a server signs is its own affair.
                    recorded["header"]["alg"] = claims["header"]["alg"].clone();
                    differences.extend(bindings.differences(&recorded, &claims));
                }
                None => differences.push("the token cannot be read".to_owned()),
            }
        }
        differences
    }
}

pub(crate) fn status_differs(line: &Value, status: u16) -> Vec<String> {
    if line["status"] == status {
        return Vec::new();
    }
    vec![format!("status: recorded {}, here {status}", line["status"])]
}

/// What a token says, its times counted from when it was issued.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    });
    let (mut header, mut payload) = (parts.next()??, parts.next()??);
    header["kid"] = "<key>".into();
    let issued = payload["iat"].as_i64()?;
    for key in ["exp", "iat", "nbf"] {
        payload[key] = format!("iat+{}", payload[key].as_i64()? - issued).into();
    }
    Some(serde_json::json!({"header": header, "payload": payload}))
}
