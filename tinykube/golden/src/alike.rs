//! Whether an answer is alike a recorded one: values that differ between runs are compared by equality, not by value.
//!
//! Judges texts and JSON; it knows neither requests nor servers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::blur::{blurred, regex};
use crate::left_out::{is_table_of_one, remove_accounts, without_controllers, without_empty_defaults};

/// Values of the machine that was recorded.
const OF_ONE_MACHINE: [&str; 7] = [
    "<certificate>",
    "<certificate, base64>",
    "<token, base64>",
    "<kernel>",
    "<machineID>",
    "<systemUUID>",
    "<bootID>",
];
/// The port of the server that was recorded, where it stands as a number.
const PORT: u64 = 6443;
/// What a build calls itself, in the answer to `/version`; its version of Kubernetes is compared.
const OF_ONE_BUILD: [&str; 7] =
    ["gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
/// The token from which one was made that nobody can use, and how many of its last characters were replaced.
const SPOILT_FROM: &str = "<token-7>";
const SPOILT: usize = 8;
/// What every namespace has.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// What stands here for a recorded UID, resource version, generated name or token.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    words: BTreeMap<String, String>,
    versions: BTreeMap<u64, u64>,
    /// The same for each object, by its recorded UID.
    history: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Versions of lists, which move with every write in the cluster, by whomever.
    lists: BTreeMap<u64, u64>,
    /// `managedFields` as they were last seen here, by UID: who writes an object back sends their times along.
    managed: BTreeMap<String, Value>,
    /// Versions of objects as they were last seen here, by UID: some answers are not in the transcript.
    latest: BTreeMap<String, String>,
    /// Whether admission of service accounts was off when it was recorded.
    without_accounts: bool,
}

impl Bindings {
    /// For a case of the first set, which was recorded without admission of service accounts, or of the second.
    pub(crate) fn of(first: bool) -> Bindings {
        Bindings { without_accounts: first, ..Bindings::default() }
    }

    /// From now on `here` stands for `recorded`.
    pub(crate) fn know(&mut self, recorded: &str, here: &str) {
        self.words.insert(recorded.to_owned(), here.to_owned());
    }

    /// Rewrites a recorded text so that it can be sent or compared here.
    pub fn translate(&self, recorded: &str) -> String {
        let mut text = recorded.to_owned();
        let mut words: Vec<_> = self.words.iter().collect();
        // Names contain hashes, so longer words go first.
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        for (word, here) in words {
            text = text.replace(word, here);
        }
        text
    }

