//! Server-side apply: a manager says which fields it wants, the server keeps track of who wants what.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::{Api, NewObject, Options, Part, Status};
use crate::fields::compare::{compare, fields_of, step_to, steps};
use crate::fields::shape::{ListKind, Shape};
use crate::fields::{FieldSet, Step};
use crate::managed::{self, Entry, Writer};
use crate::object;
use crate::resource::Resource;

/// One application of a configuration.
pub(super) struct Apply<'a> {
    pub(super) api: &'a Api,
    pub(super) resource: &'a Resource,
    pub(super) part: Part,
    pub(super) applied: &'a Value,
    pub(super) force: bool,
    pub(super) options: &'a Options,
}

impl Apply<'_> {
    /// Checks what can be told from the configuration alone.
    pub(super) fn check(&self, name: &str) -> Result<(), Status> {
        let metadata = &self.applied["metadata"];
        if !metadata["managedFields"].is_null() {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        let given = object::name(self.applied);
        if !given.is_empty() && given != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        Ok(())
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            manager: self.options.manager.as_deref().unwrap_or_default(),
            applies: true,
            version: self.resource.api_version(),
            part: self.part,
        }
    }

    /// The fields the configuration names.
    fn wanted(&self, shape: Shape<'_>) -> FieldSet {
        let mut applied = managed::stripped(self.applied);
        if applied["metadata"] == json!({}) {
            object::map(&mut applied).shift_remove("metadata");
        }
        let mut wanted = fields_of(shape, &applied);
        managed::leave_out(self.resource, self.part, &mut wanted);
        wanted
    }

    /// A new object out of the configuration.
    pub(super) fn create(&self, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        let mut object = self.applied.clone();
        object::entry(&mut object, "metadata").insert("name".into(), name.into());
        let custom = self.api.registry().custom(self.resource);
        let wanted = self.wanted(Shape::root(&self.resource.kind, custom.as_ref().map(|custom| &custom.schema.root)));
        let entry = self.writer().entry(wanted, self.api.clock().seconds());
        let new = NewObject { resource: self.resource, namespace, object };
        self.api.create_with(new, self.options, |object| {
            managed::write(object, vec![entry]);
        })
    }

    /// The object after the configuration, and who owns what then.
    pub(super) fn onto(&self, live: &Value) -> Result<(Value, Vec<Entry>), Status> {
        let custom = self.api.registry().custom(self.resource);
        let shape = Shape::root(&self.resource.kind, custom.as_ref().map(|custom| &custom.schema.root));
        let wanted = self.wanted(shape);
        let mut merged = merge(shape, live, self.applied);
        let writer = self.writer();
        let mut entries = managed::read(live);
        let own = entries.iter().position(|entry| writer.owns(entry));
        let before = own.map(|index| entries.remove(index));
        let contestable = self.changed(shape, live, &merged).intersection(&wanted);
        self.settle_conflicts(&contestable, &mut entries)?;
        if let Some(before) = &before {
            let mut given_up = before.fields.clone();
            given_up.subtract(&wanted);
            prune(shape, &mut merged, &given_up, &wanted, &entries);
        }
        let time = match &before {
            Some(before) if before.fields == wanted => before.time.clone(),
            _ => self.api.clock().seconds(),
        };
        entries.push(writer.entry(wanted, time));
        Ok((merged, entries))
    }

    /// The fields that are written.
    fn changed(&self, shape: Shape<'_>, live: &Value, merged: &Value) -> FieldSet {
        let always = |path: &[Step]| managed::is_always_there(self.resource, path);
        compare(shape, &managed::stripped(live), &managed::stripped(merged), &always).written
    }

    /// Refuses to change what others own, or takes it over by force.
    fn settle_conflicts(&self, contestable: &FieldSet, entries: &mut [Entry]) -> Result<(), Status> {
        let mut conflicts: Vec<(String, Vec<String>)> = Vec::new();
        for entry in entries.iter_mut() {
            let contested = entry.fields.intersection(contestable);
            if contested.is_empty() {
                continue;
            }
            if self.force {
                entry.fields.subtract(&contested);
            } else {
                conflicts.push((describe(entry), contested.shown()));
            }
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        Err(refuse(&conflicts))
    }
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        text = format!("{text} with subresource {:?}", entry.subresource);
    }
    if !entry.applies {
        text = format!("{text} using {}", entry.version);
    }
    text
}

