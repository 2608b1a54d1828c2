//! Pods as Go shows the server's internal types in messages: every field of every struct by its Go name, in its order.
//!
//! `structs.txt` names each struct and below it its fields: Go name, JSON name, and what it is. That is a struct, a pointer to one
//! (`*`), a list of them (`[]`), or what stands there when it is not set. `+` is a struct whose fields are among the others.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};
use similar::TextDiff;

use crate::object;

/// Lines around a difference.
const CONTEXT: usize = 3;

static STRUCTS: LazyLock<BTreeMap<&str, Vec<Field>>> = LazyLock::new(|| {
    let mut structs: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    let mut name = "";
    for line in include_str!("structs.txt").lines() {
        match line.strip_prefix("  ") {
            Some(field) => structs.entry(name).or_default().extend(Field::parse(field)),
            None => name = line,
        }
    }
    structs
});

enum Field {
    Among(&'static str),
    Own { go: &'static str, json: &'static str, kind: Kind },
}

enum Kind {
    Struct(&'static str),
    Pointer(&'static str),
    List(&'static str),
    /// Anything else, and what stands there when it is not set.
    Plain(Value),
}

impl Field {
    fn parse(line: &'static str) -> Option<Field> {
        if let Some(name) = line.strip_prefix('+') {
            return Some(Field::Among(name));
        }
        let mut words = line.split(' ');
        let (go, json, kind) = (words.next()?, words.next()?, words.next()?);
        let kind = match (kind.strip_prefix('*'), kind.strip_prefix("[]"), kind.parse()) {
            (Some(name), ..) => Kind::Pointer(name),
            (_, Some(name), _) => Kind::List(name),
            (.., Ok(zero)) => Kind::Plain(zero),
            _ => Kind::Struct(kind),
        };
        Some(Field::Own { go, json, kind })
    }
}

/// A part of a pod as Go shows the struct of this name.
pub(super) fn shown(name: &str, value: &Value) -> Value {
    let mut members = Map::new();
    show(name, value, &mut members);
    members.into()
}

fn show(name: &str, value: &Value, members: &mut Map<String, Value>) {
    let moved;
    let value = if name == "PodSpec" {
        moved = with_moved(value);
        &moved
    } else {
        value
    };
    for field in STRUCTS.get(name).into_iter().flatten() {
        match field {
            // Metadata has a type of the API in all structs, which shows what is set.
            Field::Among("ObjectMeta") => {
                let metadata = value["metadata"].as_object().into_iter().flatten();
                members.extend(metadata.map(|(key, value)| (key.clone(), value.clone())));
            }
            Field::Among(name) => show(name, value, members),
            Field::Own { go, json, kind } => {
                members.insert((*go).to_owned(), kind.shown(&value[*json]));
            }
        }
    }
}

impl Kind {
    fn shown(&self, value: &Value) -> Value {
        match self {
            Kind::Plain(zero) if value.is_null() => zero.clone(),
            Kind::Plain(_) => sorted(value),
            Kind::Pointer(_) if value.is_null() => Value::Null,
            Kind::Struct(name) | Kind::Pointer(name) => shown(name, value),
            Kind::List(name) => match value.as_array().filter(|items| !items.is_empty()) {
                Some(items) => items.iter().map(|item| shown(name, item)).collect(),
                None => Value::Null,
            },
        }
    }
}

/// Maps of texts are sorted.
fn sorted(value: &Value) -> Value {
    match value.as_object().filter(|members| members.values().all(Value::is_string)) {
        Some(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into()
        }
        None => value.clone(),
    }
}

/// What the API has in the spec of a pod and the server in its security context.
fn with_moved(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for key in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"] {
        let value = spec[key].clone();
        object::entry(&mut spec, "securityContext").insert(key.to_owned(), value);
    }
    spec
}

/// The lines in which two of them differ, with those around.
pub(super) fn difference(one: &Value, other: &Value) -> String {
    let (one, other) = (lines(one), lines(other));
    TextDiff::from_lines(&one, &other).unified_diff().context_radius(CONTEXT).to_string()
}

/// As Go writes JSON for people to read.
fn lines(value: &Value) -> String {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" ")));
    let text = String::from_utf8_lossy(&text);
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026") + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_struct_that_a_field_is_made_of_is_in_the_table() {
        for (name, fields) in STRUCTS.iter() {
            for field in fields {
                let made_of = match field {
                    Field::Own { kind: Kind::Plain(_), .. } | Field::Among("ObjectMeta") => continue,
                    Field::Own { kind: Kind::Struct(of) | Kind::Pointer(of) | Kind::List(of), .. }
                    | Field::Among(of) => of,
                };
                assert!(STRUCTS.contains_key(made_of), "{name} has a {made_of}");
            }
        }
    }

    #[test]
    fn what_is_not_set_is_shown_as_go_has_it() {
        for (name, value, expected) in [
            (
                "ContainerPort",
                json!({"containerPort": 80}),
                json!({"Name": "", "HostPort": 0, "ContainerPort": 80, "Protocol": "", "HostIP": ""}),
            ),
            (
                "ResourceRequirements",
                json!({"limits": {"b": "2", "a": "1"}}),
                json!({"Limits": {"a": "1", "b": "2"}, "Requests": null, "Claims": null}),
            ),
        ] {
            assert_eq!(shown(name, &value).to_string(), expected.to_string(), "{name}");
        }
        let spec = shown("PodSpec", &json!({"containers": [{"name": "c"}], "hostPID": true}));
        assert_eq!((&spec["Volumes"], &spec["Containers"][0]["Lifecycle"]), (&Value::Null, &Value::Null));
        assert_eq!(spec["SecurityContext"]["HostPID"], true);
    }
}
