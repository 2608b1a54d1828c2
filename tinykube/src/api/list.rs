//! Lists: selectors, pages pinned to one resource version, and which version the client asked for.

use serde_json::{Value, json};

use super::path::Query;
use super::selector::Selector;
use super::{Api, Cause, Status};
use crate::resource::Resource;
use crate::stored::Stored;

/// Which objects of a list are wanted.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Labels and fields.
    pub selector: Selector,
    /// Most objects in one page; 0 is no limit.
    pub limit: usize,
    /// The `continue` token of the page before.
    pub continued: String,
    /// `resourceVersion`, empty for the latest.
    pub resource_version: String,
    /// `resourceVersionMatch`.
    pub version_match: String,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The resource version of the whole list.
    pub rv: u64,
    /// The objects.
    pub objects: Vec<Stored>,
    /// Token of the next page, or empty.
    pub continued: String,
    /// How many objects follow, where known.
    pub remaining: Option<usize>,
}

impl ListOptions {
    /// Reads the query parameters of a list.
    ///
    /// # Errors
    /// 400 or 422 with the real server's wording.
    pub fn parse(api: &Api, resource: &Resource, query: &Query) -> Result<ListOptions, Status> {
        let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
        let limit = query.number("limit")?.unwrap_or(0);
        query.number("timeoutSeconds")?;
        let options = ListOptions {
            selector: Selector::parse(resource, api.registry(), labels, fields)?,
            limit: usize::try_from(limit).unwrap_or(0),
            continued: query.get("continue").to_owned(),
            resource_version: query.get("resourceVersion").to_owned(),
            version_match: query.get("resourceVersionMatch").to_owned(),
        };
        options.check_match()?;
        if query.has("sendInitialEvents") {
            let why = Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
            return Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &[why]));
        }
        if !options.resource_version.is_empty() {
            let refused = |status: Status| Status::bad_request(format!("invalid resource version: {}", status.message));
            parse_version(&options.resource_version).map_err(refused)?;
        }
        Ok(options)
    }

    fn check_match(&self) -> Result<(), Status> {
        let why = match (self.version_match.as_str(), self.resource_version.as_str()) {
            ("Exact" | "NotOlderThan", "") => Cause::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            ("Exact", "0") => Cause::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            ("" | "Exact" | "NotOlderThan", _) => return Ok(()),
            (other, _) => Cause::unsupported("resourceVersionMatch", &json!(other), &["Exact", "NotOlderThan", ""]),
        };
        Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &[why]))
    }
}

impl Api {
    /// One page of a list.
    ///
    /// # Errors
    /// 400 for a bad token, 410 for a forgotten version, 504 for one that is not yet.
    pub fn page(&self, resource: &Resource, namespace: &str, options: &ListOptions) -> Result<Page, Status> {
        let token = Token::read(&options.continued)?;
        self.check_shown(resource)?;
        let listing = match (&token, self.version_asked(options)?) {
            (Some(token), _) => self.store().listing_at(resource, namespace, token.rv),
            (None, Some(rv)) => self.store().listing_at(resource, namespace, rv),
            (None, None) => Ok(self.store().listing(resource, namespace)),
        };
        let listing = listing.map_err(|_| {
            Status::expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.")
        })?;
        let mut objects = listing.objects;
        if let Some(token) = &token {
            objects.retain(|object| key(object) >= token.start);
        }
        objects.retain(|object| options.selector.matches_stored(object));
        let total = objects.len();
        let mut page = Page { rv: listing.rv, objects, continued: String::new(), remaining: None };
        if options.limit > 0 && total > options.limit {
            page.objects.truncate(options.limit);
            let start = page.objects.last().map(|object| format!("{}\0", key(object))).unwrap_or_default();
            page.continued = Token { rv: page.rv, start }.write();
            page.remaining = options.selector.is_empty().then_some(total - options.limit);
        }
        Ok(page)
    }

