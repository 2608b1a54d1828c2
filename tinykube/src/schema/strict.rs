//! Strict reading of JSON: fields that occur twice, and errors worded as Go words them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::field;

/// Whether a key occurs twice in one object.
pub(crate) fn has_repeated(body: &[u8]) -> bool {
    fields(body).iter().any(|(_, repeated)| *repeated)
}

/// What is wrong with the fields of a text, in their order: which are there already, and which of them are unknown. In a field
/// that is unknown nothing is looked for.
pub(crate) fn faults(body: &[u8], unknown: &[String]) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    for (path, repeated) in fields(body) {
        let is_below =
            |known: &String| path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
        let fault = if unknown.contains(&path) {
            format!("unknown field {path:?}")
        } else if repeated && !unknown.iter().any(is_below) {
            format!("duplicate field {path:?}")
        } else {
            continue;
        };
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// The paths of all fields in the order of the text, and whether each was there already. None of a text that is no JSON.
fn fields(body: &[u8]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let seed = Place { path: String::new(), found: &mut found };
    match seed.deserialize(&mut serde_json::Deserializer::from_slice(body)) {
        Ok(()) => found,
        Err(_) => Vec::new(),
    }
}

/// A place in a text that is being read.
struct Place<'a> {
    path: String,
    found: &'a mut Vec<(String, bool)>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = field(&self.path, &key);
            let repeated = seen.contains(&key);
            self.found.push((path.clone(), repeated));
            if repeated {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(Place { path, found: &mut *self.found })?;
            seen.push(key);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        let place = |index: usize| format!("{}[{index}]", self.path);
        while items.next_element_seed(Place { path: place(index), found: &mut *self.found })?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Why a text is not JSON, in Go's words as far as they can be told.
pub(crate) fn go_error(body: &[u8], error: &serde_json::Error) -> String {
    let index = error.column().saturating_sub(1);
    let character = body.get(index).map(|byte| char::from(*byte));
    match (character, error.is_eof()) {
        (_, true) => "unexpected end of JSON input".to_owned(),
        (Some(character), _) if error.to_string().starts_with("key must be a string") => {
            format!("invalid character '{character}' looking for beginning of object key string")
        }
        (Some(character), _) => format!("invalid character '{character}' looking for beginning of value"),
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_the_order_of_the_text_and_none_within_what_is_unknown() {
        for (text, unknown, told) in [
            (r#"{"a":1,"b":{"c":1}}"#, &[][..], &[][..]),
            (
                r#"{"x":1,"a":{"b":1,"b":2},"y":1}"#,
                &["x", "y"],
                &["unknown field \"x\"", "duplicate field \"a.b\"", "unknown field \"y\""],
            ),
            (r#"{"x":{"a":1,"a":2},"x":3}"#, &["x"], &["unknown field \"x\""]),
            (r#"{"a":[{"b":1},{"b":1,"b":2}]}"#, &[], &["duplicate field \"a[1].b\""]),
            (r#"{"a":1,"a":"#, &[], &[]),
        ] {
            let unknown: Vec<String> = unknown.iter().map(|&path| path.to_owned()).collect();
            assert_eq!(faults(text.as_bytes(), &unknown), told, "{text}");
        }
    }
}
