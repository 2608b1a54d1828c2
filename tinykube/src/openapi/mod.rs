//! `OpenAPI` v3 documents, as far as kubectl needs them: which parameters a patch takes, and the schemas of the kinds.

pub(crate) mod v2;

use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::builtin::SCHEMAS;
use crate::patch::merge_key;
use crate::resource::Resource;

const GVK: &str = "x-kubernetes-group-version-kind";

/// `/openapi/v3`: where the document of each group's version is.
pub(crate) fn index(api: &Api) -> Value {
    let mut paths = Map::new();
    for (group, versions) in api.groups() {
        for version in versions {
            let path = root(&group, &version);
            let url = format!("/openapi/v3/{path}?hash={}", fingerprint(api, &group, &version));
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Changes when the schemas of a version change, so that clients know to read it again.
fn fingerprint(api: &Api, group: &str, version: &str) -> String {
    use std::fmt::Write as _;

    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    for resource in resources_of(api, group, version) {
        digest.update(format!("{resource:?}"));
        if let Some(custom) = api.registry().custom(&resource) {
            digest.update(custom.schema.root.to_string());
        }
    }
    let mut text = String::new();
    for byte in digest.finalize().iter().take(16) {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

fn resources_of(api: &Api, group: &str, version: &str) -> Vec<Resource> {
    let mut resources = api.registry().all();
    resources.retain(|resource| resource.group == group && resource.version == version);
    resources
}

/// The document of one group's version, by its path below `/openapi/v3`.
pub(crate) fn document(api: &Api, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let (group, version) = match parts[..] {
        ["api", version] => ("", version),
        ["apis", group, version] => (group, version),
        _ => return None,
    };
    let resources = resources_of(api, group, version);
    if resources.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in &resources {
        add_paths(&mut paths, resource);
        add_schema(&mut schemas, api, resource);
    }
    for (name, schema) in &SCHEMAS.definitions {
        let needed = resources.iter().any(|resource| !resource.custom) || name.contains(".meta.v1.");
        if needed {
            schemas.entry(name.clone()).or_insert_with(|| published(name, schema));
        }
    }
    let title = if resources.iter().any(|resource| resource.custom) { "Kubernetes CRD Swagger" } else { "Kubernetes" };
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": title, "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

fn add_paths(paths: &mut Map<String, Value>, resource: &Resource) {
    let namespace = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
    let base = format!("/{}/{namespace}{}", root(&resource.group, &resource.version), resource.plural);
    let operation = |action: &str, parameters: &[&str]| {
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|name| {
                let kind = if *name == "force" { "boolean" } else { "string" };
                json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
            })
            .collect();
        let reference = json!({"$ref": format!("#/components/schemas/{}", schema_name(resource))});
        json!({
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
            "x-kubernetes-action": action,
            GVK: kind_of(resource),
        })
    };
    let writes = ["dryRun", "fieldManager", "fieldValidation"];
    let mut collection = json!({"post": operation("post", &writes)});
    if !resource.virtual_only {
        let list = operation("list", &["labelSelector", "fieldSelector", "limit", "continue", "watch"]);
        if resource.namespaced {
            // Of all namespaces: where `kubectl explain` of 1.27 looks for a kind.
            let path = format!("/{}/{}", root(&resource.group, &resource.version), resource.plural);
            paths.insert(path, json!({"get": list.clone()}));
        }
        collection["get"] = list;
        paths.insert(
            format!("{base}/{{name}}"),
            json!({
                "get": operation("get", &[]),
                "put": operation("put", &writes),
                "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
                "delete": operation("delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
            }),
        );
    }
    paths.insert(base, collection);
}

fn kind_of(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// `io.k8s.api.apps.v1.Deployment` for built-in kinds, the reversed group for custom ones.
fn schema_name(resource: &Resource) -> String {
    let built_in = SCHEMAS
        .kinds
        .iter()
        .find(|((version, kind), _)| !resource.custom && *version == resource.api_version() && *kind == resource.kind);
    let reference = built_in.and_then(|(_, schema)| schema["$ref"].as_str());
    if let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) {
        return name.to_owned();
    }
    let mut group: Vec<&str> = resource.group.split('.').collect();
    group.reverse();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

fn add_schema(schemas: &mut Map<String, Value>, api: &Api, resource: &Resource) {
    let name = schema_name(resource);
    let mut schema = if let Some(custom) = api.registry().custom(resource) {
        let mut schema = custom.schema.root.clone();
        let metadata = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        let properties = crate::object::entry(&mut schema, "properties");
        properties.insert("apiVersion".into(), json!({"type": "string"}));
        properties.insert("kind".into(), json!({"type": "string"}));
        properties.insert("metadata".into(), json!({"allOf": [{"$ref": metadata}]}));
        schema
    } else if let Some(schema) = SCHEMAS.of(resource) {
        published(&name, schema)
    } else {
        json!({"type": "object"})
    };
    schema[GVK] = json!([kind_of(resource)]);
    schemas.insert(name, schema);
}

/// A schema as documents show it: references into the document, and how lists merge.
fn published(name: &str, schema: &Value) -> Value {
    let mut schema = moved(schema);
    let parent = if name.ends_with("ServiceSpec") {
        "spec"
    } else if name.ends_with("Status") {
        "status"
    } else {
        ""
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (field, property) in properties.into_iter().flatten() {
        if let Some(key) = merge_key(field, parent).filter(|_| property["type"] == "array") {
            property["x-kubernetes-patch-merge-key"] = key.into();
            property["x-kubernetes-patch-strategy"] = "merge".into();
        }
    }
    schema
}

fn moved(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "$ref" => {
                    let name = text.rsplit('/').next().unwrap_or_default();
                    (key.clone(), format!("#/components/schemas/{name}").into())
                }
                other => (key.clone(), moved(other)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(moved).collect(),
        other => other.clone(),
    }
}
