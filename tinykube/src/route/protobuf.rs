//! Protocol Buffers, as far as kubectl insists on them: the kinds that it creates without a file.

use serde_json::{Map, Value, json};

use super::messages::{Field, Kind, TYPE, fields_of};

/// What precedes an object in Kubernetes' encoding.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may nest.
const DEPTH: usize = 12;

/// Reads an object; `None` for a kind that is not read, and for bytes that are no object.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let unknown = body.strip_prefix(MAGIC)?;
    let (mut kind, mut raw) = (Value::Null, &[][..]);
    let mut reader = Reader { rest: unknown };
    while let Some((number, part)) = reader.field()? {
        match (number, part) {
            (1, Part::Bytes(bytes)) => kind = message(bytes, TYPE, DEPTH)?,
            (2, Part::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = json!({"apiVersion": kind["apiVersion"], "kind": kind["kind"]});
    let read = message(raw, fields_of(kind["kind"].as_str()?)?, DEPTH)?;
    object.as_object_mut()?.extend(read.as_object()?.clone());
    Some(object)
}

enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next field; the outer `None` for bytes that are no message, the inner one at the end.
    #[expect(clippy::option_option, reason = "malformed and finished are different")]
    fn field(&mut self) -> Option<Option<(u64, Part<'a>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let tag = self.number()?;
        let part = match tag & 7 {
            0 => Part::Number(self.number()?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Part::Bytes(self.take(length)?)
            }
            5 => self.skip(4)?,
            _ => return None,
        };
        Some(Some((tag >> 3, part)))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<Part<'a>> {
        self.take(length).map(|_| Part::Fixed)
    }
}

fn message(bytes: &[u8], fields: &[Field], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut members = Map::new();
    let mut reader = Reader { rest: bytes };
    while let Some((number, part)) = reader.field()? {
        let Some((_, name, kind)) = fields.iter().find(|(known, _, _)| *known == number) else {
            // What is not known must not get lost, be it empty: that may be what somebody wants.
            return None;
        };
        let value = match (kind, part) {
            (Kind::Number, Part::Number(number)) => Value::from(number.cast_signed()),
            (Kind::Flag, Part::Number(number)) => Value::from(number != 0),
            // Go writes these always, and zero means nothing.
            (Kind::Count | Kind::Switch, Part::Number(0)) | (Kind::Ignored, _) => continue,
            (Kind::Count, Part::Number(number)) => Value::from(number.cast_signed()),
            (Kind::Switch, Part::Number(_)) => Value::from(true),
            // Go writes empty texts, which mean nothing.
            (Kind::Text, Part::Bytes([])) => continue,
            (Kind::Text, Part::Bytes(bytes)) => text(bytes)?,
            (Kind::Texts, Part::Bytes(bytes)) => {
                let texts = members.entry((*name).to_owned()).or_insert_with(|| json!([]));
                texts.as_array_mut()?.push(text(bytes)?);
                continue;
            }
            (Kind::Map | Kind::Data, Part::Bytes(bytes)) => {
                let (key, value) = entry(bytes, matches!(kind, Kind::Data))?;
                let map = members.entry((*name).to_owned()).or_insert_with(|| json!({}));
                map.as_object_mut()?.insert(key, value);
                continue;
            }
            (Kind::Message(fields), Part::Bytes(bytes)) => message(bytes, fields, depth)?,
            (Kind::Messages(fields), Part::Bytes(bytes)) => {
                let messages = members.entry((*name).to_owned()).or_insert_with(|| json!([]));
                messages.as_array_mut()?.push(message(bytes, fields, depth)?);
                continue;
            }
            (Kind::Either, Part::Bytes(bytes)) => either(bytes)?,
            _ => return None,
        };
        members.insert((*name).to_owned(), value);
    }
    Some(Value::Object(members))
}

/// A number or a text: which one, the number, the text.
fn either(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut whole, mut words) = (false, Value::from(0), Value::from(""));
    let mut reader = Reader { rest: bytes };
    while let Some((number, part)) = reader.field()? {
        match (number, part) {
            (1, Part::Number(kind)) => is_text = kind != 0,
            (2, Part::Number(number)) => whole = number.cast_signed().into(),
            (3, Part::Bytes(bytes)) => words = text(bytes)?,
            _ => return None,
        }
    }
    Some(if is_text { words } else { whole })
}

fn text(bytes: &[u8]) -> Option<Value> {
    Some(std::str::from_utf8(bytes).ok()?.into())
}

fn entry(bytes: &[u8], is_data: bool) -> Option<(String, Value)> {
    let (mut key, mut value) = (String::new(), Value::from(""));
    let mut reader = Reader { rest: bytes };
    while let Some((number, part)) = reader.field()? {
        match (number, part) {
            (1, Part::Bytes(bytes)) => std::str::from_utf8(bytes).ok()?.clone_into(&mut key),
            (2, Part::Bytes(bytes)) if is_data => value = crate::api::list::base64_standard(bytes).into(),
            (2, Part::Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    Some((key, value))
}
