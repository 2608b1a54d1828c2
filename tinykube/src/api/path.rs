//! What a request is about: its path and its query.

use percent_encoding::percent_decode_str;

use super::Status;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A resource, one of its objects or a part of one.
    Resource(ResourcePath),
    /// `/api/v1`, `/apis/apps/v1`: the resources of a version.
    Version {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// `/apis/apps`: the versions of a group.
    Group(String),
    /// Anything else, such as `/version`.
    Other(String),
}

/// The parts of a resource's path; what is missing is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcePath {
    /// Empty for the core group.
    pub group: String,
    /// Version of the group.
    pub version: String,
    /// Plural name of the resource.
    pub plural: String,
    /// Namespace.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Part of the object, such as `status`.
    pub subresource: String,
    /// Whether it asks for a watch by its path, as clients of old did.
    pub watched: bool,
    /// Whether a part of it is empty; such paths lead nowhere.
    pub has_gap: bool,
}

impl Target {
    /// Takes a path apart, as `RequestInfo` of the real server does.
    pub fn parse(path: &str) -> Target {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts[..] {
            ["api", version, ref rest @ ..] => ("", version, rest),
            ["apis", group, version, ref rest @ ..] => (group, version, rest),
            ["apis", group] => return Target::Group(group.to_owned()),
            _ => return Target::Other(path.to_owned()),
        };
        if path.starts_with("//") {
            return Target::Other(path.to_owned());
        }
        let has_gap = path.trim_start_matches('/').trim_end_matches('/').contains("//");
        let (watched, rest) = match rest {
            ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
            rest => (false, rest),
        };
        let path = |namespace: &str, plural: &str, rest: &[&str]| {
            Target::Resource(ResourcePath {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                namespace: namespace.to_owned(),
                name: rest.first().copied().unwrap_or_default().to_owned(),
                subresource: rest.get(1..).unwrap_or_default().join("/"),
                watched,
                has_gap,
            })
        };
        match *rest {
            [] => Target::Version { group: group.to_owned(), version: version.to_owned() },
            ["namespaces", _, "status" | "finalize"] => path("", "namespaces", &rest[1..]),
            ["namespaces", namespace, plural, ref more @ ..] => path(namespace, plural, more),
            [plural, ref more @ ..] => path("", plural, more),
        }
    }
}

/// The query parameters of a request.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Takes a query string apart.
    pub fn parse(query: &str) -> Query {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Query(pairs.map(|(key, value)| (decode(key), decode(value))).collect())
    }

    /// The first value of `key`, or empty.
    pub fn get(&self, key: &str) -> &str {
        let mut pairs = self.0.iter();
        pairs.find(|(known, _)| known == key).map_or("", |(_, value)| value.as_str())
    }

    /// Whether `key` is there and neither `false` nor `0`, as the real server reads it.
    pub fn is_true(&self, key: &str) -> bool {
        let mut pairs = self.0.iter();
        let value = pairs.find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        value.is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// Whether `key` is there, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// The number `key` is set to, if it is.
    ///
    /// # Errors
    /// 400 with the real server's wording.
    pub fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        let refuse = |_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
        text.parse().map(Some).map_err(refuse)
    }
}
