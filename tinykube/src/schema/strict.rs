//! Strict reading of JSON: fields that occur twice, and errors worded as Go words them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{field, report};
use crate::api::{Options, Status};
use crate::resource::Resource;

/// Refuses or warns about keys that occur twice in one object.
///
/// # Errors
/// 400 if `options` are strict.
pub(crate) fn check_duplicates(resource: &Resource, body: &[u8], options: &Options) -> Result<(), Status> {
    let mut found = Vec::new();
    let seed = Place { path: String::new(), found: &mut found };
    let read = seed.deserialize(&mut serde_json::Deserializer::from_slice(body));
    if read.is_err() || found.is_empty() {
        return Ok(());
    }
    let messages = found.iter().map(|path| format!("duplicate field {path:?}")).collect();
    report(&resource.kind, &resource.version, messages, options)
}

/// A place in a text that is being read; notes the paths of keys that were there already.
struct Place<'a> {
    path: String,
    found: &'a mut Vec<String>,
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
            if seen.contains(&key) {
                self.found.push(path);
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
