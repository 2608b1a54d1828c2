//! `CustomResourceDefinition`s: what follows from one is a served resource.

use serde_json::{Value, json};

use crate::api::{Api, Cause};
use crate::object::{self, default, text};
use crate::registry::Custom;
use crate::resource::{Definition, Resource};
use crate::schema::Schema;

/// Defaults of a definition.
pub(super) fn defaults(definition: &mut Value) {
    let spec = object::entry(definition, "spec");
    default(spec, "conversion", json!({"strategy": "None"}));
    if let Some(service) =
        spec["conversion"].pointer_mut("/webhook/clientConfig/service").filter(|service| service.is_object())
    {
        default(object::map(service), "port", 443);
    }
    for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
            drop_empty(schema);
        }
    }
    let names = spec.entry("names".to_owned()).or_insert_with(|| json!({}));
    let names = object::map(names);
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !kind.is_empty() {
        default(names, "listKind", format!("{kind}List"));
        default(names, "singular", kind.to_lowercase());
    }
}

/// Members of a schema that the real server's types do not write when they are empty.
fn drop_empty(schema: &mut Value) {
    const LISTS: [&str; 6] = ["allOf", "anyOf", "enum", "oneOf", "required", "x-kubernetes-list-map-keys"];
    match schema {
        Value::Object(members) => {
            members.retain(|key, member| match member {
                Value::Null => key != "default",
                Value::String(text) => !(text.is_empty() && key == "messageExpression"),
                Value::Array(items) => !(items.is_empty() && LISTS.contains(&key.as_str())),
                _ => true,
            });
            members.iter_mut().filter(|(key, _)| *key != "default").for_each(|(_, member)| drop_empty(member));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// A version that objects were stored in is remembered.
pub(super) fn remember_storage(definition: &mut Value) {
    let versions = object::items(definition, "/spec/versions").iter();
    let storage = versions.filter(|version| version["storage"] == true).map(|version| version["name"].clone()).next();
    let stored = definition.pointer_mut("/status/storedVersions").and_then(Value::as_array_mut);
    if let (Some(storage), Some(stored)) = (storage, stored)
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
}

/// What may not be changed in a definition.
pub(super) fn update_causes(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let is_established = object::items(old, "/status/conditions")
        .iter()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
    let fields: &[&str] = if is_established {
        &["/spec/scope", "/spec/names/kind", "/spec/group", "/spec/names/plural"]
    } else {
        &["/spec/group", "/spec/names/plural"]
    };
    for pointer in fields {
        let value = new.pointer(pointer).unwrap_or(&Value::Null);
        if old.pointer(pointer) != Some(value) {
            causes.push(Cause::invalid(pointer[1..].replace('/', "."), value, "field is immutable"));
        }
    }
    let is_declared =
        |name: &Value| object::items(new, "/spec/versions").iter().any(|version| version["name"] == *name);
    for (index, name) in object::items(new, "/status/storedVersions").iter().enumerate() {
        if !is_declared(name) {
            let version = name.as_str().unwrap_or_default();
            let why = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions \
                 until a storage migration ensures no data remains persisted in {version} and removes {version} from \
                 status.storedVersions"
            );
            causes.push(Cause::invalid(format!("status.storedVersions[{index}]"), name, &why));
        }
    }
    causes
}

/// The status of a definition nobody has looked at yet.
pub(super) fn new_status(definition: &Value) -> Value {
    let versions = object::items(definition, "/spec/versions").iter();
    let stored = versions.filter(|version| version["storage"] == true).map(|version| version["name"].clone()).take(1);
    json!({
        "conditions": null,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored.collect::<Vec<_>>(),
    })
}

/// Serves the versions of a definition and marks it established.
pub(super) fn serve(api: &Api, resource: &Resource, definition: &Value) {
    let name = object::name(definition);
    if object::is_terminating(definition) {
        return;
    }
    if definition["status"]["acceptedNames"] != definition["spec"]["names"] {
        establish(api, resource, definition);
        return;
    }
    let served = object::items(definition, "/spec/versions").iter().filter(|version| version["served"] == true);
    let served: Vec<&Value> = served.collect();
    api.registry().remove_custom(name);
    for version in in_order_of_preference(served) {
        let schema = Schema::new(version["schema"]["openAPIV3Schema"].clone());
        let custom = Custom { version: version.clone(), schema, definition: name.to_owned() };
        api.registry().add_custom(resource_of(definition, version), custom);
    }
}

/// Stable versions before betas before alphas, newer before older.
fn in_order_of_preference(mut versions: Vec<&Value>) -> Vec<&Value> {
    let rank = |version: &Value| {
        let name = version["name"].as_str().unwrap_or_default();
        let stage = if name.contains("alpha") {
            0
        } else if name.contains("beta") {
            1
        } else {
            2
        };
        let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
        (stage, numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    };
    versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
    versions
}

fn resource_of(definition: &Value, version: &Value) -> Resource {
    let spec = &definition["spec"];
    let word = |pointer: &str| text(spec, pointer).to_owned();
    let words = |pointer: &str| {
        let words = object::items(spec, pointer).iter().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    Resource::new(Definition {
        group: word("/group"),
        version: text(version, "/name").to_owned(),
        plural: word("/names/plural"),
        singular: word("/names/singular"),
        kind: word("/names/kind"),
        list_kind: word("/names/listKind"),
        namespaced: spec["scope"] == "Namespaced",
        short_names: words("/names/shortNames"),
        categories: words("/names/categories"),
        status: version["subresources"]["status"].is_object(),
        scale: version["subresources"]["scale"].is_object(),
        custom: true,
        virtual_only: false,
        storage: format!("{}/{}", word("/group"), word("/names/plural")).into(),
    })
}

/// The names of a definition that no other definition of its group has, and the last conflict: its reason and the name.
fn accepted_names(api: &Api, resource: &Resource, definition: &Value) -> (Value, Option<(&'static str, String)>) {
    let mut names = definition["spec"]["names"].clone();
    let others = api.store().list(resource, "");
    let others: Vec<Value> = others
        .iter()
        .map(|other| Value::clone(&other.value()))
        .filter(|other| object::name(other) != object::name(definition))
        .filter(|other| other["spec"]["group"] == definition["spec"]["group"])
        .map(|other| other["status"]["acceptedNames"].clone())
        .collect();
    let is_taken = |name: &Value, keys: &[&str]| {
        let same = |known: &Value| known == name || known.as_array().is_some_and(|known| known.contains(name));
        name.as_str().is_some_and(|name| !name.is_empty())
            && others.iter().any(|other| keys.iter().any(|key| same(&other[*key])))
    };
    let mut conflict = None;
    let (resources, kinds) = (["plural", "singular", "shortNames"], ["kind", "listKind"]);
    let checks: [(&str, &str, &[&str]); 5] = [
        ("plural", "PluralConflict", &resources),
        ("singular", "SingularConflict", &resources),
        ("shortNames", "ShortNamesConflict", &resources),
        ("kind", "KindConflict", &kinds),
        ("listKind", "ListKindConflict", &kinds),
    ];
    for (key, reason, among) in checks {
        let wanted = names[key].clone();
        let wanted = wanted.as_array().map_or_else(|| vec![wanted.clone()], Clone::clone);
        if let Some(taken) = wanted.iter().find(|name| is_taken(name, among)) {
            conflict = Some((reason, taken.as_str().unwrap_or_default().to_owned()));
            // These are written even if they are empty.
            if matches!(key, "plural" | "kind") {
                names[key] = "".into();
            } else {
                object::map(&mut names).shift_remove(key);
            }
        }
    }
    (names, conflict)
}

/// The second write a definition gets: names accepted, established; or not, if another one has a name of it.
fn establish(api: &Api, resource: &Resource, definition: &Value) {
    let now = api.clock().seconds();
    let mut new = definition.clone();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message});
    let (names, conflict) = accepted_names(api, resource, definition);
    if definition["status"]["acceptedNames"] == names {
        return;
    }
    let accepted = "the initial names have been accepted";
    new["status"]["conditions"] = match conflict {
        None => json!([
            condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            condition("Established", "True", "InitialNamesAccepted", accepted),
        ]),
        Some((reason, name)) => json!([
            condition("NamesAccepted", "False", reason, &format!("{name:?} is already in use")),
            condition("Established", "False", "NotAccepted", "not all names are accepted"),
        ]),
    };
    new["status"]["acceptedNames"] = names;
    let options = crate::api::Options::by("kube-apiserver");
    let part = crate::api::Part::Status;
    crate::managed::updated(api, resource, part, definition, &mut new, &options);
    api.put(resource, "", object::name(definition), new);
}

/// A deleted definition takes its objects with it.
pub(super) fn stop_serving(api: &Api, definition: &Value) {
    let spec = &definition["spec"];
    let (group, plural) = (text(spec, "/group"), text(spec, "/names/plural"));
    if let Some(resource) = api.registry().find(group, plural) {
        for found in api.store().list(&resource, "") {
            api.store().remove(&resource, found.namespace(), found.name(), Value::clone(&found.value()));
        }
    }
    api.registry().remove_custom(object::name(definition));
}
