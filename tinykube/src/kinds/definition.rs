//! `CustomResourceDefinition`s: what follows from one is a served resource.

use serde_json::{Value, json};

use crate::api::Api;
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

/// The status of a definition nobody has looked at yet.
pub(super) fn new_status(definition: &Value) -> Value {
    let versions = object::items(definition, "/spec/versions").iter();
    let stored = versions.filter(|version| version["storage"] == true).map(|version| version["name"].clone());
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

/// The second write a definition gets: names accepted, established.
fn establish(api: &Api, resource: &Resource, definition: &Value) {
    let now = api.clock().seconds();
    let mut new = definition.clone();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let accepted = "the initial names have been accepted";
    new["status"]["conditions"] = json!([
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", accepted),
    ]);
    new["status"]["acceptedNames"] = definition["spec"]["names"].clone();
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
