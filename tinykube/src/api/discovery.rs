//! Discovery: which groups, versions and resources are served, in the old and the aggregated form.

use serde_json::{Map, Value, json};

use super::Api;
use crate::resource::Resource;

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CUSTOM_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// Of a definition that is being deleted.
const ENDING_VERBS: [&str; 5] = ["delete", "deletecollection", "get", "list", "watch"];
const PART_VERBS: [&str; 3] = ["get", "patch", "update"];

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.0+tinykube",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, platform_arch()),
    })
}

fn platform_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A part of an object that has a path of its own.
struct Subresource {
    name: &'static str,
    group: &'static str,
    version: &'static str,
    kind: String,
    verbs: &'static [&'static str],
}

fn subresources(resource: &Resource) -> Vec<Subresource> {
    let own = |name, verbs| Subresource { name, group: "", version: "", kind: resource.kind.clone(), verbs };
    let mut parts = Vec::new();
    if resource.is("", "serviceaccounts") {
        parts.push(Subresource {
            name: "token",
            group: "authentication.k8s.io",
            version: "v1",
            kind: "TokenRequest".into(),
            verbs: &["create"],
        });
    }
    if resource.is("", "pods") {
        parts.push(Subresource { name: "binding", group: "", version: "", kind: "Binding".into(), verbs: &["create"] });
        parts.push(Subresource {
            name: "eviction",
            group: "policy",
            version: "v1",
            kind: "Eviction".into(),
            verbs: &["create"],
        });
        parts.push(own("log", &["get"]));
    }
    if resource.is("", "namespaces") {
        parts.push(own("finalize", &["update"]));
    }
    let scale = resource.scale.then(|| Subresource {
        name: "scale",
        group: "autoscaling",
        version: "v1",
        kind: "Scale".into(),
        verbs: &PART_VERBS,
    });
    let status = resource.status.then(|| own("status", &PART_VERBS));
    // Custom resources list status first.
    if resource.custom {
        parts.extend(status.into_iter().chain(scale));
    } else {
        parts.extend(scale.into_iter().chain(status));
    }
    parts
}

fn verbs(resource: &Resource, is_terminating: bool) -> Vec<&'static str> {
    if resource.virtual_only {
        vec!["create"]
    } else if resource.custom && is_terminating {
        ENDING_VERBS.to_vec()
    } else if resource.custom {
        CUSTOM_VERBS.to_vec()
    } else if resource.is("", "namespaces") {
        VERBS.iter().copied().filter(|verb| *verb != "deletecollection").collect()
    } else {
        VERBS.to_vec()
    }
}

impl Api {
    /// `APIResourceList` of a group's version, if it is served.
    pub(crate) fn resource_list(&self, group: &str, version: &str) -> Option<Value> {
        let resources = self.resources_of(group, version);
        if resources.is_empty() {
            return None;
        }
        let mut listed = Vec::new();
        for resource in &resources {
            let mut entry = Map::new();
            entry.insert("name".into(), resource.plural.clone().into());
            entry.insert("singularName".into(), resource.singular.clone().into());
            entry.insert("namespaced".into(), resource.namespaced.into());
            entry.insert("kind".into(), resource.kind.clone().into());
            entry.insert("verbs".into(), json!(verbs(resource, self.registry().is_terminating(resource))));
            add_names(&mut entry, resource);
            if !resource.virtual_only {
                entry.insert("storageVersionHash".into(), storage_hash(resource).into());
            }
            listed.push(Value::Object(entry));
            for part in subresources(resource) {
                let mut entry = Map::new();
                entry.insert("name".into(), format!("{}/{}", resource.plural, part.name).into());
                entry.insert("singularName".into(), "".into());
                entry.insert("namespaced".into(), resource.namespaced.into());
                if !part.group.is_empty() {
                    entry.insert("group".into(), part.group.into());
                    entry.insert("version".into(), part.version.into());
                }
                entry.insert("kind".into(), part.kind.into());
                entry.insert("verbs".into(), json!(part.verbs));
                listed.push(Value::Object(entry));
            }
        }
        let mut list = Map::new();
        list.insert("kind".into(), "APIResourceList".into());
        if !group.is_empty() {
            list.insert("apiVersion".into(), "v1".into());
        }
        list.insert("groupVersion".into(), resources.first().map(Resource::api_version).into());
        list.insert("resources".into(), listed.into());
        Some(Value::Object(list))
    }

    fn resources_of(&self, group: &str, version: &str) -> Vec<Resource> {
        let mut resources = self.registry().all();
        resources.retain(|resource| resource.group == group && resource.version == version);
        resources
    }