    /// The same for a path, where resource versions are query parameters.
    pub fn translate_path(&self, recorded: &str) -> String {
        let replaced = VERSION.replace_all(recorded, |found: &regex::Captures<'_>| {
            format!("resourceVersion={}", self.version(&found[1]))
        });
        self.translate(&replaced)
    }

    /// The same for a body.
    pub fn translate_body(&self, recorded: &Value) -> Value {
        match recorded {
            Value::String(text) => Value::String(self.translate(text)),
            Value::Array(items) => items.iter().map(|item| self.translate_body(item)).collect(),
            Value::Object(members) => {
                let translated = members.iter().map(|(key, value)| {
                    let value = match value {
                        Value::String(text) if key == "resourceVersion" => {
                            let uid = members.get("uid").and_then(Value::as_str).unwrap_or_default();
                            Value::String(self.version_of(uid, text))
                        }
                        other => self.translate_body(other),
                    };
                    (key.clone(), value)
                });
                self.with_times_of_here(translated.collect())
            }
            other => other.clone(),
        }
    }

    /// The metadata of an object with the times at which its fields were written here.
    fn with_times_of_here(&self, mut metadata: Value) -> Value {
        let here = metadata["uid"].as_str().and_then(|uid| self.managed.get(uid)).and_then(Value::as_array);
        let entries = metadata.get_mut("managedFields").and_then(Value::as_array_mut);
        let (Some(here), Some(entries)) = (here, entries) else { return metadata };
        for entry in entries {
            if let Some(same) = here.iter().find(|known| writer(known) == writer(entry)) {
                entry["time"] = same["time"].clone();
            }
        }
        metadata
    }

    /// Tracks what writers send along that is not compared.
    pub(crate) fn track(&mut self, here: &Value) {
        match here {
            Value::Array(items) => items.iter().for_each(|item| self.track(item)),
            Value::Object(members) => {
                if let (Some(Value::String(uid)), Some(Value::String(version))) =
                    (members.get("uid"), members.get("resourceVersion"))
                {
                    self.latest.insert(uid.clone(), version.clone());
                }
                if let (Some(Value::String(uid)), Some(entries)) = (members.get("uid"), members.get("managedFields")) {
                    self.managed.insert(uid.clone(), entries.clone());
                }
                members.values().for_each(|member| self.track(member));
            }
            _ => {}
        }
    }

    fn version(&self, recorded: &str) -> String {
        let here = recorded
            .parse()
            .ok()
            .and_then(|version: u64| self.versions.get(&version).or_else(|| self.lists.get(&version)));
        here.map_or_else(|| recorded.to_owned(), u64::to_string)
    }

    /// The version of an object that was recorded with this one.
    fn version_of(&self, uid: &str, recorded: &str) -> String {
        let known = recorded.parse().is_ok_and(|version: u64| self.versions.contains_key(&version));
        match self.latest.get(&self.translate(uid)) {
            Some(latest) if !known => latest.clone(),
            _ => self.version(recorded),
        }
    }

    fn bind(&mut self, recorded: &str, here: &str) -> bool {
        if recorded.len() < 5 {
            return recorded == here;
        }
        self.words.entry(recorded.to_owned()).or_insert_with(|| here.to_owned()) == here
    }

    /// Equal versions stay equal, and later ones of an object do not become earlier. What controllers do to two objects may
    /// happen in either order.
    fn bind_version(&mut self, uid: &Value, recorded: &str, here: &str) -> bool {
        let (Ok(recorded), Ok(here)) = (recorded.parse::<u64>(), here.parse::<u64>()) else {
            return recorded == here;
        };
        if let Some(known) = self.versions.get(&recorded) {
            return *known == here;
        }
        self.versions.insert(recorded, here);
        let own = self.history.entry(uid.as_str().unwrap_or_default().to_owned()).or_default();
        let before = own.range(..recorded).next_back().is_none_or(|(_, known)| *known <= here);
        let after = own.range(recorded..).next().is_none_or(|(_, known)| here <= *known);
        own.insert(recorded, here);
        before && after
    }

    fn bind_list_version(&mut self, recorded: &str, here: &str) -> bool {
        let (Ok(recorded), Ok(here)) = (recorded.parse::<u64>(), here.parse::<u64>()) else {
            return recorded == here;
        };
        self.lists.entry(recorded).or_insert(here);
        self.versions.range(..=recorded).next_back().is_none_or(|(_, known)| *known <= here)
    }

    /// Every difference, each with its place. Binds what is new.
    pub fn differences(&mut self, recorded: &Value, here: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.track(here);
        let (mut recorded, mut here) = (without_controllers(recorded), without_controllers(here));
        if recorded["openapi"].is_string() {
            (recorded, here) = (without_empty_defaults(&recorded), without_empty_defaults(&here));
        }
        if is_table_of_one(&recorded) && is_table_of_one(&here) {
            // Its version is that of the object, and is compared there.
            for table in [&mut recorded, &mut here] {
                table["metadata"]["resourceVersion"].take();
            }
        }
        if self.without_accounts {
            remove_accounts(&mut here);
        }
        self.walk("", &recorded, &here, &mut found);
        found
    }

    fn walk(&mut self, place: &str, recorded: &Value, here: &Value, found: &mut Vec<String>) {
        match (recorded, here) {
            (Value::Object(one), Value::Object(other)) => {
                // Names of pods are keys in some places.
                let renamed = |key: &String| if other.contains_key(key) { key.clone() } else { self.translate(key) };
                let one: serde_json::Map<String, Value> =
                    one.iter().map(|(key, value)| (renamed(key), value.clone())).collect();
                for key in one.keys().filter(|key| !other.contains_key(*key)) {
                    found.push(format!("{place}.{key}: missing, recorded {}", one[key]));
                }
                for key in other.keys().filter(|key| !one.contains_key(*key)) {
                    found.push(format!("{place}.{key}: not recorded, here {}", other[key]));
                }
                let generated = one.contains_key("generateName");
                for (key, value) in &one {
                    let Some(there) = other.get(key) else { continue };
                    let place = format!("{place}.{key}");
                    if key == "managedFields" && (written_over_time(value) || written_over_time(there)) {
                        self.walk(&place, &by_writer(value), &by_writer(there), found);
                        continue;
                    }
                    let (Value::String(text), Value::String(ours)) = (value, there) else {
                        self.walk(&place, value, there, found);
                        continue;
                    };
                    let alike = match key.as_str() {
                        key if OF_ONE_BUILD.contains(&key) => true,
                        // The first set has an empty one.
                        "ca.crt" if text.is_empty() => true,
                        "uid" | "continue" | "pod-template-hash" => self.bind(text, ours),
                        // A controller makes it, before or after the next request.
                        "resourceVersion" if one.get("name").is_some_and(|name| name == ROOT_CERTIFICATE) => true,
                        "resourceVersion" if !one.contains_key("name") => self.bind_list_version(text, ours),
                        "resourceVersion" => self.bind_version(one.get("uid").unwrap_or(&Value::Null), text, ours),
                        "name" if generated => self.bind(text, ours),
                        "token" if text.starts_with("<token-") => self.bind_token(text, ours),
                        "jti" => self.bind(text, ours),
                        _ => self.text_alike(text, ours),
                    };
                    if !alike {
                        found.push(format!("{place}: recorded {value}, here {there}"));
                    }
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                if one.len() != other.len() {
                    found.push(format!("{place}: recorded {} items, here {}", one.len(), other.len()));
                }
                for (index, (value, there)) in one.iter().zip(other).enumerate() {
                    self.walk(&format!("{place}[{index}]"), value, there, found);
                }
            }
            (Value::String(one), Value::String(other)) if self.text_alike(one, other) => {}
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
            (Value::Number(one), Value::Number(other))
                if place.to_lowercase().ends_with("nodeport") && are_node_ports(one, other) => {}
            (Value::Number(one), Value::Number(_))
                if place.to_lowercase().ends_with("port") && one.as_u64() == Some(PORT) => {}
            _ if recorded == here => {}
            _ => found.push(format!("{place}: recorded {recorded}, here {here}")),
        }
    }

    pub(crate) fn text_alike(&self, recorded: &str, here: &str) -> bool {
        recorded == here
            || OF_ONE_MACHINE.contains(&recorded)
            || self.translate(recorded) == here
            || blurred(&self.translate(recorded)) == blurred(here)
    }

    /// A token, and the one made from it that nobody can use.
    fn bind_token(&mut self, recorded: &str, here: &str) -> bool {
        if recorded == SPOILT_FROM {
            let kept = here.get(..here.len().saturating_sub(SPOILT)).unwrap_or_default();
            self.know("<token>", &format!("{kept}{}", "A".repeat(SPOILT)));
        }
        self.bind(recorded, here)
    }
}

