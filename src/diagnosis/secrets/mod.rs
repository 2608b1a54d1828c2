//! Secrets in what a container prints: found by how they are written, and masked.
//!
//! Four ways, one after the other: by the form of what an issuer makes ([`shapes`]), by the name of a setting ([`settings`]), by the
//! sentence that tells it ([`prose`]), and by chance ([`entropy`]). Rather too much is masked than too little where nobody needs it: what
//! is shown can be read by whoever may read a status or an alert. Names of objects, files and hashes are needed, and stay.

mod entropy;
mod names;
mod prose;
mod settings;
mod shapes;
mod values;

use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Headers whose whole value is one.
static HEADERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?i)\b(?P<keep>(?:proxy-)?authorization|(?:set-)?cookie|x-amz-security-token|x-vault-token)(?P<sep>["']?\s*[:=]\s*)(?P<value>[^\n]+)"#,
    )
});

/// `Bearer x`, `Basic x` and other schemes anywhere.
static SCHEMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r"(?i)\b(?P<keep>bearer|basic|negotiate|digest|apikey|ssws|genie-?key)(?P<sep>\s+)(?P<value>\S{6,})")
});

/// What one way has masked may let another see more. Rarely more than one pass changes anything.
const MAX_PASSES: usize = 6;

/// The text with its secrets masked. What is masked stays as it is when it is masked again.
pub fn masked(text: &str) -> String {
    let mut shown = masked_once(text);
    for _ in 1..MAX_PASSES {
        let again = masked_once(&shown);
        if again == shown {
            break;
        }
        shown = again;
    }
    shown
}

fn masked_once(text: &str) -> String {
    let text = shapes::without_shapes(text);
    let text = values_masked(&text, HEADERS.as_ref(), is_said_of_it);
    let text = settings::without_values(&text);
    let text = values_masked(&text, SCHEMES.as_ref(), is_no_credential);
    let text = prose::without_said(&text);
    entropy::without_chance(&text)
}

/// Masks each value that is not said to be none.
fn values_masked(text: &str, pattern: Option<&Regex>, is_none: fn(&str) -> bool) -> String {
    let Some(pattern) = pattern else { return text.to_owned() };
    let shown = |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let (keep, separator, value) = (part("keep"), part("sep"), part("value"));
        let value = if is_none(value) { value } else { MASK };
        format!("{keep}{separator}{value}")
    };
    pattern.replace_all(text, shown).into_owned()
}

/// `… may require authorization: authorization failed: no basic auth credentials` is what a registry says, and no header. What is a
/// credential in it is found by its own form.
fn is_said_of_it(value: &str) -> bool {
    // No scheme is among them: `Authorization: token …` is a header.
    const BEGINS: [&str; 9] =
        ["authorization", "denied", "failed", "invalid", "missing", "no", "not", "required", "server"];
    value.split([' ', ':']).next().is_some_and(|first| BEGINS.contains(&first))
}

/// `basic settings`, `Bearer realm="…"`: a word of so few letters, or what a server asks for.
fn is_no_credential(value: &str) -> bool {
    let word = value.trim_end_matches(|c: char| c.is_ascii_punctuation());
    let asked = ["realm=", "error=", "scope=", "charset="].iter().any(|begin| value.starts_with(begin));
    asked || (word.len() <= 14 && word.chars().all(|c| c.is_ascii_lowercase()))
}

/// The patterns stand in these files and tests compile them all; one that fails masks nothing and stops nothing.
fn compiled(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(1 << 22).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        let patterns = [
            &HEADERS,
            &SCHEMES,
            &settings::NAMED,
            &settings::OPTIONS,
            &settings::PAIRS,
            &prose::SAID,
            &entropy::WORDS,
            &entropy::SUMS,
        ];
        for (at, pattern) in patterns.into_iter().enumerate() {
            assert!(pattern.is_some(), "pattern {at}");
        }
    }
}
