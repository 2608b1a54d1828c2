//! Sets of fields: what `metadata.managedFields` holds, and how objects are compared and merged field by field.

pub(crate) mod compare;
pub(crate) mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A member of a map.
    Field(String),
    /// The item of a list-map with these keys, as JSON text with its keys in order.
    Key(String),
    /// A value of a set, as JSON text.
    Value(String),
}

impl Step {
    fn text(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Key(keys) => format!("k:{keys}"),
            Step::Value(value) => format!("v:{value}"),
        }
    }

    fn parse(text: &str) -> Option<Step> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Step::Field(rest.to_owned())),
            "k" => Some(Step::Key(rest.to_owned())),
            "v" => Some(Step::Value(rest.to_owned())),
            _ => None,
        }
    }

    /// As messages show it.
    fn shown(&self) -> String {
        match self {
            Step::Field(name) => format!(".{name}"),
            Step::Value(value) => format!("[{value}]"),
            Step::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
        }
    }
}

/// A set of fields. A place may be a member itself, have members below it, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    pub(crate) member: bool,
    pub(crate) below: BTreeMap<Step, FieldSet>,
}

impl FieldSet {
    /// Reads `fieldsV1`.
    pub(crate) fn parse(fields: &Value) -> FieldSet {
        let members = fields.as_object();
        let mut set = FieldSet {
            member: members.is_none_or(|members| members.is_empty() || members.contains_key(".")),
            below: BTreeMap::new(),
        };
        for (text, value) in members.into_iter().flatten() {
            if let Some(step) = Step::parse(text) {
                set.below.insert(step, FieldSet::parse(value));
            }
        }
        set
    }

    /// Reads `fieldsV1` of a whole object, whose root is never a member.
    pub(crate) fn parse_root(fields: &Value) -> FieldSet {
        let mut set = FieldSet::parse(fields);
        set.member = false;
        set
    }

    /// Writes `fieldsV1`.
    pub(crate) fn write(&self) -> Value {
        let mut members = Map::new();
        if self.member && !self.below.is_empty() {
            members.insert(".".into(), Value::Object(Map::new()));
        }
        for (step, set) in &self.below {
            members.insert(step.text(), set.write());
        }
        Value::Object(members)
    }

    /// Whether it has no member.
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.below.values().all(FieldSet::is_empty)
    }

    /// Adds a place.
    pub(crate) fn insert(&mut self, path: &[Step]) {
        match path.split_first() {
            None => self.member = true,
            Some((step, rest)) => self.below.entry(step.clone()).or_default().insert(rest),
        }
    }

    /// Everything in either.
    pub(crate) fn union(&mut self, other: &FieldSet) {
        self.member |= other.member;
        for (step, set) in &other.below {
            self.below.entry(step.clone()).or_default().union(set);
        }
    }

    /// Everything that is not in `other`.
    pub(crate) fn subtract(&mut self, other: &FieldSet) {
        self.member &= !other.member;
        for (step, set) in &mut self.below {
            if let Some(other) = other.below.get(step) {
                set.subtract(other);
            }
        }
        self.below.retain(|_, set| !set.is_empty());
    }

    /// Everything in both.
    pub(crate) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut both = FieldSet { member: self.member && other.member, below: BTreeMap::new() };
        for (step, set) in &self.below {
            if let Some(other) = other.below.get(step) {
                let set = set.intersection(other);
                if !set.is_empty() {
                    both.below.insert(step.clone(), set);
                }
            }
        }
        both
    }

    /// The part at a place.
    pub(crate) fn at(&self, path: &[Step]) -> Option<&FieldSet> {
        path.iter().try_fold(self, |set, step| set.below.get(step))
    }

    /// Removes a place and everything below it.
    pub(crate) fn cut(&mut self, path: &[&str]) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        let step = Step::Field((*name).to_owned());
        if rest.is_empty() {
            self.below.remove(&step);
        } else if let Some(set) = self.below.get_mut(&step) {
            set.cut(rest);
            if set.is_empty() {
                self.below.remove(&step);
            }
        }
    }

    /// Keeps only what is below one of these root fields.
    pub(crate) fn keep_roots(&mut self, keep: impl Fn(&str) -> bool) {
        self.below.retain(|step, _| matches!(step, Step::Field(name) if keep(name)));
    }

    /// Every member as messages show it.
    pub(crate) fn shown(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_shown("", &mut found);
        found
    }

    fn collect_shown(&self, path: &str, found: &mut Vec<String>) {
        if self.member {
            found.push(path.to_owned());
        }
        for (step, set) in &self.below {
            set.collect_shown(&format!("{path}{}", step.shown()), found);
        }
    }
}
