//! Protocol Buffers, as far as kubectl insists on them: a few small kinds that it creates by itself.

use serde_json::{Map, Value, json};

/// What precedes an object in Kubernetes' encoding.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may nest.
const DEPTH: usize = 8;

/// What a field of a message holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Number,
    Flag,
    /// Text to text.
    Map,
    /// Text to bytes, shown as base64.
    Data,
    Message(&'static [Field]),
}

/// A field: its number, its name in JSON and what it holds.
type Field = (u64, &'static str, Kind);

const METADATA: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "generateName", Kind::Text),
    (3, "namespace", Kind::Text),
    (5, "uid", Kind::Text),
    (6, "resourceVersion", Kind::Text),
    (11, "labels", Kind::Map),
    (12, "annotations", Kind::Map),
    (14, "finalizers", Kind::Texts),
];
const OBJECT: &[Field] = &[(1, "metadata", Kind::Message(METADATA))];
const CONFIG_MAP: &[Field] =
    &[(1, "metadata", Kind::Message(METADATA)), (2, "data", Kind::Map), (4, "immutable", Kind::Flag)];
const SECRET: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "data", Kind::Data), (3, "type", Kind::Text)];
const ATTRIBUTES: &[Field] = &[
    (1, "namespace", Kind::Text),
    (2, "verb", Kind::Text),
    (3, "group", Kind::Text),
    (4, "version", Kind::Text),
    (5, "resource", Kind::Text),
    (6, "subresource", Kind::Text),
    (7, "name", Kind::Text),
];
const PATH: &[Field] = &[(1, "path", Kind::Text), (2, "verb", Kind::Text)];
const ACCESS: &[Field] =
    &[(1, "resourceAttributes", Kind::Message(ATTRIBUTES)), (2, "nonResourceAttributes", Kind::Message(PATH))];
const REVIEW: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(ACCESS))];
const PRECONDITIONS: &[Field] = &[(1, "uid", Kind::Text), (2, "resourceVersion", Kind::Text)];
const DELETION: &[Field] = &[
    (1, "gracePeriodSeconds", Kind::Number),
    (2, "preconditions", Kind::Message(PRECONDITIONS)),
    (3, "orphanDependents", Kind::Flag),
    (4, "propagationPolicy", Kind::Text),
    (5, "dryRun", Kind::Texts),
];
const EVICTION: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "deleteOptions", Kind::Message(DELETION))];
const TYPE: &[Field] = &[(1, "apiVersion", Kind::Text), (2, "kind", Kind::Text)];

fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" | "ServiceAccount" | "SelfSubjectReview" => OBJECT,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "SelfSubjectAccessReview" => REVIEW,
        "DeleteOptions" => DELETION,
        "Eviction" => EVICTION,
        _ => return None,
    })
}

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
            continue;
        };
        let value = match (kind, part) {
            (Kind::Number, Part::Number(number)) => Value::from(number.cast_signed()),
            (Kind::Flag, Part::Number(number)) => Value::from(number != 0),
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
            _ => return None,
        };
        members.insert((*name).to_owned(), value);
    }
    Some(Value::Object(members))
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
