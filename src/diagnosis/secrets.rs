//! Secrets in what a container prints: found by how they are written, and masked.
//!
//! Rather too much is masked than too little: what is shown here can be read by whoever may read a status or an alert.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex, RegexBuilder};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// The value of a setting: in quotes (also escaped ones, of JSON in JSON), or up to the next white space.
const VALUE: &str =
    r#"(?P<value>\\+"(?:[^"\\]|\\+[^"\\])*(?:\\+")?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|`[^`]*`?|\S+)"#;

/// Words in the name of a setting whose value is a secret.
const NAMES: &str = r"(?:pass(?:word|wd|phrase|code)|secret|token|credential|cookie|session[_-]?id|signature|(?:api|app|access|secret|private|encryption|signing|account|shared|auth|master|storage|webhook|service|routing|integration|licen[cs]e)[_. -]?key|conn(?:ection)?[_-]?str(?:ing)?)[\w.-]*";

/// Short ones, which are parts of other words too: `signal` is not `sig`.
const SHORT_NAMES: &str = r"(?:\b|_)(?:pass|pwd|sig|otp|salt|nonce|dsn)";

/// Words after a colon that begin a sentence and not a secret: `token: not found`.
const PROSE: [&str; 41] = [
    "a",
    "an",
    "and",
    "authentication",
    "authorization",
    "cannot",
    "connection",
    "could",
    "credentials",
    "denied",
    "dial",
    "does",
    "empty",
    "error",
    "expired",
    "failed",
    "failure",
    "has",
    "invalid",
    "is",
    "malformed",
    "missing",
    "must",
    "no",
    "not",
    "open",
    "parse",
    "permission",
    "read",
    "rejected",
    "required",
    "the",
    "timeout",
    "token",
    "unable",
    "unauthorized",
    "unexpected",
    "unknown",
    "was",
    "with",
    "wrong",
];

/// Patterns without a sentence to spare: what they match is replaced by their second part.
const SHAPES: [(&str, &str); 16] = [
    // Private keys, whole, without their end, and without their begin.
    (
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
        "[private key]",
    ),
    (
        r"(?:[A-Za-z0-9+/=]{4,}(?:\s|\\n)+)*[A-Za-z0-9+/=]*\s*-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----",
        "[private key]",
    ),
    (r"(?m)^[A-Za-z0-9+/]{60,}={0,2}$", MASK),
    (r"AGE-SECRET-KEY-1[A-Z0-9]+", MASK),
    // JSON web tokens.
    (r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*", MASK),
    // user:password@host, with and without a scheme; the password may hold anything.
    (r#"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'<>@:]*:[^\s"'<>]*@"#, "${keep}***@"),
    (r#"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'<>@]+@"#, "${keep}***@"),
    (r#"(?m)(?P<keep>^|[\s"'=(,])[\w.%+-]*:[^\s"']+@(?P<host>(?:tcp|udp|unix)?\(|[\w\[])"#, "${keep}***@${host}"),
    (r"\b\w+/[^\s/@]+@//", "***@//"),
    // Connection strings whose values may hold spaces.
    (r#"(?i)(?P<keep>;\s*(?:[a-z ]*key|password|pwd|sharedaccess\w+)\s*=\s*)[^;\n"']+"#, "${keep}***"),
    (r"(?i)(?P<keep><[\w:.-]*(?:password|passwd|secret|token|apikey)[^<>]*>)[^<]+", "${keep}***"),
    (r"(?P<keep>\s-u|--user)(?P<sep>[ =])\S+:\S+", "${keep}${sep}***"),
    // Keys that can be told by their form.
    (r"\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{12,}", MASK),
    (
        r"\b(?:gh[pousr]_|github_pat_|glpat-|glsa_|xox[a-z]-|xapp-|npm_|dop_v1_|hv[sbr]\.|sk-|SG\.|[sr]k_(?:live|test)_|whsec_|pypi-|ya29\.|shpat_|lin_api_)[A-Za-z0-9_.-]{10,}",
        MASK,
    ),
    (r"\bAIza[A-Za-z0-9_-]{30,}", MASK),
    (r"(?P<keep>https://hooks\.slack\.com/)\S+", "${keep}***"),
];

static RULES: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| SHAPES.iter().filter_map(|(shape, with)| Some((compiled(shape)?, *with))).collect());

/// Headers whose whole value is one.
static HEADERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?i)\b(?P<keep>(?:proxy-)?authorization|(?:set-)?cookie|x-amz-security-token|x-vault-token)(?P<sep>["']?\s*[:=]\s*)(?P<value>[^\n]+)"#,
    )
});

/// `--token x`, `-password x`.
static OPTIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(&format!(
        r"(?i)(?P<keep>(?:^|\s|['\x22\[,])--?[\w-]*(?:{NAMES}|{SHORT_NAMES}|key[\w-]*)['\x22]?)(?P<sep>[\s,=]+){VALUE}"
    ))
});

