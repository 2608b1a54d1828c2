//! Reading YAML as the real server does, and saying in Go's words what is wrong with it.

use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::options::DuplicateKeyPolicy;

/// A document as JSON. Of a key that is there twice the last one counts.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| in_go(error.without_snippet()))
}

/// The first key that is there twice in one mapping. (Go's library goes on and names all of them.)
pub(super) fn repeated(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::Error };
    let error = serde_saphyr::from_str_with_options::<Value>(text, options).err()?;
    let Error::DuplicateMappingKey { key, location } = error.without_snippet() else { return None };
    let (line, key) = (location.line(), key.as_deref().unwrap_or_default());
    Some(format!("yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map"))
}

/// Go's library does not name the first line.
fn in_go(error: &Error) -> String {
    let Error::ExternalMessage { msg, location, .. } = error else { return format!("yaml: {error}") };
    match location.line() {
        0 | 1 => format!("yaml: {msg}"),
        line => format!("yaml: line {line}: {msg}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_yaml_is_said_with_its_line_unless_it_is_the_first() {
        for (text, wrong) in [
            ("a: b: c", "yaml: mapping values are not allowed in this context"),
            ("a: 1\nb: c: d\n", "yaml: line 2: mapping values are not allowed in this context"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err(), wrong);
        }
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_one_counts_and_the_line_is_told() {
        let twice = b"a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n";
        assert_eq!(read(twice).unwrap(), serde_json::json!({"a": 1, "b": {"c": 4, "d": 3}}));
        let told = "yaml: unmarshal errors:\n  line 5: key \"c\" already set in map";
        assert_eq!(repeated(twice).as_deref(), Some(told));
        assert_eq!(repeated(b"a: 1\nb: {a: 1}\n"), None);
        assert_eq!(repeated(b"a: b: c"), None);
    }
}