fn refuse(conflicts: &[(String, Vec<String>)]) -> Status {
    let count: usize = conflicts.iter().map(|(_, fields)| fields.len()).sum();
    let mut parts = Vec::new();
    let mut causes = Vec::new();
    for (manager, fields) in conflicts {
        for field in fields {
            let message = format!("conflict with {manager}");
            causes.push(json!({"reason": "FieldManagerConflict", "message": message, "field": field}));
        }
        parts.push(match &fields[..] {
            [field] => format!("conflict with {manager}: {field}"),
            fields => format!("conflicts with {manager}:\n- {}", fields.join("\n- ")),
        });
    }
    let noun = if count == 1 { "conflict" } else { "conflicts" };
    let message = format!("Apply failed with {count} {noun}: {}", parts.join("\n"));
    Status::new(409, "Conflict", message).with_details(json!({"causes": causes}))
}

/// The live value with the applied one laid over it.
fn merge(shape: Shape<'_>, live: &Value, applied: &Value) -> Value {
    match (live, applied) {
        (Value::Object(old), Value::Object(new)) if !shape.is_atomic_map() => {
            let mut merged = old.clone();
            for (name, value) in new {
                let member = old.get(name).map_or_else(|| value.clone(), |old| merge(shape.member(name), old, value));
                merged.insert(name.clone(), member);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) if shape.list() != ListKind::Atomic => {
            let kind = shape.list();
            let applied = steps(&kind, new);
            let mut merged: Vec<Value> = Vec::new();
            let live = steps(&kind, old);
            for (step, item) in &live {
                let laid = applied.iter().find(|(known, _)| known == step);
                merged.push(laid.map_or_else(|| (*item).clone(), |(_, laid)| merge(shape.item(), item, laid)));
            }
            let known = |step: &Step| live.iter().any(|(known, _)| known == step);
            merged.extend(applied.iter().filter(|(step, _)| !known(step)).map(|(_, item)| (*item).clone()));
            Value::Array(merged)
        }
        _ => applied.clone(),
    }
}

/// Removes fields the manager gave up and nobody else owns.
fn prune(shape: Shape<'_>, value: &mut Value, given_up: &FieldSet, wanted: &FieldSet, others: &[Entry]) {
    let mut kept = wanted.clone();
    for entry in others {
        kept.union(&entry.fields);
    }
    remove(shape, value, given_up, &kept);
}

fn remove(shape: Shape<'_>, value: &mut Value, given_up: &FieldSet, kept: &FieldSet) {
    let nothing = FieldSet::default();
    for (step, below) in &given_up.below {
        let keeps = kept.at(std::slice::from_ref(step)).unwrap_or(&nothing);
        let goes = below.member && keeps.is_empty();
        match (step, &mut *value) {
            (Step::Field(name), Value::Object(members)) => {
                if goes {
                    members.shift_remove(name);
                } else if let Some(member) = members.get_mut(name) {
                    remove(shape.member(name), member, below, keeps);
                }
            }
            (Step::Key(_) | Step::Value(_), Value::Array(items)) => {
                let kind = shape.list();
                let is_it = |item: &Value| step_to(&kind, item) == *step;
                if goes {
                    items.retain(|item| !is_it(item));
                } else if let Some(item) = items.iter_mut().find(|item| is_it(item)) {
                    remove(shape.item(), item, below, keeps);
                }
            }
            _ => {}
        }
    }
    // Containers that were only there for what was removed go with it.
    if let Value::Object(members) = value {
        let emptied = |name: &str, member: &Value| {
            let step = Step::Field(name.to_owned());
            let gone = given_up.below.get(&step).is_some_and(|below| !below.is_empty());
            let hollow = member.as_array().is_some_and(Vec::is_empty) || member.as_object().is_some_and(Map::is_empty);
            gone && hollow && kept.below.get(&step).is_none_or(FieldSet::is_empty)
        };
        members.retain(|name, member| !emptied(name, member));
    }
}