/// `password=x`, `"apiKey": "x"`, `token => x`.
static SETTINGS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(&format!(r#"(?i)(?P<keep>{NAMES}|{SHORT_NAMES})(?P<sep>(?:\\*["'\]`])*\s*(?:=>|:=|==?|:)\s*){VALUE}"#))
});

/// `Bearer x` and `Basic x` anywhere.
static BEARERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?i)\b(?P<keep>bearer|basic)(?P<sep>\s+)(?P<value>\S{6,})"));

/// The text with its secrets masked.
pub fn masked(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (shape, with) in RULES.iter() {
        replace(&mut text, |text| shape.replace_all(text, *with));
    }
    if let Some(headers) = HEADERS.as_ref() {
        replace(&mut text, |text| headers.replace_all(text, |found: &Captures<'_>| value_masked(found, is_said_of_it)));
    }
    for rule in [OPTIONS.as_ref(), SETTINGS.as_ref()].into_iter().flatten() {
        replace(&mut text, |text| rule.replace_all(text, |found: &Captures<'_>| value_masked(found, is_prose)));
    }
    if let Some(bearers) = BEARERS.as_ref() {
        replace(&mut text, |text| bearers.replace_all(text, |found: &Captures<'_>| value_masked(found, is_word)));
    }
    text.into_owned()
}

fn replace<'a>(text: &mut Cow<'a, str>, change: impl for<'b> FnOnce(&'b str) -> Cow<'b, str>) {
    let changed = match change(text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(changed) => Some(changed),
    };
    if let Some(changed) = changed {
        *text = Cow::Owned(changed);
    }
}

/// Masks the value, unless it stands after a space and is no value but goes on with the sentence.
fn value_masked(found: &Captures<'_>, goes_on: fn(&str) -> bool) -> String {
    let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let (keep, separator, value) = (part("keep"), part("sep"), part("value"));
    let may_go_on = separator.ends_with(' ') && !separator.contains('=') && !keep.contains('-');
    if may_go_on && goes_on(value.trim_end_matches(|c: char| c.is_ascii_punctuation())) {
        return format!("{keep}{separator}{value}");
    }
    format!("{keep}{separator}{MASK}")
}

fn is_prose(word: &str) -> bool {
    PROSE.contains(&word)
}

/// `… may require authorization: authorization failed: no basic auth credentials` is what a registry says, and no header. What is a
/// credential in it is found by its own form.
fn is_said_of_it(value: &str) -> bool {
    // No scheme is among them: `Authorization: token …` is a header.
    const BEGINS: [&str; 9] =
        ["authorization", "denied", "failed", "invalid", "missing", "no", "not", "required", "server"];
    value.split([' ', ':']).next().is_some_and(|first| BEGINS.contains(&first))
}

/// `basic settings`: a credential of so few letters, and nothing else, is none.
fn is_word(word: &str) -> bool {
    word.len() <= 14 && word.chars().all(|c| c.is_ascii_lowercase())
}

/// The patterns stand above and a test compiles them all; one that fails masks nothing and stops nothing.
fn compiled(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(1 << 22).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(RULES.len(), SHAPES.len());
        assert!(HEADERS.is_some() && OPTIONS.is_some() && SETTINGS.is_some() && BEARERS.is_some());
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        for line in [
            "pq: password authentication failed for user \"app\"",
            "Access denied for user 'app'@'10.0.0.7' (using password: YES)".replace("YES", "is").as_str(),
            "signal: killed",
            "12 tests passed: all well",
            "secret \"db\" not found",
            "Error: token: not found in header",
            "dial tcp 10.0.0.5:5432: connect: connection refused",
            "GET https://api.example.com:8443/v1/items?limit=10 timed out",
            "open /etc/secrets/tls.key: permission denied",
            "Failed to pull image \"registry.example/api@sha256:0123456789abcdef\": not found",
            "basic settings loaded, basic authentication off",
            "at org.postgresql.Driver$ConnectThread.getResult(Driver.java:412)",
            "panic: runtime error: index out of range [5] with length 3",
            "repository does not exist or may require authorization: authorization failed: no basic auth credentials",
            "may require authorization: server message: insufficient_scope: authorization failed",
        ] {
            assert_eq!(masked(line), line);
        }
    }
}