/// Ports that a server picks.
fn are_node_ports(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    [one, other].iter().all(|port| port.as_u64().is_some_and(|port| (30_000..32_768).contains(&port)))
}

/// A value with its lists sorted, and a list of causes in a message too: the server takes them from a map.
pub(crate) fn in_any_order(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(in_any_order).collect();
            items.sort_by_cached_key(in_one_order);
            items.into()
        }
        Value::Object(members) => {
            let sorted = members.iter().map(|(key, value)| match value {
                Value::String(text) if key == "message" => {
                    let mut parts: Vec<_> = text.split(['[', ']']).flat_map(|part| part.split(", ")).collect();
                    parts.sort_unstable();
                    (key.clone(), parts.join(", ").into())
                }
                other => (key.clone(), in_any_order(other)),
            });
            Value::Object(sorted.collect())
        }
        other => other.clone(),
    }
}

/// A value as text, whatever order its members have.
fn in_one_order(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// Who wrote the fields of an entry of `managedFields`.
fn writer(entry: &Value) -> [Option<&str>; 4] {
    ["operation", "manager", "apiVersion", "subresource"].map(|key| entry[key].as_str())
}

/// Entries are ordered by time first; the recording client was so quick that all of an object's times are the same.
fn written_over_time(entries: &Value) -> bool {
    let mut times = entries.as_array().into_iter().flatten().map(|entry| &entry["time"]);
    let first = times.next();
    times.any(|time| Some(time) != first)
}

fn by_writer(entries: &Value) -> Value {
    let mut entries = entries.as_array().cloned().unwrap_or_default();
    entries.sort_by(|one, other| writer(one).cmp(&writer(other)));
    entries.into()
}

/// A resource version as a query parameter.
static VERSION: LazyLock<Regex> = LazyLock::new(|| regex(r"resourceVersion=(\d+)"));
