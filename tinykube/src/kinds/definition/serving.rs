//! What follows from a definition: resources that are served.

use std::cmp::Reverse;
use std::sync::Arc;

use kube::core::Version;
use serde_json::Value;

use super::condition;
use crate::api::Api;
use crate::object::{self, text};
use crate::registry::Custom;
use crate::resource::{Definition, Resource};
use crate::schema::Schema;

/// Serves the versions of a definition whose names are accepted, as it is now.
pub(super) fn serve(api: &Api, definition: &Value) {
    if !condition::holds(definition, "NamesAccepted") && !condition::holds(definition, "Established") {
        return;
    }
    let versions = object::items(definition, "/spec/versions");
    let group = text(definition, "/spec/group");
    let api_version = |version: &Value| format!("{group}/{}", text(version, "/name"));
    let declared: Arc<[String]> = versions.iter().map(api_version).collect();
    let stored_as = versions.iter().find(|version| version["storage"] == true).map(api_version).unwrap_or_default();
    let served = versions.iter().filter(|version| version["served"] == true).collect();
    let mut resources = Vec::new();
    for version in in_order_of_preference(served) {
        let resource = resource_of(definition, version);
        // What was compiled stays so while the version says the same.
        let known = api.registry().custom(&resource).filter(|known| known.version == *version);
        let schema = known.map(|known| known.schema.clone());
        let schema = schema.unwrap_or_else(|| Arc::new(Schema::new(version["schema"]["openAPIV3Schema"].clone())));
        let custom = Custom {
            version: version.clone(),
            schema,
            definition: object::name(definition).to_owned(),
            declared: declared.clone(),
            stored_as: stored_as.clone(),
            is_terminating: condition::holds(definition, "Terminating"),
        };
        resources.push((resource, custom));
    }
    api.registry().replace_custom(object::name(definition), resources);
}

/// The resource of the version in which objects of a definition are stored.
pub(super) fn stored_resource(definition: &Value) -> Option<Resource> {
    let mut versions = object::items(definition, "/spec/versions").iter();
    versions.find(|version| version["storage"] == true).map(|version| resource_of(definition, version))
}

/// Stable versions before betas before alphas, newer before older, and last what is named otherwise.
fn in_order_of_preference(mut versions: Vec<&Value>) -> Vec<&Value> {
    versions.sort_by_key(|version| Reverse(Version::parse(version["name"].as_str().unwrap_or_default()).priority()));
    versions
}

/// A version under the names that were accepted.
fn resource_of(definition: &Value, version: &Value) -> Resource {
    let (spec, names) = (&definition["spec"], &definition["status"]["acceptedNames"]);
    let word = |key: &str| names[key].as_str().unwrap_or_default().to_owned();
    let words = |key: &str| {
        let words = names[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    let group = text(spec, "/group");
    Resource::new(Definition {
        group: group.to_owned(),
        version: text(version, "/name").to_owned(),
        plural: word("plural"),
        singular: word("singular"),
        kind: word("kind"),
        list_kind: word("listKind"),
        namespaced: spec["scope"] == "Namespaced",
        short_names: words("shortNames"),
        categories: words("categories"),
        status: version["subresources"]["status"].is_object(),
        scale: version["subresources"]["scale"].is_object(),
        custom: true,
        virtual_only: false,
        storage: format!("{group}/{}", word("plural")).into(),
    })
}
