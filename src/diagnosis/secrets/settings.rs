//! Settings with a name: `password=x`, `"apiKey": "x"`, `token => x`, `--token x`, `name: DB_PASSWORD, value: x`.

use std::{ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::{
    MASK, compiled,
    names::{Worth, worth},
    values,
};

/// A name, whatever closes it, and what stands between it and the value. `api key` is one of two words.
pub(super) static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?:(?P<before>[A-Za-z]+) )?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?:\[\d+\])?(?:\\*["'\]`])*(?P<sep>[ \t]*(?:=>|:=|==?|:)[ \t]*)"#,
    )
});

/// `--token x`, `-password x`, `["--token","x"]`.
pub(super) static OPTIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?m)(?:^|[\s"'`\[,(])--?(?P<name>[A-Za-z][A-Za-z0-9_.-]*)["']?(?P<sep>[ \t]*,[ \t]*|[ \t]+)"#)
});

/// `name: DB_PASSWORD, value: x`: a setting whose name is a value itself.
pub(super) static PAIRS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?i)\b(?:name|key)\\*["']?\s{0,3}[:=]\s{0,3}\\*["']?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\\*["']?[\s,;]{1,40}\\*["']?value\\*["']?(?P<sep>[ \t]*[:=][ \t]*)"#,
    )
});

/// The text without the values of settings that are secrets.
pub(super) fn without_values(text: &str) -> String {
    let text = without(text, PAIRS.as_ref(), |pair| pair.worth == Worth::Secret && !values::is_no_value(pair.value));
    let text = without(&text, OPTIONS.as_ref(), is_secret_option);
    without(&text, NAMED.as_ref(), is_secret_setting)
}

/// Nobody needs a longer value, and it is looked at once: it is masked unless its name is plain.
const MAX_VALUE: usize = 1024;

/// What stands where a value may be.
struct Setting<'a> {
    /// What stands before the name.
    text_before: &'a str,
    /// The word before the name.
    before: &'a str,
    name: &'a str,
    worth: Worth,
    separator: &'a str,
    value: &'a str,
    /// What stands behind the value.
    text_after: &'a str,
}

