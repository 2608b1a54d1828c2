//! `metadata.managedFields`: who wrote which field.

use serde_json::{Map, Value, json};

use crate::api::{Api, Options, Part, Update};
use crate::fields::compare::compare;
use crate::fields::shape::Shape;
use crate::fields::{FieldSet, Step};
use crate::object;
use crate::resource::Resource;

/// Metadata nobody manages.
const UNMANAGED: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "selfLink",
];

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) applies: bool,
    pub(crate) version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

/// Who is writing.
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) applies: bool,
    pub(crate) version: String,
    pub(crate) part: Part,
}

impl Writer<'_> {
    fn subresource(&self) -> &'static str {
        match self.part {
            Part::Main => "",
            Part::Status => "status",
            Part::Scale => "scale",
        }
    }

    /// Whether an entry is this writer's.
    pub(crate) fn owns(&self, entry: &Entry) -> bool {
        entry.manager == self.manager
            && entry.applies == self.applies
            && entry.subresource == self.subresource()
            && (self.applies || entry.version == self.version)
    }

    /// A new entry of this writer.
    pub(crate) fn entry(&self, fields: FieldSet, time: String) -> Entry {
        Entry {
            manager: self.manager.to_owned(),
            applies: self.applies,
            version: self.version.clone(),
            subresource: self.subresource().to_owned(),
            time,
            fields,
        }
    }
}

/// Reads the entries of an object.
pub(crate) fn read(object: &Value) -> Vec<Entry> {
    let entries = object::items(object, "/metadata/managedFields").iter();
    entries
        .map(|entry| Entry {
            manager: object::text(entry, "/manager").to_owned(),
            applies: entry["operation"] == "Apply",
            version: object::text(entry, "/apiVersion").to_owned(),
            subresource: object::text(entry, "/subresource").to_owned(),
            time: object::text(entry, "/time").to_owned(),
            fields: FieldSet::parse_root(&entry["fieldsV1"]),
        })
        .collect()
}

/// Writes entries into an object: those who apply first, then by time and name.
pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|one, other| {
        let key = |entry: &Entry| {
            (
                !entry.applies,
                entry.time.clone(),
                entry.manager.clone(),
                entry.version.clone(),
                entry.subresource.clone(),
            )
        };
        key(one).cmp(&key(other))
    });
    let written: Vec<Value> = entries
        .into_iter()
        .map(|entry| {
            let mut members = Map::new();
            members.insert("manager".into(), entry.manager.into());
            members.insert("operation".into(), if entry.applies { "Apply" } else { "Update" }.into());
            members.insert("apiVersion".into(), entry.version.into());
            if !entry.time.is_empty() {
                members.insert("time".into(), entry.time.into());
            }
            members.insert("fieldsType".into(), "FieldsV1".into());
            members.insert("fieldsV1".into(), entry.fields.write());
            if !entry.subresource.is_empty() {
                members.insert("subresource".into(), entry.subresource.into());
            }
            Value::Object(members)
        })
        .collect();
    let metadata = object::entry(object, "metadata");
    if written.is_empty() {
        metadata.shift_remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), written.into());
    }
}

/// Records the creator of an object.
pub(crate) fn created(api: &Api, resource: &Resource, object: &mut Value, options: &Options) {
    object::entry(object, "metadata").shift_remove("managedFields");
    let Some(manager) = options.manager.as_deref() else {
        return;
    };
    let writer = Writer { manager, applies: false, version: resource.api_version(), part: Part::Main };
    let empty = json!({});
    record(api, resource, &writer, &empty, object);
}

/// Records who changed what between `old` and `new`. Without a manager the entries stay as they were.
pub(crate) fn updated(api: &Api, update: Update<'_>, old: &Value, new: &mut Value) {
    let Update { resource, part, options } = update;
    let sent = object::items(new, "/metadata/managedFields");
    // A client may write the entries itself, and forget all of them by sending an empty one.
    // Other times alone are no change, as the real server sees it.
    let differ = || timeless(sent) != timeless(object::items(old, "/metadata/managedFields"));
    let (forgets, replaces) = (sent == [json!({})], part == Part::Main && sent.iter().any(has_fields) && differ());
    let kept = if replaces { Some(Value::from(sent)) } else { old["metadata"].get("managedFields").cloned() };
    let metadata = object::entry(new, "metadata");
    match kept {
        Some(kept) if !forgets => metadata.insert("managedFields".into(), kept),
        _ => metadata.shift_remove("managedFields"),
    };
    let Some(manager) = options.manager.as_deref() else {
        return;
    };
    let writer = Writer { manager, applies: false, version: resource.api_version(), part };
    record(api, resource, &writer, old, new);
}

/// Records that a manager has applied one field of an object and nothing else.
pub(crate) fn applied(api: &Api, resource: &Resource, manager: &str, field: &str, object: &mut Value) {
    let writer = Writer { manager, applies: true, version: resource.api_version(), part: Part::Main };
    let mut fields = FieldSet::default();
    fields.insert(&[Step::Field(field.to_owned())]);
    let mut entries = read(object);
    entries.retain(|entry| !writer.owns(entry));
    entries.push(writer.entry(fields, api.clock().seconds()));
    write(object, entries);
}

