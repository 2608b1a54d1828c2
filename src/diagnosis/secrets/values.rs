//! The value of a setting: where it ends, and whether it can be a secret at all.

use super::MASK;

/// Words that begin or go on with a sentence: `token: not found`, `the password is wrong`.
#[rustfmt::skip]
const PROSE: [&str; 187] = [
    "a", "account", "accounts", "all", "already", "also", "an", "and", "any", "as", "at", "auth", "authentication",
    "authorization", "based", "be", "been", "but", "by", "bytes", "can't", "cannot", "change", "changed", "configured",
    "connection", "contains", "context", "correct", "could", "credentials", "crypto", "data", "deadline", "deleted", "denied",
    "dial", "did", "didn't", "different", "differs", "do", "does", "doesn't", "don't", "empty", "endpoint", "error", "exchange",
    "expected", "expired", "expiring", "failed", "failure", "fetch", "field", "file", "flow", "for", "found", "from", "generated",
    "get", "given", "has", "hash", "have", "here", "http", "https", "if", "in", "incorrect", "input-output", "input/output",
    "into", "introspection", "invalid", "io", "is", "isn't", "it", "its", "jwt", "lacks", "length", "line", "login", "lookup",
    "malformed", "management", "manager", "may", "mismatch", "missing", "mode", "must", "name", "names", "needed", "neither",
    "never", "no", "non-existent", "not", "now", "null", "of", "ok", "okay", "on", "once", "only", "open", "or", "out", "parse",
    "path", "permission", "policy", "present", "protected", "protection", "provided", "provider", "read", "received", "refresh",
    "rejected", "request", "required", "reset", "revoked", "rotation", "security", "server", "service", "set", "should",
    "signature", "size", "stat", "status", "still", "store", "stored", "that", "the", "there", "they", "this", "timeout", "to",
    "too", "type", "unable", "unauthorized", "undefined", "unexpected", "unknown", "unset", "unsupported", "until", "use", "used",
    "user", "users", "using", "valid", "validate", "value", "verification", "verified", "verify", "was", "weak", "were", "what",
    "when", "where", "which", "will", "with", "without", "wrong", "you", "your",
];

/// How much of the text is the value with which it begins: in quotes (also escaped ones, of JSON in JSON), or up to the next white space.
pub(super) fn length(text: &str) -> usize {
    let prefix = text.find(|c: char| !matches!(c, 'b' | 'r' | 'u' | 'f')).filter(|at| *at <= 2).unwrap_or_default();
    let bytes = text.as_bytes();
    let slashes = |from: usize| bytes.iter().skip(from).take_while(|byte| **byte == b'\\').count();
    for begin in [prefix, 0] {
        let depth = slashes(begin);
        if let Some(quote) = bytes.get(begin + depth).filter(|byte| matches!(byte, b'"' | b'\'' | b'`')) {
            return quoted(bytes, begin + depth + 1, (*quote, depth));
        }
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    // What closes a list or a struct around it stays, and so does the comma.
    word.trim_end_matches([',', ';', ')', '}', ']', '"', '\'', '\\', '>']).len()
}

/// Where a string in quotes ends that are escaped `depth` times: at the same quote, or where the line ends.
fn quoted(bytes: &[u8], begin: usize, (quote, depth): (u8, usize)) -> usize {
    let mut slashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(begin) {
        match *byte {
            b'\\' => slashes += 1,
            b'\n' => return at,
            byte if byte == quote && (slashes < depth || slashes % (2 * (depth + 1)) == depth) => return at + 1,
            _ => slashes = 0,
        }
    }
    bytes.len()
}

/// The value without its quotes and without what ends a sentence.
pub(super) fn bare(value: &str) -> &str {
    let value = value.trim_start_matches(['b', 'r', 'u']).strip_prefix(['"', '\'']).unwrap_or(value);
    value.trim_matches(['"', '\'', '`', '\\']).trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '}', ']'])
}