/// Looks for settings one after the other; the value of one that is no secret is looked through as well.
fn without(text: &str, pattern: Option<&Regex>, is_secret: fn(&Setting<'_>) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut from, mut copied) = (0, 0);
    while let Some(found) = pattern.and_then(|pattern| pattern.captures_at(text, from)) {
        let Some(whole) = found.get(0) else { break };
        from = whole.end();
        let Some((setting, value)) = setting(text, &found) else { continue };
        if setting.value.len() > MAX_VALUE || is_secret(&setting) {
            shown.push_str(text.get(copied..value.start).unwrap_or_default());
            shown.push_str(MASK);
            copied = value.end;
            from = copied;
        }
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    shown
}

/// A setting whose name is not plain and that has a value, and where that is.
fn setting<'a>(text: &'a str, found: &Captures<'a>) -> Option<(Setting<'a>, Range<usize>)> {
    let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let worth = worth(part("name"), part("before"));
    if worth == Worth::Plain {
        return None;
    }
    let end = found.get(0)?.end();
    let rest = text.get(end..)?;
    let (begin, length) = block(rest).unwrap_or_else(|| (0, values::length(rest)));
    let value = end + begin..end + begin + length;
    let setting = Setting {
        text_before: text.get(..found.name("name")?.start())?,
        before: part("before"),
        name: part("name"),
        worth,
        separator: part("sep"),
        value: text.get(value.clone())?,
        text_after: text.get(value.end..)?,
    };
    (length > 0).then_some((setting, value))
}

/// A block of YAML: `password: |`, and the lines below that are indented as the first one is.
fn block(rest: &str) -> Option<(usize, usize)> {
    if !rest.starts_with(['|', '>']) {
        return None;
    }
    let (head, below) = rest.split_once('\n')?;
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = indent(below);
    if head.trim_end().len() > 3 || first == 0 {
        return None;
    }
    let lines = below.split_inclusive('\n').take_while(|line| indent(line) >= first);
    let length: usize = lines.map(str::len).sum();
    let value = below.get(first..length)?.trim_end_matches('\n');
    Some((head.len() + 1 + first, value.len()))
}

fn is_secret_setting(setting: &Setting<'_>) -> bool {
    let (value, separator) = (setting.value, setting.separator);
    if values::is_no_value(value) || names_an_object(setting) {
        return false;
    }
    let says = separator.ends_with([' ', '\t']) && !separator.contains('=');
    // `secret/db-password: updated by app`, and no `/shop/db/password: x` of a store.
    let goes_on = setting.text_after.strip_prefix(' ').is_some_and(|next| next.starts_with(char::is_alphabetic));
    if says && goes_on && setting.text_before.ends_with('/') && !values::is_made_up(value) {
        return false;
    }
    match setting.worth {
        Worth::Plain => false,
        Worth::Secret => {
            let counts = setting.name == "pass" && values::is_count(value, 3);
            !counts && !(says && (values::is_prose(value) || begins_a_report(setting)))
        }
        Worth::Perhaps => {
            let name = setting.name.to_lowercase();
            let assigned =
                separator.contains('=') && (matches!(name.as_str(), "key" | "auth") || name.ends_with("_auth"));
            let way = ["basic", "digest", "ldap", "md5", "oauth2", "oidc", "plain", "tls", "trust"]
                .contains(&values::bare(value));
            let object = way || values::is_object(value) || values::is_prose(value) || values::is_count(value, 3);
            !object && (assigned || values::is_made_up(value))
        }
    }
}

/// `volume "tokens" : secret "tokens" not found`, `non-existent secret key: DB_PASSWORD`: a name of an object, not of a setting.
fn names_an_object(setting: &Setting<'_>) -> bool {
    const KINDS: [&str; 9] =
        ["secret", "secrets", "volume", "configmap", "pod", "container", "serviceaccount", "object", "resource"];
    if setting.before == "secret" && setting.name == "key" && setting.text_before.ends_with("non-existent secret ") {
        return true;
    }
    if setting.separator.contains('=') || setting.value.starts_with(['"', '\'', '\\', '`']) {
        return false;
    }
    let Some(before) = setting.text_before.strip_suffix(['"', '\'']) else { return false };
    let before = before.trim_end_matches('\\');
    let Some(before) = before.strip_suffix(' ') else { return false };
    let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    KINDS.contains(&word.to_lowercase().as_str())
}

/// `failed to fetch token: serviceaccounts "api" not found`, `token: token expired`: what is told of an object.
fn begins_a_report(setting: &Setting<'_>) -> bool {
    const OBJECTS: [&str; 10] = [
        "secret",
        "secrets",
        "token",
        "tokens",
        "configmap",
        "configmaps",
        "serviceaccount",
        "serviceaccounts",
        "pods",
        "namespaces",
    ];
    if setting.value.ends_with("Error:") || setting.value.ends_with("Exception:") {
        return true;
    }
    let Some(next) = setting.text_after.strip_prefix(' ') else { return false };
    let word = next.split(' ').next().unwrap_or_default();
    OBJECTS.contains(&setting.value) && (next.starts_with(['"', '\'', '\\']) || values::goes_on(word))
}

fn is_secret_option(option: &Setting<'_>) -> bool {
    let value = option.value;
    if value.starts_with(['-', '|', '&', ';', '=', ':']) || values::is_no_value(value) || values::is_prose(value) {
        return false;
    }
    match option.worth {
        Worth::Plain => false,
        Worth::Secret => !option.name.to_lowercase().ends_with("key") || !is_file(value),
        Worth::Perhaps => !is_file(value) && !values::is_object(value) && values::is_made_up(value),
    }
}

/// `/etc/tls/tls.key`, `server.pem`: where a key is, and not the key.
fn is_file(value: &str) -> bool {
    let value = values::bare(value);
    value.starts_with(['/', '.', '~'])
        || [".key", ".pem", ".crt", ".p12", ".jks"].iter().any(|end| value.ends_with(end))
}