/// Clients that know nothing of entries send none, and those stay as they were.
fn has_fields(entry: &Value) -> bool {
    entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty())
}

fn timeless(entries: &[Value]) -> Vec<Value> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        object::map(entry).shift_remove("time");
    }
    entries
}

fn record(api: &Api, resource: &Resource, writer: &Writer<'_>, old: &Value, new: &mut Value) {
    let custom = api.registry().custom(resource);
    let mut entries = read(new);
    if let Some(custom) = &custom {
        let is_declared = |entry: &Entry| custom.declared.contains(&entry.version);
        // What was written in a version that is gone cannot be told apart any more: all is forgotten, or, by a scale, that.
        if !entries.iter().all(is_declared) {
            entries.retain(|entry| writer.part == Part::Scale && is_declared(entry));
            write(new, entries.clone());
        }
        // Of what nobody is recorded for, no later writer is.
        if entries.is_empty() && !object::uid(old).is_empty() {
            return;
        }
    }
    let shape = Shape::root(&resource.kind, custom.as_ref().map(|custom| &custom.schema.root));
    let always = |path: &[Step]| is_always_there(resource, path);
    let mut comparison = compare(shape, &stripped(old), &stripped(new), &always);
    leave_out(resource, writer.part, &mut comparison.written);
    leave_out(resource, writer.part, &mut comparison.removed);
    if comparison.written.is_empty() && comparison.removed.is_empty() {
        return;
    }
    let mut lost = comparison.written.clone();
    lost.union(&comparison.removed);
    if writer.part == Part::Scale && !is_recorded_by_scale(api, resource, &mut entries, (&lost, &*new)) {
        write(new, entries);
        return;
    }
    let mut own = None;
    for (index, entry) in entries.iter_mut().enumerate() {
        if writer.owns(entry) {
            own = Some(index);
            entry.fields.subtract(&comparison.removed);
        } else {
            entry.fields.subtract(&lost);
        }
    }
    // Writes through a scale are recorded without their time.
    let now = if writer.part == Part::Scale { String::new() } else { api.clock().seconds() };
    match own.and_then(|index| entries.get_mut(index)) {
        Some(entry) => {
            entry.fields.union(&comparison.written);
            entry.time = now;
        }
        None => entries.push(writer.entry(comparison.written, now)),
    }
    write(new, entries);
}

/// Whether a scale is recorded for its writer. What nobody is recorded for stays nobody's. Zero is no field of a `Scale` in JSON:
/// the replicas are nobody's then.
fn is_recorded_by_scale(
    api: &Api,
    resource: &Resource,
    entries: &mut [Entry],
    (replicas, new): (&FieldSet, &Value),
) -> bool {
    let is_owned = entries.iter().any(|entry| !entry.fields.intersection(replicas).is_empty());
    let is_zero = api.scale(resource, new).is_ok_and(|scale| scale["spec"]["replicas"].is_null());
    if is_zero {
        for entry in entries.iter_mut() {
            entry.fields.subtract(replicas);
        }
    }
    is_owned && !is_zero
}

/// An object without what nobody manages.
pub(crate) fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    let members = object::map(&mut object);
    members.shift_remove("apiVersion");
    members.shift_remove("kind");
    let metadata = object::entry(&mut object, "metadata");
    for key in UNMANAGED {
        metadata.shift_remove(key);
    }
    object
}

/// Fields a write of this part does not own, whatever it sent.
pub(crate) fn leave_out(resource: &Resource, part: Part, fields: &mut FieldSet) {
    match part {
        Part::Status => {
            let custom = resource.custom;
            fields.keep_roots(|name| name == "status" || (name == "metadata" && !custom));
        }
        Part::Main | Part::Scale if resource.status && resource.kind != "Node" => fields.cut(&["status"]),
        Part::Main | Part::Scale => {}
    }
    if resource.kind == "Namespace" {
        fields.cut(&["spec"]);
        if part == Part::Main {
            fields.cut(&["status"]);
        }
    }
}

/// Places the types of built-in kinds always write, even when nothing is there.
pub(crate) fn is_always_there(resource: &Resource, path: &[Step]) -> bool {
    if let [Step::Field(name)] = path {
        let name = name.as_str();
        return name == "metadata"
            || (!resource.custom && matches!(name, "spec" | "status"))
            || (resource.kind == "Event"
                && (name.contains("ource")
                    || name.contains("imestamp")
                    || name == "eventTime"
                    || name.starts_with("reporting")))
            || (!resource.custom && name == "rules");
    }
    if resource.custom {
        return false;
    }
    let names: Vec<&str> = path
        .iter()
        .map(|step| match step {
            Step::Field(name) => name.as_str(),
            _ => "*",
        })
        .collect();
    matches!(
        names[..],
        [
            "spec",
            "containers"
                | "template"
                | "strategy"
                | "updateStrategy"
                | "names"
                | "scaleTargetRef"
                | "podSelector"
                | "resources"
                | "boundObjectRef",
        ] | ["spec", "template", "metadata" | "spec"]
            | ["spec", "template", "spec", "containers"]
            | ["status", "acceptedNames" | "loadBalancer" | "nodeInfo" | "daemonEndpoints"]
    ) || (resource.kind == "CustomResourceDefinition" && names == ["status", "conditions"])
}