/// Whether there is nothing to hide: no value, a switch, or a reference to where the value stands.
pub(super) fn is_no_value(value: &str) -> bool {
    const NONE: [&str; 14] = [
        "",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "null",
        "none",
        "nil",
        "undefined",
        "redacted",
        "hidden",
        "unset",
    ];
    let bare = bare(value);
    let word = bare.trim_matches(['<', '>', '[', '(']);
    NONE.contains(&word.to_lowercase().as_str())
        || bare.chars().all(|c| matches!(c, '*' | '.' | '-' | 'x' | 'X' | '•' | '#'))
        || value.starts_with(MASK)
        || value.starts_with("<set")
        || is_reference(bare)
}

/// `${DB_PASSWORD}`, `$(TOKEN)`, `$PGPASSWORD`, `{{ .Values.password }}`, `%s`: the name of a value, and not the value.
fn is_reference(word: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let inner = |begin: &str| word.strip_prefix(begin).map(|rest| rest.trim_end_matches(['}', ')']));
    ["${", "$(", "$"].into_iter().filter_map(inner).any(is_name)
        || word.starts_with("{{")
        || matches!(word, "%s" | "%q" | "%v")
}

/// Whether a word goes on with a sentence.
pub(super) fn is_prose(word: &str) -> bool {
    let word = bare(word).to_lowercase();
    PROSE.contains(&word.as_str())
}

/// Whether a word that stands in a sentence goes on with it: a word of the list, or one with the end of a verb or an adverb.
pub(super) fn goes_on(word: &str) -> bool {
    const ENDS: [&str; 9] = ["ed", "ing", "ly", "able", "ible", "ation", "ment", "ness", "less"];
    let bare = bare(word);
    is_prose(word)
        || (bare.len() >= 5
            && bare.chars().all(|c| c.is_ascii_lowercase())
            && ENDS.iter().any(|end| bare.ends_with(end)))
}

/// Whether a value is a word that nobody speaks: letters with numbers or signs in it.
pub(super) fn is_made_up(value: &str) -> bool {
    let word = bare(value);
    let letters = word.chars().any(char::is_alphabetic);
    let numbers = word.chars().any(|c| c.is_ascii_digit());
    let signs = word.chars().any(|c| "!$%^&*+#~?".contains(c));
    let mixed = word.chars().skip(1).any(|c| c.is_ascii_uppercase()) && word.chars().any(|c| c.is_ascii_lowercase());
    // What is masked in part already is not masked again.
    !word.contains(MASK)
        && word.chars().count() >= 6
        && !word.starts_with("0x")
        && !word.starts_with("sha256:")
        && letters
        && (numbers || signs || mixed)
}

/// `/registry/pods/default/web-7f9c`, `default/web-1`, `db-credentials-2`: the name of an object, or a path.
pub(super) fn is_object(value: &str) -> bool {
    let word = bare(value);
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let whole = |part: &str| !part.is_empty() && part.chars().all(is_name);
    if let Some(path) = word.strip_prefix('/') {
        return path.split('/').all(|part| part.chars().all(|c| is_name(c) || c == '_'));
    }
    let parts: Vec<&str> = word.split('/').collect();
    (parts.len() == 2 || (parts.len() == 1 && word.contains('-'))) && parts.iter().all(|part| whole(part))
}

/// A number that counts: `pass=3`, `tokens=4096`.
pub(super) fn is_count(value: &str, digits: usize) -> bool {
    let word = bare(value);
    !word.is_empty() && word.len() <= digits && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_quotes_end() {
        let table = [
            ("hunter2 next", "hunter2"),
            ("hunter2, user=app", "hunter2"),
            ("hunter2}", "hunter2"),
            ("\"two words\" next", "\"two words\""),
            ("\"a\\\"b\" next", "\"a\\\"b\""),
            ("b'bytes' next", "b'bytes'"),
            ("\\\"in json\\\",\\\"user\\\"", "\\\"in json\\\""),
            ("\\\\\\\"deep \\\\\\\\\\\\\\\" er\\\\\\\"}", "\\\\\\\"deep \\\\\\\\\\\\\\\" er\\\\\\\""),
            ("\"unclosed\nnext", "\"unclosed"),
            ("ubuntu next", "ubuntu"),
        ];
        for (text, value) in table {
            assert_eq!(text.get(..length(text)), Some(value), "{text}");
        }
    }
}