    /// Groups and their versions, in the order of registration.
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for resource in self.registry().all() {
            let position = groups.iter().position(|(group, _)| *group == resource.group);
            match position.and_then(|index| groups.get_mut(index)) {
                Some((_, versions)) if versions.contains(&resource.version) => {}
                Some((_, versions)) => versions.push(resource.version.clone()),
                None => groups.push((resource.group.clone(), vec![resource.version.clone()])),
            }
        }
        groups
    }

    /// `APIGroup` of a group, if it is served.
    pub(crate) fn group(&self, name: &str) -> Option<Value> {
        let (_, versions) = self.groups().into_iter().find(|(group, _)| group == name && !name.is_empty())?;
        let mut group = json!({"kind": "APIGroup", "apiVersion": "v1"});
        group.as_object_mut()?.extend(group_entry(name, &versions));
        Some(group)
    }

    /// Whether a group has custom resources only.
    pub(crate) fn is_custom_group(&self, group: &str) -> bool {
        let resources = self.registry().all();
        resources.iter().filter(|resource| resource.group == group).all(|resource| resource.custom)
    }

    /// `APIGroupList`.
    pub(crate) fn group_list(&self) -> Value {
        let groups = self.groups().into_iter().filter(|(group, _)| !group.is_empty());
        let groups: Vec<Value> = groups.map(|(group, versions)| group_entry(&group, &versions).into()).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    }

    /// `APIGroupDiscoveryList`: of the core group alone, or of all others.
    pub(crate) fn aggregated(&self, core: bool) -> Value {
        let groups = self.groups().into_iter().filter(|(group, _)| group.is_empty() == core);
        let items: Vec<Value> = groups
            .map(|(group, versions)| {
                let versions: Vec<Value> = versions
                    .iter()
                    .map(|version| {
                        let resources = self.resources_of(&group, version);
                        let resources: Vec<Value> = resources
                            .iter()
                            .map(|resource| aggregated_resource(resource, self.registry().is_terminating(resource)))
                            .collect();
                        json!({"version": version, "resources": resources, "freshness": "Current"})
                    })
                    .collect();
                let metadata = if core { json!({}) } else { json!({"name": group}) };
                json!({"metadata": metadata, "versions": versions})
            })
            .collect();
        json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        })
    }
}

fn group_entry(name: &str, versions: &[String]) -> Map<String, Value> {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    let mut entry = Map::new();
    entry.insert("name".into(), name.into());
    entry.insert("versions".into(), versions.into());
    entry.insert("preferredVersion".into(), preferred);
    entry
}

fn aggregated_resource(resource: &Resource, is_terminating: bool) -> Value {
    // The real server leaves group and version of built-in kinds empty here: they are those of the list.
    let response_kind =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let own_kind = if resource.custom {
        response_kind(&resource.group, &resource.version, &resource.kind)
    } else {
        response_kind("", "", &resource.kind)
    };
    let mut entry = Map::new();
    entry.insert("resource".into(), resource.plural.clone().into());
    entry.insert("responseKind".into(), own_kind.clone());
    entry.insert("scope".into(), if resource.namespaced { "Namespaced" } else { "Cluster" }.into());
    entry.insert("singularResource".into(), resource.singular.clone().into());
    entry.insert("verbs".into(), json!(verbs(resource, is_terminating)));
    add_names(&mut entry, resource);
    let parts: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|part| {
            let kind = if part.kind == resource.kind {
                own_kind.clone()
            } else {
                response_kind(part.group, part.version, &part.kind)
            };
            json!({"subresource": part.name, "responseKind": kind, "verbs": part.verbs})
        })
        .collect();
    if !parts.is_empty() {
        entry.insert("subresources".into(), parts.into());
    }
    Value::Object(entry)
}

fn add_names(entry: &mut Map<String, Value>, resource: &Resource) {
    if !resource.short_names.is_empty() {
        entry.insert("shortNames".into(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        entry.insert("categories".into(), json!(resource.categories));
    }
}

/// First eight bytes of the SHA-256 of `group/version/kind`, as the real server computes it.
fn storage_hash(resource: &Resource) -> String {
    use sha2::Digest as _;
    // Both Event APIs are stored as the core group's.
    let group = if resource.kind == "Event" { "" } else { &resource.group };
    // Definitions are stored in an older version than they are served in.
    let version = if resource.kind == "CustomResourceDefinition" { "v1beta1" } else { &resource.version };
    let digest = sha2::Sha256::digest(format!("{group}/{version}/{}", resource.kind));
    super::list::base64_standard(&digest[..8])
}
