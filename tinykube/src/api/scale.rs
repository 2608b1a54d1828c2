//! The `scale` subresource: replicas alone.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Api, Options, Part, Status};
use crate::object;
use crate::resource::{ObjectRef, Resource};

/// Where a kind keeps what a `Scale` shows, as JSON pointers.
struct Paths {
    replicas: String,
    status: String,
    selector: Option<String>,
}

impl Api {
    fn scale_paths(&self, resource: &Resource) -> Paths {
        let custom = self.registry().custom(resource);
        let Some(custom) = custom else {
            return Paths { replicas: "/spec/replicas".into(), status: "/status/replicas".into(), selector: None };
        };
        let scale = &custom.version["subresources"]["scale"];
        let path = |key: &str| scale[key].as_str().map(|path| path.replace('.', "/"));
        Paths {
            replicas: path("specReplicasPath").unwrap_or_default(),
            status: path("statusReplicasPath").unwrap_or_default(),
            selector: path("labelSelectorPath"),
        }
    }

    /// The `Scale` of an object.
    ///
    /// # Errors
    /// 404 if the kind has none.
    pub fn scale(&self, resource: &Resource, object: &Value) -> Result<Value, Status> {
        if !resource.scale {
            return Err(Status::no_such_path());
        }
        let paths = self.scale_paths(resource);
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
        let metadata: Map<String, Value> = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]
            .iter()
            .map(|key| ((*key).to_owned(), object["metadata"][*key].clone()))
            .collect();
        let mut status = json!({"replicas": number(&paths.status)});
        let selector = match &paths.selector {
            Some(path) => object::text(object, path).to_owned(),
            None if resource.custom => String::new(),
            None => selector_text(&object["spec"]["selector"]),
        };
        if !selector.is_empty() {
            status["selector"] = selector.into();
        }
        let mut spec = Map::new();
        if number(&paths.replicas) != 0 {
            spec.insert("replicas".into(), number(&paths.replicas).into());
        }
        Ok(json!({
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }))
    }

    /// Writes the replicas of a `Scale` into its object.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub fn update_scale(&self, target: ObjectRef<'_>, scale: &Value, options: &Options) -> Result<Arc<Value>, Status> {
        let mut named = scale.clone();
        super::update::check_name_matches(&mut named, target.name)?;
        self.transform(target, Part::Scale, options, |old| self.scaled(target.resource, old, scale))
    }

    /// The object with the replicas of a `Scale`.
    pub(crate) fn scaled(&self, resource: &Resource, old: &Value, scale: &Value) -> Result<Value, Status> {
        let paths = self.scale_paths(resource);
        let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        // Of a custom resource the object itself says so.
        if replicas < 0 && !resource.custom {
            let why = "must be greater than or equal to 0";
            let cause = super::Cause::invalid("spec.replicas", &replicas.into(), why);
            return Err(Status::invalid_kind("autoscaling", "Scale", object::name(old), &[cause]));
        }
        let mut new = old.clone();
        let mut place = &mut new;
        for key in paths.replicas.split('/').filter(|key| !key.is_empty()) {
            place = object::map(place).entry(key.to_owned()).or_insert(Value::Null);
        }
        *place = replicas.into();
        if let Some(rv) = scale["metadata"]["resourceVersion"].as_str() {
            new["metadata"]["resourceVersion"] = rv.into();
        }
        Ok(new)
    }
}

/// A label selector as text, as `kubectl` would take it.
pub(super) fn selector_text(selector: &Value) -> String {
    let mut terms: Vec<String> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        terms.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut values: Vec<&str> = values.collect();
        values.sort_unstable();
        let values = values.join(",");
        terms.push(match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.sort();
    terms.join(",")
}