    /// Whether all objects of a resource can be shown; the real server keeps none at hand if one cannot.
    ///
    /// # Errors
    /// 429 if the version of one is not declared any more.
    pub(crate) fn check_shown(&self, resource: &Resource) -> Result<(), Status> {
        let Some(custom) = self.registry().custom(resource) else { return Ok(()) };
        let all = self.store().list(resource, "");
        let Some(why) = all.iter().find_map(|stored| super::convert::refusal(&custom, stored)) else {
            return Ok(());
        };
        let what = format!("{}, Kind={}", resource.api_version(), resource.kind);
        let message = format!("storage is (re)initializing: failed to list {what}: {why}");
        let mut status = Status::new(429, "TooManyRequests", message).with_details(json!({"retryAfterSeconds": 1}));
        status.retry_after = Some(1);
        Err(status)
    }

    /// Whether a version of the store is there yet.
    ///
    /// # Errors
    /// 504 if it is not.
    pub(crate) fn check_version(&self, asked: u64) -> Result<(), Status> {
        let current = self.store().rv();
        if asked > current { Err(too_large(asked, current)) } else { Ok(()) }
    }

    /// The exact version to serve, if one is asked for; the latest otherwise.
    fn version_asked(&self, options: &ListOptions) -> Result<Option<u64>, Status> {
        let text = options.resource_version.as_str();
        if text.is_empty() || text == "0" || !options.continued.is_empty() {
            return Ok(None);
        }
        let asked = parse_version(text)?;
        let current = self.store().rv();
        if asked > current {
            return Err(too_large(asked, current));
        }
        let exact = options.version_match == "Exact" || (options.limit > 0 && options.version_match.is_empty());
        Ok(exact.then_some(asked))
    }
}

/// A resource version as a number.
///
/// # Errors
/// 500, as the real server answers.
pub fn parse_version(text: &str) -> Result<u64, Status> {
    text.parse().map_err(|_| {
        let message =
            format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax");
        Status::new(500, "", message)
    })
}

fn too_large(asked: u64, current: u64) -> Status {
    let mut status =
        Status::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"));
    status.retry_after = Some(1);
    status.with_details(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }))
}

fn key(object: &Stored) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

/// Where the next page starts, and at which version.
struct Token {
    rv: u64,
    start: String,
}

impl Token {
    fn write(&self) -> String {
        let text = json!({"v": "meta.k8s.io/v1", "rv": self.rv, "start": self.start}).to_string();
        base64_url(text.as_bytes())
    }

    fn read(text: &str) -> Result<Option<Token>, Status> {
        if text.is_empty() {
            return Ok(None);
        }
        let refuse =
            |why: String| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = from_base64_url(text)
            .ok_or_else(|| refuse(format!("illegal base64 data at input byte {}", text.len().saturating_sub(1))))?;
        let shown: String = bytes.first().map(|byte| go_quoted(*byte)).unwrap_or_default();
        let token: Value = serde_json::from_slice(&bytes)
            .map_err(|_| refuse(format!("invalid character '{shown}' looking for beginning of value")))?;
        let rv = token["rv"].as_u64().filter(|rv| *rv > 0);
        let rv = rv.ok_or_else(|| refuse("incorrect encoded start resourceVersion (version meta.k8s.io/v1)".into()))?;
        Ok(Some(Token { rv, start: token["start"].as_str().unwrap_or_default().to_owned() }))
    }
}

/// A byte as Go quotes the character with that number.
fn go_quoted(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte).to_string()
    } else if byte < 0x80 {
        format!("\\x{byte:02x}")
    } else {
        format!("\\u{byte:04x}")
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Standard base64 with padding.
pub(crate) fn base64_standard(bytes: &[u8]) -> String {
    let mut text = base64_url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn base64_url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, index| word << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        for index in 0..=chunk.len() {
            let six = (word >> (18 - 6 * index)) & 63;
            text.push(char::from(BASE64_URL[six as usize]));
        }
    }
    text
}

fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0u32, 0u32);
    for byte in text.bytes() {
        let six = BASE64_URL.iter().position(|known| *known == byte)?;
        word = word << 6 | u32::try_from(six).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((word >> bits) & 0xff).ok()?);
        }
    }
    Some(bytes)
}
