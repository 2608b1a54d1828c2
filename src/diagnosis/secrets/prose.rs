//! Secrets in sentences: `the password is x`, `with password "x"`, `using token x`.

use std::sync::LazyLock;

use regex::Regex;

use super::{MASK, compiled, values};

/// What is said to be a secret, with what leads to it.
pub(super) static SAID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?i)(?:\b(?P<with>with|using|use|bearer|new|invalid|temporary|default|unexpected)\s(?:[A-Za-z]{1,12}\s)?)?\b[A-Za-z0-9_-]*?(?P<noun>pass(?:word|phrase|code|wd)|pwd|passwort|kennwort|token|secret|(?:api|access|secret|license)[ _-]?key|pin|credentials?)(?P<link>["']?(?:\s(?:for|of)\s(?:user\s|account\s)?[A-Za-z0-9_@."'-]+)?\s(?:is|was|are|ist|equals|will be|set to|changed to|reset to|has been set to|to)(?:\s(?:now|set to))?:?|(?:\s(?:for|of)\s(?:user\s|account\s)?[A-Za-z0-9_@."'-]+|\sprovided):)?\s"#,
    )
});

/// The text without the secrets that its sentences tell.
pub(super) fn without_said(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut from, mut copied) = (0, 0);
    while let Some(found) = SAID.as_ref().and_then(|said| said.captures_at(text, from)) {
        let Some(whole) = found.get(0) else { break };
        let rest = text.get(whole.end()..).unwrap_or_default();
        let length = values::length(rest);
        let value = rest.get(..length).unwrap_or_default();
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        from = whole.end().max(from + 1);
        let said = Said { with: part("with"), noun: part("noun"), link: part("link"), value };
        if said.is_secret() {
            shown.push_str(text.get(copied..whole.end()).unwrap_or_default());
            shown.push_str(MASK);
            copied = whole.end() + length;
            from = copied;
        } else if !part("link").is_empty() {
            // Another noun may stand where this one was thought to go on.
            from = found.name("noun").map_or(from, |noun| noun.end());
        }
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    shown
}

struct Said<'a> {
    with: &'a str,
    noun: &'a str,
    link: &'a str,
    value: &'a str,
}

impl Said<'_> {
    fn is_secret(&self) -> bool {
        if self.value.is_empty()
            || values::is_no_value(self.value)
            || self.value.starts_with(['-', '=', ':', '/', '(', '<', '{', '['])
        {
            return false;
        }
        let noun = self.noun.to_lowercase();
        let is_password = noun.starts_with("pass") || matches!(noun.as_str(), "pwd" | "kennwort" | "pin");
        let (with, link) = (self.with.to_lowercase(), self.link.to_lowercase());
        let quoted = self.value.starts_with(['"', '\'', '`', '\\']);
        let unexpected = with == "unexpected";
        let shown = matches!(with.as_str(), "with" | "using" | "bearer" | "new" | "temporary" | "default");
        let made_up = values::is_made_up(self.value);
        // Secrets and tokens have names too, and those are needed.
        let named = !is_password && values::is_object(self.value);
        let linked =
            !link.is_empty() && !link.ends_with(" to") || link.contains("set to") || link.contains("changed to");
        if linked || (is_password && shown && link.is_empty()) {
            return quoted && is_password || !values::goes_on(self.value) && (is_password || made_up);
        }
        if quoted {
            return is_password || made_up && !unexpected && noun != "secret" && (shown || !named);
        }
        made_up && !unexpected && !values::goes_on(self.value) && (!named || shown && noun != "secret")
    }
}
