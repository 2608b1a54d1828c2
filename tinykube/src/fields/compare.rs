//! Which fields an object has, and which differ between two.

use serde_json::Value;

use super::shape::{ListKind, Shape, key_step};
use super::{FieldSet, Step};

/// Fields that differ.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Written: added or modified.
    pub(crate) written: FieldSet,
    /// Gone.
    pub(crate) removed: FieldSet,
}

/// Every field an applied object names.
pub(crate) fn fields_of(shape: Shape<'_>, object: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    name_fields(shape, object, &mut Vec::new(), &mut set);
    set
}

fn name_fields(shape: Shape<'_>, value: &Value, path: &mut Vec<Step>, set: &mut FieldSet) {
    match value {
        Value::Object(members) if !shape.is_atomic_map() && (!members.is_empty() || path.is_empty()) => {
            for (name, member) in members {
                path.push(Step::Field(name.clone()));
                if shape.has_free_keys() {
                    set.insert(path);
                }
                name_fields(shape.member(name), member, path, set);
                path.pop();
            }
        }
        Value::Array(items) if shape.list() != ListKind::Atomic => {
            for (step, item) in steps(&shape.list(), items) {
                path.push(step);
                set.insert(path);
                if item.is_object() {
                    name_fields(shape.item(), item, path, set);
                }
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// The items of a list with the step to each.
pub(crate) fn steps<'a>(kind: &ListKind, items: &'a [Value]) -> Vec<(Step, &'a Value)> {
    items.iter().map(|item| (step_to(kind, item), item)).collect()
}

/// The step from a list to one of its items.
pub(crate) fn step_to(kind: &ListKind, item: &Value) -> Step {
    match kind {
        ListKind::Map(keys) => key_step(keys, item),
        _ => Step::Value(item.to_string()),
    }
}

/// Which fields differ. `always` tells the places a kind's type always has, so that they are never added.
pub(crate) fn compare(shape: Shape<'_>, old: &Value, new: &Value, always: &dyn Fn(&[Step]) -> bool) -> Comparison {
    let mut walk = Walk { always, path: Vec::new(), found: Comparison::default() };
    walk.value(shape, Some(old), Some(new));
    walk.found
}

/// A walk through two objects at once.
struct Walk<'a> {
    always: &'a dyn Fn(&[Step]) -> bool,
    /// Where it is.
    path: Vec<Step>,
    found: Comparison,
}

impl Walk<'_> {
    fn value(&mut self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let is_map =
            |value: Option<&Value>| value.is_some_and(|value| value.as_object().is_some_and(|map| !map.is_empty()));
        let is_list =
            |value: Option<&Value>| value.is_some_and(|value| value.as_array().is_some_and(|list| !list.is_empty()));
        let fits = |test: &dyn Fn(Option<&Value>) -> bool| {
            (test(old) || test(new)) && [old, new].iter().all(|side| test(*side) || side.is_none_or(is_hollow))
        };
        if fits(&is_map) && !shape.is_atomic_map() {
            self.note_node(old, new);
            self.map(shape, old, new);
        } else if fits(&is_list) && shape.list() != ListKind::Atomic {
            self.note_node(old, new);
            self.list(shape, old, new);
        } else if new.is_none() {
            self.found.removed.insert(&self.path);
        } else if !((self.always)(&self.path) && new.is_none_or(|value| is_hollow(value) || value == "")) {
            self.found.written.insert(&self.path);
        }
    }

    /// A node that appears or disappears is itself a field beside those below it.
    fn note_node(&mut self, old: Option<&Value>, new: Option<&Value>) {
        if self.path.is_empty() || (self.always)(&self.path) {
            return;
        }
        if new.is_none() {
            self.found.removed.insert(&self.path);
        } else if old.is_none() {
            self.found.written.insert(&self.path);
        }
    }

    fn map(&mut self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) {
        let names = |side: Option<&Value>| -> Vec<String> {
            side.and_then(Value::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        let mut all = names(old);
        all.extend(names(new));
        all.sort();
        all.dedup();
        for name in &all {
            let side = |value: Option<&'_ Value>| value.and_then(|value| value.get(name)).cloned();
            let (before, after) = (side(old), side(new));
            self.path.push(Step::Field(name.clone()));
            self.value(shape.member(name), before.as_ref(), after.as_ref());
            self.path.pop();
        }
    }

    fn list(&mut self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) {
        let kind = shape.list();
        let items = |side: Option<&'_ Value>| side.and_then(Value::as_array).cloned().unwrap_or_default();
        let (old_items, new_items) = (items(old), items(new));
        let (before, after) = (steps(&kind, &old_items), steps(&kind, &new_items));
        for (step, item) in &after {
            let previous = before.iter().find(|(known, _)| known == step).map(|(_, item)| *item);
            self.path.push(step.clone());
            // An owner reference is one field: its type is an atomic struct.
            if is_owner(&self.path) {
                if previous != Some(*item) {
                    self.found.written.insert(&self.path);
                }
            } else {
                self.value(shape.item(), previous, Some(item));
            }
            self.path.pop();
        }
        for (step, item) in &before {
            if !after.iter().any(|(known, _)| known == step) {
                self.path.push(step.clone());
                self.value(shape.item(), Some(item), None);
                self.path.pop();
            }
        }
    }
}

fn is_hollow(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

fn is_owner(path: &[Step]) -> bool {
    path.len() == 3 && path[1] == Step::Field("ownerReferences".into())
}
